//! A partition table of either kind.

use std::fmt;

use block_io::ReadAt;

use crate::{
    Error, Guid, Partition, Result,
    fields::Sector,
    gpt::{self, Gpt, GptBackup},
    mbr::{self, Mbr},
};

/// The identifier of a disk in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskId {
    /// The 32-bit identifier in an MBR.
    Mbr(u32),
    /// The disk GUID of a GPT.
    Gpt(Guid),
}

impl fmt::Display for DiskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiskId::Mbr(id) => write!(f, "{id:08x}"),
            DiskId::Gpt(guid) => guid.fmt(f),
        }
    }
}

/// A partition table as it was read from a card or image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionTable {
    pub(crate) scheme: Scheme,
    pub(crate) partitions: Vec<Partition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scheme {
    Mbr(Mbr),
    Gpt(Box<Gpt>),
}

/// Returns whether storage begins with zeros as far as filesystems and swap have their first
/// structures, of which that of Btrfs is the last, at 64 KiB.
fn begins_blank(storage: &dyn ReadAt) -> Result<bool> {
    const LENGTH: u64 = 128 << 10;
    let mut head = vec![0; storage.size().min(LENGTH) as usize];
    storage.read_at(0, &mut head)?;
    Ok(head.iter().all(|byte| *byte == 0))
}

impl PartitionTable {
    /// Reads the table of a card or image and checks it: its checksums, that no two
    /// partitions overlap, and that all lie within the storage.
    ///
    /// A GPT is read from its primary copy; [`gpt_backup`](Self::gpt_backup) returns the state
    /// of the other one.
    ///
    /// # Errors
    /// [`Error::Blank`] and [`Error::NoTable`] if there is none, as on a new card or a bare
    /// filesystem; otherwise what is wrong
    /// with the table.
    pub fn read(storage: &dyn ReadAt) -> Result<Self> {
        let mut sector: Sector = [0; crate::SECTOR_SIZE as usize];
        if storage.size() < crate::SECTOR_SIZE {
            return Err(Error::NoTable { reason: "it is smaller than one sector" });
        }
        storage.read_at(0, &mut sector)?;
        if !sector.ends_with(&mbr::SIGNATURE) {
            return Err(if gpt::has_header(storage, crate::SECTOR_SIZE)? {
                Error::NoProtectiveMbr
            } else if begins_blank(storage)? {
                Error::Blank
            } else {
                Error::NoTable { reason: "sector 0 has no boot signature (55 AA)" }
            });
        }
        let (scheme, partitions) = if mbr::is_protective(&sector) {
            let (gpt, partitions) = gpt::read(storage, &sector)?;
            (Scheme::Gpt(Box::new(gpt)), partitions)
        } else {
            let (mbr, partitions) = mbr::read(storage, &sector)?;
            (Scheme::Mbr(mbr), partitions)
        };
        Ok(PartitionTable { scheme, partitions })
    }

    /// Returns whether it is a GPT; otherwise it is an MBR.
    pub fn is_gpt(&self) -> bool {
        matches!(self.scheme, Scheme::Gpt(_))
    }

    /// Returns the partitions in the order of their numbers.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Returns the partition of that number.
    pub fn partition(&self, number: u32) -> Option<&Partition> {
        self.partitions.iter().find(|p| p.number == number)
    }

    /// Returns the identifier of the disk.
    pub fn disk_id(&self) -> DiskId {
        match &self.scheme {
            Scheme::Mbr(mbr) => DiskId::Mbr(mbr.disk_id),
            Scheme::Gpt(gpt) => DiskId::Gpt(gpt.disk_guid()),
        }
    }

    /// Returns the partition's PARTUUID, as Linux writes it: the disk's identifier and the
    /// number for an MBR, the partition's own GUID for a GPT.
    pub fn partuuid(&self, number: u32) -> Option<String> {
        let partition = self.partition(number)?;
        Some(match (partition.guid, self.disk_id()) {
            (Some(guid), _) => guid.to_string(),
            (None, id) => format!("{id}-{number:02x}"),
        })
    }

    /// Returns the state of a GPT's second copy, or `None` for an MBR.
    pub fn gpt_backup(&self) -> Option<&GptBackup> {
        match &self.scheme {
            Scheme::Mbr(_) => None,
            Scheme::Gpt(gpt) => Some(&gpt.backup),
        }
    }
}
