//! Random contents: files of every kind, and holes that deleted files leave.

use std::sync::Arc;

use block_io::WriteAt;
use ext4_offline::{
    FileTimes, Timestamp,
    inodes::{FilesMut, NewFile, ROOT_INODE},
};

use crate::common::*;

/// A name, the directory that it is in, and the inode that it stands for.
struct Name {
    dir: u32,
    name: Vec<u8>,
    inode: u32,
    is_dir: bool,
}

struct Filler<'a> {
    files: FilesMut,
    random: &'a mut Random,
    names: Vec<Name>,
    dirs: Vec<u32>,
    block_size: u64,
    made: u64,
}

/// Fills an empty filesystem to a random degree, and deletes a random share of that.
pub fn fill(image: &Image, random: &mut Random) {
    let block_size = u64::from(geometry(&image.path).block_size);
    let storage: Arc<dyn WriteAt> = Arc::new(image.open());
    let files = FilesMut::open(storage, NOW.into()).unwrap();
    let (free, free_inodes) = (files.free_blocks(), u64::from(files.free_inodes()));
    let dirs = vec![ROOT_INODE];
    let mut filler = Filler { files, random, names: Vec::new(), dirs, block_size, made: 0 };
    if filler.random.below(3) == 0 {
        filler.large_directory();
    }
    let keep_blocks = free * filler.random.below(100) / 100;
    let keep_inodes = free_inodes * filler.random.below(100) / 100;
    let most = 40 + filler.random.below(500);
    for _ in 0..most {
        if filler.files.free_blocks() <= keep_blocks
            || u64::from(filler.files.free_inodes()) <= keep_inodes
        {
            break;
        }
        filler.step();
    }
    let deleted = *filler.random.pick(&[0, 30, 60, 90, 98]);
    filler.delete(deleted);
    filler.files.finish().unwrap();
    if random.below(3) == 0 {
        reserve(image, random);
    }
}

/// Gives a file blocks that were never written.
fn reserve(image: &Image, random: &mut Random) {
    let (from, length) = (random.below(30), 1 + random.below(60));
    let commands =
        format!("write /dev/null reserved\nfallocate reserved {from} {}\n", from + length);
    let script = image.dir.path().join("script");
    std::fs::write(&script, commands).unwrap();
    run("debugfs", &["-w", "-f", script.to_str().unwrap(), image.path()]);
}

impl Filler<'_> {
    fn name(&mut self) -> Vec<u8> {
        self.made += 1;
        let length = *self.random.pick(&[0, 0, 0, 20, 100, 230]);
        format!("{}-{}", self.made, "n".repeat(length)).into_bytes()
    }

    fn dir(&mut self) -> u32 {
        *self.random.pick(&self.dirs)
    }

    /// Adds a name; a full filesystem has none.
    fn create(&mut self, new: NewFile<'_>, is_dir: bool) -> Option<u32> {
        let (dir, name) = (self.dir(), self.name());
        let mode = 0o400 + self.random.below(0o377) as u16;
        let inode = self.files.create(dir, &name, new, mode).ok()?;
        self.names.push(Name { dir, name, inode, is_dir });
        if is_dir {
            self.dirs.push(inode);
        }
        let time = |random: &mut Random| Timestamp::from(random.below(1 << 31) as u32);
        let times = FileTimes::new().set_accessed(time(self.random));
        let times = times.set_modified(time(self.random));
        self.files.set_times(inode, times).unwrap();
        let (uid, gid) = (self.random.below(70_000) as u32, self.random.below(3) as u32);
        self.files.set_owner(inode, uid, gid).unwrap();
        Some(inode)
    }

    fn bytes(&mut self, length: u64) -> Vec<u8> {
        let start = self.random.below(251);
        (0..length).map(|at| ((at / 97 + at + start) % 251) as u8 + 1).collect()
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..=2 => {
                self.create(NewFile::Directory, true);
            }
            3 => {
                let target = "t".repeat(1 + self.random.below(200) as usize);
                self.create(NewFile::Symlink(target.as_bytes()), false);
            }
            4 if !self.names.is_empty() => self.link(),
            5..=6 => self.attributes(),
            7 => self.sparse(),
            8 => self.delete(5),
            _ => {
                let most = *self.random.pick(&[
                    1,
                    60,
                    self.block_size,
                    self.block_size,
                    self.block_size * 8,
                    self.block_size * 40,
                    self.block_size * 300,
                ]);
                let length = self.random.below(most.min(4 << 20));
                let bytes = self.bytes(length);
                if let Some(inode) = self.create(NewFile::Regular, false) {
                    let _ = self.files.replace(inode, &bytes);
                }
            }
        }
    }

    fn link(&mut self) {
        let (dir, name) = (self.dir(), self.name());
        let index = self.random.below(self.names.len() as u64) as usize;
        let Name { inode, is_dir, .. } = self.names[index];
        if !is_dir && self.files.link(inode, dir, &name).is_ok() {
            self.names.push(Name { dir, name, inode, is_dir: false });
        }
    }

    fn attributes(&mut self) {
        let inode = match self.random.below(3) {
            0 => self.dir(),
            _ => match self.create(NewFile::Regular, false) {
                Some(inode) => inode,
                None => return,
            },
        };
        for number in 0..1 + self.random.below(4) {
            let length = *self.random.pick(&[0, 4, 40, 200, 700, 5000]);
            let value = self.bytes(length);
            let prefix = *self.random.pick(&["user.", "trusted.", "security."]);
            let _ = self.files.set_xattr(inode, &format!("{prefix}{number}"), &value);
        }
    }

    /// A file with holes.
    fn sparse(&mut self) {
        let Some(inode) = self.create(NewFile::Regular, false) else { return };
        for _ in 0..1 + self.random.below(12) {
            let at = self.random.below(self.block_size * 400);
            let length = 1 + self.random.below(self.block_size * 2);
            let bytes = self.bytes(length);
            if self.files.write(inode, at, &bytes).is_err() {
                return;
            }
        }
    }

    /// A directory of many blocks, with names of one file.
    fn large_directory(&mut self) {
        let Some(dir) = self.create(NewFile::Directory, true) else { return };
        let Some(inode) = self.create(NewFile::Regular, false) else { return };
        let count = 20 + self.random.below(400);
        let length = 20 + self.random.below(200) as usize;
        for number in 0..count {
            let name = format!("{number}-{}", "long".repeat(length / 4)).into_bytes();
            if self.files.link(inode, dir, &name).is_err() {
                return;
            }
            self.names.push(Name { dir, name, inode, is_dir: false });
        }
    }

    /// Deletes this percentage of the names that are not directories, and empty directories.
    fn delete(&mut self, percent: u64) {
        for index in (0..self.names.len()).rev() {
            if self.random.below(100) >= percent {
                continue;
            }
            let Name { dir, name, inode, is_dir } = &self.names[index];
            let gone = if *is_dir {
                self.files.rmdir(*dir, name).is_ok()
            } else {
                self.files.unlink(*dir, name).is_ok()
            };
            if gone {
                let inode = *inode;
                if *is_dir {
                    self.dirs.retain(|dir| *dir != inode);
                }
                self.names.remove(index);
            }
        }
    }
}
