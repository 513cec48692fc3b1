//! The files of a root filesystem, in memory.

use std::collections::BTreeMap;

use cluster_profile::{Attributes, Change, FileEdit, SystemError, SystemFiles};
use system_model::{BootPartition, FileKind, FileMetadata};

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Directory { mode: u16, owner: (u32, u32) },
    File { contents: Vec<u8>, mode: u16, owner: (u32, u32), mtime: u64 },
    Symlink(String),
}

/// The files of a root filesystem; paths are resolved as card-image does it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory(pub BTreeMap<String, Item>);

impl Memory {
    pub fn dir(mut self, path: &str) -> Self {
        self.make_parents(&format!("{path}/x"));
        self
    }

    pub fn file(mut self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        self.make_parents(path);
        let contents = contents.as_ref().to_vec();
        self.0.insert(path.into(), Item::File { contents, mode: 0o644, owner: (0, 0), mtime: 0 });
        self
    }

    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.make_parents(path);
        self.0.insert(path.into(), Item::Symlink(target.into()));
        self
    }

    /// A unit's file, and the link that starts it at boot.
    pub fn unit(self, name: &str) -> Self {
        let file = format!("/usr/lib/systemd/system/{name}");
        self.file(&file, "[Unit]\n")
            .link(&format!("/etc/systemd/system/multi-user.target.wants/{name}"), &file)
    }

    pub fn text(&self, path: &str) -> String {
        let bytes = self.read(path).unwrap().unwrap_or_else(|| panic!("{path} is missing"));
        String::from_utf8(bytes).unwrap()
    }

    pub fn has(&self, path: &str) -> bool {
        self.exists(path).unwrap()
    }

    pub fn with_mode(mut self, path: &str, new: u16) -> Self {
        match self.0.get_mut(path) {
            Some(Item::File { mode, .. } | Item::Directory { mode, .. }) => *mode = new,
            _ => panic!("{path} is missing"),
        }
        self
    }

    pub fn mode(&self, path: &str) -> (u16, (u32, u32)) {
        match &self.0[&self.resolve(path, true).unwrap()] {
            Item::File { mode, owner, .. } | Item::Directory { mode, owner } => (*mode, *owner),
            Item::Symlink(_) => panic!("{path} is a symlink"),
        }
    }

    pub fn mtime(&self, path: &str) -> u64 {
        match &self.0[&self.resolve(path, true).unwrap()] {
            Item::File { mtime, .. } => *mtime,
            _ => panic!("{path} is no file"),
        }
    }

    fn make_parents(&mut self, path: &str) {
        for (at, _) in path.match_indices('/').skip(1) {
            self.0
                .entry(path[..at].to_owned())
                .or_insert(Item::Directory { mode: 0o755, owner: (0, 0) });
        }
    }

    /// The path free of symlinks; `None` for a loop.
    fn resolve(&self, path: &str, follow_last: bool) -> Option<String> {
        let mut ahead: Vec<String> =
            path.split('/').rev().filter(|n| !n.is_empty()).map(str::to_owned).collect();
        let mut here = String::new();
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            if name == ".." {
                here.truncate(here.rfind('/').unwrap_or(0));
                continue;
            }
            let next = format!("{here}/{name}");
            match self.0.get(&next) {
                Some(Item::Symlink(target)) if follow_last || !ahead.is_empty() => {
                    links += 1;
                    if links > 40 {
                        return None;
                    }
                    if target.starts_with('/') {
                        here.clear();
                    }
                    ahead.extend(
                        target
                            .split('/')
                            .rev()
                            .filter(|n| !n.is_empty() && *n != ".")
                            .map(str::to_owned),
                    );
                }
                _ => here = next,
            }
        }
        Some(here)
    }

    pub fn apply(&mut self, edits: &[FileEdit]) {
        edits.iter().for_each(|edit| self.apply_one(edit));
    }

    fn apply_one(&mut self, FileEdit { path, change, .. }: &FileEdit) {
        let last = !matches!(change, Change::Symlink { .. } | Change::Remove | Change::Clear);
        let at = self.resolve(path, last).unwrap_or_else(|| panic!("{path} is a symlink loop"));
        if !matches!(change, Change::Remove | Change::Clear) {
            self.make_parents(&at);
        }
        let below = format!("{at}/");
        match change {
            Change::Write { contents, attributes } => {
                let (mode, owner) = self.own(&at, attributes);
                let contents = contents.clone();
                assert!(!matches!(self.0.get(&at), Some(Item::Directory { .. })), "{at}");
                self.0.insert(at, Item::File { contents, mode, owner, mtime: 0 });
            }
            Change::Copy { source, attributes, .. } => {
                let (mode, owner) = self.own(&at, attributes);
                let contents = std::fs::read(source).unwrap();
                self.0.insert(at, Item::File { contents, mode, owner, mtime: 0 });
            }
            Change::Directory { attributes } => {
                let (mode, owner) = self.own(&at, attributes);
                self.0.insert(at, Item::Directory { mode, owner });
            }
            Change::Symlink { target } => {
                assert!(!matches!(self.0.get(&at), Some(Item::Directory { .. })), "{at}");
                self.0.insert(at, Item::Symlink(target.clone()));
            }
            Change::Remove => {
                self.0.retain(|path, _| *path != at && !path.starts_with(&below));
            }
            Change::Clear if matches!(self.0.get(&at), Some(Item::Symlink(_))) => {}
            Change::Clear => self.0.retain(|path, _| !path.starts_with(&below)),
            Change::Touch { mtime, attributes } => {
                let (mode, owner) = self.own(&at, attributes);
                let contents = self.read(path).unwrap().unwrap_or_default();
                self.0.insert(at, Item::File { contents, mode, owner, mtime: *mtime });
            }
        }
    }

    fn own(&self, at: &str, new: &Attributes) -> (u16, (u32, u32)) {
        match self.0.get(at) {
            Some(Item::File { mode, owner, .. } | Item::Directory { mode, owner })
                if !new.enforce =>
            {
                (*mode, *owner)
            }
            _ => (new.mode, (new.uid, new.gid)),
        }
    }
}

