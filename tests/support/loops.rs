//! Loop devices and mounts for tests that need root.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::*;

/// Returns whether loop devices are available.
pub fn loops() -> bool {
    let root = run("coreutils", "id", &["-u"]).trim() == "0";
    let free = Command::new("/usr/sbin/losetup").arg("-f").output();
    let available = root && free.is_ok_and(|output| output.status.success());
    test_support::judged_if(available, "it needs root and loop devices")
}

/// A loop device that is detached when it is dropped.
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

    /// Returns the kernel's name of the device.
    pub fn name(&self) -> &str {
        self.device.trim_start_matches("/dev/")
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("/usr/sbin/losetup").args(["-d", &self.device]).status();
    }
}

/// A mounted filesystem that is unmounted when it is dropped.
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

/// Another program that has opened a device exclusively, until this is dropped.
pub struct ExclusiveHolder(Child);

impl ExclusiveHolder {
    pub fn open(card: &Loop) -> Self {
        let script = "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL); \
                      print(flush=True); sys.stdin.read()";
        let mut program = Command::new("python3")
            .args(["-c", script, &card.device])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is needed: install the Debian package python3");
        // It prints a line once the device is open.
        program.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        ExclusiveHolder(program)
    }
}

impl Drop for ExclusiveHolder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
