//! The boot sector of a FAT filesystem, from Microsoft's *FAT32 File System Specification*,
//! version 1.03, with the checks that Linux makes (`fs/fat/inode.c`).

use std::ops::Range;

use block_io::ReadAt;

/// The width of the allocation table's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FatVariant {
    /// 12 bits, fewer than 4085 clusters.
    Fat12,
    /// 16 bits, fewer than 65525 clusters.
    Fat16,
    /// 32 bits, of which 28 count.
    Fat32,
}

/// The place of the root directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FatRoot {
    /// At a fixed place (FAT12 and FAT16).
    Fixed(Range<u64>),
    /// A chain of clusters (FAT32).
    Chain(u32),
}

/// The places of a FAT filesystem's parts, from a boot sector that has been checked against
/// the size of the storage. Offsets are in bytes, relative to the filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FatGeometry {
    /// The width of the table's entries.
    pub variant: FatVariant,
    /// The volume's serial number, as in `UUID=ABCD-1234`.
    pub volume_id: Option<u32>,
    /// The volume's label.
    pub label: Option<String>,
    /// The size of a cluster in bytes.
    pub cluster_size: u64,
    /// The number of clusters; the first one is cluster 2.
    pub clusters: u32,
    /// Where the first copy of the table begins.
    pub tables_start: u64,
    /// The size of one copy of the table in bytes.
    pub table_size: u64,
    /// The number of copies of the table.
    pub tables: u8,
    /// The copy that is in use.
    pub active: u8,
    /// Whether all copies are kept alike; otherwise only the active one counts.
    pub mirrored: bool,
    /// Where the FSInfo sector of FAT32 is.
    pub fsinfo: Option<u64>,
    /// Where cluster 2 begins.
    pub data: u64,
    /// The place of the root directory.
    pub root: FatRoot,
}

/// The boot sector of a FAT filesystem could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadFatError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] block_io::Error),
    /// The boot sector does not describe a FAT filesystem that fits in the storage.
    #[error("not a FAT filesystem: {reason}")]
    NotFat {
        /// What is wrong with it.
        reason: &'static str,
    },
}

fn bytes<const N: usize>(sector: &[u8; 512], at: usize) -> [u8; N] {
    sector.get(at..at + N).and_then(|found| found.try_into().ok()).unwrap_or([0; N])
}

fn u16_at(sector: &[u8; 512], at: usize) -> u16 {
    u16::from_le_bytes(bytes(sector, at))
}

fn u32_at(sector: &[u8; 512], at: usize) -> u32 {
    u32::from_le_bytes(bytes(sector, at))
}

