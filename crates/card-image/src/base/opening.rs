//! From an opened file to a decoded image.

use std::path::Path;

use plain_text::to_hex;

use super::{
    BaseError, BaseFormat, BaseImage, BaseOptions,
    cache::{Cache, CacheEntry, CacheRecord, DecodeClaim},
    checksums::{ExpectedSums, SumSubject},
    decode::DecodeJob,
    file::{Digests, SourceFile},
    format,
    sparse::SparseError,
    storage::DecodedPieces,
};
use crate::Cancel;

/// What became of checking a file's checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SumCheck {
    /// The file has the checksums that are known for it.
    Right,
    /// No checksum is known.
    NoneKnown,
    /// Only checksums of the decoded image are known.
    OfImageOnly,
}

/// An image file that is open for reading, with its format detected.
pub struct ImageFile {
    file: SourceFile,
    /// The file's first bytes.
    head: Vec<u8>,
    format: BaseFormat,
}

impl ImageFile {
    /// Opens a file, and detects by its contents whether it is a raw image or a compressed
    /// one.
    ///
    /// # Errors
    /// [`BaseError`] if it cannot be read, or is neither.
    pub fn open(path: &Path) -> Result<Self, BaseError> {
        let file = SourceFile::open(path)?;
        let head = file.head()?;
        let format = format::detect(&head)
            .map_err(|found| BaseError::UnknownFormat { path: path.to_owned(), found })?;
        Ok(ImageFile { file, head, format })
    }

    /// Returns how the image is stored.
    pub fn format(&self) -> BaseFormat {
        self.format
    }

    /// Returns whether the image has to be decoded.
    pub fn is_compressed(&self) -> bool {
        self.format != BaseFormat::Raw
    }

    /// Checks the file against all checksums that are known for it, and decodes it into the
    /// cache unless an earlier run has done so. [`BaseImage::open`] says where checksums
    /// are looked for.
    ///
    /// # Errors
    /// [`BaseError`]. No incomplete file stays in the cache then.
    pub fn into_base(self, options: BaseOptions) -> Result<BaseImage, BaseError> {
        let expected = ExpectedSums::gather(&self.file.path, options.sha256)?;
        let opening = Opening { image: self, expected, options };
        if opening.image.is_compressed() { opening.compressed() } else { opening.raw() }
    }

    /// Opens the image of a card, which holds private keys. What has to be decoded for it
    /// goes into a file that only its owner can read, that has no name any more when
    /// this returns, and that is gone once the base is closed. No checksums are asked for
    /// if nothing has to be decoded.
    ///
    /// # Errors
    /// As [`into_base`](Self::into_base).
    pub fn into_private_base(self, options: BaseOptions) -> Result<BaseImage, BaseError> {
        if !self.is_compressed() {
            return BaseImage::new(self.file, None, None);
        }
        let cache = Cache::open(options.cache_dir, options.cancel)?;
        if let Some(entry) = self.cached(&cache)? {
            return entry.into_base();
        }
        let private = cache.private()?;
        self.into_base(BaseOptions { cache_dir: Some(private.path()), ..options })
    }

    /// Opens the image if it is raw or an earlier run has decoded it; otherwise returns
    /// `None`. A file that the cache may know by another name or time is read once, to
    /// recognize it by its contents. No checksums are asked for.
    ///
    /// # Errors
    /// As [`into_base`](Self::into_base).
    pub fn into_base_if_decoded(
        self,
        options: BaseOptions,
    ) -> Result<Option<BaseImage>, BaseError> {
        if !self.is_compressed() {
            return BaseImage::new(self.file, None, None).map(Some);
        }
        let settled = self.file.identity.is_settled();
        let opened = Cache::open_existing(options.cache_dir, options.cancel)?;
        let Some(cache) = opened else { return Ok(None) };
        let entry = match self.cached(&cache)? {
            Some(entry) => Some(entry),
            None => {
                let opening = Opening { image: self, expected: ExpectedSums::default(), options };
                opening.recognize(&cache, settled)?
            }
        };
        entry.map(CacheEntry::into_base).transpose()
    }

