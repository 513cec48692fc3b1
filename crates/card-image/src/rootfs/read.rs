//! Reading, where a path that does not exist is no error.

use ext4_offline::{FileKind, PathResult};

use super::{FsResult, Metadata, RootFs};

/// Turns the error of a path that does not exist into `None`.
pub(super) fn optional<T>(result: PathResult<T>) -> FsResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl RootFs {
    /// Returns the metadata of the file at `path`; of the symlink itself if it is one.
    ///
    /// # Errors
    /// [`FsError`](super::FsError) if the filesystem is damaged or symlinks form a loop.
    pub fn metadata(&self, path: &str) -> FsResult<Option<Metadata>> {
        match self.boot_metadata(path, false)? {
            Some(metadata) => Ok(metadata),
            None => optional(self.reader().symlink_metadata(path)),
        }
    }

    /// Returns the metadata of the file at `path`, following symlinks.
    ///
    /// # Errors
    /// [`FsError`](super::FsError) if the filesystem is damaged or symlinks form a loop.
    pub fn metadata_followed(&self, path: &str) -> FsResult<Option<Metadata>> {
        match self.boot_metadata(path, true)? {
            Some(metadata) => Ok(metadata),
            None => optional(self.reader().metadata(path)),
        }
    }

    /// Returns the contents of the regular file at `path`, of up to `limit` bytes.
    ///
    /// # Errors
    /// [`FsError`](super::FsError) if the file is larger or not a regular one, or the
    /// filesystem is damaged.
    pub fn read(&self, path: &str, limit: u64) -> FsResult<Option<Vec<u8>>> {
        match self.boot_read(path, limit)? {
            Some(contents) => Ok(contents),
            None => optional(self.reader().read_up_to(path, limit)),
        }
    }

    /// Returns the beginning of the regular file at `path`, at most so many bytes. Of a boot
    /// partition, a file as large as that filesystem allows is read whole.
    ///
    /// # Errors
    /// [`FsError`](super::FsError) if it is not a regular file, or the filesystem is damaged.
    pub fn read_start(&self, path: &str, most: usize) -> FsResult<Option<Vec<u8>>> {
        if let Some(contents) = self.boot_read(path, u32::MAX.into())? {
            return Ok(contents.map(|mut contents| {
                contents.truncate(most);
                contents
            }));
        }
        let Some(file) = optional(self.reader().open_file(path))? else { return Ok(None) };
        let size = usize::try_from(file.metadata().size).unwrap_or(usize::MAX);
        let mut contents = vec![0; size.min(most)];
        let mut filled = 0;
        while let Some(rest) = contents.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(filled as u64, rest)? {
                0 => break,
                count => filled += count,
            }
        }
        contents.truncate(filled);
        Ok(Some(contents))
    }

    /// Returns the target of the symlink at `path`; `None` if it is not a symlink.
    ///
    /// # Errors
    /// [`FsError`](super::FsError) if the filesystem is damaged or symlinks form a loop.
    pub fn read_link(&self, path: &str) -> FsResult<Option<Vec<u8>>> {
        if self.metadata(path)?.is_none_or(|metadata| metadata.kind != FileKind::Symlink) {
            return Ok(None);
        }
        optional(self.reader().read_link(path))
    }

    /// Returns the names in the directory at `path`, sorted, without `.` and `..`; `None` if it
    /// is not a directory.
    ///
    /// # Errors
    /// [`FsError`](super::FsError) if the filesystem is damaged or symlinks form a loop.
    pub fn list(&self, path: &str) -> FsResult<Option<Vec<Vec<u8>>>> {
        if let Some(names) = self.boot_list(path)? {
            return Ok(names);
        }
        if self.metadata_followed(path)?.is_none_or(|metadata| !metadata.is_dir()) {
            return Ok(None);
        }
        let Some(entries) = optional(self.reader().read_dir(path))? else { return Ok(None) };
        let mut names: Vec<_> = entries.into_iter().map(|entry| entry.name).collect();
        names.sort();
        Ok(Some(names))
    }

    /// Returns the first and the last bytes of the regular file at `path`: `length` of each, or
    /// as many as there are.
    ///
    /// # Errors
    /// [`FsError`](super::FsError) if it is not a regular file or the filesystem is damaged.
    pub fn ends(&self, path: &str, length: usize) -> FsResult<Option<(Vec<u8>, Vec<u8>)>> {
        if let Some(contents) = self.boot_read(path, u64::MAX)? {
            return Ok(contents.map(|contents| {
                let length = length.min(contents.len());
                let tail = contents.len() - length;
                (contents[..length].to_vec(), contents[tail..].to_vec())
            }));
        }
        let Some(file) = optional(self.reader().open_file(path))? else { return Ok(None) };
        let size = file.metadata().size;
        let length = size.min(length as u64);
        let read = |offset| {
            let mut bytes = vec![0; length as usize];
            file.read_at(offset, &mut bytes).map(|_| bytes)
        };
        Ok(Some((read(0)?, read(size - length)?)))
    }
}
