//! The way to a file: the directories that a program passes through.

use crate::{FileKind, FileMetadata, SystemError, SystemFiles};

/// As many symlinks as Linux follows in one path (path_resolution(7)).
const MAX_SYMLINKS: usize = 40;

/// The way to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    /// The directories that are passed, symlinks resolved, from the root on.
    pub directories: Vec<(String, FileMetadata)>,
    /// Where the way ends.
    pub end: End,
}

/// Where a way ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// At a file or directory: its path without symlinks.
    Found(String, FileMetadata),
    /// Nothing has this name, which may not be the last one of the path.
    Missing(String),
    /// A name in the middle of the path is no directory.
    NotADirectory(String, FileMetadata),
    /// There are too many symlinks.
    Loop(String),
}

/// Follows a path, symlinks included.
pub(crate) fn walk(files: &dyn SystemFiles, path: &str) -> Result<Way, SystemError> {
    let mut ahead: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
    let mut here = String::new();
    let mut symlinks = 0;
    let mut directories: Vec<(String, FileMetadata)> = Vec::new();
    let whole = |here: &str| if here.is_empty() { "/".to_owned() } else { here.to_owned() };
    loop {
        let at = whole(&here);
        let found = files.metadata(&at)?;
        let last = ahead.iter().all(|name| name.is_empty() || name == ".");
        let Some(found) = found.filter(|found| found.kind != FileKind::Symlink) else {
            return Ok(Way { directories, end: End::Missing(at) });
        };
        if last {
            return Ok(Way { directories, end: End::Found(at, found) });
        }
        if found.kind != FileKind::Directory {
            return Ok(Way { directories, end: End::NotADirectory(at, found) });
        }
        if !directories.iter().any(|(passed, _)| *passed == at) {
            directories.push((at, found));
        }
        let Some(name) = ahead.pop() else { continue };
        match name.as_str() {
            "" | "." => continue,
            ".." => {
                here.truncate(here.rfind('/').unwrap_or(0));
                continue;
            }
            _ => {}
        }
        let next = format!("{here}/{name}");
        match files.read_link(&next)? {
            Some(target) => {
                symlinks += 1;
                if symlinks > MAX_SYMLINKS || target.len() > 4096 {
                    return Ok(Way { directories, end: End::Loop(next) });
                }
                if target.starts_with('/') {
                    here.clear();
                }
                ahead.extend(target.rsplit('/').map(str::to_owned));
            }
            None => here = next,
        }
    }
}

/// Who opens files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub uid: u32,
    pub gids: &'a [u32],
}

/// Permission to search a directory.
pub(crate) const SEARCH: u16 = 0o1;
/// Permission to read a file.
pub(crate) const READ: u16 = 0o4;

impl Identity<'_> {
    /// Returns whether the permission bits let this user in.
    pub fn may(&self, file: &FileMetadata, permission: u16) -> bool {
        let bits = if self.uid == file.uid {
            file.mode >> 6
        } else if self.gids.contains(&file.gid) {
            file.mode >> 3
        } else {
            file.mode
        };
        self.uid == 0 || bits & permission == permission
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    #[test]
    fn symlinks_are_followed_and_loops_end() {
        let mut files = MemoryFiles::new();
        files.write("/data/pi/.ssh/authorized_keys", "").symlink("/home", "/data");
        files.symlink("/a", "/b").symlink("/b", "a");
        let way = walk(&files, "/home/pi/.ssh/authorized_keys").expect("readable");
        let passed: Vec<&str> = way.directories.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(passed, ["/", "/data", "/data/pi", "/data/pi/.ssh"]);
        assert!(matches!(way.end, End::Found(path, _) if path == "/data/pi/.ssh/authorized_keys"));
        let end = |path| walk(&files, path).expect("readable").end;
        assert!(matches!(end("/a/x"), End::Loop(_)));
        assert_eq!(end("/home/pi/none/x"), End::Missing("/data/pi/none".into()));
        let through = end("/home/pi/.ssh/authorized_keys/x");
        assert!(matches!(through, End::NotADirectory(..)));
        assert!(matches!(end("/home/../../data"), End::Found(path, _) if path == "/data"));
    }
}
