//! The filesystem as rendering sees it.

use system_model::{
    BootPartition, FileKind, FileMetadata, Starts, SystemError, SystemFiles, WantedFiles,
};

use super::{FsError, FsResult, RootFs};

/// Larger than any configuration file.
const MAX_CONFIGURATION: u64 = 16 << 20;

fn system_error(path: &str) -> impl FnOnce(FsError) -> SystemError + '_ {
    move |error| SystemError { path: path.to_owned(), reason: Box::new(error) }
}

/// Turns a path through a loop of symlinks into one that does not exist: no program of the system
/// can open it either. What has to be written there replaces the loop, or fails there.
fn without_loops<T>(result: FsResult<Option<T>>) -> FsResult<Option<T>> {
    match result {
        Err(error) if error.is_symlink_loop() => Ok(None),
        result => result,
    }
}

/// Turns a damaged file of a boot partition into one that does not exist: rendering has nothing
/// to read there, and the partition's damage is reported when the card is prepared.
fn without_damage<T>(result: FsResult<Option<T>>) -> FsResult<Option<T>> {
    match without_loops(result) {
        Err(error) if error.is_boot_damage() => Ok(None),
        result => result,
    }
}

impl SystemFiles for RootFs {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError> {
        match without_damage(RootFs::read(self, path, MAX_CONFIGURATION)) {
            // A device or a directory has no contents to render from.
            Err(error) if error.is_wrong_kind() => Ok(None),
            result => result.map_err(system_error(path)),
        }
    }

    fn read_start(&self, path: &str, most: usize) -> Result<Option<Vec<u8>>, SystemError> {
        match without_damage(RootFs::read_start(self, path, most)) {
            Err(error) if error.is_wrong_kind() => Ok(None),
            result => result.map_err(system_error(path)),
        }
    }

    fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError> {
        let names = without_damage(RootFs::list(self, path)).map_err(system_error(path))?;
        // Configuration has UTF-8 names; rendering never edits files with others.
        Ok(names.map(|names| {
            names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect()
        }))
    }

    fn metadata(&self, path: &str) -> Result<Option<FileMetadata>, SystemError> {
        let followed = without_damage(self.metadata_followed(path)).map_err(system_error(path))?;
        let found = match followed {
            Some(found) => Some(found),
            None => without_damage(RootFs::metadata(self, path)).map_err(system_error(path))?,
        };
        Ok(found.map(|found| FileMetadata {
            kind: match found.kind {
                ext4_offline::FileKind::Regular => FileKind::Regular,
                ext4_offline::FileKind::Directory => FileKind::Directory,
                ext4_offline::FileKind::Symlink => FileKind::Symlink,
                _ => FileKind::Special,
            },
            mode: found.mode,
            uid: found.uid,
            gid: found.gid,
            size: found.size,
        }))
    }

    fn read_link(&self, path: &str) -> Result<Option<String>, SystemError> {
        let target = without_loops(RootFs::read_link(self, path)).map_err(system_error(path))?;
        Ok(target.map(|target| String::from_utf8_lossy(&target).into_owned()))
    }

    fn starts(
        &self,
        directory: &str,
        wanted: &WantedFiles,
        skips: &dyn Fn(&str) -> bool,
    ) -> Result<Starts, SystemError> {
        let mut found = Starts::default();
        let place = without_damage(RootFs::metadata_followed(self, directory));
        let place = place.map_err(system_error(directory))?;
        let is_on_boot = self.boot().iter().any(|one| one.relative(directory).is_some());
        let Some(place) = place.filter(|place| place.is_dir() && !is_on_boot) else {
            return Ok(found);
        };
        let inodes = self.reader().inodes();
        let entries = inodes.entries(place.inode).map_err(FsError::from);
        for entry in entries.map_err(system_error(directory))? {
            let Ok(name) = String::from_utf8(entry.name) else { continue };
            if matches!(name.as_str(), "." | "..") || skips(&name) {
                continue;
            }
            let Ok(inode) = inodes.stat(entry.inode) else { continue };
            if inode.is_dir() {
                found.directories.push(name);
            } else if inode.is_file() && wanted.sizes.contains(&inode.size) {
                let size = usize::try_from(inode.size).unwrap_or(usize::MAX);
                let mut start = vec![0; size.min(wanted.most)];
                if inodes.read(inode.inode, 0, &mut start).is_ok() {
                    found.files.push((name, start));
                }
            }
        }
        found.directories.sort_unstable();
        found.files.sort_unstable();
        Ok(found)
    }

    fn boot_partitions(&self) -> Vec<BootPartition> {
        self.boot()
    }

    fn exists(&self, path: &str) -> Result<bool, SystemError> {
        let found = without_damage(RootFs::metadata(self, path));
        found.map(|found| found.is_some()).map_err(system_error(path))
    }
}