impl FatGeometry {
    /// Reads and checks the boot sector.
    ///
    /// # Errors
    /// [`ReadFatError::NotFat`] if it does not describe a FAT filesystem that lies within
    /// the storage; [`ReadFatError::Storage`].
    pub fn read(storage: &dyn ReadAt) -> Result<Self, ReadFatError> {
        let not = |reason| Err(ReadFatError::NotFat { reason });
        let mut sector = [0; 512];
        if storage.size() < 512 {
            return not("it is smaller than a sector");
        }
        storage.read_at(0, &mut sector)?;
        if !sector.ends_with(&[0x55, 0xaa]) {
            return not("the first sector has no boot signature (55 AA)");
        }
        let sector_size = u64::from(u16_at(&sector, 11));
        let [cluster_sectors, tables, media] = [13, 16, 21].map(|at| bytes::<1>(&sector, at)[0]);
        if !matches!(sector_size, 512 | 1024 | 2048 | 4096) {
            return not("its sector size is invalid");
        }
        if !cluster_sectors.is_power_of_two() {
            return not("its cluster size is invalid");
        }
        if media < 0xf8 && media != 0xf0 {
            return not("its media type is invalid");
        }
        if !(1..=4).contains(&tables) {
            return not("its number of tables is invalid");
        }
        let reserved = u64::from(u16_at(&sector, 14));
        if reserved == 0 {
            return not("it has no reserved sectors");
        }
        // All of these are products of numbers below 2^32, 2^13 and 2^3.
        let total = match u16_at(&sector, 19) {
            0 => u64::from(u32_at(&sector, 32)),
            small => u64::from(small),
        };
        if total * sector_size > storage.size() {
            return not("it is larger than its partition");
        }
        let is_fat32 = u16_at(&sector, 22) == 0;
        let table_sectors =
            if is_fat32 { u32_at(&sector, 36).into() } else { u64::from(u16_at(&sector, 22)) };
        let root_size = (u64::from(u16_at(&sector, 17)) * 32).next_multiple_of(sector_size);
        let tables_start = reserved * sector_size;
        let table_size = table_sectors * sector_size;
        let root = tables_start + table_size * u64::from(tables);
        let data = root + root_size;
        let cluster_size = u64::from(cluster_sectors) * sector_size;
        let Some(room) = (total * sector_size).checked_sub(data) else {
            return not("its tables leave no room for files");
        };
        let clusters = u32::try_from(room / cluster_size).unwrap_or(u32::MAX);
        let (variant, bits) = match clusters {
            0 => return not("its tables leave no room for files"),
            _ if is_fat32 => (FatVariant::Fat32, 32),
            1..4085 => (FatVariant::Fat12, 12),
            4085..65525 => (FatVariant::Fat16, 16),
            _ => return not("it has more clusters than FAT16 supports"),
        };
        if clusters >= 0x0fff_fff5 {
            return not("it has more clusters than FAT32 supports");
        }
        if (u64::from(clusters) + 2) * bits > table_size * 8 {
            return not("its table is too short for its clusters");
        }
        let (root, active, mirrored, extended) = if is_fat32 {
            if root_size != 0 || u16_at(&sector, 42) != 0 {
                return not("its version is unknown");
            }
            let flags = u16_at(&sector, 40);
            // Bit 7: only one table is in use, and the low bits give its number.
            let mirrored = flags & 0x80 == 0;
            let active = if mirrored { 0 } else { (flags & 0x0f) as u8 };
            (FatRoot::Chain(u32_at(&sector, 44)), active, mirrored, 64)
        } else {
            if root_size == 0 {
                return not("it has no root directory");
            }
            (FatRoot::Fixed(root..data), 0, true, 36)
        };
        if active >= tables {
            return not("the table in use does not exist");
        }
        let fsinfo = u64::from(u16_at(&sector, 48));
        let fsinfo = (is_fat32 && (1..reserved).contains(&fsinfo)).then_some(fsinfo * sector_size);
        // 0x29: serial number and label follow; 0x28: only the serial number.
        let [signature] = bytes(&sector, extended + 2);
        let volume_id = matches!(signature, 0x28 | 0x29).then(|| u32_at(&sector, extended + 3));
        let label = bytes::<11>(&sector, extended + 7);
        let label = String::from_utf8_lossy(&label).trim_end().to_owned();
        let label = (signature == 0x29 && !label.is_empty() && label != "NO NAME").then_some(label);
        Ok(FatGeometry {
            variant,
            volume_id,
            label,
            cluster_size,
            clusters,
            tables_start,
            table_size,
            tables,
            active,
            mirrored,
            fsinfo,
            data,
            root,
        })
    }

    /// Returns the place of a cluster, or `None` if there is no cluster of that number.
    pub fn cluster(&self, number: u32) -> Option<Range<u64>> {
        let index = number.checked_sub(2).filter(|&index| index < self.clusters)?;
        let start = self.data + u64::from(index) * self.cluster_size;
        Some(start..start + self.cluster_size)
    }

    /// Returns the number of the cluster that covers a place, or `None` if none does.
    pub fn cluster_at(&self, offset: u64) -> Option<u32> {
        let index = offset.checked_sub(self.data)? / self.cluster_size;
        let number = u32::try_from(index).ok()?.checked_add(2)?;
        self.cluster(number).map(|_| number)
    }

    /// Returns where a copy of the table begins.
    pub fn table(&self, copy: u8) -> u64 {
        self.tables_start + u64::from(copy) * self.table_size
    }
}
