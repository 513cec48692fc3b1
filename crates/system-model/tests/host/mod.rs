//! The files of a system in a directory of this computer.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use system_model::{BootPartition, FileKind, FileMetadata, SystemError, SystemFiles};

/// A system below a directory; symlinks stay inside.
pub struct HostFiles {
    root: PathBuf,
}

impl HostFiles {
    pub fn new(root: &Path) -> Self {
        HostFiles { root: root.to_owned() }
    }

    fn resolve(&self, path: &str, follow_last: bool) -> Option<PathBuf> {
        let mut ahead: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let mut here: Vec<String> = Vec::new();
        let mut symlinks = 0;
        while let Some(name) = ahead.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    here.pop();
                    continue;
                }
                _ => here.push(name),
            }
            let at = self.root.join(here.join("/"));
            if (follow_last || !ahead.is_empty())
                && let Ok(target) = fs::read_link(&at)
            {
                symlinks += 1;
                if symlinks > 40 {
                    return None;
                }
                here.pop();
                let target = target.to_string_lossy().into_owned();
                if target.starts_with('/') {
                    here.clear();
                }
                ahead.extend(target.rsplit('/').map(str::to_owned));
            }
        }
        Some(self.root.join(here.join("/")))
    }
}

fn failed(path: &str, error: io::Error) -> SystemError {
    SystemError { path: path.to_owned(), reason: Box::new(error) }
}

impl SystemFiles for HostFiles {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError> {
        match self.resolve(path, true).filter(|at| at.is_file()) {
            Some(at) => fs::read(at).map(Some).map_err(|error| failed(path, error)),
            None => Ok(None),
        }
    }

    fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError> {
        let Some(at) = self.resolve(path, true).filter(|at| at.is_dir()) else { return Ok(None) };
        let mut names = Vec::new();
        for entry in fs::read_dir(at).map_err(|error| failed(path, error))? {
            let entry = entry.map_err(|error| failed(path, error))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(Some(names))
    }

    fn metadata(&self, path: &str) -> Result<Option<FileMetadata>, SystemError> {
        let followed = self.resolve(path, true).and_then(|at| fs::symlink_metadata(at).ok());
        let own = || self.resolve(path, false).and_then(|at| fs::symlink_metadata(at).ok());
        let Some(meta) = followed.or_else(own) else { return Ok(None) };
        let kind = if meta.is_file() {
            FileKind::Regular
        } else if meta.is_dir() {
            FileKind::Directory
        } else if meta.is_symlink() {
            FileKind::Symlink
        } else {
            FileKind::Special
        };
        let mode = (meta.mode() & 0o7777) as u16;
        let (uid, gid, size) = (meta.uid(), meta.gid(), meta.size());
        Ok(Some(FileMetadata { kind, mode, uid, gid, size }))
    }

    fn read_link(&self, path: &str) -> Result<Option<String>, SystemError> {
        let target = self.resolve(path, false).and_then(|at| fs::read_link(at).ok());
        Ok(target.map(|target| target.to_string_lossy().into_owned()))
    }

    fn boot_partitions(&self) -> Vec<BootPartition> {
        Vec::new()
    }
}
