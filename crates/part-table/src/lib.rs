//! MBR and GPT partition tables: reading one, and growing or shrinking a partition.
//!
//! The crate is made for card images whose boot loader lies in raw sectors between the table
//! and the first partition. So nothing is ever rebuilt: growing changes only the fields that
//! must change, and every other byte, known or unknown, stays as it is. Growing can be cut
//! off at any write: then the table is the old one or the new one.
//!
//! - [`PartitionTable::read`] reads either kind of table and checks it.
//! - [`PartitionTable::grow`] makes a partition fill the card, or the room up to the next one;
//!   [`PartitionTable::shrink`] makes it fit a card that is smaller than the image.
//!
//! ```
//! use std::sync::Arc;
//!
//! use block_io::{Layer, Memory};
//! use part_table::PartitionTable;
//!
//! # fn main() -> part_table::Result<()> {
//! // An image of 4 MiB with one partition (type 83) from sector 2048 to the end.
//! let mut image = vec![0; 4 << 20];
//! image[446 + 4] = 0x83;
//! image[446 + 8..446 + 12].copy_from_slice(&2048u32.to_le_bytes());
//! image[446 + 12..446 + 16].copy_from_slice(&6144u32.to_le_bytes());
//! image[510..512].copy_from_slice(&[0x55, 0xaa]);
//!
//! // A card of 8 MiB, with 1 MiB left free at its end.
//! let card = Layer::new(Arc::new(Memory::new(image)), 8 << 20);
//! let table = PartitionTable::read(&card)?;
//! let grown = table.grow(&card, 1, 1 << 20)?;
//! assert_eq!(grown.before.bytes(), 1 << 20..4 << 20);
//! assert_eq!(grown.after.bytes(), 1 << 20..7 << 20);
//! # Ok(())
//! # }
//! ```
//!
//! Partitions have the numbers that Linux gives them. Positions are in sectors of
//! [`SECTOR_SIZE`] bytes. Tables of disks with 4096-byte sectors are not supported, and a GPT
//! of such a disk is refused with [`Error::SectorSize4096`].
//!
//! The formats are those of the UEFI specification 2.10, chapter 5 (MBR and
//! GPT), and, for chains of logical partitions and the numbering, what Linux
//! does in `block/partitions/msdos.c`.

mod checks;
mod error;
mod fields;
mod gpt;
mod grow;
mod guid;
mod mbr;
mod partition;
mod shrink;
mod table;

pub use error::{Error, Result};
pub use gpt::GptBackup;
pub use grow::{ALIGNMENT, GrownPartition, Growth, GrowthLimit};
pub use guid::Guid;
pub use partition::{Partition, PartitionRole, PartitionType};
pub use table::{DiskId, PartitionTable};

/// The size of a sector in bytes: the unit of every position in a table.
pub const SECTOR_SIZE: u64 = 512;
