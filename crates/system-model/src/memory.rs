//! A system made up in memory.

use std::collections::BTreeMap;

use crate::{BootPartition, FileKind, FileMetadata, SystemError, SystemFiles};

/// As many symlinks as Linux follows in one path (path_resolution(7)).
const MAX_SYMLINKS: usize = 40;

#[derive(Debug, Clone)]
enum Node {
    File(Vec<u8>),
    Directory,
    Symlink(String),
}

/// The files of a system that exists in memory only, for tests and examples.
///
/// ```
/// use system_model::{MemoryFiles, SystemFiles as _};
///
/// let mut files = MemoryFiles::new();
/// files.write("/etc/hostname", "xu4-node1\n");
/// files.symlink("/etc/name", "hostname");
/// assert_eq!(files.read_text("/etc/name")?.as_deref(), Some("xu4-node1\n"));
/// # Ok::<(), system_model::SystemError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    nodes: BTreeMap<String, (Node, u16, u32, u32)>,
    boot_partitions: Vec<BootPartition>,
}

impl MemoryFiles {
    /// Returns a system with nothing but a root directory.
    pub fn new() -> Self {
        MemoryFiles::default()
    }

    /// Writes a regular file (0644, root's), and creates its parent directories (0755).
    pub fn write(&mut self, path: &str, contents: impl AsRef<[u8]>) -> &mut Self {
        self.insert(path, Node::File(contents.as_ref().to_vec()), 0o644)
    }

    /// Creates a directory (0755, root's) and its parents.
    pub fn directory(&mut self, path: &str) -> &mut Self {
        self.insert(path, Node::Directory, 0o755)
    }

    /// Creates a symlink and its parent directories.
    pub fn symlink(&mut self, path: &str, target: &str) -> &mut Self {
        self.insert(path, Node::Symlink(target.to_owned()), 0o777)
    }

    /// Sets permission bits and owner of what is at the path.
    pub fn own(&mut self, path: &str, mode: u16, uid: u32, gid: u32) -> &mut Self {
        if let Some((_, m, u, g)) = self.nodes.get_mut(path) {
            (*m, *u, *g) = (mode, uid, gid);
        }
        self
    }

    /// Removes what is at the path and everything below it.
    pub fn remove(&mut self, path: &str) -> &mut Self {
        let below = format!("{path}/");
        self.nodes.retain(|at, _| at != path && !at.starts_with(&below));
        self
    }

    /// Adds a boot partition, whose files are written below its prefix.
    pub fn boot_partition(&mut self, number: u32, prefix: &str) -> &mut Self {
        self.boot_partitions.push(BootPartition { number, prefix: prefix.to_owned() });
        self.directory(prefix)
    }

    fn insert(&mut self, path: &str, node: Node, mode: u16) -> &mut Self {
        let mut parent = path;
        while let Some((above, _)) = parent.rsplit_once('/') {
            if !above.is_empty() {
                self.nodes.entry(above.to_owned()).or_insert((Node::Directory, 0o755, 0, 0));
            }
            parent = above;
        }
        self.nodes.insert(path.to_owned(), (node, mode, 0, 0));
        self
    }

    /// Returns where a path leads. A dangling symlink leads to its target.
    fn resolve(&self, path: &str, follow_last: bool) -> String {
        let mut ahead: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let mut here = String::new();
        let mut symlinks = 0;
        while let Some(name) = ahead.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    here.truncate(here.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let next = if here.is_empty() && name.ends_with(':') {
                name
            } else {
                format!("{here}/{name}")
            };
            match self.nodes.get(&next) {
                Some((Node::Symlink(target), ..)) if follow_last || !ahead.is_empty() => {
                    symlinks += 1;
                    if symlinks > MAX_SYMLINKS {
                        return String::new();
                    }
                    if target.starts_with('/') {
                        here.clear();
                    }
                    ahead.extend(target.rsplit('/').map(str::to_owned));
                }
                _ => here = next,
            }
        }
        here
    }
}

impl SystemFiles for MemoryFiles {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError> {
        Ok(match self.nodes.get(&self.resolve(path, true)) {
            Some((Node::File(contents), ..)) => Some(contents.clone()),
            _ => None,
        })
    }

    fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError> {
        let at = self.resolve(path, true);
        if !at.is_empty() && !matches!(self.nodes.get(&at), Some((Node::Directory, ..))) {
            return Ok(None);
        }
        let below = format!("{at}/");
        let names = self.nodes.keys().filter_map(|key| key.strip_prefix(&below));
        Ok(Some(names.filter(|name| !name.contains('/')).map(str::to_owned).collect()))
    }

    fn metadata(&self, path: &str) -> Result<Option<FileMetadata>, SystemError> {
        let followed = self.resolve(path, true);
        if followed.is_empty() {
            let kind = FileKind::Directory;
            return Ok(Some(FileMetadata { kind, mode: 0o755, uid: 0, gid: 0, size: 0 }));
        }
        let found =
            self.nodes.get(&followed).or_else(|| self.nodes.get(&self.resolve(path, false)));
        Ok(found.map(|(node, mode, uid, gid)| {
            let (kind, size) = match node {
                Node::File(contents) => (FileKind::Regular, contents.len()),
                Node::Directory => (FileKind::Directory, 0),
                Node::Symlink(target) => (FileKind::Symlink, target.len()),
            };
            FileMetadata { kind, mode: *mode, uid: *uid, gid: *gid, size: size as u64 }
        }))
    }

    fn read_link(&self, path: &str) -> Result<Option<String>, SystemError> {
        Ok(match self.nodes.get(&self.resolve(path, false)) {
            Some((Node::Symlink(target), ..)) => Some(target.clone()),
            _ => None,
        })
    }

    fn boot_partitions(&self) -> Vec<BootPartition> {
        self.boot_partitions.clone()
    }
}
