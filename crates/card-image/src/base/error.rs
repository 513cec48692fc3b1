//! Errors of opening a base image.

use std::{fmt, io, path::PathBuf};

use block_io::Cancelled;
use plain_text::{shell_word, size};
use platform::{Owner, Permissions};

use super::BaseFormat;
use crate::ErrorKind;

/// A base image could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// There is no such file.
    #[error("there is no image file {}", path.display())]
    NotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// It cannot be downloaded.
    #[error("cannot download {url}")]
    Download {
        /// The address, without a password.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server of a download cannot be trusted.
    #[error("cannot trust the server of {url}: {fault}")]
    Certificate {
        /// The address, without a password.
        url: String,
        /// What is wrong with its certificate.
        fault: CertificateFault,
        /// The same in the words of the library.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An https address leads to a plain http one.
    #[error(
        "{url} redirects to plain http, where anyone between here and the server can change the \
         contents"
    )]
    InsecureRedirect {
        /// The address, without a password.
        url: String,
    },
    /// The certificates that the environment says to trust cannot be read.
    #[error("cannot read the certificates that SSL_CERT_FILE or SSL_CERT_DIR name")]
    TrustedCertificates {
        /// Why.
        source: io::Error,
    },
    /// The proxy in the environment is not the address of one.
    #[error("the environment variable {variable} is not the address of a proxy")]
    Proxy {
        /// The name of the variable. Its value may hold a password.
        variable: String,
    },
    /// There is no checksum to check a download with.
    #[error("there is no checksum for {url}: neither in the profile nor beside it on the server")]
    NoChecksum {
        /// The address, without a password.
        url: String,
    },
    /// The path names something that is not a regular file.
    #[error("{} is {what}, not an image file", path.display())]
    NotAFile {
        /// The path as given.
        path: PathBuf,
        /// What it is instead, with its article.
        what: &'static str,
    },
    /// The operating system refused a read.
    #[error("cannot read {} at byte {offset}", path.display())]
    Read {
        /// The path as given.
        path: PathBuf,
        /// Where reading failed, in bytes.
        offset: u64,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file has no bytes.
    #[error("{} is empty", path.display())]
    Empty {
        /// The path as given.
        path: PathBuf,
    },
    /// The bytes are neither a disk image nor compressed in a supported way.
    #[error("{} {}", path.display(), found.predicate())]
    UnknownFormat {
        /// The path as given.
        path: PathBuf,
        /// What the first bytes look like.
        found: NotAnImage,
    },
    /// It unpacks to something that is not a disk image.
    #[error("{} ({format}) holds no disk image: {}", path.display(), found.what)]
    NoImageInside {
        /// The path as given.
        path: PathBuf,
        /// How it is compressed.
        format: BaseFormat,
        /// What the unpacked bytes look like.
        found: NotAnImage,
    },
    /// A zip file holds several images, or none.
    #[error("the zip file {} must hold exactly one image, but holds {found}", path.display())]
    ZipMembers {
        /// The path as given.
        path: PathBuf,
        /// The members found, as a list for the user.
        found: String,
    },
    /// The file ends in the middle of the compressed data.
    #[error(
        "{} is incomplete: it ends after {size} bytes, in the middle of the {format} data",
        path.display()
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
    #[error("{} is damaged near byte {near} of {size}: {reason} ({format})", path.display())]
    Corrupt {
        /// The path as given.
        path: PathBuf,
        /// How it is compressed.
        format: BaseFormat,
        /// The number of compressed bytes read so far: the damage is not behind them.
        near: u64,
        /// The file's size in bytes.
        size: u64,
        /// What the decoder reports.
        reason: String,
    },
    /// It uses a part of its format that is not supported.
    #[error("cannot unpack {} ({format}): {reason}", path.display())]
    Unsupported {
        /// The path as given.
        path: PathBuf,
        /// How it is compressed.
        format: BaseFormat,
        /// What is not supported.
        reason: String,
        /// The command that unpacks it, if one is known to help.
        command: Option<&'static str>,
    },
    /// It unpacks to more bytes than any card has.
    #[error("{} unpacks to more than {}, which is more than any card holds", path.display(),
             size(*limit))]
    TooLarge {
        /// The path as given.
        path: PathBuf,
        /// The largest supported size of a decoded image, in bytes.
        limit: u64,
    },
    /// A checksum differs from the expected one.
    #[error(
        "{} is not the file that its checksum describes: {from} expects the {algorithm} sum \
         {expected}, but the file has {actual}", path.display()
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
    /// A checksum file beside the base does not say what it should.
    #[error("cannot check {} against {}: {reason}", path.display(), sums.display())]
    ChecksumFile {
        /// The path as given.
        path: PathBuf,
        /// The checksum file.
        sums: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// A checksum file beside the base cannot be read.
    #[error("cannot read the checksum file {}", sums.display())]
    ReadChecksumFile {
        /// The checksum file.
        sums: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The base was written to while it was being read.
    #[error("{} changed while it was being read", path.display())]
    Changed {
        /// The file that changed.
        path: PathBuf,
    },
    /// A decoded image in the cache has other contents than when it was decoded.
    #[error(
        "the decoded image {} was changed after it was decoded, at byte {offset} or later",
        path.display()
    )]
    CachedImage {
        /// The decoded image.
        path: PathBuf,
        /// Where the first difference was seen, in bytes.
        offset: u64,
    },
    /// The cache belongs to somebody else, who could have put anything into it.
    #[error(
        "the cache of decoded images, {}, belongs to another user ({owner})", dir.display()
    )]
    ForeignCache {
        /// The cache directory.
        dir: PathBuf,
        /// Its owner.
        owner: Owner,
    },
    /// Others can write to the cache, and could have put anything into it.
    #[error(
        "other users can write to the cache of decoded images, {} ({permissions})",
        dir.display()
    )]
    WritableCache {
        /// The cache directory.
        dir: PathBuf,
        /// What lets them write.
        permissions: Permissions,
    },
    /// It unpacks to far more bytes than the cards hold.
    #[error(
        "{} unpacks to {}, but at most {limit} bytes are unpacked for this card", path.display(),
        size_or(*stated, *limit)
    )]
    LargerThanCards {
        /// The path as given.
        path: PathBuf,
        /// The size that the file states, in bytes.
        stated: Option<u64>,
        /// The most that is unpacked, in bytes.
        limit: u64,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set, and no directory was named.
    #[error("there is no cache directory to unpack the image into: HOME is not set")]
    NoCacheDir,
    /// The cache's filesystem has no room for the decoded image.
    #[error(
        "not enough space in {} to unpack the image: {} free{}", dir.display(), size(*free),
        needed.map(|needed| format!(", at least {} needed", size(needed))).unwrap_or_default()
    )]
    NoSpace {
        /// The cache directory.
        dir: PathBuf,
        /// How much is needed at least, if that is known, in bytes.
        needed: Option<u64>,
        /// How much is free, in bytes.
        free: u64,
    },
    /// The cache directory cannot be used.
    #[error("cannot {operation} {} in the cache of decoded images", path.display())]
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
    /// The work was interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

