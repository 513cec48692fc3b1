//! Decoded images, kept for later runs.
//!
//! For a compressed file whose SHA-256 sum is SUM, the cache holds
//!
//! - `SUM.img`, the decoded image, a sparse file,
//! - `SUM.sums`, the checksums of its pieces,
//! - `SUM.json`, its [`CacheRecord`], written last: without it, or if the image is
//!   no longer the file that it describes, there is no entry. What is read of the image is
//!   compared with the checksums.
//!
//! While a file is being decoded there are `KEY.lock` and `KEY.partial`, where KEY is
//! derived from the file's path and times. `index.lock` is held while entries are put in
//! place, which takes no time. Images that must not stay are decoded in a directory
//! `PID-NUMBER.private`.

mod lock;
mod private;
mod record;

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use platform::{Access, Privacy, access, directories, open_lock, open_regular};

pub(in crate::base) use self::lock::LockFile;
pub(super) use self::record::CacheRecord;
use super::{
    BaseError,
    file::{FileIdentity, SourceFile},
    piece_sums::{PIECE, PieceSums, SUM},
};
use crate::{Cancel, progress::BuildProgress};

const PARTIAL: &str = "partial";
const LOCK: &str = "lock";
const IMAGE: &str = "img";
const RECORD: &str = "json";
const SUMS: &str = "sums";

/// No record is larger, in bytes.
const LARGEST_RECORD: u64 = 16 << 20;

/// Returns the directory of the cache: the given one, or the user's.
pub(super) fn cache_dir(dir: Option<&Path>) -> Result<PathBuf, BaseError> {
    match dir {
        Some(dir) => Ok(dir.to_owned()),
        None => user_dir().ok_or(BaseError::NoCacheDir),
    }
}

/// Returns this program's directory among the user's caches.
fn user_dir() -> Option<PathBuf> {
    directories::caches(env::var_os).map(|caches| caches.join("nodecard"))
}

/// Returns the directory for what can be made again: the given one, or the user's. `None` if the
/// user has none.
pub fn cache_directory(dir: Option<&Path>) -> Option<PathBuf> {
    cache_dir(dir).ok()
}

/// For `map_err`: adds the operation and the file of the cache.
pub(super) fn cache_error(operation: &'static str, path: &Path) -> impl Fn(io::Error) -> BaseError {
    move |source| BaseError::Cache { operation, path: path.to_owned(), source }
}

/// The directory of decoded images.
#[derive(Debug)]
pub(super) struct Cache {
    dir: PathBuf,
    /// Ends the waiting for other runs.
    cancel: Cancel,
}

/// A decoded image that is complete and has not changed since it was made.
pub(super) struct CacheEntry {
    pub(super) record: CacheRecord,
    /// The image, open.
    pub(super) image: SourceFile,
    /// The checksums of its pieces.
    pub(super) sums: PieceSums,
    /// The file without which there is no entry.
    pub(super) record_path: PathBuf,
}

impl Cache {
    /// Opens the given directory, or else the user's, and creates it if it is missing.
    pub(super) fn open(dir: Option<&Path>, cancel: &Cancel) -> Result<Self, BaseError> {
        let dir = cache_dir(dir)?;
        let made = access::create_directories(&dir, Privacy::Private);
        made.map_err(cache_error("create the directory", &dir))?;
        check_directory(&dir)?;
        let cache = Cache { dir, cancel: cancel.clone() };
        cache.remove_leftovers()?;
        cache.remove_private_leftovers()?;
        Ok(cache)
    }

