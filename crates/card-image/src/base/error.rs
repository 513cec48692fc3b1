//! What can be wrong with a base image.

use std::{io, path::PathBuf};

use super::BaseFormat;
use block_io::Cancelled;

/// A base image could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// There is no such file.
    #[error("there is no base image {}: check the path, or download the image", path.display())]
    NotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// The path names something that is not a regular file.
    #[error("the base image {} is {what}: give the path of an image file", path.display())]
    NotAFile {
        /// The path as given.
        path: PathBuf,
        /// What it is instead, with its article.
        what: &'static str,
    },
    /// The operating system does not let us read it.
    #[error("cannot read the base image {} at byte {offset}: {source}", path.display())]
    Read {
        /// The path as given.
        path: PathBuf,
        /// Where reading failed, in bytes.
        offset: u64,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file has no bytes.
    #[error("the base image {} is empty: download it again", path.display())]
    Empty {
        /// The path as given.
        path: PathBuf,
    },
    /// The bytes are neither a disk image nor compressed in a way we know.
    #[error(
        "{} is not a disk image: {what}. A base image is raw (with an MBR or GPT partition table), \
         or one compressed as .xz, .gz, .zst, .bz2 or .zip", path.display()
    )]
    UnknownFormat {
        /// The path as given.
        path: PathBuf,
        /// What the first bytes look like, and what that suggests.
        what: String,
    },
    /// It unpacks to something that is not a disk image.
    #[error(
        "{} ({format}) holds no disk image: inside, {what}", path.display()
    )]
    NoImageInside {
        /// The path as given.
        path: PathBuf,
        /// How it is compressed.
        format: BaseFormat,
        /// What the unpacked bytes look like, and what that suggests.
        what: String,
    },
    /// A zip file holds several images, or none.
    #[error(
        "the zip file {} must hold exactly one image, but holds {found}: unpack it and give the \
         image itself", path.display()
    )]
    ZipMembers {
        /// The path as given.
        path: PathBuf,
        /// The members found, as a list for the user.
        found: String,
    },
    /// The file ends in the middle of the compressed data.
    #[error(
        "{} ends too early: its {size} bytes stop in the middle of the {format} data, so the \
         download is not complete. Download it again", path.display()
    )]
    Truncated {
        /// The path as given.
        path: PathBuf,
        /// How it is compressed.
        format: BaseFormat,
        /// The file's size in bytes, which is where the data stops.
        size: u64,
    },
    /// The compressed data contradicts itself or its checksums.
    #[error(
        "{} is damaged near byte {near} of {size}: {reason} ({format}). Download it again",
        path.display()
    )]
    Corrupt {
        /// The path as given.
        path: PathBuf,
        /// How it is compressed.
        format: BaseFormat,
        /// How many compressed bytes had been read, an upper bound of the place.
        near: u64,
        /// The file's size in bytes.
        size: u64,
        /// What the decoder says.
        reason: String,
    },
    /// It uses a part of its format that we do not support.
    #[error("cannot unpack {} ({format}): {reason}", path.display())]
    Unsupported {
        /// The path as given.
        path: PathBuf,
        /// How it is compressed.
        format: BaseFormat,
        /// What is not supported, and what to do.
        reason: String,
    },
    /// It unpacks to more bytes than any card has.
    #[error(
        "{} unpacks to more than {limit} bytes, which is no card image: if it really is one, \
         unpack it yourself and give the raw image", path.display()
    )]
    TooLarge {
        /// The path as given.
        path: PathBuf,
        /// The largest decoded size taken, in bytes.
        limit: u64,
    },
    /// A checksum differs from what was expected.
    #[error(
        "{} is not the file it should be: its {algorithm} is {actual}, but {from} says {expected}. \
         Download it again, or correct the checksum if the image was changed on purpose",
        path.display()
    )]
    ChecksumMismatch {
        /// The path as given.
        path: PathBuf,
        /// `SHA-256` or `MD5`.
        algorithm: &'static str,
        /// The file's own checksum, in hexadecimal digits.
        actual: String,
        /// The expected checksum, in hexadecimal digits.
        expected: String,
        /// Where the expectation comes from: `the profile`, or a file's path.
        from: String,
    },
    /// A checksum file beside the base cannot be used.
    #[error(
        "cannot check {} against {}: {reason}. Get the checksum file again, or delete it",
        path.display(), sums.display()
    )]
    ChecksumFile {
        /// The path as given.
        path: PathBuf,
        /// The checksum file.
        sums: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// The base was written to while it was being read.
    #[error(
        "{} changed while it was being read (is it still being downloaded?): wait until it is \
         complete, then run again", path.display()
    )]
    Changed {
        /// The file that changed.
        path: PathBuf,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set, and no directory was named.
    #[error(
        "there is no place to unpack a compressed base image to: set HOME or XDG_CACHE_HOME to an \
         absolute path"
    )]
    NoCacheDir,
    /// The cache's filesystem cannot take the decoded image.
    #[error(
        "not enough space in {} to unpack the base image: {} free{}. Free some space, or point \
         XDG_CACHE_HOME to a larger filesystem", dir.display(), bytes(*free),
        needed.map(|n| format!(", about {} needed", bytes(n))).unwrap_or_default()
    )]
    NoSpace {
        /// The cache directory.
        dir: PathBuf,
        /// How much is needed at least, if it is known, in bytes.
        needed: Option<u64>,
        /// How much is free, in bytes.
        free: u64,
    },
    /// The cache directory cannot be used.
    #[error(
        "cannot {operation} {} in the base image cache: {source}. Point XDG_CACHE_HOME to another \
         directory if this one cannot be used", path.display()
    )]
    Cache {
        /// What was tried.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The opened image cannot be used as a storage.
    #[error(transparent)]
    Storage(#[from] block_io::Error),
    /// Somebody asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// A size for people, in binary units.
fn bytes(n: u64) -> String {
    if n >= 1 << 20 { format!("{} MiB", n >> 20) } else { format!("{n} bytes") }
}