fn size_or(stated: Option<u64>, limit: u64) -> String {
    match stated {
        Some(stated) => format!("at least {stated} bytes"),
        None => format!("more than {limit} bytes"),
    }
}

/// What is wrong with the certificate of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// Nobody whom this computer trusts has signed it.
    UnknownIssuer,
    /// It is not valid any more.
    Expired,
    /// It is not valid yet.
    NotValidYet,
    /// It is for another host.
    OtherHost,
    /// Something else.
    Other,
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CertificateFault::UnknownIssuer => {
                "its certificate is not signed by anyone this computer trusts"
            }
            CertificateFault::Expired => "its certificate has expired",
            CertificateFault::NotValidYet => "its certificate is not valid yet",
            CertificateFault::OtherHost => "its certificate is for another host name",
            CertificateFault::Other => "its certificate is not valid",
        })
    }
}

impl CertificateFault {
    fn fix(self) -> &'static str {
        match self {
            CertificateFault::UnknownIssuer => {
                "if a proxy in your network intercepts https, add its certificate to the \
                 system's, or set SSL_CERT_FILE to a PEM file that contains it"
            }
            CertificateFault::Expired | CertificateFault::NotValidYet => {
                "check the date of this computer; if it is right, download the image from \
                 another server"
            }
            _ => "check the address, or download the image from another server",
        }
    }
}

/// What a file holds instead of a disk image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotAnImage {
    /// What it looks like, as a clause: `this is a tar archive`.
    pub what: String,
    /// How to get the image out of it, or to it.
    pub fix: Option<&'static str>,
    /// Whether its first bytes are all zero, as on a new card.
    pub is_blank: bool,
}