    /// Opens the cache if its directory exists.
    pub(super) fn open_existing(
        dir: Option<&Path>,
        cancel: &Cancel,
    ) -> Result<Option<Self>, BaseError> {
        let dir = match dir {
            Some(dir) => Some(dir.to_owned()),
            None => user_dir(),
        };
        match dir.filter(|dir| dir.is_dir()) {
            Some(dir) => Self::open(Some(&dir), cancel).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the number of bytes that a user can still write here.
    pub(super) fn free(&self) -> Result<u64, BaseError> {
        platform::free_space(&self.dir).map_err(cache_error("get the free space of", &self.dir))
    }

    /// Claims the right to decode the file, and waits for another run that has it.
    pub(super) fn lock(
        &self,
        source: &FileIdentity,
        progress: &dyn BuildProgress,
        cancel: &Cancel,
    ) -> Result<DecodeClaim<'_>, BaseError> {
        let key = source.key();
        let lock = LockFile::take(&self.path(&key, LOCK), progress, cancel)?;
        Ok(DecodeClaim { cache: self, key, _lock: lock })
    }

    /// Returns the first intact entry that `wanted` accepts.
    pub(super) fn find(
        &self,
        mut wanted: impl FnMut(&CacheRecord) -> bool,
    ) -> Result<Option<CacheEntry>, BaseError> {
        let found = self.records()?.into_iter().filter(|record| wanted(record));
        Ok(found.filter_map(|record| self.entry(record)).next())
    }

    /// Returns the record's entry, if its image is still the file that was recorded.
    fn entry(&self, record: CacheRecord) -> Option<CacheEntry> {
        let image = SourceFile::open(&self.path(record.name(), IMAGE)).ok()?;
        // Whoever else could write it could have written anything.
        let is_trusted = Access::of(&image.file).is_ok_and(|found| found.is_trusted());
        if !is_trusted || image.identity != record.image {
            return None;
        }
        let size = (image.size().div_ceil(PIECE as u64)).saturating_mul(SUM);
        let sums = read_trusted(&self.path(record.name(), SUMS), size).ok()?;
        let sums = PieceSums::from_bytes(&sums).filter(|sums| record.has_pieces(sums))?;
        let record_path = self.path(record.name(), RECORD);
        Some(CacheEntry { record, image, sums, record_path })
    }

    /// Returns all records that can be read. The others are ignored, and are written again
    /// when their image is.
    fn records(&self) -> Result<Vec<CacheRecord>, BaseError> {
        let mut records = Vec::new();
        for path in self.files(RECORD)? {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let record: Option<CacheRecord> = read_trusted(&path, LARGEST_RECORD)
                .ok()
                .and_then(|json| serde_json::from_slice(&json).ok());
            records.extend(record.filter(|record| record.is_valid(&name)));
        }
        Ok(records)
    }

    /// Returns the paths of all files with this ending.
    fn files(&self, ending: &str) -> Result<Vec<PathBuf>, BaseError> {
        let fail = cache_error("list", &self.dir);
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(&fail)? {
            let path = entry.map_err(&fail)?.path();
            if path.extension().is_some_and(|found| found == ending) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// Writes the record of an entry, old or new.
    pub(super) fn save(
        &self,
        record: &CacheRecord,
        source: &FileIdentity,
    ) -> Result<(), BaseError> {
        let _index = self.lock_index()?;
        self.save_locked(record, source)
    }

    /// Like [`save`](Self::save), with the index locked already.
    fn save_locked(&self, record: &CacheRecord, source: &FileIdentity) -> Result<(), BaseError> {
        self.write_record(record)?;
        self.forget(source, record.name());
        Ok(())
    }

    fn lock_index(&self) -> Result<File, BaseError> {
        let path = self.path("index", LOCK);
        let file = open_lock(&path).map_err(cache_error("open the lock file", &path))?;
        self.lock_file(&file, &path)?;
        Ok(file)
    }

    fn lock_file(&self, file: &File, path: &Path) -> Result<(), BaseError> {
        if let Err(error) = self.cancel.lock(file) {
            self.cancel.check()?;
            return Err(cache_error("lock", path)(error));
        }
        Ok(())
    }

    /// Like [`save`](Self::save), with the index locked already.
    fn write_record(&self, record: &CacheRecord) -> Result<(), BaseError> {
        let path = self.path(record.name(), RECORD);
        let json = serde_json::to_vec_pretty(record)
            .map_err(|error| cache_error("write", &path)(error.into()))?;
        self.write_whole(&path, &json)
    }

    /// Replaces a file, with the index locked already.
    fn write_whole(&self, path: &Path, contents: &[u8]) -> Result<(), BaseError> {
        let fail = cache_error("write", path);
        let partial = self.path("index", PARTIAL);
        remove(&partial)?;
        let write = create(&partial).and_then(|mut file| {
            file.write_all(contents)?;
            file.sync_all()
        });
        let renamed = write.and_then(|()| fs::rename(&partial, path)).inspect_err(|_| {
            let _ = fs::remove_file(&partial);
        });
        renamed.map_err(&fail)?;
        platform::sync_directory(&self.dir).map_err(cache_error("write", &self.dir))
    }

    /// Removes the source's path, and all paths where there is no file any more, from the
    /// other entries. Removes entries that have no source left: nothing would ever ask for
    /// them again. Failures are ignored, because all they cost is space. The index must be
    /// locked.
    fn forget(&self, source: &FileIdentity, but: &str) {
        for mut record in self.records().unwrap_or_default() {
            if record.name() != but && record.forget_sources(source) {
                if record.sources.is_empty() {
                    for ending in [RECORD, IMAGE, SUMS] {
                        let _ = fs::remove_file(self.path(record.name(), ending));
                    }
                } else {
                    let _ = self.write_record(&record);
                }
            }
        }
    }

    /// Removes the files of runs that were killed.
    fn remove_leftovers(&self) -> Result<(), BaseError> {
        for partial in self.files(PARTIAL)? {
            let name = partial.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            // A run that is still at work holds the lock.
            if name != "index"
                && let Some(_lock) = LockFile::try_take(&self.path(&name, LOCK))?
            {
                remove(&partial)?;
            }
        }
        Ok(())
    }

    fn path(&self, name: &str, ending: &str) -> PathBuf {
        self.dir.join(format!("{name}.{ending}"))
    }
}

/// The right to decode one file, which one run has at a time.
pub(super) struct DecodeClaim<'a> {
    cache: &'a Cache,
    key: String,
    _lock: LockFile,
}

impl DecodeClaim<'_> {
    /// Begins a decoded image under a temporary name.
    pub(super) fn begin(&self) -> Result<PartialImage<'_>, BaseError> {
        let path = self.cache.path(&self.key, PARTIAL);
        remove(&path)?;
        let file = create(&path).map_err(cache_error("create", &path))?;
        Ok(PartialImage { cache: self.cache, path, file })
    }
}

