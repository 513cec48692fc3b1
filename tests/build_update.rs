//! `build --update`: what is written into images of an earlier run, and what is left alone.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _},
    path::Path,
    process::Command,
};

use crate::support::*;

const NODE: &str = "xu4-node1";

/// A directory with an image, whose profile has changed since.
struct Rebuild {
    bench: Bench,
    image: std::path::PathBuf,
    inode: u64,
    expected: Vec<u8>,
}

impl Rebuild {
    fn new() -> Self {
        let bench = Bench::new();
        bench.built(&["--node", NODE]);
        let profile = fs::read_to_string(bench.path("profile.yaml")).unwrap();
        let profile = profile.replace("192.168.1.1]", "192.168.1.2]");
        fs::write(bench.path("profile.yaml"), profile).unwrap();
        // What a build in an empty directory makes of it.
        fs::rename(bench.path("out"), bench.path("before")).unwrap();
        bench.built(&["--node", NODE]);
        let image = bench.path(&format!("out/{NODE}.img"));
        let expected = fs::read(&image).unwrap();
        fs::remove_dir_all(bench.path("out")).unwrap();
        fs::rename(bench.path("before"), bench.path("out")).unwrap();
        let inode = fs::metadata(&image).unwrap().ino();
        assert_ne!(fs::read(&image).unwrap(), expected);
        Rebuild { bench, image, inode, expected }
    }

    /// Builds again and returns whether the image is the same file as before.
    fn is_updated(&self) -> bool {
        self.bench.built(&["--node", NODE, "--update"]);
        assert!(fs::read(&self.image).unwrap() == self.expected, "not what a new image holds");
        assert_eq!(fs::metadata(&self.image).unwrap().permissions().mode() & 0o777, 0o600);
        e2fsck(&self.image);
        fs::metadata(&self.image).unwrap().ino() == self.inode
    }
}

/// Returns whether files in a directory can share blocks. Every image shares those of the base
/// there, so none is updated.
fn shares_blocks(directory: &Path) -> bool {
    fs::write(directory.join("from"), [1; 4096]).unwrap();
    let copy = ["--reflink=always", "from", "to"];
    Command::new("cp").args(copy).current_dir(directory).output().unwrap().status.success()
}

#[test]
fn an_earlier_image_is_updated() {
    let rebuild = Rebuild::new();
    // Somebody has used it: the partition table, a file's data, and the end of the card, which is
    // not used.
    let file = OpenOptions::new().write(true).open(&rebuild.image).unwrap();
    for offset in [440, ROOT_OFFSET + (1 << 20), (64 << 20) - 9000] {
        file.write_all_at(&[0xa5; 5000], offset).unwrap();
    }
    fs::set_permissions(&rebuild.image, fs::Permissions::from_mode(0o644)).unwrap();
    let before = fs::metadata(&rebuild.image).unwrap();
    drop(file);
    let updated = rebuild.is_updated();
    let after = fs::metadata(&rebuild.image).unwrap();
    assert!(after.blocks() <= before.blocks(), "{} of {}", after.blocks(), before.blocks());
    assert!(after.modified().unwrap() > before.modified().unwrap());
    assert_eq!(updated, !shares_blocks(&rebuild.bench.path("")));
    // With nothing to write, it is still an image of the last run.
    assert_eq!(rebuild.is_updated(), updated);
    let last = fs::metadata(&rebuild.image).unwrap();
    assert!(last.modified().unwrap() > after.modified().unwrap());
}

#[test]
fn an_image_that_somebody_uses_stays_what_it_is() {
    let rebuild = Rebuild::new();
    let old = fs::read(&rebuild.image).unwrap();
    let reader = File::open(&rebuild.image).unwrap();
    assert!(!rebuild.is_updated());
    let mut read = vec![0; old.len()];
    reader.read_exact_at(&mut read, 0).unwrap();
    assert!(read == old, "a file that a process has open has changed");

    let rebuild = Rebuild::new();
    let old = fs::read(&rebuild.image).unwrap();
    let copy = rebuild.bench.path("copy.img");
    fs::hard_link(&rebuild.image, &copy).unwrap();
    assert!(!rebuild.is_updated());
    assert!(fs::read(copy).unwrap() == old, "the other name of an image has changed");
}

/// The symlink is replaced, as without the option, and what it leads to stays.
#[test]
fn what_a_symlink_leads_to_stays_what_it_is() {
    let rebuild = Rebuild::new();
    let old = fs::read(&rebuild.image).unwrap();
    let moved = rebuild.bench.path("precious.img");
    fs::rename(&rebuild.image, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &rebuild.image).unwrap();
    assert!(!rebuild.is_updated());
    assert!(fs::read(moved).unwrap() == old, "the file behind a symlink has changed");
    assert!(fs::symlink_metadata(&rebuild.image).unwrap().is_file());
}

#[test]
fn an_image_that_has_little_in_common_is_replaced() {
    let rebuild = Rebuild::new();
    let file = OpenOptions::new().write(true).open(&rebuild.image).unwrap();
    file.write_all_at(&vec![0xa5; 60 << 20], 2 << 20).unwrap();
    drop(file);
    assert!(!rebuild.is_updated());

    let rebuild = Rebuild::new();
    let file = OpenOptions::new().write(true).open(&rebuild.image).unwrap();
    file.set_len(63 << 20).unwrap();
    drop(file);
    assert!(!rebuild.is_updated());
}

/// No image that is half the old and half the new one has a final name.
#[test]
fn an_update_that_fails_leaves_no_image() {
    let rebuild = Rebuild::new();
    let shares = shares_blocks(&rebuild.bench.path(""));
    let arguments = format!("build profile.yaml --out out --node {NODE} --update");
    let output = rebuild.bench.with_file_limit(8 << 10, &arguments);
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(rebuild.image.exists(), shares);
    // The next run makes a new one.
    rebuild.is_updated();
}
