//! Creating, replacing and removing files.

mod in_place;
mod record;

use std::sync::Arc;

use block_io::WriteAt;

use crate::{
    Entry, FatError,
    check::{CheckReport, examine},
    dir::Directory,
    fsinfo,
    geometry::{DirPlace, Geometry},
    name::{ARCHIVE, DIRECTORY, ENTRY, Record},
    read::{contents, find, first_cluster, names},
    staged::Staged,
    table::{Table, chain},
    time::DosTime,
};
use in_place::Decision;
use record::{Dates, NewRecord};

/// A FAT filesystem that can be edited.
///
/// Paths are relative to the root directory, with or without a slash in front; upper and
/// lower case are the same. Each method does its work as a whole or not at all.
#[derive(Debug)]
pub struct Editor {
    staged: Staged,
    geometry: Geometry,
    table: Table,
    report: CheckReport,
    dates: Dates,
    /// Whether every edit can be cut off at any write.
    in_place: bool,
    /// Which sector decides the running edit.
    decision: Option<Decision>,
}

impl Editor {
    /// Opens the filesystem that begins at offset 0 of `storage`, and checks all of it.
    ///
    /// `now` becomes the time of every change, in seconds since 1970 (UTC).
    ///
    /// # Errors
    /// As [`check`](crate::check): whatever is damaged is refused before the first write.
    pub fn open(storage: Arc<dyn WriteAt>, now: i64) -> Result<Self, FatError> {
        let geometry = Geometry::read(&storage)?;
        let table = Table::read(&storage, &geometry)?;
        let report = examine(&storage, &geometry, &table)?;
        let dates = Dates(DosTime::from_unix(now));
        let staged = Staged::new(storage);
        Ok(Editor { staged, geometry, table, report, dates, in_place: false, decision: None })
    }

    /// Returns what the check found that does not stand in the way of edits.
    pub fn report(&self) -> CheckReport {
        self.report
    }

    /// Returns the number of bytes in free clusters.
    pub fn free_bytes(&self) -> u64 {
        u64::from(self.table.free()) * self.geometry.cluster_size
    }

    /// Returns the contents of a file of at most `limit` bytes, or `None` if there is no
    /// file at the path.
    ///
    /// # Errors
    /// [`FatError::TooLarge`], [`FatError::Storage`].
    pub fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, FatError> {
        let Some(record) = self.find(path)?.filter(|record| !record.is_directory()) else {
            return Ok(None);
        };
        contents(&self.staged, &self.geometry, &self.table, &record, path, limit).map(Some)
    }

    /// Returns what is in a directory, in the directory's order, or `None` if there is no
    /// directory at the path.
    ///
    /// # Errors
    /// [`FatError::Storage`].
    pub fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, FatError> {
        let Some(place) = self.directory_at(path)? else { return Ok(None) };
        Ok(Some(self.directory(&place)?.entries()))
    }

    /// Gives the file at `path` these contents, and creates it and its parent directories
    /// where they are missing. Returns whether anything changed: a file with these contents
    /// already stays as it is, its times included.
    ///
    /// # Errors
    /// [`FatError::NoSpace`], [`FatError::DirectoryFull`], [`FatError::Name`];
    /// [`FatError::WrongKind`] if a directory is there, or a file on the way;
    /// [`FatError::Storage`].
    pub fn write(&mut self, path: &str, contents: &[u8]) -> Result<bool, FatError> {
        self.edit(|editor| editor.write_staged(path, contents))
    }

