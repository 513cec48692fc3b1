//! The GPT: a header and an array of entries at the start of the disk, and a
//! second copy of both at its end (UEFI specification 2.10, 5.3).

mod copy;
mod entries;
mod grow;

use block_io::ReadAt;

pub(crate) use copy::{GptCopy, has_header};
pub(crate) use grow::{last_usable, set_partition_end};

use crate::{
    Error, Guid, Partition, Result, SECTOR_SIZE, checks,
    fields::Sector,
    mbr::{self, MbrEntry},
};

/// The sector of the primary header.
const PRIMARY: u64 = 1;

/// The state of a GPT's second copy, at the end of the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GptBackup {
    /// It agrees with the primary copy.
    Whole,
    /// It is missing or damaged, for example because an image was cut off or written to a
    /// larger card. Growing writes a new copy.
    Damaged {
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// What growing needs besides the partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gpt {
    pub primary: GptCopy,
    pub backup: GptBackup,
    /// The sectors of the second copy, if it is intact.
    pub backup_sectors: Vec<std::ops::Range<u64>>,
    /// The place of the protective entry in the MBR.
    pub protective: usize,
    /// The other used entries of the MBR, counted from 1.
    pub hybrid: Vec<u32>,
}

impl Gpt {
    pub(crate) fn disk_guid(&self) -> Guid {
        self.primary.disk_guid()
    }
}

pub(crate) fn read(storage: &dyn ReadAt, sector: &Sector) -> Result<(Gpt, Vec<Partition>)> {
    let total = storage.size() / SECTOR_SIZE;
    let primary = match GptCopy::read(storage, PRIMARY)? {
        Ok(copy) => copy,
        Err(reason) => {
            if has_header(storage, 4096)? {
                return Err(Error::SectorSize4096);
            }
            let backup_sector = total.saturating_sub(1);
            return Err(match GptCopy::read(storage, backup_sector)? {
                Ok(_) => Error::GptPrimaryDamaged { reason, backup_sector },
                Err(backup) => Error::GptDamaged { primary: reason, backup },
            });
        }
    };
    let partitions = primary.partitions()?;
    checks::check_overlaps(&partitions)?;
    checks::check_table(&partitions, &[0..PRIMARY + 1, primary.entries_sectors()])?;
    let (first_usable, last_usable) = primary.usable();
    if let Some(p) = partitions.iter().find(|p| p.start < first_usable || p.end() > last_usable + 1)
    {
        return Err(Error::OutsideUsable {
            number: p.number,
            start: p.start,
            last: p.end().saturating_sub(1),
            first_usable,
            last_usable,
        });
    }
    checks::check_end(&partitions, storage.size())?;
    let mut backup_sectors = Vec::new();
    let backup = match GptCopy::read(storage, primary.other())? {
        Ok(copy) if copy.same_content(&primary) => {
            let header = primary.other()..primary.other().saturating_add(1);
            backup_sectors = vec![copy.entries_sectors(), header];
            checks::check_table(&partitions, &backup_sectors)?;
            GptBackup::Whole
        }
        Ok(_) => GptBackup::Damaged { reason: "it differs from the primary copy" },
        Err(reason) => GptBackup::Damaged { reason },
    };
    let protective = mbr::protective_slot(sector).unwrap_or(0);
    let hybrid = (0..4)
        .filter(|&slot| slot != protective && MbrEntry::parse(sector, slot).sectors != 0)
        .map(|slot| slot as u32 + 1)
        .collect();
    Ok((Gpt { primary, backup, backup_sectors, protective, hybrid }, partitions))
}
