//! What rendering wants to know about the system in an image.

/// Read access to the files of an image's root filesystem.
///
/// Paths are absolute and inside the image; symlinks are followed inside it.
pub trait SystemFiles {
    /// A regular file's contents; `None` where there is no such file.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged or the file is larger than
    /// any configuration file (16 MiB).
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError>;

    /// The names in a directory, sorted, without `.` and `..`; `None` where
    /// there is no such directory.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError>;

    /// The permission bits (the low 12 bits of `i_mode`) of the file or directory
    /// at this path; `None` where there is none.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    fn mode(&self, path: &str) -> Result<Option<u16>, SystemError>;

    /// Whether there is anything at this path, a dangling symlink included.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    fn exists(&self, path: &str) -> Result<bool, SystemError>;
}

/// A file of the image could not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("{reason}; mend or remove {path} in the base image")]
pub struct SystemError {
    /// The path inside the image.
    pub path: String,
    /// Why.
    pub reason: Box<dyn std::error::Error + Send + Sync>,
}
