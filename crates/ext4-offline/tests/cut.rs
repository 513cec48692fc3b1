//! Storages that fail at any point of an operation: the error is reported, nothing continues after
//! it, and the base stays as it was.
#![allow(missing_docs)]

mod common;
#[allow(dead_code)]
#[path = "../../../fuzz/src/lib.rs"]
mod steps;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use block_io::{Layer, Memory, ReadAt, WriteAt};
use common::*;
use ext4_offline::{
    Error, FileKind, FileTimes, check, grow,
    inodes::{FilesMut, NewFile, ROOT_INODE},
    recount, recover, used_extents,
};
use test_support::{FaultInjector, injected_fault, is_injected};

const GROWN: u64 = 14 * MIB;
const KINDS: [&str; 4] = [
    "-t ext4 -O metadata_csum,64bit,orphan_file -b 1024 -g 2048",
    "-t ext4 -O ^metadata_csum,^64bit,uninit_bg -b 1024 -g 2048",
    "-t ext2 -b 1024 -g 2048",
    "-t ext4 -O bigalloc,inline_data,^has_journal -b 1024 -C 4096",
];

/// An image that needs a replay and has orphans, if its format allows that.
fn image(arguments: &str) -> Vec<u8> {
    let image = Image::make(arguments, 8 * MIB);
    if arguments.contains("has_journal") || arguments.contains("ext2") {
        return std::fs::read(&image.path).unwrap();
    }
    let debugfs = |request: &str| output_of("debugfs", &["-w", "-R", request, image.path()]);
    // A file without a name, whose inode is the first on the list of orphans.
    let stat = debugfs("stat directory-1/file-5");
    let number = stat.split_whitespace().nth(1).filter(|n| n.parse::<u32>().is_ok());
    let number = number.unwrap_or_else(|| panic!("{stat}")).to_owned();
    debugfs("unlink directory-1/file-5");
    debugfs(&format!("set_inode_field <{number}> links_count 0"));
    debugfs(&format!("set_super_value last_orphan {number}"));
    std::fs::read(&image.path).unwrap()
}

/// Everything that is done to a root filesystem. Each edit must succeed.
fn work(storage: &Arc<dyn WriteAt>) -> Result<(), Error> {
    recover(storage, NOW.into())?;
    check(storage)?;
    recount(storage)?;
    grow(storage, GROWN, NOW.into())?;
    let mut files = FilesMut::open(storage.clone(), NOW.into())?;
    let contents: Vec<u8> = (0..9000u32).map(|i| (i % 251) as u8).collect();
    let dir = files.create(ROOT_INODE, b"new", NewFile::Directory, 0o755)?;
    let file = files.create(dir, b"file", NewFile::Regular, 0o600)?;
    files.replace(file, &contents)?;
    files.write(file, 40_000, b"behind a hole")?;
    files.resize(file, 41_000)?;
    files.set_xattr(file, "user.small", b"value")?;
    files.set_xattr(file, "user.large", &contents[..600])?;
    files.remove_xattr(file, "user.small")?;
    files.set_mode(file, 0o644)?;
    files.set_owner(file, 1000, 1000)?;
    files.set_times(file, FileTimes::new().set_modified(7.into()))?;
    files.link(file, ROOT_INODE, b"second")?;
    files.create(dir, b"link", NewFile::Symlink(&[b'x'; 100]), 0o777)?;
    for number in 0..30 {
        let name = format!("{number}-{}", "long".repeat(20));
        files.create(dir, name.as_bytes(), NewFile::Regular, 0o644)?;
    }
    files.rename(dir, b"file", ROOT_INODE, b"moved")?;
    files.unlink(ROOT_INODE, b"second")?;
    let old = files.look_up(ROOT_INODE, b"directory-2")?.unwrap_or_default();
    for entry in files.entries(old)? {
        assert_eq!(files.stat(entry.inode)?.kind, FileKind::Regular);
        files.unlink(old, &entry.name)?;
    }
    files.rmdir(ROOT_INODE, b"directory-2")?;
    files.finish()?;
    used_extents(storage)?;
    Ok(())
}

/// The points, out of `count`, that are tested.
fn moments(count: u64) -> impl Iterator<Item = u64> {
    let step = if thorough() { 1 } else { (count / 150).max(1) };
    (0..count).step_by(step as usize)
}

