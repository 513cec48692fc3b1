//! The writes of one edit, held back until the edit is complete.

use std::{collections::BTreeMap, sync::Arc};

use block_io::{ReadAt, WriteAt};

use crate::FatError;

/// The unit in which changes are held and written, in bytes.
const SECTOR: u64 = 512;

/// A storage with the changes of the running edit in memory.
#[derive(Debug)]
pub(crate) struct Staged {
    storage: Arc<dyn WriteAt>,
    sectors: BTreeMap<u64, [u8; SECTOR as usize]>,
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
        let sectors = std::mem::take(&mut self.sectors);
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
