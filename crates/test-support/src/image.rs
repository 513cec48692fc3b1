//! Image files.

use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
};

use platform::PositionedFile as _;

use crate::{run, run_with_input};

/// An image file in a directory of its own, which is removed with it.
#[derive(Debug)]
pub struct TestImage {
    path: PathBuf,
    dir: tempfile::TempDir,
}

impl TestImage {
    /// Makes an image of `size` bytes of zeros.
    pub fn new(size: u64) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("image");
        File::create(&path).and_then(|file| file.set_len(size)).expect("an image file");
        TestImage { path, dir }
    }

    /// Makes an image that holds these bytes.
    pub fn with_bytes(bytes: &[u8]) -> Self {
        let image = TestImage::new(bytes.len() as u64);
        image.write(0, bytes);
        image
    }

    /// Makes an image with the partition table that sfdisk makes from `script`.
    pub fn with_sfdisk(size: u64, script: &str) -> Self {
        let image = TestImage::new(size);
        image.sfdisk(&["--quiet"], script);
        image
    }

    /// Makes a filesystem in a new image: runs `program`, which must succeed, with the
    /// image's path as its last argument.
    pub fn with_filesystem(size: u64, package: &str, program: &str, arguments: &[&str]) -> Self {
        let image = TestImage::new(size);
        image.run(package, program, arguments);
        image
    }

    /// Runs a program that must succeed, with the image's path as its last argument.
    pub fn run(&self, package: &str, program: &str, arguments: &[&str]) -> String {
        run(package, program, &self.with_path(arguments))
    }

    /// Runs sfdisk on the image with `script` on its stdin.
    pub fn sfdisk(&self, arguments: &[&str], script: &str) -> String {
        run_with_input("fdisk", "sfdisk", &self.with_path(arguments), script.as_bytes())
    }

    /// Runs sgdisk on the image.
    pub fn sgdisk(&self, arguments: &[&str]) -> String {
        self.run("gdisk", "sgdisk", arguments)
    }

    fn with_path<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        arguments.iter().copied().chain([self.path_str()]).collect()
    }

    /// Returns the image's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the image's path as text.
    pub fn path_str(&self) -> &str {
        self.path.to_str().expect("a path in UTF-8")
    }

    /// Returns the directory that holds the image and nothing else.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Opens the image file for reading and writing.
    pub fn file(&self) -> File {
        OpenOptions::new().read(true).write(true).open(&self.path).expect("an image file")
    }

    /// Returns the image's size in bytes.
    pub fn size(&self) -> u64 {
        self.file().metadata().expect("metadata").len()
    }

    /// Sets the image's size in bytes.
    pub fn resize(&self, size: u64) {
        self.file().set_len(size).expect("another size");
    }

    /// Reads `length` bytes at `offset`.
    pub fn read(&self, offset: u64, length: u64) -> Vec<u8> {
        let mut bytes = vec![0; length as usize];
        self.file().read_exact_at(&mut bytes, offset).expect("bytes of the image");
        bytes
    }

    /// Writes bytes at `offset`.
    pub fn write(&self, offset: u64, bytes: &[u8]) {
        self.file().write_all_at(bytes, offset).expect("room for the bytes");
    }
}
