//! MBR and GPT partition tables: read one, and grow the last partition.
//!
//! The crate is made for card images whose boot code lies in raw sectors
//! between the table and the first partition. So nothing is ever rebuilt:
//! growing changes the few fields that must change in the bytes that are
//! there, and every other byte, known or unknown, stays as it was.
//!
//! - [`PartitionTable::read`] reads either kind of table and checks it.
//! - [`PartitionTable::grow_last`] lets the last partition fill the card.
//!
//! Partitions carry the numbers that Linux gives them. Positions are in
//! sectors of [`SECTOR_SIZE`] bytes: tables of disks with 4096-byte sectors
//! are out of scope, and a GPT of such a disk is refused by name.
//!
//! The formats are those of the UEFI specification 2.10, chapter 5 (MBR and
//! GPT), and, for chains of logical partitions and the numbering, what Linux
//! does in `block/partitions/msdos.c`.

mod error;
mod fields;
mod gpt;
mod grow;
mod guid;
mod layout;
mod mbr;
mod partition;
mod table;

pub use error::{Error, Result};
pub use gpt::GptBackup;
pub use grow::{ALIGNMENT, GrownPartition, GrowthLimit};
pub use guid::Guid;
pub use partition::{Partition, PartitionRole, PartitionType};
pub use table::{DiskId, PartitionTable};

/// The size of a sector in bytes, the unit of every position in a table.
pub const SECTOR_SIZE: u64 = 512;
