//! The filesystem as rendering sees it.

use cluster_profile::{SystemError, SystemFiles};

use super::{FsError, RootFs};

/// Larger than any configuration file.
const MAX_CONFIGURATION: u64 = 16 << 20;

fn system_error(path: &str) -> impl FnOnce(FsError) -> SystemError + '_ {
    move |error| SystemError { path: path.to_owned(), reason: Box::new(error) }
}

impl SystemFiles for RootFs {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError> {
        match RootFs::read(self, path, MAX_CONFIGURATION) {
            // A device or a directory has no contents to render from.
            Err(error) if error.is_wrong_kind() => Ok(None),
            result => result.map_err(system_error(path)),
        }
    }

    fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError> {
        let names = RootFs::list(self, path).map_err(system_error(path))?;
        // Configuration has UTF-8 names; rendering never edits files with others.
        Ok(names.map(|names| {
            names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect()
        }))
    }

    fn mode(&self, path: &str) -> Result<Option<u16>, SystemError> {
        let metadata = self.metadata_followed(path).map_err(system_error(path))?;
        Ok(metadata.map(|metadata| metadata.mode))
    }

    fn exists(&self, path: &str) -> Result<bool, SystemError> {
        self.metadata(path).map(|found| found.is_some()).map_err(system_error(path))
    }
}