impl SystemFiles for Memory {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError> {
        Ok(self.resolve(path, true).and_then(|at| match self.0.get(&at) {
            Some(Item::File { contents, .. }) => Some(contents.clone()),
            _ => None,
        }))
    }

    fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError> {
        let Some(at) = self.resolve(path, true) else { return Ok(None) };
        if !matches!(self.0.get(&at), Some(Item::Directory { .. })) {
            return Ok(None);
        }
        let below = format!("{at}/");
        let names = self.0.keys().filter_map(|path| path.strip_prefix(&below));
        Ok(Some(names.filter(|name| !name.contains('/')).map(str::to_owned).collect()))
    }

    fn metadata(&self, path: &str) -> Result<Option<FileMetadata>, SystemError> {
        let Some(at) = self.resolve(path, true) else { return Ok(None) };
        Ok(self.0.get(&at).map(|item| {
            let (kind, mode) = match item {
                Item::File { mode, .. } => (FileKind::Regular, *mode),
                Item::Directory { mode, .. } => (FileKind::Directory, *mode),
                Item::Symlink(_) => (FileKind::Symlink, 0o777),
            };
            let size = match item {
                Item::File { contents, .. } => contents.len() as u64,
                _ => 0,
            };
            FileMetadata { kind, mode, uid: 0, gid: 0, size }
        }))
    }

    fn read_link(&self, path: &str) -> Result<Option<String>, SystemError> {
        let Some(at) = self.resolve(path, false) else { return Ok(None) };
        Ok(match self.0.get(&at) {
            Some(Item::Symlink(target)) => Some(target.clone()),
            _ => None,
        })
    }

    fn boot_partitions(&self) -> Vec<BootPartition> {
        Vec::new()
    }

    fn exists(&self, path: &str) -> Result<bool, SystemError> {
        Ok(self.resolve(path, false).is_some_and(|at| self.0.contains_key(&at)))
    }
}
