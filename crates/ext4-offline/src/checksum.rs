//! The checksums of ext4's metadata.
//!
//! Source: the kernel's `Documentation/filesystems/ext4/checksums.rst` and
//! `group_descr.rst`.

use crc::{CRC_16_MODBUS, Crc, Table};

use crate::{Superblock, digest::crc32c};

/// The CRC-16 of descriptors with `uninit_bg`.
static CRC16: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_MODBUS);

/// How a filesystem protects its metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checksums {
    /// Not at all.
    None,
    /// Descriptors only, with a CRC-16 that includes the UUID.
    Crc16 { uuid: [u8; 16], with_64bit: bool },
    /// Everything, with a CRC-32C.
    Crc32c { seed: u32 },
}

impl Checksums {
    pub(crate) fn of(superblock: &Superblock) -> Self {
        let features = superblock.features();
        if features.metadata_csum() {
            let seed = if features.metadata_csum_seed() {
                superblock.s_checksum_seed()
            } else {
                crc32c(!0, &superblock.s_uuid())
            };
            Checksums::Crc32c { seed }
        } else if features.gdt_csum() {
            Checksums::Crc16 { uuid: superblock.s_uuid(), with_64bit: features.bits64() }
        } else {
            Checksums::None
        }
    }

    /// The checksum of a descriptor, whose own checksum is in the two bytes
    /// at 0x1e. `None` without checksums.
    pub(crate) fn descriptor(&self, group: u32, descriptor: &[u8]) -> Option<u16> {
        let (before, after) = descriptor.split_at_checked(0x1e)?;
        let after = after.get(2..)?;
        match *self {
            Checksums::None => None,
            Checksums::Crc16 { uuid, with_64bit } => {
                let mut digest = CRC16.digest();
                digest.update(&uuid);
                digest.update(&group.to_le_bytes());
                digest.update(before);
                if with_64bit {
                    digest.update(after);
                }
                Some(digest.finalize())
            }
            Checksums::Crc32c { seed } => {
                let mut crc = crc32c(seed, &group.to_le_bytes());
                for part in [before, &[0, 0], after] {
                    crc = crc32c(crc, part);
                }
                Some(crc as u16)
            }
        }
    }

    /// The checksum of a bitmap's bytes, without the padding. `None` without `metadata_csum`.
    pub(crate) fn bitmap(&self, bytes: &[u8]) -> Option<u32> {
        match *self {
            Checksums::Crc32c { seed } => Some(crc32c(seed, bytes)),
            _ => None,
        }
    }

    /// The seed of all CRC-32C checksums; `None` without `metadata_csum`.
    pub(crate) fn seed(&self) -> Option<u32> {
        match *self {
            Checksums::Crc32c { seed } => Some(seed),
            _ => None,
        }
    }
}
