//! Cases that random operations do not reach.

mod deep;
mod directory;
mod full;
mod large;
mod links;
mod shared;
mod tail;

use std::{path::PathBuf, sync::Arc};

use block_io::{FileStorage, WriteAt};
use ext4_offline::inodes::{Files, FilesMut, NewFile, ROOT_INODE};

use crate::common::{NOW, assert_clean, output_of, scratch};

/// An empty filesystem in a file.
pub struct Empty {
    _dir: tempfile::TempDir,
    pub path: PathBuf,
}

impl Empty {
    pub fn make(arguments: &str, size: u64) -> Empty {
        let dir = scratch();
        let path = dir.path().join("image");
        std::fs::File::create(&path).unwrap().set_len(size).unwrap();
        let mut all: Vec<&str> = arguments.split_whitespace().collect();
        all.extend(["-q", "-F", path.to_str().unwrap()]);
        output_of("mke2fs", &all);
        Empty { _dir: dir, path }
    }

    pub fn storage(&self) -> Arc<dyn WriteAt> {
        Arc::new(FileStorage::open_writable(&self.path).unwrap())
    }

    pub fn open(&self) -> FilesMut {
        FilesMut::open(self.storage(), NOW.into()).unwrap()
    }

    pub fn read(&self) -> Files {
        Files::open(self.storage()).unwrap()
    }

    pub fn assert_clean(&self, context: &str) {
        assert_clean(&self.path, &[], context);
    }

    pub fn debugfs(&self, request: &str) -> String {
        output_of("debugfs", &["-R", request, self.path.to_str().unwrap()])
    }
}

fn create(files: &mut FilesMut, name: &str) -> u32 {
    files.create(ROOT_INODE, name.as_bytes(), NewFile::Regular, 0o644).unwrap()
}