#[test]
fn every_failure_is_reported_and_the_base_is_unchanged() {
    for arguments in KINDS {
        let bytes = image(arguments);
        let base: Arc<Memory> = Arc::new(Memory::new(bytes.clone()));
        let layer = || Arc::new(Layer::new(base.clone(), GROWN));
        let whole = Arc::new(FaultInjector::new(layer(), u64::MAX, u64::MAX));
        let dynamic: Arc<dyn WriteAt> = whole.clone();
        work(&dynamic).unwrap_or_else(|error| panic!("{arguments}: {error}"));
        let (reads, writes) = (whole.reads(), whole.writes());
        let dir = scratch();
        let path = dir.path().join("image");
        std::fs::write(&path, whole.read_vec(0, GROWN as usize).unwrap()).unwrap();
        assert_clean(&path, &[], arguments);
        assert!(reads > 300 && writes > 100, "{reads} reads, {writes} writes");
        for number in moments(reads) {
            let broken: Arc<dyn WriteAt> = Arc::new(FaultInjector::new(layer(), number, u64::MAX));
            let error = work(&broken).expect_err("the read failed");
            assert!(is_storage(&error), "{arguments}: read {number}: {error}");
        }
        for number in moments(writes) {
            let broken: Arc<dyn WriteAt> = Arc::new(FaultInjector::new(layer(), u64::MAX, number));
            let error = work(&broken).expect_err("the write failed");
            assert!(is_storage(&error), "{arguments}: write {number}: {error}");
        }
        assert!(base.read_vec(0, bytes.len()).unwrap() == bytes);
    }
}

fn is_storage(error: &Error) -> bool {
    matches!(error, Error::Storage(error) if is_injected(error))
}

/// A storage of which one write fails, but not those after it.
#[derive(Debug)]
struct Hiccup {
    layer: Arc<Layer>,
    left: AtomicU64,
}

impl Hiccup {
    fn fails(&self) -> bool {
        self.left.fetch_sub(1, Relaxed) == 0
    }
}

impl ReadAt for Hiccup {
    fn size(&self) -> u64 {
        self.layer.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> block_io::Result<()> {
        self.layer.read_at(offset, buf)
    }
}

impl WriteAt for Hiccup {
    fn write_at(&self, offset: u64, data: &[u8]) -> block_io::Result<()> {
        if self.fails() {
            Err(injected_fault("write", offset))
        } else {
            self.layer.write_at(offset, data)
        }
    }

    fn flush(&self) -> block_io::Result<()> {
        self.layer.flush()
    }
}

/// After a failed write, everything fails: the next edit, and `finish`.
#[test]
fn nothing_continues_after_a_failed_write() {
    let image = Image::make(KINDS[0], 8 * MIB);
    let bytes = std::fs::read(&image.path).unwrap();
    let base: Arc<dyn ReadAt> = Arc::new(Memory::new(bytes));
    let mut refused = 0;
    for number in 0..200 {
        let layer = Arc::new(Layer::new(base.clone(), base.size()));
        let storage = Arc::new(Hiccup { layer, left: number.into() });
        let mut files = FilesMut::open(storage, NOW.into()).unwrap();
        let mut failed = false;
        for index in 0..20 {
            let name = format!("file-{index}");
            let made = files.create(ROOT_INODE, name.as_bytes(), NewFile::Regular, 0o644);
            let written = made.and_then(|file| files.replace(file, &[7; 3000]));
            match written {
                Ok(()) => assert!(!failed, "{name} follows what failed"),
                Err(Error::HalfWritten { reason }) => {
                    assert!(failed && reason.contains("write"), "{reason}");
                }
                Err(error) => {
                    assert!(!failed && is_storage(&error), "{error}");
                    failed = true;
                }
            }
        }
        if failed {
            refused += 1;
            let error = files.finish().expect_err("an edit is half done");
            assert!(matches!(error, Error::HalfWritten { .. }), "{error}");
        }
    }
    assert!(refused > 50, "{refused}");
}

/// A storage that silently drops all writes from some point on.
#[derive(Debug)]
struct Forgetful {
    layer: Arc<Layer>,
    left: AtomicU64,
}

impl ReadAt for Forgetful {
    fn size(&self) -> u64 {
        self.layer.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> block_io::Result<()> {
        self.layer.read_at(offset, buf)
    }
}

impl WriteAt for Forgetful {
    fn write_at(&self, offset: u64, data: &[u8]) -> block_io::Result<()> {
        let kept = self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        if kept { self.layer.write_at(offset, data) } else { Ok(()) }
    }

    fn flush(&self) -> block_io::Result<()> {
        self.layer.flush()
    }
}

/// Lost writes cannot be reported, but nothing panics or hangs, and the result is never accepted as
/// finished: `check` finds it, unless it equals the old or the complete new filesystem.
#[test]
fn lost_writes_are_found_by_the_check() {
    for arguments in KINDS {
        let base: Arc<dyn ReadAt> = Arc::new(Memory::new(image(arguments)));
        let dir = scratch();
        let path = dir.path().join("image");
        let mut broken = 0;
        for number in moments(400) {
            let layer = Arc::new(Layer::new(base.clone(), GROWN));
            let storage: Arc<dyn WriteAt> =
                Arc::new(Forgetful { layer: layer.clone(), left: number.into() });
            let _ = work(&storage);
            if check(&layer).is_err() {
                broken += 1;
            } else if number % 10 == 0 {
                let mut bytes = layer.read_vec(0, GROWN as usize).unwrap();
                let storage = Memory::new(bytes);
                recount(&storage).unwrap();
                bytes = storage.into_bytes();
                std::fs::write(&path, bytes).unwrap();
                assert_clean(&path, &[], &format!("{arguments}: {number} writes"));
            }
        }
        assert!(broken > 20, "{arguments}: {broken}");
    }
}