impl NotAnImage {
    /// Returns what is wrong with the file, to follow its name.
    fn predicate(&self) -> String {
        if self.is_blank {
            "is blank: it has no partition table".to_owned()
        } else {
            format!("is not a disk image: {}", self.what)
        }
    }
}

impl BaseError {
    /// Returns what has to change before another run can succeed.
    pub fn kind(&self) -> ErrorKind {
        match self {
            BaseError::Cancelled(_) => ErrorKind::Interrupted,
            BaseError::LargerThanCards { .. } => ErrorKind::Profile,
            BaseError::ForeignCache { .. }
            | BaseError::WritableCache { .. }
            | BaseError::NoSpace { .. }
            | BaseError::Cache { .. }
            | BaseError::CachedImage { .. }
            | BaseError::NoCacheDir => ErrorKind::Io,
            _ => ErrorKind::Base,
        }
    }

    /// Returns what the user can do about it.
    pub fn fix(&self) -> Option<String> {
        let fix = match self {
            BaseError::NotFound { .. } => "check the path",
            BaseError::Download { .. } => {
                "check the address and the proxy, then run the command again: what was downloaded \
                 is kept"
            }
            BaseError::Certificate { fault, .. } => fault.fix(),
            BaseError::InsecureRedirect { .. } => {
                "write `base: {path: URL, sha256: SUM}`, which makes http safe, or use another \
                 server"
            }
            BaseError::TrustedCertificates { .. } => {
                "set SSL_CERT_FILE to a file of certificates in PEM format, or unset it"
            }
            BaseError::Proxy { .. } => {
                "set it to an address such as http://proxy.lan:3128, or unset it"
            }
            BaseError::NoChecksum { .. } => "write `base: {path: URL, sha256: SUM}` in the profile",
            BaseError::NotAFile { .. } => "give the path of an image file",
            BaseError::Empty { .. } | BaseError::Truncated { .. } | BaseError::Corrupt { .. } => {
                "download it again"
            }
            BaseError::UnknownFormat { found, .. } => found.fix.unwrap_or(
                "give a raw image with an MBR or GPT partition table, or one compressed as .xz, \
                 .gz, .zst, .bz2 or .zip",
            ),
            BaseError::NoImageInside { found, .. } => found.fix.unwrap_or("download it again"),
            BaseError::ZipMembers { .. } => "unpack it and give the image itself",
            BaseError::Unsupported { command: Some(command), .. } => {
                return Some(format!("unpack it with `{command}` and give the raw image"));
            }
            BaseError::Unsupported { .. } => "unpack it and give the raw image",
            BaseError::TooLarge { .. } => {
                "check that it is the image of a card; if it is, unpack it and give the raw image"
            }
            BaseError::ChecksumMismatch { .. } => {
                "download it again, or correct the checksum if the image was changed on purpose"
            }
            BaseError::ChecksumFile { .. } | BaseError::ReadChecksumFile { .. } => {
                "download the checksum file again, or delete it"
            }
            BaseError::Changed { .. } => {
                "wait until it is complete (it may still be downloading), then run the command \
                 again"
            }
            BaseError::CachedImage { .. } => {
                "run the command again: the image will be decoded again"
            }
            BaseError::ForeignCache { .. } => "set XDG_CACHE_HOME to a directory of your own",
            BaseError::WritableCache { dir, .. } => {
                let dir = shell_word(&dir.to_string_lossy());
                let command = platform::access::command_to_restrict(&dir, true);
                return Some(format!("run `{command}`, and delete what is in it"));
            }
            BaseError::LargerThanCards { .. } => {
                "check that it is the image of a card of this size, or use larger cards"
            }
            BaseError::NoCacheDir => {
                let variable = platform::directories::CACHES_VARIABLE;
                return Some(format!("set {variable} or XDG_CACHE_HOME to an absolute path"));
            }
            BaseError::NoSpace { .. } => {
                "free some space, or set XDG_CACHE_HOME to a directory on a larger filesystem"
            }
            BaseError::Cache { .. } => "set XDG_CACHE_HOME to a directory that you can write to",
            BaseError::Read { .. } | BaseError::Storage(_) | BaseError::Cancelled(_) => {
                return None;
            }
        };
        Some(fix.to_owned())
    }
}