/// A decoded image that is not complete, removed unless it is published.
pub(super) struct PartialImage<'a> {
    cache: &'a Cache,
    path: PathBuf,
    pub(super) file: File,
}

impl PartialImage<'_> {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Turns the image, which is complete and on the disk, into an entry. `note` makes its
    /// record, given the checksum of `sums`.
    pub(super) fn publish(
        self,
        name: &str,
        source: &FileIdentity,
        sums: PieceSums,
        note: impl FnOnce(FileIdentity, [u8; 32]) -> CacheRecord,
    ) -> Result<CacheEntry, BaseError> {
        let _index = self.cache.lock_index()?;
        // Another run, given a copy of the file, may have been faster.
        if let Some(entry) = self.cache.find(|record| record.name() == name)? {
            return Ok(entry);
        }
        // The old record goes first, so that it never stands beside the new image.
        remove(&self.cache.path(name, RECORD))?;
        let path = self.cache.path(name, IMAGE);
        fs::rename(&self.path, &path).map_err(cache_error("rename", &self.path))?;
        let image = SourceFile::open(&path)?;
        self.cache.write_whole(&self.cache.path(name, SUMS), sums.as_bytes())?;
        let record = note(image.identity.clone(), sums.total());
        self.cache.save_locked(&record, source)?;
        let record_path = self.cache.path(name, RECORD);
        Ok(CacheEntry { record, image, sums, record_path })
    }
}

impl Drop for PartialImage<'_> {
    fn drop(&mut self) {
        // A published file has another name by now. There is nowhere to report other errors.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes sure that nobody else could have put anything into the directory.
fn check_directory(dir: &Path) -> Result<(), BaseError> {
    let fail = cache_error("inspect", dir);
    // Neither may somebody else have made the symlink that leads there.
    let link = Access::at_link(dir).map_err(&fail)?;
    let found = Access::at(dir).map_err(&fail)?;
    for access in [&link, &found] {
        if !access.is_owner_trusted() {
            let owner = access.owner.clone();
            return Err(BaseError::ForeignCache { dir: dir.to_owned(), owner });
        }
    }
    if found.others_write() {
        let permissions = found.permissions;
        return Err(BaseError::WritableCache { dir: dir.to_owned(), permissions });
    }
    Ok(())
}

/// Reads a file that only trusted users could have written, up to one byte more than `most`:
/// what is longer is nothing that this program wrote.
fn read_trusted(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open_regular(path, OpenOptions::new().read(true))?;
    if !Access::of(&file)?.is_trusted() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Creates a file that only its owner can read.
fn create(path: &Path) -> io::Result<File> {
    access::create_new(path, Privacy::Private)
}

fn remove(path: &Path) -> Result<(), BaseError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(cache_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}
