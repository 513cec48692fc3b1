//! Opening a base image.
//!
//! A raw image is used where it is. A compressed one is decoded once, into a
//! sparse file in the user's cache directory, which later runs use again.
//!
//! Every way to a decoded image is the same: [`ImageFile::open`] opens the file once and
//! detects its format, and one of the methods of [`ImageFile`] makes a [`BaseImage`] of it.

mod cache;
mod checksums;
mod decode;
mod download;
mod error;
mod file;
mod format;
mod opening;
mod piece_sums;
mod sparse;
mod storage;

use std::{fmt, path::Path, sync::Arc};

use block_io::ReadAt as _;
use plain_text::to_hex;

pub use self::{
    cache::cache_directory,
    download::{download, download_path},
    error::{BaseError, CertificateFault, NotAnImage},
    format::BaseFormat,
    opening::{ImageFile, SumCheck},
    storage::BaseStorage,
};
use self::{
    file::{FileIdentity, SourceFile},
    storage::DecodedPieces,
};
use crate::{Cancel, progress::BuildProgress};

/// How to open a base image.
#[derive(Clone, Copy)]
pub struct BaseOptions<'a> {
    /// The directory for decoded images; by default `nodecard` in `$XDG_CACHE_HOME`
    /// or in `$HOME/.cache`. It is created if it is missing, readable by its owner only.
    pub cache_dir: Option<&'a Path>,
    /// The SHA-256 sum that the file as given must have.
    pub sha256: Option<[u8; 32]>,
    /// The size in bytes of the largest card that it is for. Decoding stops there.
    pub limit: Option<u64>,
    /// Receives the progress of the work.
    pub progress: &'a dyn BuildProgress,
    /// Stops the work.
    pub cancel: &'a Cancel,
}

/// A base image, open for reading.
pub struct BaseImage {
    /// The base itself, or the decoded image.
    storage: Arc<BaseStorage>,
    /// The storage's file as it was when it was opened.
    identity: FileIdentity,
    sha256: Option<[u8; 32]>,
}

impl BaseImage {
    /// Opens a base image, raw or compressed as .xz, .gz, .zst, .bz2 or .zip, whatever its
    /// name says. It is checked against the sum in the options and against the checksum
    /// files beside it: for `x.img.xz` these are `x.img.xz.sha256`, `.sha256sum`, `.md5` and
    /// `.md5sum`, and lines about it in `SHA256SUMS` and `MD5SUMS`. Lines about `x.img` are
    /// checked against the decoded image.
    ///
    /// # Errors
    /// [`BaseError`]. No incomplete file stays in the cache then.
    pub fn open(path: &Path, options: BaseOptions) -> Result<Self, BaseError> {
        ImageFile::open(path)?.into_base(options)
    }

    /// Opens the image of a card, as [`ImageFile::into_private_base`] does.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_private(path: &Path, options: BaseOptions) -> Result<Self, BaseError> {
        ImageFile::open(path)?.into_private_base(options)
    }

    /// Opens a base image if it does not have to be decoded, as
    /// [`ImageFile::into_base_if_decoded`] does.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_if_ready(path: &Path, options: BaseOptions) -> Result<Option<Self>, BaseError> {
        ImageFile::open(path)?.into_base_if_decoded(options)
    }

    /// Returns whether a file is compressed in a way that [`open`](Self::open) supports.
    ///
    /// # Errors
    /// [`BaseError`] if it cannot be read, or is neither compressed nor a raw image.
    pub fn is_compressed(path: &Path) -> Result<bool, BaseError> {
        Ok(ImageFile::open(path)?.is_compressed())
    }

    /// Returns the decoded image, for reading only.
    pub fn storage(&self) -> Arc<BaseStorage> {
        Arc::clone(&self.storage)
    }

    /// Returns the SHA-256 sum of the file as given. It is known for compressed files,
    /// and for raw ones that were checked against a sum.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        self.sha256
    }

    /// Makes sure that the storage's file has not been written to since it was opened, and that
    /// what was read of a decoded image is what was decoded.
    ///
    /// # Errors
    /// [`BaseError::Changed`] or [`BaseError::CachedImage`] if not.
    pub fn check_unchanged(&self) -> Result<(), BaseError> {
        self.storage.check_pieces()?;
        self.identity.check_unchanged(self.storage.file(), self.storage.path())
    }

    /// Makes a base of a file as given, or of a decoded image with what is known about it.
    fn new(
        file: SourceFile,
        sha256: Option<[u8; 32]>,
        decoded: Option<DecodedPieces>,
    ) -> Result<Self, BaseError> {
        let (storage, identity) = file.into_storage()?;
        if storage.size() != identity.size {
            return Err(BaseError::Changed { path: storage.path().to_owned() });
        }
        let storage = BaseStorage::new(storage, decoded);
        Ok(BaseImage { storage: Arc::new(storage), identity, sha256 })
    }
}

impl fmt::Debug for BaseImage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("BaseImage")
            .field("path", &self.storage.path())
            .field("sha256", &self.sha256.map(|sum| to_hex(&sum)))
            .finish()
    }
}
