//! The writes of one edit, held back until the edit is complete.

use std::{collections::BTreeMap, sync::Arc};

use block_io::{ReadAt, WriteAt};

use crate::FatError;

/// The unit in which changes are held and written, in bytes.
pub(crate) const SECTOR: u64 = 512;

/// Changed sectors by their numbers.
pub(crate) type Sectors = BTreeMap<u64, [u8; SECTOR as usize]>;

/// A storage with the changes of the running edit in memory.
#[derive(Debug)]
pub(crate) struct Staged {
    storage: Arc<dyn WriteAt>,
    sectors: Sectors,
    /// Whether a commit failed half-way.
    broken: bool,
}

impl Staged {
    pub(crate) fn new(storage: Arc<dyn WriteAt>) -> Self {
        Staged { storage, sectors: BTreeMap::new(), broken: false }
    }

    /// Errors if nothing is known of the storage any more.
    pub(crate) fn require_whole(&self) -> Result<(), FatError> {
        if self.broken { Err(FatError::HalfWritten) } else { Ok(()) }
    }

    /// Replaces bytes in memory. The range must lie within the storage.
    pub(crate) fn write(&mut self, offset: u64, mut data: &[u8]) -> Result<(), FatError> {
        let mut at = offset;
        while !data.is_empty() {
            let (number, within) = (at / SECTOR, (at % SECTOR) as usize);
            let length = data.len().min(SECTOR as usize - within);
            let (piece, rest) = data.split_at(length);
            let mut sector = [0; SECTOR as usize];
            if length < sector.len() {
                self.read_sector(number, &mut sector)?;
            }
            sector[within..within + length].copy_from_slice(piece);
            self.sectors.insert(number, sector);
            data = rest;
            at += length as u64;
        }
        Ok(())
    }

    fn read_sector(&self, number: u64, sector: &mut [u8; SECTOR as usize]) -> Result<(), FatError> {
        match self.sectors.get(&number) {
            Some(staged) => *sector = *staged,
            None => self.storage.read_at(number * SECTOR, sector)?,
        }
        Ok(())
    }

    /// Writes the sectors that differ from what the storage holds.
    pub(crate) fn commit(&mut self) -> Result<(), FatError> {
        self.commit_where(|_| true)
    }

    /// Writes those of the sectors whose offsets `chosen` picks, and keeps the others.
    pub(crate) fn commit_where(&mut self, chosen: impl Fn(u64) -> bool) -> Result<(), FatError> {
        let sectors = std::mem::take(&mut self.sectors);
        let (sectors, others) = sectors.into_iter().partition(|(at, _)| chosen(at * SECTOR));
        self.sectors = others;
        self.write_out(sectors)
    }

    /// Takes the changes out, to be written later.
    pub(crate) fn take(&mut self) -> Sectors {
        std::mem::take(&mut self.sectors)
    }

    /// Adds changes that were taken out.
    pub(crate) fn put_back(&mut self, sectors: Sectors) {
        self.sectors.extend(sectors);
    }

    /// Waits until everything that was written is on the storage.
    pub(crate) fn flush(&mut self) -> Result<(), FatError> {
        self.storage.flush().map_err(|error| {
            self.broken = true;
            error.into()
        })
    }

    fn write_out(&mut self, sectors: Sectors) -> Result<(), FatError> {
        let mut before = [0; SECTOR as usize];
        for (number, sector) in sectors {
            let write = self.storage.read_at(number * SECTOR, &mut before).and_then(|()| {
                if before == sector {
                    return Ok(());
                }
                self.storage.write_at(number * SECTOR, &sector)
            });
            if let Err(error) = write {
                self.broken = true;
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Forgets the changes of the running edit.
    pub(crate) fn discard(&mut self) {
        self.sectors.clear();
    }
}

impl ReadAt for Staged {
    fn size(&self) -> u64 {
        self.storage.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> block_io::Result<()> {
        self.storage.read_at(offset, buf)?;
        let end = offset + buf.len() as u64;
        let first = offset / SECTOR;
        for (number, sector) in self.sectors.range(first..end.div_ceil(SECTOR)) {
            let start = number * SECTOR;
            let (from, to) = (start.max(offset), (start + SECTOR).min(end));
            if from < to {
                buf[(from - offset) as usize..(to - offset) as usize]
                    .copy_from_slice(&sector[(from - start) as usize..(to - start) as usize]);
            }
        }
        Ok(())
    }
}
