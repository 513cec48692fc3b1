//! Read access to the files of a system that does not run.

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symlink that leads nowhere.
    Symlink,
    /// A device, FIFO or socket.
    Special,
}

/// What an inode says of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMetadata {
    /// The kind of the file.
    pub kind: FileKind,
    /// Permission bits: the low 12 bits of `i_mode`.
    pub mode: u16,
    /// User id of the owner.
    pub uid: u32,
    /// Group id of the owner.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
}

/// Which files [`SystemFiles::starts`] reads.
#[derive(Debug, Clone)]
pub struct WantedFiles {
    /// Their sizes in bytes.
    pub sizes: std::ops::RangeInclusive<u64>,
    /// How many bytes are read of each.
    pub most: usize,
}

/// What [`SystemFiles::starts`] finds in a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Starts {
    /// The names of directories.
    pub directories: Vec<String>,
    /// The names of files, each with its first bytes.
    pub files: Vec<(String, Vec<u8>)>,
}

/// A partition beside the root filesystem that holds boot files, usually FAT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootPartition {
    /// The number of the partition.
    pub number: u32,
    /// What paths of its files begin with, without a slash at the end: where /etc/fstab
    /// mounts it (`/boot/firmware`), or `p1:` for a partition 1 that is not mounted. A path
    /// of the root filesystem always begins with a slash, so the two cannot be confused.
    pub prefix: String,
}

impl BootPartition {
    /// Returns a path relative to the partition's root directory, if it leads there. What is
    /// below a mount point on the root filesystem itself is hidden while the system runs.
    pub fn relative<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix(self.prefix.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }
}

/// Read access to the files of a system as they are when it runs: with its boot partitions
/// mounted where its /etc/fstab says.
///
/// Paths are absolute, or begin with a [`BootPartition::prefix`]. Symlinks are followed
/// inside the image only. On a FAT partition upper and lower case are the same.
pub trait SystemFiles {
    /// Returns a regular file's contents, or `None` where there is no such file.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged or the file is larger than any
    /// configuration file (16 MiB).
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError>;

    /// Returns the beginning of a regular file, at most so many bytes, or `None` where there is no
    /// such file.
    ///
    /// # Errors
    /// As [`read`](Self::read), but a file of any size is read where this is implemented for it.
    fn read_start(&self, path: &str, most: usize) -> Result<Option<Vec<u8>>, SystemError> {
        let contents = self.read(path)?;
        Ok(contents.map(|mut contents| {
            contents.truncate(most);
            contents
        }))
    }

    /// Returns the names in a directory, sorted, without `.` and `..`, or `None` where there
    /// is no such directory.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError>;

    /// Returns what is known of the file that a path leads to, symlinks followed; of the
    /// symlink itself if it leads nowhere; `None` where there is nothing.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    fn metadata(&self, path: &str) -> Result<Option<FileMetadata>, SystemError>;

    /// Returns what the symlink at a path holds, or `None` where there is no symlink.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    fn read_link(&self, path: &str) -> Result<Option<String>, SystemError>;

    /// Returns what is in a directory, apart from symlinks and names that `skips` leaves out: the
    /// directories, and the beginnings of regular files of these sizes. It is for looking through
    /// many files.
    ///
    /// # Errors
    /// [`SystemError`] if the directory cannot be read. Files that cannot be read are left out.
    fn starts(
        &self,
        directory: &str,
        wanted: &WantedFiles,
        skips: &dyn Fn(&str) -> bool,
    ) -> Result<Starts, SystemError> {
        let mut found = Starts::default();
        for name in self.list(directory)?.unwrap_or_default() {
            let path = format!("{}/{name}", directory.trim_end_matches('/'));
            if skips(&name) || !matches!(self.read_link(&path), Ok(None)) {
                continue;
            }
            let Ok(Some(metadata)) = self.metadata(&path) else { continue };
            match metadata.kind {
                FileKind::Directory => found.directories.push(name),
                FileKind::Regular if wanted.sizes.contains(&metadata.size) => {
                    if let Ok(Some(start)) = self.read_start(&path, wanted.most) {
                        found.files.push((name, start));
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Returns the partitions with boot files that can be read and edited.
    fn boot_partitions(&self) -> Vec<BootPartition>;

    /// Returns the permission bits (the low 12 bits of `i_mode`) of what a path leads to, or
    /// `None` if there is nothing.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    fn mode(&self, path: &str) -> Result<Option<u16>, SystemError> {
        Ok(self.metadata(path)?.map(|metadata| metadata.mode))
    }

    /// Returns whether there is anything at a path, a dangling symlink included.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    fn exists(&self, path: &str) -> Result<bool, SystemError> {
        Ok(self.metadata(path)?.is_some())
    }

    /// Returns a text file's contents, with bytes that are not UTF-8 replaced.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn read_text(&self, path: &str) -> Result<Option<String>, SystemError> {
        Ok(self.read(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
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
