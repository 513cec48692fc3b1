//! All files of a filesystem with everything that shrinking must keep.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use block_io::{FileStorage, ReadAt};
use ext4_offline::{
    FileKind, Metadata,
    inodes::{Files, ROOT_INODE},
};

/// A file, without the number of its inode.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    pub metadata: Metadata,
    pub contents: Vec<u8>,
    pub xattrs: BTreeMap<String, Vec<u8>>,
    /// The first path that stands for the same file.
    pub same_as: Vec<u8>,
}

/// Files by path.
pub type Snapshot = BTreeMap<Vec<u8>, File>;

/// Reads all files of an image with this crate.
pub fn read(image: &Path) -> Snapshot {
    let storage: Arc<dyn ReadAt> = Arc::new(FileStorage::open(image).unwrap());
    let files = Files::open(storage).unwrap();
    let mut found = Snapshot::new();
    let mut left = vec![(Vec::new(), ROOT_INODE)];
    while let Some((path, inode)) = left.pop() {
        let metadata = files.stat(inode).unwrap();
        let mut contents = Vec::new();
        match metadata.kind {
            FileKind::Regular => {
                contents.resize(metadata.size as usize, 0);
                files.read(inode, 0, &mut contents).unwrap();
            }
            FileKind::Directory => {
                for entry in files.entries(inode).unwrap() {
                    // The index leads to the name.
                    assert_eq!(files.look_up(inode, &entry.name).unwrap(), Some(entry.inode));
                    left.push(([&path, b"/".as_slice(), &entry.name].concat(), entry.inode));
                }
            }
            FileKind::Symlink => contents = files.read_link(inode).unwrap(),
            FileKind::Special => {}
        }
        let xattrs = files.xattrs(inode).unwrap().into_iter().collect();
        let same_as = path.clone();
        found.insert(path, File { metadata, contents, xattrs, same_as });
    }
    let mut first: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for (path, file) in &mut found {
        file.same_as = first.entry(file.metadata.inode).or_insert_with(|| path.clone()).clone();
        file.metadata.inode = 0;
    }
    found
}

/// Panics at the first difference.
pub fn assert_same(before: &Snapshot, after: &Snapshot, context: &str) {
    for (path, file) in before {
        let shown = String::from_utf8_lossy(path);
        let Some(found) = after.get(path) else { panic!("{context}: {shown:?} is missing") };
        assert_eq!(file.metadata, found.metadata, "{context}: {shown:?}");
        assert_eq!(file.xattrs, found.xattrs, "{context}: {shown:?}");
        assert_eq!(file.same_as, found.same_as, "{context}: {shown:?}");
        let same = file.contents == found.contents;
        assert!(same, "{context}: {shown:?} has other contents");
    }
    assert_eq!(before.len(), after.len(), "{context}: there are more files");
}