    /// Checks the file as given against all checksums that are known for it. Decodes and
    /// writes nothing. Returns whether there was a checksum.
    ///
    /// # Errors
    /// As [`into_base`](Self::into_base).
    pub fn check_sums(&self, options: BaseOptions) -> Result<SumCheck, BaseError> {
        let BaseOptions { progress, cancel, .. } = options;
        let expected = ExpectedSums::gather(&self.file.path, options.sha256)?;
        if !expected.any(SumSubject::File) {
            let has_more = expected.any(SumSubject::Image);
            return Ok(if has_more { SumCheck::OfImageOnly } else { SumCheck::NoneKnown });
        }
        let digests = self.file.digests(expected.md5(SumSubject::File), progress, cancel)?;
        expected.check(SumSubject::File, &self.file.path, &digests)?;
        Ok(SumCheck::Right)
    }

    /// Returns the size in bytes that the image has at least: that of a raw file, or what a
    /// compressed file states.
    ///
    /// # Errors
    /// [`BaseError`] if the file states too large a size, or holds no image.
    pub fn stated_size(&self, cancel: &Cancel) -> Result<Option<u64>, BaseError> {
        if !self.is_compressed() {
            return Ok(Some(self.file.size()));
        }
        Ok(DecodeJob::new(&self.file, self.format, &self.head, None, cancel)?.at_least())
    }

    /// Finds the cache's entry for this very file, without reading the file.
    fn cached(&self, cache: &Cache) -> Result<Option<CacheEntry>, BaseError> {
        cache.find(|record| record.has_source(&self.file.identity))
    }
}

impl CacheEntry {
    fn into_base(self) -> Result<BaseImage, BaseError> {
        let sha256 = self.record.compressed().map(|digests| digests.sha256);
        let decoded = DecodedPieces::new(self.sums, self.record_path);
        BaseImage::new(self.image, sha256, Some(decoded))
    }
}

/// An image file that is being checked and decoded.
struct Opening<'a> {
    image: ImageFile,
    expected: ExpectedSums,
    options: BaseOptions<'a>,
}

