//! Loop devices and mounts for tests that need root.

use std::{
    fs,
    io::{Write as _, stderr},
    path::{Path, PathBuf},
    process::Command,
};

use super::*;

/// Whether there are loop devices to be had. Says it on stderr itself, which the
/// test harness does not hold back.
pub fn loops(test: &str) -> bool {
    let root = run("coreutils", "id", &["-u"]).trim() == "0";
    let free = Command::new("/usr/sbin/losetup").arg("-f").output();
    let available = root && free.is_ok_and(|output| output.status.success());
    let what =
        if available { "runs on LOOP DEVICES" } else { "NOT RUN: needs root and loop devices" };
    let _ = writeln!(stderr().lock(), "{test}: {what}");
    available
}

/// A loop device, detached in the end.
pub struct Loop {
    pub device: String,
}

impl Loop {
    pub fn attach(file: &Path, options: &[&str]) -> Self {
        let file = file.to_str().unwrap();
        let arguments = [&["--find", "--show", "--partscan"], options, &[file]].concat();
        Loop { device: run("mount", "losetup", &arguments).trim().to_owned() }
    }

    pub fn of_size(bench: &Bench, name: &str, size: u64) -> Self {
        used_card(&bench.path(name), size);
        Self::attach(&bench.path(name), &[])
    }

    pub fn path(&self) -> &Path {
        Path::new(&self.device)
    }

    /// What the kernel calls it.
    pub fn name(&self) -> &str {
        self.device.trim_start_matches("/dev/")
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("/usr/sbin/losetup").args(["-d", &self.device]).status();
    }
}

/// A mounted filesystem, unmounted in the end.
pub struct Mounted(pub PathBuf);

impl Mounted {
    pub fn new(arguments: &[&str], point: PathBuf) -> Self {
        fs::create_dir_all(&point).unwrap();
        run("mount", "mount", &[arguments, &[point.to_str().unwrap()]].concat());
        Mounted(point)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("/usr/bin/umount").arg(&self.0).status();
    }
}
