//! One of the two copies of a GPT: a header and the entries it points to.

use std::ops::Range;

use block_io::ReadAt;
use crc::{CRC_32_ISO_HDLC, Crc};

use super::PRIMARY;
use crate::{
    Guid, Result, SECTOR_SIZE,
    fields::{Sector, array, put, u32_at, u64_at},
};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
const SIGNATURE: [u8; 8] = *b"EFI PART";
/// The largest table that is read, in bytes. The usual one has 128 entries of 128 bytes.
const MAX_ENTRIES_BYTES: u64 = 1 << 20;

// The offsets of the header's fields.
const REVISION: usize = 8;
const HEADER_SIZE: usize = 12;
const HEADER_CRC: usize = 16;
const MY_LBA: usize = 24;
const ALTERNATE_LBA: usize = 32;
const FIRST_USABLE_LBA: usize = 40;
const LAST_USABLE_LBA: usize = 48;
const DISK_GUID: usize = 56;
const ENTRIES_LBA: usize = 72;
const ENTRY_COUNT: usize = 80;
const ENTRY_SIZE: usize = 84;
const ENTRIES_CRC: usize = 88;

/// The header's sector and the entries, as they are on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GptCopy {
    pub(super) header: Sector,
    pub(super) entries: Vec<u8>,
}

/// Returns whether there is a GPT header's signature at byte `offset`.
pub(crate) fn has_header(storage: &dyn ReadAt, offset: u64) -> Result<bool> {
    let mut signature = [0; 8];
    if storage.size() < offset + 8 {
        return Ok(false);
    }
    storage.read_at(offset, &mut signature)?;
    Ok(signature == SIGNATURE)
}

