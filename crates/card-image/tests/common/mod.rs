//! Filesystems made by mke2fs, and judged by e2fsprogs.
#![allow(dead_code, missing_docs)]

use std::{fs, path::PathBuf, sync::Arc};

use block_io::FileStorage;
use card_image::RootFsEditor;

pub const NOW: u64 = 1_600_000_000;

/// Ubuntu 16.04's features.
pub const LEGACY: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,\
                      sparse_super,large_file,huge_file,uninit_bg,dir_nlink,extra_isize";
/// Today's mke2fs's features.
pub const MODERN: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,\
                      sparse_super,large_file,huge_file,metadata_csum,64bit,metadata_csum_seed,\
                      orphan_file,dir_nlink,extra_isize";

/// Runs one of e2fsprogs' tools. Returns whether it succeeded and what it printed.
pub fn judge(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = test_support::output("e2fsprogs", program, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text + &String::from_utf8_lossy(&output.stderr))
}

/// A filesystem in a file, with a few files in it.
pub struct Sample {
    _temp: tempfile::TempDir,
    pub image: PathBuf,
}

impl Sample {
    pub fn new(features: &str, block_size: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let tree = temp.path().join("tree");
        fs::create_dir_all(tree.join("etc/many")).unwrap();
        fs::write(tree.join("etc/hostname"), "old-name\n").unwrap();
        fs::write(tree.join("etc/large"), vec![b'x'; 300_000]).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", tree.join("absolute")).unwrap();
        std::os::unix::fs::symlink("../../../../etc/hostname", tree.join("etc/outside")).unwrap();
        std::os::unix::fs::symlink("loop-b", tree.join("loop-a")).unwrap();
        std::os::unix::fs::symlink("loop-a", tree.join("loop-b")).unwrap();
        std::os::unix::fs::symlink("nowhere/file", tree.join("dangling")).unwrap();
        for number in 0..300 {
            fs::write(tree.join(format!("etc/many/file-{number:04}")), "x").unwrap();
        }
        let image = temp.path().join("image");
        let (ok, text) = judge(
            "mke2fs",
            &[
                "-q",
                "-t",
                "ext4",
                "-O",
                features,
                "-b",
                block_size,
                "-d",
                tree.to_str().unwrap(),
                image.to_str().unwrap(),
                "48M",
            ],
        );
        assert!(ok, "{text}");
        // mke2fs makes linear directories only; this gives the large one its tree.
        judge("e2fsck", &["-fyD", image.to_str().unwrap()]);
        let sample = Sample { _temp: temp, image };
        sample.debugfs("ea_set /etc/hostname user.mark kept");
        sample.debugfs("set_inode_field /etc/hostname uid 7");
        sample.debugfs("set_inode_field /etc/hostname mode 0100640");
        sample.check();
        sample
    }

    pub fn path(&self) -> &str {
        self.image.to_str().unwrap()
    }

    pub fn open(&self) -> RootFsEditor {
        RootFsEditor::open(Arc::new(FileStorage::open_writable(&self.image).unwrap()), NOW).unwrap()
    }

    pub fn debugfs(&self, request: &str) -> String {
        judge("debugfs", &["-w", "-R", request, self.path()]).1
    }

    /// Makes sure that e2fsck has nothing to report.
    #[track_caller]
    pub fn check(&self) {
        test_support::assert_e2fsck_clean(&self.image, "the sample");
    }
}
