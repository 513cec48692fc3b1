//! Errors of writing images.

use std::{io, path::PathBuf};

use block_io::Cancelled;
use plain_text::{shell_word, size};

use crate::ErrorKind;

/// Images could not be written. No file has a final name then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// A file or directory could not be created, written or renamed.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was tried, such as `write`.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The output directory cannot be created or written to.
    #[error("cannot write images to {}", path.display())]
    Unusable {
        /// The output directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file that keeps other runs away cannot be opened, such as one that belongs to
    /// another user.
    #[error("cannot open {}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// There is a file in the place of the output directory.
    #[error("{} is a file, not a directory for images", path.display())]
    NotADirectory {
        /// The file.
        path: PathBuf,
    },
    /// There is no such directory.
    #[error("the directory {} does not exist", path.display())]
    NoDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The file exists, and nobody said that it may be replaced.
    #[error("{} already exists", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// An image would replace the base.
    #[error("an image would replace the base image {}", path.display())]
    IsBase {
        /// The file that is the base.
        path: PathBuf,
    },
    /// Something else is in an image's place.
    #[error("{} {what}", path.display())]
    Occupied {
        /// What is in the way.
        path: PathBuf,
        /// What it is, as a clause that follows the path.
        what: &'static str,
    },
    /// An image of another cluster is in an image's place.
    #[error("{} is an image of the cluster {cluster}", path.display())]
    OtherCluster {
        /// The image.
        path: PathBuf,
        /// The cluster that it was made for.
        cluster: String,
    },
    /// The name of an image says nothing about its format.
    #[error("the name of {} does not end like that of an image", path.display())]
    Name {
        /// The path of the image.
        path: PathBuf,
    },
    /// The disk became full.
    #[error("cannot write {}: the disk is full", path.display())]
    Full {
        /// The file that was being written.
        path: PathBuf,
    },
    /// There is not enough room for all images.
    #[error(
        "{} has {} free, but the images need {}",
        path.display(), size(*available), size(*needed)
    )]
    NoSpace {
        /// The output directory.
        path: PathBuf,
        /// The number of bytes that the images need.
        needed: u64,
        /// The number of bytes that are free.
        available: u64,
    },
    /// Another run is writing to the same directory.
    #[error("another run is writing to {}", path.display())]
    Busy {
        /// The output directory.
        path: PathBuf,
    },
    /// The base or a layer could not be read.
    #[error(transparent)]
    Read(#[from] block_io::Error),
    /// The user interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A compressor failed.
    #[error("cannot compress an image: {reason}")]
    Compress {
        /// The compressor's reason.
        reason: String,
    },
}

fn word(path: &std::path::Path) -> String {
    shell_word(&path.to_string_lossy())
}

impl OutputError {
    /// Returns what has to change before another run can succeed.
    pub fn kind(&self) -> ErrorKind {
        match self {
            OutputError::Cancelled(_) => ErrorKind::Interrupted,
            OutputError::IsBase { .. }
            | OutputError::Occupied { .. }
            | OutputError::Exists { .. }
            | OutputError::OtherCluster { .. }
            | OutputError::Name { .. }
            | OutputError::NoDirectory { .. }
            | OutputError::NotADirectory { .. } => ErrorKind::Profile,
            _ => ErrorKind::Io,
        }
    }

    /// Returns what the user can do about it.
    pub fn fix(&self) -> Option<String> {
        let fix = match self {
            OutputError::NoDirectory { path } => return Some(format!("mkdir -p {}", word(path))),
            OutputError::Lock { .. } => {
                "remove it if no other nodecard is running, or choose another output directory"
            }
            OutputError::Exists { .. } => "choose another name, or move the file away",
            OutputError::Unusable { .. }
            | OutputError::NotADirectory { .. }
            | OutputError::IsBase { .. }
            | OutputError::OtherCluster { .. } => "choose another output directory",
            OutputError::Occupied { .. } => "move it away, or choose another output directory",
            OutputError::Name { .. } => {
                "use a name that ends in .img, .img.xz, .img.zst or .img.gz, which sets its format"
            }
            OutputError::Full { .. } | OutputError::NoSpace { .. } => {
                "free some space, or choose another output directory"
            }
            OutputError::Busy { .. } => "wait for it, or choose another output directory",
            // Such as a file of another user in a directory that everybody can write to.
            OutputError::Io { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                "choose another output directory"
            }
            OutputError::Io { .. }
            | OutputError::Read(_)
            | OutputError::Cancelled(_)
            | OutputError::Compress { .. } => return None,
        };
        Some(fix.to_owned())
    }

    /// For `map_err`: adds the operation and the file to an I/O error.
    pub(super) fn io(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OutputError::Full { path },
            _ => OutputError::Io { operation, path, source },
        }
    }
}