impl Opening<'_> {
    fn file(&self) -> &SourceFile {
        &self.image.file
    }

    fn raw(self) -> Result<BaseImage, BaseError> {
        let digests =
            if self.expected.any(SumSubject::File) { Some(self.digests()?) } else { None };
        if let Some(digests) = &digests {
            self.expected.check(SumSubject::File, &self.file().path, digests)?;
        }
        BaseImage::new(self.image.file, digests.map(|digests| digests.sha256), None)
    }

    fn compressed(self) -> Result<BaseImage, BaseError> {
        // Asked before anything is read, so that any later change gets another time stamp.
        let settled = self.file().identity.is_settled();
        let cache = Cache::open(self.options.cache_dir, self.options.cancel)?;
        let entry = match self.image.cached(&cache)? {
            Some(entry) => entry,
            None => {
                let BaseOptions { progress, cancel, .. } = self.options;
                let claim = cache.lock(&self.file().identity, progress, cancel)?;
                // Another run may have decoded it while this one waited.
                match self.image.cached(&cache)? {
                    Some(entry) => entry,
                    None => self.decode_or_recognize(&cache, &claim, settled)?,
                }
            }
        };
        let entry = self.verify(&cache, entry)?;
        entry.into_base()
    }

    /// Decodes the file, unless the cache knows its contents from a file of another name
    /// or time.
    fn decode_or_recognize(
        &self,
        cache: &Cache,
        claim: &DecodeClaim,
        settled: bool,
    ) -> Result<CacheEntry, BaseError> {
        match self.recognize(cache, settled)? {
            Some(entry) => Ok(entry),
            None => self.decode(cache, claim, settled),
        }
    }

    /// Returns the cache's entry for the contents of the file, if there is one. The file is
    /// read only if the cache has an entry for a file of its size.
    fn recognize(&self, cache: &Cache, settled: bool) -> Result<Option<CacheEntry>, BaseError> {
        let same_size = |record: &CacheRecord| record.compressed_size == self.file().size();
        if cache.find(same_size)?.is_none() {
            return Ok(None);
        }
        let digests = self.digests()?;
        self.expected.check(SumSubject::File, &self.file().path, &digests)?;
        let same = |record: &CacheRecord| {
            record.compressed().is_some_and(|known| known.sha256 == digests.sha256)
        };
        let Some(mut entry) = cache.find(same)? else { return Ok(None) };
        if digests.md5.is_some() {
            entry.record.set_compressed(&digests);
        }
        if settled {
            entry.record.add_source(&self.file().identity);
            cache.save(&entry.record, &self.file().identity)?;
        }
        Ok(Some(entry))
    }

    fn decode(
        &self,
        cache: &Cache,
        claim: &DecodeClaim,
        settled: bool,
    ) -> Result<CacheEntry, BaseError> {
        let BaseOptions { progress, cancel, limit, .. } = self.options;
        let job = DecodeJob::new(self.file(), self.image.format, &self.image.head, limit, cancel)?;
        let partial = claim.begin()?;
        // Where the file does not state it, the image is at least as large as the file.
        let (needed, free) = (job.at_least().unwrap_or(self.file().size()), cache.free()?);
        if free < needed {
            let dir = cache.dir().to_owned();
            return Err(BaseError::NoSpace { dir, needed: Some(needed), free });
        }
        let md5 = self.expected.md5(SumSubject::File);
        let done = job.run(&partial.file, cache.dir(), md5, progress, cancel);
        let (digests, sums) = match done {
            Ok(done) => done,
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
        self.expected.check(SumSubject::File, &self.file().path, &digests)?;
        let image = if self.expected.any(SumSubject::Image) {
            Some(self.image_digests(&SourceFile::open(partial.path())?)?)
        } else {
            None
        };
        if let Some(image) = &image {
            self.expected.check(SumSubject::Image, &self.file().path, image)?;
        }
        let size = self.file().size();
        partial.publish(&to_hex(&digests.sha256), &self.file().identity, sums, |file, pieces| {
            let mut record = CacheRecord::new(&digests, size, image.as_ref(), file, pieces);
            if settled {
                record.add_source(&self.file().identity);
            }
            record
        })
    }

    /// Checks an entry against all expected sums, computing those that no earlier run
    /// needed.
    fn verify(&self, cache: &Cache, mut entry: CacheEntry) -> Result<CacheEntry, BaseError> {
        let CacheEntry { record, image, .. } = &mut entry;
        let mut fresh = false;
        let file = match record.compressed() {
            Some(known) if self.expected.can_check(SumSubject::File, &known) => known,
            _ => {
                fresh = true;
                self.digests()?
            }
        };
        self.expected.check(SumSubject::File, &self.file().path, &file)?;
        if fresh {
            record.set_compressed(&file);
        }
        if self.expected.any(SumSubject::Image) {
            let decoded = match record.decoded() {
                Some(known) if self.expected.can_check(SumSubject::Image, &known) => known,
                _ => {
                    fresh = true;
                    self.image_digests(image)?
                }
            };
            self.expected.check(SumSubject::Image, &self.file().path, &decoded)?;
            record.set_decoded(&decoded);
        }
        if fresh {
            cache.save(record, &self.file().identity)?;
        }
        Ok(entry)
    }

    fn digests(&self) -> Result<Digests, BaseError> {
        let BaseOptions { progress, cancel, .. } = self.options;
        self.file().digests(self.expected.md5(SumSubject::File), progress, cancel)
    }

    fn image_digests(&self, image: &SourceFile) -> Result<Digests, BaseError> {
        let BaseOptions { progress, cancel, .. } = self.options;
        image.digests(self.expected.md5(SumSubject::Image), progress, cancel)
    }
}
