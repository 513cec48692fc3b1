//! A made-up computer.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use card_flash::device::{Device, HostSystem, Refusal, Relation, Target, TargetLimits};

pub const GB: u64 = 1_000_000_000;

/// A computer in a temporary directory.
pub struct Machine {
    pub temp: tempfile::TempDir,
    pub mounts: String,
    pub swaps: String,
}

impl Machine {
    pub fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join("sys/block")).unwrap();
        Machine { temp, mounts: String::new(), swaps: "Filename Type\n".into() }
    }

    /// Adds a device at a place below /sys/devices, with these files.
    pub fn device(
        &mut self,
        place: &str,
        number: &str,
        size: u64,
        files: &[(&str, &str)],
    ) -> PathBuf {
        let name = place.rsplit('/').next().unwrap();
        let dir = self.temp.path().join("sys/devices").join(place);
        symlink(Path::new("../devices").join(place), self.temp.path().join("sys/block").join(name))
            .unwrap();
        write(&dir, &[("dev", number), ("size", &(size / 512).to_string()), ("ro", "0")]);
        write(&dir, files);
        dir
    }

    pub fn mount(&mut self, number: &str, source: &str, point: &str) {
        self.mounts += &format!("30 1 {number} / {point} rw - ext4 {source} rw\n");
    }

    /// Adds a loop device with a partition over a file or device.
    pub fn loop_over(&mut self, number: u32, backing: &str) -> PathBuf {
        let name = format!("loop{number}");
        let numbers = [format!("7:{}", number * 8), format!("7:{}", number * 8 + 1)];
        let files = [("loop/backing_file", backing)];
        let dir = self.device(&format!("virtual/block/{name}"), &numbers[0], GB, &files);
        partition(&dir, &format!("{name}p1"), &numbers[1]);
        dir
    }

    /// Makes a file of this computer that may be a target.
    pub fn file(&self, path: &str) -> PathBuf {
        let path = self.temp.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::File::create(&path).unwrap().set_len(1 << 20).unwrap();
        path
    }

    pub fn system(&self) -> HostSystem {
        write(self.temp.path(), &[("proc/self/mountinfo", &self.mounts)]);
        write(self.temp.path(), &[("proc/swaps", &self.swaps)]);
        HostSystem::at(self.temp.path())
    }

    pub fn devices(&self) -> Vec<Device> {
        self.system().devices().unwrap()
    }

    pub fn refusals(&self, name: &str) -> Vec<Refusal> {
        let devices = self.devices();
        let device = devices.iter().find(|device| device.name == name).unwrap();
        device.refusals(&TargetLimits::default())
    }

    /// Returns why a file of this computer is refused as a target.
    pub fn file_refusals(&self, path: &Path) -> Vec<Refusal> {
        let limits = TargetLimits::default();
        match Target::inspect(&self.system(), path, Path::new("/none"), &limits) {
            Ok(_) => Vec::new(),
            Err(error) => error.refusals,
        }
    }

    pub fn only(&self) -> Device {
        let mut devices = self.devices();
        assert_eq!(devices.len(), 1, "{devices:?}");
        devices.remove(0)
    }
}

pub fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, contents) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{contents}\n")).unwrap();
    }
}

pub fn partition(disk: &Path, name: &str, number: &str) {
    write(&disk.join(name), &[("dev", number), ("partition", "1"), ("size", "2048")]);
}

pub fn shared(relation: Relation, other: &str, reason: Refusal) -> Vec<Refusal> {
    vec![Refusal::Shared { relation, other: other.to_owned(), reason: Box::new(reason) }]
}

pub fn mounted(part: &str, point: &str) -> Refusal {
    Refusal::Mounted { part: part.to_owned(), point: point.into() }
}
