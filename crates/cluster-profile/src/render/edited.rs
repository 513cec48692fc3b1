//! A system as it will be: its files, with edits made to them in memory.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use system_model::{BootPartition, FileKind, FileMetadata, follow_links};

use crate::{Attributes, Change, FileEdit, SystemError, SystemFiles};

/// What an edit put at a path.
#[derive(Debug, Clone)]
enum Item {
    /// A file; `None` for the contents that the system has.
    File(Option<Vec<u8>>, FileMetadata),
    Directory(FileMetadata),
    Symlink(String),
}

/// A system's files after edits. Nothing is written.
pub(super) struct Edited<'a> {
    system: &'a dyn SystemFiles,
    changed: BTreeMap<String, Item>,
    /// What is at these paths, and below them, in the system is gone.
    gone: BTreeSet<String>,
    /// The symlinks of the system itself that were read: each path leads through the same
    /// few directories, and every directory on the way could be a symlink.
    links: RefCell<HashMap<String, Option<String>>>,
}

/// What the edits did to a path, symlinks not followed.
enum Found {
    Changed(Item),
    /// The edits left it as it is, or as it is not, in the system.
    Same,
    Removed,
}

impl<'a> Edited<'a> {
    pub fn new(system: &'a dyn SystemFiles) -> Self {
        Edited {
            system,
            changed: BTreeMap::new(),
            gone: BTreeSet::new(),
            links: RefCell::default(),
        }
    }

    /// Makes edits, in their order.
    pub fn apply(&mut self, edits: &[FileEdit]) -> Result<(), SystemError> {
        edits.iter().try_for_each(|edit| self.one(edit))
    }

    fn one(&mut self, FileEdit { path, change, .. }: &FileEdit) -> Result<(), SystemError> {
        let follow = !matches!(change, Change::Symlink { .. } | Change::Remove | Change::Clear);
        // An edit through a loop of symlinks fails when it is made.
        let Some(at) = self.resolve(path, follow)? else { return Ok(()) };
        let item = match change {
            Change::Remove => {
                self.forget_below(&at);
                self.changed.remove(&at);
                self.gone.insert(at);
                return Ok(());
            }
            Change::Clear => {
                if self.metadata(&at)?.is_some_and(|found| found.kind == FileKind::Directory) {
                    let metadata = self.attributes(&at, FileKind::Directory, None)?;
                    self.forget_below(&at);
                    self.gone.insert(at.clone());
                    self.changed.insert(at, Item::Directory(metadata));
                }
                return Ok(());
            }
            Change::Write { contents, attributes } => {
                let mut metadata = self.attributes(&at, FileKind::Regular, Some(attributes))?;
                metadata.size = contents.len() as u64;
                Item::File(Some(contents.clone()), metadata)
            }
            // The contents of large files do not matter here.
            Change::Copy { size, attributes, .. } => {
                let mut metadata = self.attributes(&at, FileKind::Regular, Some(attributes))?;
                metadata.size = *size;
                Item::File(Some(Vec::new()), metadata)
            }
            Change::Touch { attributes, .. } => {
                let there = self.exists(&at)?;
                let metadata = self.attributes(&at, FileKind::Regular, Some(attributes))?;
                Item::File((!there).then(Vec::new), metadata)
            }
            Change::Directory { attributes } => {
                Item::Directory(self.attributes(&at, FileKind::Directory, Some(attributes))?)
            }
            Change::Symlink { target } => Item::Symlink(target.clone()),
        };
        for (end, _) in at.match_indices('/').skip(1) {
            let parent = at.get(..end).unwrap_or_default();
            if !self.is_there(parent)? {
                let metadata = metadata(FileKind::Directory, &Attributes::root(0o755));
                self.changed.insert(parent.to_owned(), Item::Directory(metadata));
            }
        }
        self.changed.insert(at, item);
        Ok(())
    }

    fn forget_below(&mut self, at: &str) {
        let below = format!("{at}/");
        self.changed.retain(|path, _| !path.starts_with(&below));
    }

