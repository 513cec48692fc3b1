//! One sequence of operations on one filesystem, and its checks.

use std::{fs, path::Path, sync::Arc};

use block_io::{Extents, Layer, ReadAt, WriteAt};
use ext4_offline::{
    Error, Timestamp,
    inodes::{FilesMut, ROOT_INODE},
    used_extents,
};

use crate::{
    base::Base,
    common::{NOW, Random, assert_clean, mount::is_root, scratch},
    count,
    draw::Draw,
    model::Model,
    op::{Data, New, Op, Outcome, Refusal},
    readers::{debugfs, ext4_view, kernel, own},
    tree::{Entry, Kind, Tree, difference},
};

/// How full the filesystem is before the first operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Fresh,
    HalfFull,
    NearlyFull,
}

pub const LEVELS: [Level; 3] = [Level::Fresh, Level::HalfFull, Level::NearlyFull];

/// A filesystem that is being edited, with its model.
struct Case<'b> {
    base: &'b Base,
    level: Level,
    storage: Arc<Layer>,
    model: Model,
    /// The operations so far: session, operation, result.
    done: Vec<(i64, Op, Outcome)>,
    session: i64,
}

fn open(storage: &Arc<Layer>, session: i64) -> FilesMut {
    let storage: Arc<dyn WriteAt> = storage.clone();
    FilesMut::open(storage, Timestamp::saturating(i64::from(NOW) + session)).unwrap()
}

impl Case<'_> {
    /// Runs an operation on the filesystem and on the model. Returns whether it succeeded.
    fn step(&mut self, files: &mut FilesMut, op: &Op) -> bool {
        let refusals = self.model.refusals(op);
        let free = files.free_blocks() * self.model.limits.block_size as u64;
        match (op.run(files), refusals.as_slice()) {
            (Ok(answer), []) => {
                count(op.name());
                self.model.apply(op, answer);
                self.done.push((self.session, op.clone(), answer));
                true
            }
            (Ok(answer), _) => panic!("{op:?} answered {answer:?}; must fail: {refusals:?}"),
            (Err(error), _) => {
                let Some(refusal) = Refusal::of(&error) else { panic!("{op:?}: {error}") };
                if refusals.is_empty() {
                    let possible = self.model.may_fail(op, refusal);
                    assert!(possible, "{op:?}: {error}");
                    self.check_full(op, &error, free, files.free_inodes());
                } else {
                    // A full filesystem is a valid reason too, if it is noticed first.
                    let full = match error {
                        Error::Full { what: "inodes" } => files.free_inodes() == 0,
                        _ => refusal == Refusal::Full && self.level != Level::Fresh,
                    };
                    assert!(refusals.contains(&refusal) || full, "{op:?}: {error}; {refusals:?}");
                }
                count(&format!("refused: {refusal:?}"));
                false
            }
        }
    }

    /// Checks that a filesystem that is reported as full is full.
    fn check_full(&self, op: &Op, error: &Error, free: u64, free_inodes: u32) {
        match error {
            Error::Full { what: "blocks" } => {
                let data = match op {
                    Op::Write { data, .. } | Op::Replace { data, .. } => data.length as u64,
                    _ => 0,
                };
                // Nodes of mappings, partly used blocks, leaves of a directory.
                let around = 24 * self.base.cluster + data / 16;
                assert!(free < data + around, "{op:?}: {error}, but {free} bytes are free");
            }
            Error::Full { .. } => assert_eq!(free_inodes, 0, "{op:?}: {error}"),
            _ => {}
        }
    }

    /// Fills the filesystem up to the level.
    fn fill(&mut self, files: &mut FilesMut, random: &mut Random) {
        if self.level == Level::Fresh {
            return;
        }
        let name = b"fill".to_vec();
        let create = Op::Create { dir: ROOT_INODE, name, new: New::Regular, mode: 0o600 };
        if !self.step(files, &create) {
            return;
        }
        let Some((_, _, Outcome::Inode(inode))) = self.done.last().cloned() else { return };
        let (mut offset, mut length) = (0, self.base.free_bytes / 2);
        let least = self.model.limits.block_size as u64;
        loop {
            let data = Data { seed: 1, length: length as usize };
            if self.step(files, &Op::Write { inode, offset, data }) {
                offset += length;
            } else if length < least {
                break;
            }
            if self.level == Level::HalfFull {
                return;
            }
            length = (length / 2).max(least / 2);
        }
        let left = random.below(64) * least;
        self.step(files, &Op::Resize { inode, size: offset.saturating_sub(left) });
    }
}

/// Runs a sequence with this number of operations in each of two sessions.
pub fn run(seed: u64, base: &Base, level: Level, operations: usize) {
    let storage = Arc::new(Layer::new(base.storage.clone(), base.storage.size()));
    let mut model = base.model.clone();
    model.now = NOW.into();
    let done = Vec::new();
    let mut case = Case { base, level, storage, model, done, session: 0 };
    let mut draw = Draw { random: Random(seed), gone: Vec::new(), most: 120_000 };
    for session in 0..2 {
        case.session = session;
        case.model.now = i64::from(NOW) + session;
        let mut files = open(&case.storage, session);
        if session == 0 {
            case.fill(&mut files, &mut draw.random);
        }
        for _ in 0..operations {
            let op = draw.op(&case.model);
            if case.step(&mut files, &op) && matches!(op, Op::Unlink { .. } | Op::Rmdir { .. }) {
                draw.gone = gone(base, &case.model);
            }
        }
        files.finish().unwrap();
    }
    let dir = scratch();
    let image = dir.path().join("image");
    save(base, &case.storage, &image);
    judge(&image, base, &case.model);
    repeat(&case);
}

