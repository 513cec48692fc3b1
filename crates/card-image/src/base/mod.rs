//! Opening a base image.
//!
//! A raw image is used where it is. A compressed one is decoded once, into a
//! sparse file in the user's cache directory, which later runs use again.

mod cache;
mod checksums;
mod decode;
mod error;
mod format;
mod source;
mod sparse;

use std::{fmt, path::Path, sync::Arc};

use block_io::FileStorage;

use self::{
    cache::{Cache, Claim, Entry, Record},
    checksums::{Expected, Subject},
    source::{Digests, Identity, Source, hex},
    sparse::SparseError,
};
pub use self::{error::BaseError, format::BaseFormat};
use crate::{Cancel, progress::BuildProgress};

/// How to open a base image.
#[derive(Clone, Copy)]
pub struct BaseOptions<'a> {
    /// The directory for decoded images; else `nodecard` in `$XDG_CACHE_HOME`
    /// or in `$HOME/.cache`. It is made if need be, for its owner alone.
    pub cache_dir: Option<&'a Path>,
    /// What the SHA-256 sum of the file as given must be.
    pub sha256: Option<[u8; 32]>,
    /// Is told how far the work is.
    pub progress: &'a dyn BuildProgress,
    /// Can stop the work.
    pub cancel: &'a Cancel,
}

/// A base image, open for reading.
pub struct BaseImage {
    storage: Arc<FileStorage>,
    /// The file behind the storage: the base itself, or the decoded image.
    file: Source,
    sha256: Option<[u8; 32]>,
}

impl BaseImage {
    /// Opens a base image, raw or compressed as .xz, .gz, .zst, .bz2 or .zip,
    /// which is told by its contents, and checks it against the sum in the options and against the checksum
    /// files beside it: for `x.img.xz` these are `x.img.xz.sha256`,
    /// `.sha256sum`, `.md5` and `.md5sum`, and lines about it in `SHA256SUMS`
    /// and `MD5SUMS`. Lines about `x.img` are checked against the decoded image.
    ///
    /// # Errors
    /// [`BaseError`]. No incomplete file stays in the cache then.
    pub fn open(path: &Path, options: BaseOptions) -> Result<Self, BaseError> {
        let source = Source::open(path)?;
        let head = source.head()?;
        let format = format::detect(&head)
            .map_err(|what| BaseError::UnknownFormat { path: path.to_owned(), what })?;
        let expected = Expected::gather(path, options.sha256)?;
        let opening = Opening { source, head, format, expected, options };
        match format {
            BaseFormat::Raw => opening.raw(),
            _ => opening.compressed(),
        }
    }

