//! The reader of this crate.

use std::{path::Path, sync::Arc};

use block_io::{FileStorage, WriteAt};
use ext4_offline::{
    FileKind,
    inodes::{Files, ROOT_INODE},
};

use crate::tree::{Entry, Kind, Tree};

pub fn read(image: &Path) -> Tree {
    let storage: Arc<dyn WriteAt> = Arc::new(FileStorage::open_writable(image).unwrap());
    read_storage(storage)
}

pub fn read_storage(storage: Arc<dyn WriteAt>) -> Tree {
    read_files(&Files::open(storage).unwrap())
}

pub fn read_files(files: &Files) -> Tree {
    let mut tree = Tree::new();
    let mut left = vec![(Vec::new(), ROOT_INODE)];
    while let Some((path, inode)) = left.pop() {
        let stat = files.stat(inode).unwrap();
        let kind = match stat.kind {
            FileKind::Regular => {
                let mut bytes = vec![0; stat.size as usize];
                files.read(inode, 0, &mut bytes).unwrap();
                Kind::File(Arc::new(bytes))
            }
            FileKind::Directory => {
                for entry in files.entries(inode).unwrap() {
                    assert_eq!(files.look_up(inode, &entry.name).unwrap(), Some(entry.inode));
                    left.push(([&path, b"/".as_slice(), &entry.name].concat(), entry.inode));
                }
                Kind::Directory
            }
            FileKind::Symlink => Kind::Symlink(files.read_link(inode).unwrap()),
            FileKind::Special => Kind::Special,
        };
        let entry = Entry {
            kind,
            mode: stat.mode,
            uid: stat.uid,
            gid: stat.gid,
            mtime: stat.modified.seconds(),
            links: Some(stat.links.into()),
            inode: Some(inode),
            xattrs: Some(files.xattrs(inode).unwrap().into_iter().collect()),
        };
        assert!(tree.insert(path, entry).is_none(), "a name is there twice");
    }
    tree
}