    /// Creates the directory at `path` and its parents where they are missing. Returns
    /// whether there was none.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn create_dir_all(&mut self, path: &str) -> Result<bool, FatError> {
        self.edit(|editor| Ok(editor.make_directories(names(path), path)?.1))
    }

    /// Removes the file at `path`, or the directory with all that is in it. Returns whether
    /// there was anything.
    ///
    /// # Errors
    /// [`FatError::WrongKind`] for the root directory, [`FatError::Storage`].
    pub fn remove(&mut self, path: &str) -> Result<bool, FatError> {
        self.edit(|editor| editor.remove_staged(path))
    }

    /// Runs an edit, and writes what it changed if it succeeds.
    fn edit<T>(
        &mut self,
        edit: impl FnOnce(&mut Self) -> Result<T, FatError>,
    ) -> Result<T, FatError> {
        self.staged.require_whole()?;
        let before = self.table.clone();
        self.decision = None;
        let result = edit(self).and_then(|value| {
            if self.in_place {
                self.commit_in_place(&before)?;
                return Ok(value);
            }
            self.table.store(&mut self.staged, &self.geometry)?;
            if self.table.free() != before.free() {
                fsinfo::set_free(&mut self.staged, &self.geometry, self.table.free())?;
            }
            Ok(value)
        });
        match result {
            Ok(value) => self.staged.commit().map(|()| value),
            Err(error) => {
                self.staged.discard();
                self.table = before;
                Err(error)
            }
        }
    }

    /// Sets what decides the running edit. The first one counts: later ones are about
    /// directories that the edit makes itself.
    fn decide(&mut self, decision: Option<Decision>) {
        self.decision = self.decision.or(decision);
    }

    fn find(&self, path: &str) -> Result<Option<Record>, FatError> {
        find(&self.staged, &self.geometry, &self.table, path)
    }

    fn directory(&self, place: &DirPlace) -> Result<Directory, FatError> {
        Directory::read(&self.staged, &self.geometry, &self.table, place)
    }

    fn directory_at(&self, path: &str) -> Result<Option<DirPlace>, FatError> {
        if names(path).next().is_none() {
            return Ok(Some(self.geometry.root.clone()));
        }
        let record = self.find(path)?.filter(Record::is_directory);
        Ok(record.map(|record| DirPlace::Chain(first_cluster(&self.geometry, &record))))
    }

    fn write_staged(&mut self, path: &str, contents: &[u8]) -> Result<bool, FatError> {
        let all: Vec<&str> = names(path).collect();
        let Some((name, above)) = all.split_last() else {
            return Err(FatError::WrongKind { path: "/".to_owned(), found: "a directory" });
        };
        let size = u32::try_from(contents.len())
            .map_err(|_| self.no_space(path, contents.len() as u64))?;
        let (place, _) = self.make_directories(above.iter().copied(), path)?;
        let directory = self.directory(&place)?;
        let existing = directory.parsed.records.iter().find(|record| record.is_named(name));
        if let Some(record) = existing {
            if record.is_directory() || record.is_label() {
                let found = if record.is_directory() { "a directory" } else { "the volume label" };
                return Err(FatError::WrongKind { path: path.to_owned(), found });
            }
            if record.size() == size
                && self::contents(
                    &self.staged,
                    &self.geometry,
                    &self.table,
                    record,
                    path,
                    size.into(),
                )? == contents
            {
                return Ok(false);
            }
        }
        let old = match existing {
            Some(record) if record.size() > 0 => {
                let first = first_cluster(&self.geometry, record);
                chain(&self.table, &self.geometry, first, u64::MAX)?
            }
            _ => Vec::new(),
        };
        let size_in_bytes = contents.len() as u64;
        let chain = if self.in_place {
            let chain = self.resize(&[], size_in_bytes, path)?;
            self.table.resize(&old, 0);
            chain
        } else {
            self.resize(&old, size_in_bytes, path)?
        };
        self.fill(&chain, contents)?;
        let first = chain.first().copied().unwrap_or(0);
        match existing {
            Some(record) => {
                let mut entry = record.entry;
                self.dates.modify(&mut entry);
                entry[11] |= ARCHIVE;
                record::point(&mut entry, first, size);
                let slot = record.slots.end - 1;
                self.decide(Decision::last(directory.offset(slot)));
                self.put_slot(&directory, slot, &entry)?;
            }
            None => {
                let new = NewRecord { name, attributes: ARCHIVE, first, size };
                self.add(&place, &new, path)?;
            }
        }
        Ok(true)
    }

    /// Returns the directory of these names, made where it is missing, and whether the last
    /// one was.
    fn make_directories<'a>(
        &mut self,
        names: impl Iterator<Item = &'a str>,
        path: &str,
    ) -> Result<(DirPlace, bool), FatError> {
        let mut place = self.geometry.root.clone();
        let mut created = false;
        for name in names {
            let directory = self.directory(&place)?;
            let mut records = directory.parsed.records.iter();
            let existing = records.find(|r| !r.is_label() && r.is_named(name));
            let first = match existing {
                Some(record) if record.is_directory() => {
                    created = false;
                    first_cluster(&self.geometry, record)
                }
                Some(_) => {
                    return Err(FatError::WrongKind { path: path.to_owned(), found: "a file" });
                }
                None => {
                    created = true;
                    self.make_directory(&place, name, path)?
                }
            };
            place = DirPlace::Chain(first);
        }
        Ok((place, created))
    }

    fn make_directory(
        &mut self,
        above: &DirPlace,
        name: &str,
        path: &str,
    ) -> Result<u32, FatError> {
        let chain = self.resize(&[], self.geometry.cluster_size, path)?;
        let first = chain.first().copied().unwrap_or(0);
        self.fill(&chain, &[])?;
        // The root directory counts as cluster 0 here, also where it has clusters.
        let parent = match above {
            DirPlace::Chain(cluster) if *above != self.geometry.root => *cluster,
            _ => 0,
        };
        let at = self.geometry.cluster(first).map_or(0, |range| range.start);
        for (number, (name, cluster)) in (0..).zip([(".", first), ("..", parent)]) {
            let mut entry = [0; ENTRY];
            entry[..11].fill(b' ');
            entry[..name.len()].copy_from_slice(name.as_bytes());
            entry[11] = DIRECTORY;
            self.dates.create(&mut entry);
            record::point(&mut entry, cluster, 0);
            self.staged.write(at + number * ENTRY as u64, &entry)?;
        }
        self.add(above, &NewRecord { name, attributes: DIRECTORY, first, size: 0 }, path)?;
        Ok(first)
    }

    fn remove_staged(&mut self, path: &str) -> Result<bool, FatError> {
        let all: Vec<&str> = names(path).collect();
        let Some((name, above)) = all.split_last() else {
            return Err(FatError::WrongKind { path: "/".to_owned(), found: "the root directory" });
        };
        let Some(place) = self.directory_at(&above.join("/"))? else { return Ok(false) };
        let directory = self.directory(&place)?;
        let mut records = directory.parsed.records.iter();
        let Some(record) = records.find(|r| !r.is_label() && !r.is_dot() && r.is_named(name))
        else {
            return Ok(false);
        };
        self.free_below(record)?;
        self.decide(Decision::first(directory.offset(record.slots.end - 1)));
        for slot in record.slots.clone() {
            if let Some(mut entry) = directory.slots.get(slot).copied() {
                entry[0] = 0xe5;
                self.put_slot(&directory, slot, &entry)?;
            }
        }
        Ok(true)
    }

    /// Frees the clusters of a file, or of a directory and all that is in it.
    fn free_below(&mut self, record: &Record) -> Result<(), FatError> {
        let mut ahead = vec![record.clone()];
        while let Some(record) = ahead.pop() {
            let first = first_cluster(&self.geometry, &record);
            if record.is_directory() {
                let records = self.directory(&DirPlace::Chain(first))?.parsed.records;
                ahead.extend(records.into_iter().filter(|r| !r.is_label() && !r.is_dot()));
            }
            if first != 0 {
                let chain = chain(&self.table, &self.geometry, first, u64::MAX)?;
                self.table.resize(&chain, 0);
            }
        }
        Ok(())
    }
}
