//! What rendering asks of the system in an image.

/// Read access to the files of an image's root filesystem.
///
/// Paths are absolute and inside the image; symlinks are followed inside it.
pub trait SystemFiles {
    /// Returns a regular file's contents; `None` where there is no such file.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged or the file is larger than
    /// any configuration file (16 MiB).
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError>;

    /// Returns the names in a directory, sorted, without `.` and `..`; `None` where
    /// there is no such directory.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError>;

    /// Returns the permission bits (the low 12 bits of `i_mode`) of the file or directory at
    /// this path; `None` where there is none.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    fn mode(&self, path: &str) -> Result<Option<u16>, SystemError>;

    /// Returns whether there is anything at this path, a dangling symlink included.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    fn exists(&self, path: &str) -> Result<bool, SystemError>;
}

/// A file of the image cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path} in the image")]
pub struct SystemError {
    /// The path inside the image.
    pub path: String,
    /// Why.
    #[source]
    pub reason: Box<dyn std::error::Error + Send + Sync>,
}

impl SystemError {
    /// Returns what to do about it.
    pub fn fix(&self) -> String {
        format!("repair or remove {} in the base image", self.path)
    }
}