    /// Returns the mode and owner that a file gets: those it has, where they are not enforced.
    fn attributes(
        &self,
        at: &str,
        kind: FileKind,
        new: Option<&Attributes>,
    ) -> Result<FileMetadata, SystemError> {
        let old = self.metadata(at)?.filter(|old| old.kind == kind);
        Ok(match (old, new) {
            (Some(old), None) => old,
            (Some(old), Some(new)) if !new.enforce => old,
            (_, Some(new)) => metadata(kind, new),
            (None, None) => metadata(kind, &Attributes::root(0o755)),
        })
    }

    /// Returns what the edits did to a path without symlinks in it.
    fn found(&self, real: &str) -> Found {
        if let Some(item) = self.changed.get(real) {
            return Found::Changed(item.clone());
        }
        let ends = real.match_indices('/').map(|(at, _)| at).skip(1).chain([real.len()]);
        let hidden = |end| {
            let part = real.get(..end).unwrap_or_default();
            self.gone.contains(part)
                || end < real.len()
                    && matches!(self.changed.get(part), Some(Item::File(..) | Item::Symlink(_)))
        };
        if ends.into_iter().any(hidden) { Found::Removed } else { Found::Same }
    }

    /// Returns whether there is anything at a path without symlinks in it.
    fn is_there(&self, real: &str) -> Result<bool, SystemError> {
        Ok(match self.found(real) {
            Found::Changed(_) => true,
            Found::Same => real == "/" || self.system.exists(real)?,
            Found::Removed => false,
        })
    }

    /// Returns a path without symlinks; `None` for a loop. What comes after a name that
    /// does not exist is kept.
    fn resolve(&self, path: &str, follow_last: bool) -> Result<Option<String>, SystemError> {
        follow_links(path, follow_last, |at| self.link_at(at))
    }

    fn link_at(&self, real: &str) -> Result<Option<String>, SystemError> {
        match self.found(real) {
            Found::Changed(Item::Symlink(target)) => Ok(Some(target)),
            Found::Changed(_) | Found::Removed => Ok(None),
            Found::Same => {
                if let Some(known) = self.links.borrow().get(real) {
                    return Ok(known.clone());
                }
                let target = self.system.read_link(real)?;
                self.links.borrow_mut().insert(real.to_owned(), target.clone());
                Ok(target)
            }
        }
    }
}

fn metadata(kind: FileKind, attributes: &Attributes) -> FileMetadata {
    FileMetadata { kind, mode: attributes.mode, uid: attributes.uid, gid: attributes.gid, size: 0 }
}

