//! FAT images made by mkfs.vfat, filled by mtools, judged by fsck.vfat.
#![allow(dead_code)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use block_io::Memory;

/// Sizes in KiB and options of mkfs.vfat for each variant, odd shapes among them: one
/// sector per cluster as on Raspberry Pi OS, one copy of the table, large sectors.
pub const SHAPES: [(u64, &[&str]); 9] = [
    (1440, &["-F", "12", "-s", "1"]),
    (4096, &["-F", "12", "-s", "4", "-r", "64"]),
    (3001, &["-F", "12", "-s", "2", "-f", "1"]),
    (20 * 1024, &["-F", "16", "-s", "2"]),
    (33 * 1024, &["-F", "16", "-s", "4", "-r", "112"]),
    (24 * 1024, &["-F", "16", "-S", "1024", "-s", "1"]),
    (40 * 1024, &["-F", "32", "-s", "1"]),
    (70 * 1024, &["-F", "32", "-s", "2", "-f", "1"]),
    (300 * 1024, &["-F", "32", "-S", "4096", "-s", "1"]),
];

/// Runs a program that must exist.
pub fn run(program: &str, package: &str, args: &[&str]) -> Output {
    Command::new(program)
        .args(args)
        .env("LC_ALL", "C.UTF-8")
        .env("MTOOLS_SKIP_CHECK", "1")
        .output()
        .unwrap_or_else(|e| panic!("cannot run {program} (Debian package {package}): {e}"))
}

/// Returns an empty filesystem in memory.
pub fn make(kib: u64, options: &[&str]) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(kib * 1024).unwrap();
    let mut args = options.to_vec();
    args.extend(["-i", "cafe0123", "-n", "BOOT", file.path().to_str().unwrap()]);
    let made = run("mkfs.vfat", "dosfstools", &args);
    assert!(made.status.success(), "{args:?}: {}", String::from_utf8_lossy(&made.stderr));
    std::fs::read(file.path()).unwrap()
}

/// Puts a file into an image with mtools.
pub fn mcopy(image: &Path, name: &str, contents: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), contents).unwrap();
    let (source, target) = (file.path().to_str().unwrap(), format!("::{name}"));
    let copied = run("mcopy", "mtools", &["-o", "-i", image.to_str().unwrap(), source, &target]);
    assert!(copied.status.success(), "{name}: {}", String::from_utf8_lossy(&copied.stderr));
}

/// Returns what fsck.vfat says beyond its version and its summary; `None` if nothing.
pub fn complaint(image: &Path) -> Option<String> {
    let output = run("fsck.vfat", "dosfstools", &["-n", image.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let lines = said.lines().filter(|line| !line.trim().is_empty()).count();
    (!output.status.success() || lines != 2).then_some(said)
}

/// Writes an image to a file of a temporary directory.
pub fn on_disk(image: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fat");
    std::fs::write(&path, image).unwrap();
    (dir, path)
}

pub fn memory(image: &[u8]) -> Arc<Memory> {
    Arc::new(Memory::new(image.to_vec()))
}

/// A small deterministic generator of numbers (xorshift64).
pub struct Draw(pub u64);

impl Draw {
    /// Returns a number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

pub fn is_thorough() -> bool {
    std::env::var_os("NODECARD_THOROUGH").is_some()
}