impl GptCopy {
    /// Reads the copy whose header lies at `sector`. The inner error says what is wrong with
    /// it.
    pub(crate) fn read(
        storage: &dyn ReadAt,
        sector: u64,
    ) -> Result<std::result::Result<Self, &'static str>> {
        let total = storage.size() / SECTOR_SIZE;
        if sector >= total {
            return Ok(Err("its header lies beyond the end"));
        }
        let mut header: Sector = [0; SECTOR_SIZE as usize];
        storage.read_at(sector * SECTOR_SIZE, &mut header)?;
        let copy = GptCopy { header, entries: Vec::new() };
        if let Err(reason) = copy.check_header(sector) {
            return Ok(Err(reason));
        }
        let range = copy.entries_sectors();
        if range.end > total {
            return Ok(Err("its entries lie beyond the end"));
        }
        if range.contains(&sector) || range.start < 2 {
            return Ok(Err("its entries overlap its header"));
        }
        // The check of the header made sure that it is at most MAX_ENTRIES_BYTES.
        let length = usize::try_from(copy.entries_bytes()).unwrap_or(0);
        let entries = storage.read_vec(range.start * SECTOR_SIZE, length)?;
        if CRC.checksum(&entries) != u32_at(&header, ENTRIES_CRC) {
            return Ok(Err("the checksum of its entries is wrong"));
        }
        Ok(Ok(GptCopy { header, entries }))
    }

    fn check_header(&self, sector: u64) -> std::result::Result<(), &'static str> {
        let header = &self.header;
        if !header.starts_with(&SIGNATURE) {
            return Err("its header has no signature");
        }
        let size = usize::try_from(u32_at(header, HEADER_SIZE)).unwrap_or(usize::MAX);
        if !(92..=header.len()).contains(&size) {
            return Err("the size of its header is invalid");
        }
        if header_crc(header) != u32_at(header, HEADER_CRC) {
            return Err("the checksum of its header is wrong");
        }
        if u32_at(header, REVISION) >> 16 != 1 {
            return Err("its header has an unknown revision");
        }
        if u64_at(header, MY_LBA) != sector {
            return Err("its header belongs in another sector");
        }
        let entry_size = self.entry_size();
        if !(128..=4096).contains(&entry_size) || !entry_size.is_power_of_two() {
            return Err("the size of its entries is invalid");
        }
        let bytes = self.entries_bytes();
        if bytes == 0 || bytes > MAX_ENTRIES_BYTES {
            return Err("the number of its entries is invalid");
        }
        let (first, last) = self.usable();
        if first < 2 || first > last || last >= u64::MAX / SECTOR_SIZE {
            return Err("its area for partitions is invalid");
        }
        Ok(())
    }

    pub(super) fn entry_size(&self) -> u64 {
        u32_at(&self.header, ENTRY_SIZE).into()
    }

    fn entries_bytes(&self) -> u64 {
        u64::from(u32_at(&self.header, ENTRY_COUNT)).saturating_mul(self.entry_size())
    }

    /// Returns the sectors of the entries.
    pub(crate) fn entries_sectors(&self) -> Range<u64> {
        let start = u64_at(&self.header, ENTRIES_LBA);
        start..start.saturating_add(self.entries_bytes().div_ceil(SECTOR_SIZE))
    }

    /// Returns the first and the last sector that partitions may use.
    pub(crate) fn usable(&self) -> (u64, u64) {
        (u64_at(&self.header, FIRST_USABLE_LBA), u64_at(&self.header, LAST_USABLE_LBA))
    }

    /// Returns the sector of the other copy's header.
    pub(crate) fn other(&self) -> u64 {
        u64_at(&self.header, ALTERNATE_LBA)
    }

    pub(crate) fn disk_guid(&self) -> Guid {
        Guid(array(&self.header, DISK_GUID))
    }

    /// Returns whether both copies describe the same disk and partitions.
    pub(crate) fn same_content(&self, other: &GptCopy) -> bool {
        self.disk_guid() == other.disk_guid()
            && self.entries == other.entries
            && self.usable() == other.usable()
    }

    /// Turns it into the copy for a disk whose backup header lies at `backup`.
    pub(super) fn relocate(&mut self, last_usable: u64, backup: u64) {
        put(&mut self.header, LAST_USABLE_LBA, &last_usable.to_le_bytes());
        put(&mut self.header, ALTERNATE_LBA, &backup.to_le_bytes());
        self.seal();
    }

    /// Returns the other copy, with its header at `sector` and its entries at `entries`.
    pub(super) fn twin(&self, sector: u64, entries: u64) -> GptCopy {
        let mut twin = self.clone();
        put(&mut twin.header, MY_LBA, &sector.to_le_bytes());
        put(&mut twin.header, ALTERNATE_LBA, &array::<8>(&self.header, MY_LBA));
        put(&mut twin.header, ENTRIES_LBA, &entries.to_le_bytes());
        twin.seal();
        twin
    }

    /// Returns where the primary copy's entries belong: where they are, unless the header
    /// points to those of the second copy.
    pub(super) fn home(&self) -> u64 {
        let (entries, (first_usable, _)) = (self.entries_sectors(), self.usable());
        let usual = PRIMARY + 1;
        let length = entries.end.saturating_sub(entries.start);
        if entries.start < first_usable || usual + length > first_usable {
            entries.start
        } else {
            usual
        }
    }

    /// Makes the header point to the same entries in another place.
    pub(super) fn point_to(&mut self, entries: u64) {
        put(&mut self.header, ENTRIES_LBA, &entries.to_le_bytes());
        self.seal();
    }

    /// Sets both checksums.
    fn seal(&mut self) {
        put(&mut self.header, ENTRIES_CRC, &CRC.checksum(&self.entries).to_le_bytes());
        let crc = header_crc(&self.header);
        put(&mut self.header, HEADER_CRC, &crc.to_le_bytes());
    }
}

/// Returns the checksum of a header, for which its own field counts as zero.
fn header_crc(header: &Sector) -> u32 {
    let mut bytes = *header;
    put(&mut bytes, HEADER_CRC, &[0; 4]);
    let size = usize::try_from(u32_at(header, HEADER_SIZE)).unwrap_or(usize::MAX);
    CRC.checksum(bytes.get(..size).unwrap_or(&bytes))
}
