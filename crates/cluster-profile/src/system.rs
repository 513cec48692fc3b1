//! The system in an image, as rendering sees it.

/// Read access to the files of an image's root filesystem.
///
/// Paths are absolute and inside the image. Symlinks are followed inside the image.
pub trait SystemFiles {
    /// Returns the contents of a regular file, or `None` if there is no such file.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged, or if the file is larger than any
    /// configuration file (16 MiB).
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError>;

    /// Returns the names in a directory, sorted, without `.` and `..`, or `None` if there is
    /// no such directory.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError>;

    /// Returns the permission bits (the low 12 bits of `i_mode`) of a file or directory, or
    /// `None` if there is none.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    fn mode(&self, path: &str) -> Result<Option<u16>, SystemError>;

    /// Returns whether there is anything at a path, including a dangling symlink.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    fn exists(&self, path: &str) -> Result<bool, SystemError>;
}

/// An error that keeps a file of the image from being read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {} in the image", plain_text::escaped(path))]
pub struct SystemError {
    /// The path inside the image.
    pub path: String,
    /// The reason.
    #[source]
    pub reason: Box<dyn std::error::Error + Send + Sync>,
}

impl SystemError {
    /// Returns what to do about it.
    pub fn fix(&self) -> Option<String> {
        Some(format!("fix or remove {} in the base image", self.path))
    }
}