    /// As [`open`](Self::open), for the image of a card, which holds private keys: what
    /// has to be decoded for it is in a file that only its owner can read, that has no
    /// name any more when this returns, and that is gone with the base.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_private(path: &Path, options: BaseOptions) -> Result<Self, BaseError> {
        if let Some(base) = BaseImage::open_if_ready(path, options)? {
            return Ok(base);
        }
        let private = Cache::open(options.cache_dir)?.private()?;
        BaseImage::open(path, BaseOptions { cache_dir: Some(private.path()), ..options })
    }

    /// Whether a file is compressed in a way that [`open`](Self::open) knows.
    ///
    /// # Errors
    /// [`BaseError`] if it cannot be read, or is neither that nor a raw image.
    pub fn is_compressed(path: &Path) -> Result<bool, BaseError> {
        let head = Source::open(path)?.head()?;
        let format = format::detect(&head)
            .map_err(|what| BaseError::UnknownFormat { path: path.to_owned(), what })?;
        Ok(format != BaseFormat::Raw)
    }

    /// Opens a base image if that takes no work: one that is raw, or that an earlier
    /// run has decoded. No checksums are asked for. `None`: it would have to be decoded.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_if_ready(path: &Path, options: BaseOptions) -> Result<Option<Self>, BaseError> {
        let source = Source::open(path)?;
        let head = source.head()?;
        let format = format::detect(&head)
            .map_err(|what| BaseError::UnknownFormat { path: path.to_owned(), what })?;
        if format == BaseFormat::Raw {
            return BaseImage::new(source, None).map(Some);
        }
        let cache = Cache::open(options.cache_dir)?;
        let known = cache.find(|record| record.has_source(&source.identity))?;
        let open = |entry: Entry| {
            let sha256 = entry.record.compressed().map(|digests| digests.sha256);
            BaseImage::new(entry.image, sha256)
        };
        known.map(open).transpose()
    }

    /// The decoded image, for reading only.
    pub fn storage(&self) -> Arc<FileStorage> {
        Arc::clone(&self.storage)
    }

    /// The SHA-256 sum of the file as given. It is known of compressed files,
    /// and of raw ones that were checked against a sum.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        self.sha256
    }

    /// Makes sure that what was read is what was opened.
    ///
    /// # Errors
    /// [`BaseError::Changed`] if the storage's file has been written to since
    /// the base was opened.
    pub fn check_unchanged(&self) -> Result<(), BaseError> {
        self.file.check_unchanged()
    }

    fn new(file: Source, sha256: Option<[u8; 32]>) -> Result<Self, BaseError> {
        let storage = FileStorage::open(&file.path)?;
        let metadata = storage.file().metadata().map_err(|error| file.read_error(0, error))?;
        // The storage opens the path a second time: it must be the same file.
        if Identity::new(&file.path, &metadata) != file.identity {
            return Err(BaseError::Changed { path: file.path });
        }
        Ok(BaseImage { storage: Arc::new(storage), file, sha256 })
    }
}

impl fmt::Debug for BaseImage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Base")
            .field("path", &self.file.path)
            .field("sha256", &self.sha256.map(|sum| hex(&sum)))
            .finish()
    }
}

/// A base on the way to being open.
struct Opening<'a> {
    source: Source,
    /// The file's first bytes.
    head: Vec<u8>,
    format: BaseFormat,
    expected: Expected,
    options: BaseOptions<'a>,
}

