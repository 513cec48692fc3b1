//! From a path to an inode, never leaving the image.

use ext4_offline::{FileKind, ROOT_INODE};

use super::{FsError, FsResult, RootFs, error::at};

/// As many symlinks as Linux follows in one path (path_resolution(7)).
const MAX_SYMLINKS: usize = 40;

/// More names than any path that a system can use has.
const MAX_NAMES: usize = 4096;

/// Where a path led.
pub(super) enum Place {
    /// To a file.
    Found(Found),
    /// To nothing: these names, at least one, are missing below `parent`.
    Missing { parent: Found, names: Vec<Vec<u8>> },
}

/// A file, and the names that lead to it from the root, free of symlinks.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub inode: u32,
    /// (inode, name) of each directory below the root, and of the file itself.
    trail: Vec<(u32, Vec<u8>)>,
}

impl Found {
    fn root() -> Self {
        Found { inode: ROOT_INODE, trail: Vec::new() }
    }

    /// The path free of symlinks, for messages.
    pub fn shown(&self) -> String {
        let names = self.trail.iter().map(|(_, name)| String::from_utf8_lossy(name));
        names.fold(String::new(), |path, name| path + "/" + &name)
    }

    /// The directory that holds it and its name there; `None` for the root.
    pub fn parent(&self) -> Option<(u32, &[u8])> {
        let (_, name) = self.trail.last()?;
        let parent = self.trail.len().checked_sub(2).map_or(ROOT_INODE, |i| self.trail[i].0);
        Some((parent, name))
    }

    /// What is called `name` in this directory.
    pub fn child(&self, inode: u32, name: &[u8]) -> Self {
        let mut trail = self.trail.clone();
        trail.push((inode, name.to_vec()));
        Found { inode, trail }
    }
}

/// What to do with a symlink at the end of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LastSymlink {
    Follow,
    Keep,
}

impl RootFs {
    /// Follows `path` from the root of the image. Symlinks, absolute ones too,
    /// and `..` stay inside the image.
    pub(super) fn walk(&self, path: &str, last: LastSymlink) -> FsResult<Place> {
        let mut ahead = Vec::new();
        push_names(&mut ahead, path.as_bytes());
        let mut here = Found::root();
        let mut symlinks = 0;
        while let Some(name) = ahead.pop() {
            if name == b".." {
                here.trail.pop();
                here.inode = here.trail.last().map_or(ROOT_INODE, |(inode, _)| *inode);
                continue;
            }
            let Some(number) = self.look_up(path, here.inode, &name)? else {
                let names: Vec<_> = [name].into_iter().chain(ahead.into_iter().rev()).collect();
                // What `..` of a directory that is not there means, nobody can say.
                if names.iter().any(|name| name == b"..") {
                    return Err(FsError::NotFound { path: path.to_owned() });
                }
                return Ok(Place::Missing { parent: here, names });
            };
            let kind = self.stat(path, number)?.kind;
            if kind == FileKind::Symlink && (last == LastSymlink::Follow || !ahead.is_empty()) {
                symlinks += 1;
                let target = self.files.read_link(number).map_err(at("follow", path))?;
                if symlinks > MAX_SYMLINKS || ahead.len() > MAX_NAMES {
                    return Err(FsError::SymlinkLoop { path: path.to_owned() });
                }
                if target.starts_with(b"/") {
                    here = Found::root();
                }
                push_names(&mut ahead, &target);
                continue;
            }
            if !ahead.is_empty() && kind != FileKind::Directory {
                return Err(FsError::WrongKind {
                    operation: "look below",
                    path: here.child(number, &name).shown(),
                    found: "not a directory",
                });
            }
            here = here.child(number, &name);
        }
        Ok(Place::Found(here))
    }

    /// Follows a path to a file that may be missing, but whose parents then
    /// do not matter.
    pub(super) fn find(&self, path: &str, last: LastSymlink) -> FsResult<Option<Found>> {
        match self.walk(path, last) {
            Ok(Place::Found(found)) => Ok(Some(found)),
            Ok(Place::Missing { .. }) | Err(FsError::NotFound { .. }) => Ok(None),
            // Below a file there is nothing.
            Err(FsError::WrongKind { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn look_up(&self, path: &str, dir: u32, name: &[u8]) -> FsResult<Option<u32>> {
        self.files.look_up(dir, name).map_err(at("look up", path))
    }
}

/// Puts the names of a path onto a stack, the first one on top.
fn push_names(stack: &mut Vec<Vec<u8>>, path: &[u8]) {
    let names = path.split(|&byte| byte == b'/').rev();
    stack.extend(names.filter(|name| !name.is_empty() && *name != b".").map(<[u8]>::to_vec));
}
