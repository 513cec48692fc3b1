//! What is done to a filesystem: everything that this crate offers.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use block_io::{FileStorage, Layer, ReadAt, WriteAt};
use ext4_offline::{
    Error, FileKind, Operation, Reader, check, commit, grow,
    inodes::{Files, FilesMut, ROOT_INODE},
    internals::{Geometry, Superblock},
    recount, recover, used_extents,
};

use crate::{
    common::{MIB, NOW, all_files, output_of},
    steps,
};

/// Files larger than this are not compared: some are sparse and have terabytes.
const MOST_BYTES: u64 = 64 * MIB;

/// A step that was refused, and why.
pub type Refused = (&'static str, Error);

trait Step<T> {
    fn step(self, name: &'static str) -> Result<T, Refused>;
}

impl<T> Step<T> for Result<T, Error> {
    fn step(self, name: &'static str) -> Result<T, Refused> {
        self.map_err(|error| (name, error))
    }
}

/// The image in a layer, recovered and checked, as growing and editing want it.
pub fn accept(image: &Path) -> Result<Arc<Layer>, Refused> {
    let base: Arc<dyn ReadAt> = Arc::new(FileStorage::open(image).unwrap());
    let layer = Arc::new(Layer::new(base.clone(), base.size()));
    let storage: Arc<dyn WriteAt> = layer.clone();
    if let Err(error) = recover(&storage, NOW.into()) {
        // Editing is not supported, but reading is.
        if matches!(error, Error::Feature { operation: Operation::Edit, .. })
            && error.fix().is_some()
        {
            check(&layer).step("check")?;
        }
        return Err(("recover", error));
    }
    check(&layer).step("check")?;
    recount(&layer).step("recount")?;
    used_extents(&layer).step("map")?;
    Ok(layer)
}

/// What was accepted, grown in a larger layer.
pub fn grown(accepted: &Arc<Layer>) -> Result<Arc<Layer>, Refused> {
    let size = accepted.size().next_multiple_of(MIB) + accepted.size().min(64 * MIB) + 9 * MIB;
    let layer = Arc::new(Layer::new(accepted.clone(), size));
    grow(&layer, size, NOW.into()).step("grow")?;
    check(&layer).step("check what was grown")?;
    Ok(layer)
}

/// Edits a filesystem.
pub fn edit(layer: &Arc<Layer>) -> Result<(), Refused> {
    let files = FilesMut::open(layer.clone(), NOW.into()).step("open")?;
    steps::edit_files(files).step("edit")?;
    check(&layer).step("check what was edited").map(drop)
}

/// Recovers a copy in place, and commits edits to it through its journal, if there is one.
pub fn commit_in_place(image: &Path, copy: &Path) -> Result<(), Refused> {
    output_of("cp", &["--sparse=always", image.to_str().unwrap(), copy.to_str().unwrap()]);
    let card: Arc<dyn WriteAt> = Arc::new(FileStorage::open_writable(copy).unwrap());
    recover(&card, NOW.into()).step("recover")?;
    recount(&card).step("recount")?;
    let layer = Arc::new(Layer::new(card.clone(), card.size()));
    let files = FilesMut::open(layer.clone(), NOW.into()).step("open")?;
    steps::edit_files(files).step("edit")?;
    match commit(&card, &layer, &layer.changed(), NOW.into()) {
        // Without one, or in a small one, nothing can be atomic.
        Err(Error::NoJournal | Error::JournalTooSmall { .. } | Error::ExternalJournal) => {
            return Ok(());
        }
        result => drop(result.step("commit")?),
    }
    let (committed, edited) = (tree(&card), tree(&layer));
    assert!(committed == edited, "other files were committed than edited");
    Ok(())
}

/// Returns the options with which e2fsck uses the first backup of the superblock.
pub fn first_backup(layer: &Arc<Layer>) -> Option<[String; 4]> {
    let geometry = Geometry::of(&Superblock::read(layer).unwrap()).unwrap();
    let group = *geometry.backup_groups().first()?;
    let [block, size] = [geometry.superblock_block(group), geometry.block_size.into()];
    Some(["-b".into(), block.to_string(), "-B".into(), size.to_string()])
}

/// Names, kinds and contents, and what cannot be read.
type Tree = BTreeMap<PathBuf, Result<Vec<u8>, String>>;

fn tree(storage: &(impl ReadAt + Clone + 'static)) -> Tree {
    let reader = Reader::open(Arc::new(storage.clone())).unwrap();
    let mut found = Tree::new();
    let mut ahead = vec![(PathBuf::new(), ROOT_INODE)];
    while let Some((path, inode)) = ahead.pop() {
        let files = reader.inodes();
        let _ = files.xattrs(inode);
        let stat = files.stat(inode).unwrap();
        let contents = match stat.kind {
            FileKind::Directory => {
                let entries = files.entries(inode);
                for entry in entries.as_deref().unwrap_or_default() {
                    let name: &std::ffi::OsStr =
                        std::os::unix::ffi::OsStrExt::from_bytes(entry.name.as_slice());
                    ahead.push((path.join(name), entry.inode));
                }
                entries.map(|_| b"a directory".to_vec())
            }
            FileKind::Symlink => files.read_link(inode),
            FileKind::Regular if stat.size <= MOST_BYTES => contents(files, inode, stat.size),
            FileKind::Regular => Ok(b"large".to_vec()),
            _ => continue,
        };
        found.insert(path, contents.map_err(|error| error.to_string()));
    }
    found
}

fn contents(files: &Files, inode: u32, size: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; size as usize];
    files.read(inode, 0, &mut bytes).map(|()| bytes)
}

/// Reads every file. Returns how that differs from what debugfs reads.
pub fn compare_with_debugfs(image: &Path) -> Option<String> {
    let mut ours = tree(&Arc::new(FileStorage::open(image).unwrap()));
    ours.remove(Path::new(""));
    // debugfs shows encrypted names and contents as they are, and it would write large files.
    let strange = |contents: &Result<Vec<u8>, String>| match contents {
        Ok(bytes) => bytes == b"large",
        Err(error) => error.contains("it has the flag"),
    };
    if ours.values().any(strange) {
        return None;
    }
    let theirs = all_files(image);
    for (path, bytes) in &theirs {
        match ours.get(path) {
            Some(Ok(own)) if own == bytes => {}
            // debugfs 1.47 writes the whole room of contents in the inode, whatever their size.
            Some(Ok(own)) if bytes.len() == 60 && bytes.starts_with(own) => {}
            Some(Ok(_)) => return Some(format!("{} has other contents", path.display())),
            Some(Err(error)) => return Some(error.clone()),
            None => return Some(format!("{} is missing", path.display())),
        }
    }
    let more = ours.keys().find(|path| !theirs.contains_key(*path));
    more.map(|path| format!("debugfs does not see {}", path.display()))
}
