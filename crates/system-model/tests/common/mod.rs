//! What tests with outside judges share.
#![allow(dead_code)]

pub mod login;
pub mod tables;

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use system_model::MemoryFiles;

/// A small generator of numbers: the same seed draws the same cases.
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn number(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below.max(1)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.number(n) == 0
    }

    pub fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.number(all.len())]
    }
}

/// The path of a program, or a panic that names its Debian package.
pub fn program(names: &[&str], package: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin:/usr/libexec/netplan";
    for name in names {
        for directory in path.split(':') {
            let whole = Path::new(directory).join(name);
            if whole.is_file() {
                return whole;
            }
        }
    }
    panic!("{} is missing: install Debian's package {package}", names.join(" or "));
}

/// Runs a command and returns its output.
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// The number of cases: more with NODECARD_THOROUGH.
pub fn cases(usual: u64) -> u64 {
    if std::env::var_os("NODECARD_THOROUGH").is_some() { usual * 10 } else { usual }
}

/// Puts files of this machine into a made-up system, at the same paths.
pub fn copy_host_files(files: &mut MemoryFiles, paths: &[&str]) {
    for path in paths {
        if let Ok(contents) = std::fs::read(path) {
            files.write(path, contents);
        }
    }
}

/// Puts a tree of this machine into a made-up system, with owners, modes and symlinks.
pub fn load_tree(files: &mut MemoryFiles, root: &Path, below: &str) {
    let at = root.join(below.trim_start_matches('/'));
    let Ok(found) = fs::symlink_metadata(&at) else { return };
    if found.is_symlink() {
        let target = fs::read_link(&at).expect("a symlink");
        files.symlink(below, target.to_str().expect("UTF-8"));
        return;
    }
    if found.is_dir() {
        files.directory(below);
        for entry in fs::read_dir(&at).expect("readable") {
            let name = entry.expect("an entry").file_name();
            load_tree(files, root, &format!("{below}/{}", name.to_str().expect("UTF-8")));
        }
    } else {
        files.write(below, fs::read(&at).expect("readable"));
    }
    let mode = u16::try_from(found.permissions().mode() & 0o7777).expect("12 bits");
    files.own(below, mode, found.uid(), found.gid());
}