impl Opening<'_> {
    fn raw(self) -> Result<BaseImage, BaseError> {
        let digests = if self.expected.any(Subject::File) { Some(self.digests()?) } else { None };
        if let Some(digests) = &digests {
            self.expected.check(Subject::File, &self.source.path, digests)?;
        }
        BaseImage::new(self.source, digests.map(|digests| digests.sha256))
    }

    fn compressed(self) -> Result<BaseImage, BaseError> {
        // Asked before anything is read: what changes later gets other times.
        let settled = self.source.identity.is_settled();
        let cache = Cache::open(self.options.cache_dir)?;
        let entry = match self.known(&cache)? {
            Some(entry) => entry,
            None => {
                let BaseOptions { progress, cancel, .. } = self.options;
                let claim = cache.lock(&self.source.identity, progress, cancel)?;
                // Another run may have decoded it while this one waited.
                match self.known(&cache)? {
                    Some(entry) => entry,
                    None => self.decode_or_recognize(&cache, &claim, settled)?,
                }
            }
        };
        let entry = self.verify(&cache, entry)?;
        let sha256 = entry.record.compressed().map(|digests| digests.sha256);
        BaseImage::new(entry.image, sha256)
    }

    /// The entry of this very file, found without reading it.
    fn known(&self, cache: &Cache) -> Result<Option<Entry>, BaseError> {
        cache.find(|record| record.has_source(&self.source.identity))
    }

    /// Finds out whether the contents are known, from a file of another name
    /// or time; only if not, decodes them.
    fn decode_or_recognize(
        &self,
        cache: &Cache,
        claim: &Claim,
        settled: bool,
    ) -> Result<Entry, BaseError> {
        let same_size = |record: &Record| record.compressed_size == self.source.size();
        if cache.find(same_size)?.is_some() {
            let digests = self.digests()?;
            self.expected.check(Subject::File, &self.source.path, &digests)?;
            let same = |record: &Record| {
                record.compressed().is_some_and(|known| known.sha256 == digests.sha256)
            };
            if let Some(mut entry) = cache.find(same)? {
                if digests.md5.is_some() {
                    entry.record.set_compressed(&digests);
                }
                if settled {
                    entry.record.add_source(&self.source.identity);
                    cache.save(&entry.record, &self.source.identity)?;
                }
                return Ok(entry);
            }
        }
        self.decode(cache, claim, settled)
    }

    fn decode(&self, cache: &Cache, claim: &Claim, settled: bool) -> Result<Entry, BaseError> {
        let BaseOptions { progress, cancel, .. } = self.options;
        let job = decode::Job::new(&self.source, self.format, &self.head)?;
        let partial = claim.begin()?;
        // Where the file does not say, the image is not smaller than the file.
        let (needed, free) = (job.at_least().unwrap_or(self.source.size()), cache.free()?);
        if free < needed {
            let dir = cache.dir().to_owned();
            return Err(BaseError::NoSpace { dir, needed: Some(needed), free });
        }
        let md5 = self.expected.md5(Subject::File);
        let digests = match job.run(&partial.file, md5, progress, cancel) {
            Ok(digests) => digests,
            Err(SparseError::Produce(error)) => return Err(error),
            Err(SparseError::Write(error)) => {
                let path = partial.path().to_owned();
                drop(partial);
                return Err(match error.kind() {
                    std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                        let dir = cache.dir().to_owned();
                        BaseError::NoSpace { dir, needed: job.at_least(), free: cache.free()? }
                    }
                    _ => BaseError::Cache { operation: "write", path, source: error },
                });
            }
        };
        self.expected.check(Subject::File, &self.source.path, &digests)?;
        let image = match self.expected.any(Subject::Image) {
            true => Some(self.image_digests(&Source::open(partial.path())?)?),
            false => None,
        };
        if let Some(image) = &image {
            self.expected.check(Subject::Image, &self.source.path, image)?;
        }
        let size = self.source.size();
        partial.publish(&hex(&digests.sha256), &self.source.identity, |file| {
            let mut record = Record::new(&digests, size, image.as_ref(), file);
            if settled {
                record.add_source(&self.source.identity);
            }
            record
        })
    }

    /// Checks an entry against all that is expected, computing the sums that
    /// nobody has asked for before.
    fn verify(&self, cache: &Cache, mut entry: Entry) -> Result<Entry, BaseError> {
        let Entry { record, image } = &mut entry;
        let mut fresh = false;
        let file = match record.compressed() {
            Some(known) if self.expected.can_check(Subject::File, &known) => known,
            _ => {
                fresh = true;
                self.digests()?
            }
        };
        self.expected.check(Subject::File, &self.source.path, &file)?;
        if fresh {
            record.set_compressed(&file);
        }
        if self.expected.any(Subject::Image) {
            let decoded = match record.decoded() {
                Some(known) if self.expected.can_check(Subject::Image, &known) => known,
                _ => {
                    fresh = true;
                    self.image_digests(image)?
                }
            };
            self.expected.check(Subject::Image, &self.source.path, &decoded)?;
            record.set_decoded(&decoded);
        }
        if fresh {
            cache.save(record, &self.source.identity)?;
        }
        Ok(entry)
    }

    fn digests(&self) -> Result<Digests, BaseError> {
        let BaseOptions { progress, cancel, .. } = self.options;
        self.source.digests(self.expected.md5(Subject::File), progress, cancel)
    }

    fn image_digests(&self, image: &Source) -> Result<Digests, BaseError> {
        let BaseOptions { progress, cancel, .. } = self.options;
        image.digests(self.expected.md5(Subject::Image), progress, cancel)
    }
}
