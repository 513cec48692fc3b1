//! Reading files and directories by path, without checking the whole filesystem.

use std::sync::Arc;

use block_io::ReadAt;

use crate::{
    Entry, FatError,
    dir::Directory,
    geometry::{DirPlace, Geometry},
    read::{contents, find, first_cluster, names},
    table::OnStorage,
};

/// A FAT filesystem that is only read. It reads what each path needs, and no more.
#[derive(Debug, Clone)]
pub struct Reader {
    storage: Arc<dyn ReadAt>,
    geometry: Geometry,
}

impl Reader {
    /// Opens the filesystem that begins at offset 0 of `storage`.
    ///
    /// # Errors
    /// [`FatError::NotFat`], [`FatError::Storage`].
    pub fn open(storage: Arc<dyn ReadAt>) -> Result<Self, FatError> {
        let geometry = Geometry::read(&storage)?;
        Ok(Reader { storage, geometry })
    }

    fn table(&self) -> OnStorage<'_> {
        OnStorage { storage: &*self.storage, geometry: &self.geometry }
    }

    /// Returns the contents of a file of at most `limit` bytes, or `None` if there is no
    /// file at the path.
    ///
    /// # Errors
    /// [`FatError::TooLarge`], [`FatError::Chain`], [`FatError::Storage`].
    pub fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, FatError> {
        let table = self.table();
        let record = find(&self.storage, &self.geometry, &table, path)?;
        let Some(record) = record.filter(|record| !record.is_directory()) else {
            return Ok(None);
        };
        contents(&self.storage, &self.geometry, &table, &record, path, limit).map(Some)
    }

    /// Returns what is in a directory, in the directory's order, or `None` if there is no
    /// directory at the path.
    ///
    /// # Errors
    /// [`FatError::Chain`], [`FatError::Storage`].
    pub fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, FatError> {
        let table = self.table();
        let place = if names(path).next().is_none() {
            self.geometry.root.clone()
        } else {
            match find(&self.storage, &self.geometry, &table, path)? {
                Some(record) if record.is_directory() => {
                    DirPlace::Chain(first_cluster(&self.geometry, &record))
                }
                _ => return Ok(None),
            }
        };
        let directory = Directory::read(&self.storage, &self.geometry, &table, &place)?;
        Ok(Some(directory.entries()))
    }

    /// Returns what is known of the file or directory at a path, or `None` if there is none.
    ///
    /// # Errors
    /// [`FatError::Chain`], [`FatError::Storage`].
    pub fn entry(&self, path: &str) -> Result<Option<Entry>, FatError> {
        if names(path).next().is_none() {
            return Ok(Some(Entry { name: String::new(), is_directory: true, size: 0 }));
        }
        Ok(find(&self.storage, &self.geometry, &self.table(), path)?.map(Entry::from))
    }
}