/// Inodes that the model had before and does not have any more.
fn gone(base: &Base, model: &Model) -> Vec<u32> {
    base.model.nodes.keys().copied().filter(|inode| !model.nodes.contains_key(inode)).collect()
}

/// Writes an edited filesystem to a file.
fn save(base: &Base, layer: &Layer, image: &Path) {
    let arguments = ["--sparse=always", base.path.to_str().unwrap(), image.to_str().unwrap()];
    crate::common::output_of("cp", &arguments);
    let file = fs::OpenOptions::new().write(true).open(image).unwrap();
    for range in layer.changed().iter() {
        let bytes = layer.read_vec(range.start, (range.end - range.start) as usize).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, range.start).unwrap();
    }
}

/// Checks the result with e2fsck and all readers.
fn judge(image: &Path, base: &Base, model: &Model) {
    let wanted = model.tree();
    let compare = |reader: &str, wanted: &Tree, found: &Tree| {
        if let Some(what) = difference(wanted, found) {
            panic!("{reader}: {what}");
        }
        count(&format!("read by {reader}"));
    };
    assert_clean(image, &[], "after the edits");
    compare("own", &wanted, &own::read(image));
    let by_debugfs = debugfs::read(image, model);
    compare("debugfs", &wanted, &by_debugfs.tree);
    if !base.set.kernel {
        count(&format!("not read by the kernel: {}", base.set.name));
    } else if is_root() {
        compare("the kernel", &kernel::visible(&wanted), &kernel::read(image));
    }
    match (ext4_view::read(image), base.set.ext4_view_refuses) {
        (Ok(mut found), None) => {
            let mut wanted = wanted.clone();
            // It reads unwritten blocks as contents.
            let mut unwritten = wanted.clone();
            unwritten.retain(|_, entry| by_debugfs.unwritten.contains(&entry.inode.unwrap()));
            for path in unwritten.into_keys() {
                count("paths not read by ext4-view: unwritten blocks");
                wanted.remove(&path);
                found.tree.remove(&path);
            }
            for (path, reason) in found.refused {
                // Not if a directory above it was refused as well.
                let Some(entry) = wanted.get(&path) else { continue };
                let why = refused_by_ext4_view(base, entry, &reason);
                count(&format!("paths not read by ext4-view: {why}"));
                let below = [&path, b"/".as_slice()].concat();
                wanted.retain(|other, _| *other != path && !other.starts_with(&below));
                found.tree.retain(|other, _| !other.starts_with(&below));
            }
            compare("ext4-view", &wanted, &found.tree);
        }
        (Err(reason), Some(feature)) => {
            assert!(reason.contains(feature), "ext4-view: {reason}");
            count(&format!("not read by ext4-view: {feature}"));
        }
        (Ok(_), Some(feature)) => panic!("ext4-view does read it, in spite of {feature}"),
        (Err(reason), None) => {
            let why = refused_by_ext4_view(base, &wanted[b"".as_slice()], &reason);
            count(&format!("not read by ext4-view: {why}"));
        }
    }
}

/// The known limitation of ext4-view for a path that it cannot read.
fn refused_by_ext4_view(base: &Base, entry: &Entry, reason: &str) -> &'static str {
    if reason.contains("invalid timestamp") && entry.mtime as u32 > i32::MAX as u32 {
        return "seconds of 32 bits without a sign";
    }
    let no_extents = !base.features.iter().any(|feature| feature == "extent");
    if no_extents && reason.contains("from block 0 ") && matches!(entry.kind, Kind::File(_)) {
        return "holes of the size of an indirect block";
    }
    if base.model.limits.block_size == 1 << 16 && reason.contains("too small to contain header") {
        return "empty blocks of 64 KiB in a directory";
    }
    panic!("ext4-view: {entry:?}: {reason}");
}

/// Checks that failed operations left no trace: without them, the same edits give the same bytes
/// wherever bytes are in use.
fn repeat(case: &Case<'_>) {
    let base = case.base;
    let storage = Arc::new(Layer::new(base.storage.clone(), base.storage.size()));
    for session in 0..2 {
        let mut files = open(&storage, session);
        for (_, op, answer) in case.done.iter().filter(|(at, ..)| *at == session) {
            assert_eq!(op.run(&mut files).unwrap(), *answer, "again: {op:?}");
        }
        files.finish().unwrap();
    }
    let used = used_extents(&storage).unwrap();
    assert_same(&case.storage, &storage, &used);
}

/// Panics if two storages differ in bytes that are in use in one of them.
fn assert_same(first: &Layer, second: &Layer, used: &Extents) {
    for range in used.iter() {
        let length = (range.end - range.start) as usize;
        let (a, b) = (first.read_vec(range.start, length), second.read_vec(range.start, length));
        let (a, b) = (a.unwrap(), b.unwrap());
        if a != b {
            let at = a.iter().zip(&b).position(|(a, b)| a != b).unwrap() as u64;
            panic!("what failed has left a trace at byte {}", range.start + at);
        }
    }
}
