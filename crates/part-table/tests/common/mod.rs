//! Images made by the partitioning programs, and what those say of ours.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use block_io::{FileStorage, Layer, ReadAt};
use part_table::{GrownPartition, PartitionTable, Result};
use serde_json::Value;

pub const MIB: u64 = 1 << 20;
pub const SECTOR: u64 = 512;

/// An image file in a directory of its own.
pub struct Image {
    pub path: PathBuf,
    _dir: tempfile::TempDir,
}

impl Image {
    pub fn new(size: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        File::create(&path).unwrap().set_len(size).unwrap();
        Image { path, _dir: dir }
    }

    /// An image with the table that sfdisk makes of `script`.
    pub fn with_sfdisk(size: u64, script: &str) -> Self {
        let image = Image::new(size);
        image.sfdisk(&["--quiet"], script);
        image
    }

    pub fn sfdisk(&self, args: &[&str], script: &str) -> String {
        run("sfdisk", "fdisk", args, &self.path, script)
    }

    pub fn sgdisk(&self, args: &[&str]) -> String {
        run("sgdisk", "gdisk", args, &self.path, "")
    }

    /// What `sfdisk -J` says of it.
    pub fn json(&self) -> Value {
        // Warnings may follow.
        let said = self.sfdisk(&["-J"], "");
        let mut values = serde_json::Deserializer::from_str(&said).into_iter::<Value>();
        values.next().unwrap().unwrap()["partitiontable"].clone()
    }

    /// Asserts that sfdisk finds nothing wrong.
    pub fn assert_sfdisk_content(&self) {
        let said = self.sfdisk(&["--verify"], "");
        assert!(said.contains("No errors detected"), "{said}");
    }

    /// Asserts that sgdisk finds nothing wrong but, perhaps, the alignment.
    pub fn assert_sgdisk_content(&self) {
        let said = self.sgdisk(&["-v"]);
        assert!(said.contains("No problems found"), "{said}");
        for line in said.lines().filter(|l| l.contains("Caution") || l.contains("Warning")) {
            assert!(line.contains("8-sector boundary"), "{said}");
        }
    }

    pub fn file(&self) -> File {
        OpenOptions::new().read(true).write(true).open(&self.path).unwrap()
    }

    pub fn size(&self) -> u64 {
        self.file().metadata().unwrap().len()
    }

    pub fn read(&self, offset: u64, length: u64) -> Vec<u8> {
        let mut bytes = vec![0; length as usize];
        self.file().read_exact_at(&mut bytes, offset).unwrap();
        bytes
    }

    pub fn write(&self, offset: u64, bytes: &[u8]) {
        self.file().write_all_at(bytes, offset).unwrap();
    }

    /// Another image with the same start (all that these tests fill) and end,
    /// of the same size.
    pub fn copy(&self) -> Self {
        let copy = Image::new(self.size());
        let head = self.size().min(8 * MIB);
        copy.write(0, &self.read(0, head));
        let tail = (self.size() - head).min(MIB);
        copy.write(self.size() - tail, &self.read(self.size() - tail, tail));
        copy
    }

    pub fn resize(&self, size: u64) {
        self.file().set_len(size).unwrap();
    }

    pub fn table(&self) -> Result<PartitionTable> {
        PartitionTable::read(&FileStorage::open(&self.path).unwrap())
    }

    /// Grows a partition in a layer of `card` bytes, as users of the crate
    /// do, and then writes the layer to the file.
    pub fn grow(&self, card: u64, number: u32, reserve: u64) -> Result<GrownPartition> {
        let table = self.table()?;
        let base = Arc::new(FileStorage::open(&self.path).unwrap());
        let layer = Layer::new(base, card);
        let grown = table.grow_last(&layer, number, reserve);
        if grown.is_err() {
            assert!(layer.changed().is_empty(), "refused, but only after writing");
        }
        let grown = grown?;
        self.resize(card);
        for range in layer.changed().iter() {
            let bytes = layer.read_vec(range.start, (range.end - range.start) as usize).unwrap();
            self.write(range.start, &bytes);
        }
        Ok(grown)
    }
}

/// Runs a program on an image; it must exist and succeed.
pub fn run(program: &str, package: &str, args: &[&str], image: &Path, input: &str) -> String {
    let mut child = Command::new(program)
        .args(args)
        .arg(image)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("cannot run {program} (Debian package {package}): {e}"));
    // A program that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
    said
}

/// Bytes that look random and are the same in every run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// The places where two equally long byte strings differ.
pub fn differences(a: &[u8], b: &[u8]) -> Vec<usize> {
    assert_eq!(a.len(), b.len());
    (0..a.len()).filter(|&i| a[i] != b[i]).collect()
}
