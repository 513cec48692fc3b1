//! One partition of either kind of table.

use std::{fmt, ops::Range};

use crate::{Guid, SECTOR_SIZE};

/// The role of a partition in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartitionRole {
    /// An entry of the table itself.
    Primary,
    /// The container of the logical partitions of an MBR.
    Extended,
    /// A partition within the extended one.
    Logical,
}

/// The type that the table states. The contents may be something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartitionType {
    /// The type byte of an MBR entry.
    Mbr(u8),
    /// The type GUID of a GPT entry.
    Gpt(Guid),
}

impl PartitionType {
    /// Returns the common name of the type, if it is a common one.
    pub fn description(&self) -> Option<&'static str> {
        Some(match self {
            PartitionType::Mbr(byte) => match byte {
                0x01 => "FAT12",
                0x04 | 0x06 => "FAT16",
                0x05 | 0x0f | 0x85 => "extended",
                0x07 => "NTFS or exFAT",
                0x0b => "FAT32",
                0x0c => "FAT32 (LBA)",
                0x0e => "FAT16 (LBA)",
                0x82 => "Linux swap",
                0x83 => "Linux",
                0x8e => "Linux LVM",
                0xef => "EFI system",
                0xfd => "Linux RAID",
                _ => return None,
            },
            PartitionType::Gpt(guid) => match guid.to_string().as_str() {
                "0fc63daf-8483-4772-8e79-3d69d8477de4" => "Linux",
                "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f" => "Linux swap",
                "69dad710-2ce4-4e3c-b16c-21a1d49abed3" => "Linux root (ARM)",
                "b921b045-1df0-41c3-af44-4c6f280d3fae" => "Linux root (ARM64)",
                "bc13c2ff-59e6-4262-a352-b275fd6f7172" => "Linux boot",
                "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" => "EFI system",
                "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7" => "Microsoft basic data",
                _ => return None,
            },
        })
    }
}

impl fmt::Display for PartitionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartitionType::Mbr(byte) => write!(f, "0x{byte:02x}")?,
            PartitionType::Gpt(guid) => write!(f, "{guid}")?,
        }
        self.description().map_or(Ok(()), |text| write!(f, " ({text})"))
    }
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Partition {
    /// The number that Linux gives it: the entry's place counted from 1; logical partitions
    /// are counted from 5.
    pub number: u32,
    /// Its first sector.
    pub start: u64,
    /// Its length in sectors, never 0.
    pub sectors: u64,
    /// The type that the table states.
    pub kind: PartitionType,
    /// Its role in the table.
    pub role: PartitionRole,
    /// Its name (GPT only).
    pub name: Option<String>,
    /// Its own GUID (GPT only).
    pub guid: Option<Guid>,
    /// Whether it is marked bootable: the MBR's active flag, or the GPT's
    /// attribute for legacy BIOS booting.
    pub bootable: bool,
}

impl Partition {
    /// Returns the sector behind its last one.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.sectors)
    }

    /// Returns its bytes on the card.
    pub fn bytes(&self) -> Range<u64> {
        self.start.saturating_mul(SECTOR_SIZE)..self.end().saturating_mul(SECTOR_SIZE)
    }
}
