//! A tree of files, as the model has it or a reader finds it.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// Files by path. The path of the root is empty; others begin with a slash.
pub type Tree = BTreeMap<Vec<u8>, Entry>;

pub type Xattrs = BTreeMap<String, Vec<u8>>;

#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    File(Arc<Vec<u8>>),
    Directory,
    Symlink(Vec<u8>),
    /// A device, a pipe or a socket.
    Special,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::File(bytes) => write!(f, "a file of {} bytes", bytes.len()),
            Kind::Directory => f.write_str("a directory"),
            Kind::Symlink(target) => write!(f, "a symlink of {} bytes", target.len()),
            Kind::Special => f.write_str("a special file"),
        }
    }
}

/// The file at a path. Readers leave out what they do not support.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: i64,
    pub links: Option<u32>,
    pub inode: Option<u32>,
    pub xattrs: Option<Xattrs>,
}

/// The first difference between the tree that was read and the expected one.
pub fn difference(wanted: &Tree, found: &Tree) -> Option<String> {
    for path in wanted.keys().chain(found.keys()) {
        let shown = String::from_utf8_lossy(path);
        match (wanted.get(path), found.get(path)) {
            (Some(wanted), Some(found)) => {
                if let Some(what) = entry_difference(wanted, found) {
                    return Some(format!("{shown:?}: {what}"));
                }
            }
            (Some(entry), None) => return Some(format!("{shown:?} is missing: {entry:?}")),
            (None, found) => return Some(format!("{shown:?} should not be: {found:?}")),
        }
    }
    None
}

fn entry_difference(wanted: &Entry, found: &Entry) -> Option<String> {
    let mut wanted = wanted.clone();
    if found.links.is_none() {
        wanted.links = None;
    }
    if found.inode.is_none() {
        wanted.inode = None;
    }
    if found.xattrs.is_none() {
        wanted.xattrs = None;
    }
    if wanted == *found {
        return None;
    }
    if let (Kind::File(a), Kind::File(b)) = (&wanted.kind, &found.kind)
        && a.len() == b.len()
        && let Some(at) = a.iter().zip(b.iter()).position(|(a, b)| a != b)
    {
        return Some(format!(
            "byte {at} of {}: {} instead of {}",
            a.len(),
            b.get(at).copied().unwrap_or_default(),
            a.get(at).copied().unwrap_or_default()
        ));
    }
    Some(format!("\n found {found:?}\nwanted {wanted:?}"))
}
