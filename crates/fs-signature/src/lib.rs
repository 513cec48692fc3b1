//! What a partition, or a card as a whole, holds: detected by signatures, with label and
//! UUID where they are known.
//!
//! - [`FsKind::read`] detects a filesystem, swap space or a volume,
//! - [`find_volume`] looks only for volumes: members of something larger, such as LVM or a
//!   RAID, and encrypted ones,
//! - [`FatGeometry::read`] reads and checks the boot sector of a FAT filesystem.
//!
//! All signatures are in one table, so that every part of a program detects the same.
//!
//! ```
//! use block_io::Memory;
//! use fs_signature::{FsKind, Signature, find_volume};
//!
//! let mut bytes = vec![0; 1 << 20];
//! bytes[..6].copy_from_slice(b"LUKS\xba\xbe");
//! let partition = Memory::new(bytes);
//! assert_eq!(find_volume(&partition)?, Some(Signature::Luks));
//! assert_eq!(FsKind::read(&partition)?.to_string(), "an encrypted volume (LUKS)");
//! # Ok::<(), block_io::Error>(())
//! ```

mod ext;
mod fat;
mod kind;
mod table;

pub use fat::{FatGeometry, FatRoot, FatVariant, ReadFatError};
pub use kind::FsKind;
pub use table::{Signature, UNFINISHED_CARD, find_volume};