impl SystemFiles for Edited<'_> {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError> {
        let Some(at) = self.resolve(path, true)? else { return self.system.read(path) };
        match self.found(&at) {
            Found::Changed(Item::File(Some(contents), _)) => Ok(Some(contents)),
            Found::Changed(Item::File(None, _)) | Found::Same => self.system.read(&at),
            Found::Changed(_) | Found::Removed => Ok(None),
        }
    }

    fn read_start(&self, path: &str, most: usize) -> Result<Option<Vec<u8>>, SystemError> {
        let Some(at) = self.resolve(path, true)? else {
            return self.system.read_start(path, most);
        };
        match self.found(&at) {
            Found::Changed(Item::File(Some(mut contents), _)) => {
                contents.truncate(most);
                Ok(Some(contents))
            }
            Found::Changed(Item::File(None, _)) | Found::Same => self.system.read_start(&at, most),
            Found::Changed(_) | Found::Removed => Ok(None),
        }
    }

    fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError> {
        let Some(at) = self.resolve(path, true)? else { return Ok(None) };
        let old = match self.found(&at) {
            Found::Same => self.system.list(&at)?,
            Found::Changed(Item::Directory(_)) if self.gone.contains(&at) => Some(Vec::new()),
            Found::Changed(Item::Directory(_)) => Some(self.system.list(&at)?.unwrap_or_default()),
            Found::Changed(_) | Found::Removed => None,
        };
        let Some(old) = old else { return Ok(None) };
        let below = if at == "/" { "/".to_owned() } else { format!("{at}/") };
        let kept = |name: &String| !self.gone.contains(&format!("{below}{name}"));
        let mut names: BTreeSet<String> = old.into_iter().filter(kept).collect();
        let inside = self.changed.keys().filter_map(|path| path.strip_prefix(&below));
        names.extend(inside.filter(|name| !name.contains('/')).map(str::to_owned));
        Ok(Some(names.into_iter().collect()))
    }

    fn metadata(&self, path: &str) -> Result<Option<FileMetadata>, SystemError> {
        let Some(at) = self.resolve(path, true)? else { return self.system.metadata(path) };
        if at == "/" && !self.changed.contains_key("/") {
            let root = metadata(FileKind::Directory, &Attributes::root(0o755));
            return Ok(Some(self.system.metadata("/")?.unwrap_or(root)));
        }
        let found = match self.found(&at) {
            Found::Changed(Item::File(_, metadata) | Item::Directory(metadata)) => Some(metadata),
            // The target of a symlink was resolved already: there is nothing.
            Found::Changed(Item::Symlink(_)) => return Ok(None),
            Found::Same => self.system.metadata(&at)?,
            Found::Removed => None,
        };
        if found.is_none() && self.link_exists(path)? {
            return Ok(Some(metadata(FileKind::Symlink, &Attributes::root(0o777))));
        }
        Ok(found)
    }

    fn read_link(&self, path: &str) -> Result<Option<String>, SystemError> {
        match self.resolve(path, false)? {
            Some(at) => self.link_at(&at),
            None => Ok(None),
        }
    }

    fn boot_partitions(&self) -> Vec<BootPartition> {
        self.system.boot_partitions()
    }

    fn exists(&self, path: &str) -> Result<bool, SystemError> {
        match self.resolve(path, false)? {
            Some(at) => self.is_there(&at),
            None => Ok(false),
        }
    }
}

impl Edited<'_> {
    fn link_exists(&self, path: &str) -> Result<bool, SystemError> {
        Ok(self.read_link(path)?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use system_model::MemoryFiles;

    use super::*;
    use crate::Purpose;

    #[test]
    fn edits_are_seen_through_symlinks() {
        let mut files = MemoryFiles::new();
        files.write("/data/pi/a", "1").write("/etc/b", "2").symlink("/home", "/data");
        let edit =
            |path: &str, change| FileEdit { path: path.into(), change, purpose: Purpose::HostName };
        let mut edited = Edited::new(&files);
        let write = |contents: &str| Change::Write {
            contents: contents.into(),
            attributes: Attributes::exactly(0o600, 7, 8),
        };
        edited
            .apply(&[
                edit("/home/pi/a", write("new")),
                edit("/home/pi/.ssh/keys", write("k")),
                edit("/etc/b", Change::Remove),
                edit("/etc/c", Change::Symlink { target: "../data/pi/a".into() }),
                edit("/data/pi/none", Change::Remove),
            ])
            .expect("readable");
        let text = |path| edited.read_text(path).expect("readable");
        assert_eq!(text("/data/pi/a").as_deref(), Some("new"));
        assert_eq!(text("/etc/c").as_deref(), Some("new"));
        assert_eq!(text("/etc/b"), None);
        assert_eq!(edited.list("/etc").expect("readable"), Some(vec!["c".to_owned()]));
        let own = edited.metadata("/home/pi/a").expect("readable").expect("there");
        assert_eq!((own.mode, own.uid, own.gid), (0o600, 7, 8));
        let names = edited.list("/data/pi").expect("readable").expect("there");
        assert_eq!(names, [".ssh", "a"]);
        let ssh = edited.metadata("/data/pi/.ssh").expect("readable").expect("there");
        assert_eq!((ssh.kind, ssh.mode), (FileKind::Directory, 0o755));

        edited.apply(&[edit("/data/pi", Change::Clear)]).expect("readable");
        assert_eq!(edited.list("/home/pi").expect("readable"), Some(vec![]));
        assert_eq!(edited.read("/home/pi/a").expect("readable"), None);
    }
}
