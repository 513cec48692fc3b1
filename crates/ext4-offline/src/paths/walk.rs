//! From a path to an inode, without ever leaving the filesystem.

use crate::{
    FileKind, PathErrorKind,
    inodes::{Files, ROOT_INODE},
};

/// The number of symlinks that Linux follows in one path (path_resolution(7)).
const MAX_SYMLINKS: usize = 40;

/// More names than a path on a running system can have.
const MAX_NAMES: usize = 4096;

/// Where a path leads.
#[derive(Debug)]
pub(super) enum Place {
    /// To a file.
    Found(Found),
    /// To nothing: these names, at least one, are missing below `parent`.
    Missing { parent: Found, names: Vec<Vec<u8>> },
}

/// A file, and the names that lead to it from the root, without symlinks.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub inode: u32,
    /// Inode and name of each directory below the root, and of the file itself.
    trail: Vec<(u32, Vec<u8>)>,
}

impl Found {
    fn root() -> Self {
        Found { inode: ROOT_INODE, trail: Vec::new() }
    }

    /// The path without symlinks.
    pub fn path(&self) -> Vec<u8> {
        if self.trail.is_empty() {
            return b"/".to_vec();
        }
        self.trail.iter().fold(Vec::new(), |mut path, (_, name)| {
            path.push(b'/');
            path.extend(name);
            path
        })
    }

    /// The directory that holds the file, and the file's name there; `None` for the root.
    pub fn parent(&self) -> Option<(u32, &[u8])> {
        let (_, name) = self.trail.last()?;
        let above = self.trail.len().checked_sub(2).and_then(|index| self.trail.get(index));
        Some((above.map_or(ROOT_INODE, |(inode, _)| *inode), name))
    }

    /// What has this name in this directory.
    pub fn child(&self, inode: u32, name: &[u8]) -> Self {
        let mut trail = self.trail.clone();
        trail.push((inode, name.to_vec()));
        Found { inode, trail }
    }
}

/// What to do with a symlink at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastSymlink {
    Follow,
    Keep,
}

/// Follows `path` from the root. Symlinks, absolute ones too, and `..` stay inside the
/// filesystem.
///
/// # Errors
/// [`PathErrorKind::NotFound`] where `..` follows a missing directory,
/// [`PathErrorKind::NotADirectory`], [`PathErrorKind::SymlinkLoop`], damage.
pub(super) fn walk(files: &Files, path: &[u8], last: LastSymlink) -> Result<Place, PathErrorKind> {
    let mut ahead = Vec::new();
    push_names(&mut ahead, path);
    let mut here = Found::root();
    let mut symlinks = 0;
    while let Some(name) = ahead.pop() {
        if name == b".." {
            here.trail.pop();
            here.inode = here.trail.last().map_or(ROOT_INODE, |(inode, _)| *inode);
            continue;
        }
        let Some(number) = files.look_up(here.inode, &name)? else {
            let names: Vec<_> = [name].into_iter().chain(ahead.into_iter().rev()).collect();
            // `..` of a directory that does not exist has no meaning.
            if names.iter().any(|name| name == b"..") {
                return Err(PathErrorKind::NotFound);
            }
            return Ok(Place::Missing { parent: here, names });
        };
        let kind = files.stat(number)?.kind;
        if kind == FileKind::Symlink && (last == LastSymlink::Follow || !ahead.is_empty()) {
            symlinks += 1;
            let target = files.read_link(number)?;
            if symlinks > MAX_SYMLINKS || ahead.len() > MAX_NAMES {
                return Err(PathErrorKind::SymlinkLoop);
            }
            if target.starts_with(b"/") {
                here = Found::root();
            }
            push_names(&mut ahead, &target);
            continue;
        }
        here = here.child(number, &name);
        if !ahead.is_empty() && kind != FileKind::Directory {
            let path = String::from_utf8_lossy(&here.path()).into_owned();
            return Err(PathErrorKind::NotADirectory { path });
        }
    }
    Ok(Place::Found(here))
}

/// Pushes the names of a path onto a stack, the first name on top.
fn push_names(stack: &mut Vec<Vec<u8>>, path: &[u8]) {
    let names = path.split(|&byte| byte == b'/').rev();
    stack.extend(names.filter(|name| !name.is_empty() && *name != b".").map(<[u8]>::to_vec));
}
