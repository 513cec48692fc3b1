//! The filesystem as rendering wants to see it.

use cluster_profile::{SystemError, SystemFiles};

use super::{FsError, RootFs, walk::LastSymlink};

/// Larger than any configuration file.
const MAX_CONFIGURATION: u64 = 16 << 20;

fn system_error(path: &str) -> impl FnOnce(FsError) -> SystemError + '_ {
    move |error| SystemError { path: path.to_owned(), reason: Box::new(error) }
}

impl SystemFiles for RootFs {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError> {
        match RootFs::read(self, path, MAX_CONFIGURATION) {
            // A device or directory is no file to read.
            Err(FsError::WrongKind { .. }) => Ok(None),
            result => result.map_err(system_error(path)),
        }
    }

    fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError> {
        let names = RootFs::list(self, path).map_err(system_error(path))?;
        // Configuration has UTF-8 names; others are nobody's to edit.
        Ok(names.map(|names| {
            names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect()
        }))
    }

    fn mode(&self, path: &str) -> Result<Option<u16>, SystemError> {
        let mode = || match self.find(path, LastSymlink::Follow)? {
            Some(found) => Ok(Some(self.stat(path, found.inode)?.mode)),
            None => Ok(None),
        };
        mode().map_err(system_error(path))
    }

    fn exists(&self, path: &str) -> Result<bool, SystemError> {
        self.find(path, LastSymlink::Keep).map(|found| found.is_some()).map_err(system_error(path))
    }
}
