//! What a partition holds.

use std::fmt;

use block_io::{ReadAt, Result};

use crate::{FatGeometry, ReadFatError, Signature, ext, table::Head};

/// What a partition holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FsKind {
    /// ext2, ext3 or ext4.
    Ext {
        /// 2, 3 or 4, according to its features.
        version: u8,
        /// Its UUID in lower case.
        uuid: String,
        /// Its label.
        label: Option<String>,
    },
    /// FAT12, FAT16 or FAT32.
    Fat {
        /// Its serial number.
        volume_id: Option<u32>,
        /// Its label.
        label: Option<String>,
    },
    /// Anything else that has a signature.
    Other {
        /// What it is.
        signature: Signature,
        /// Its label, if it is known.
        label: Option<String>,
    },
    /// Nothing with a known signature.
    #[default]
    Unknown,
}

impl FsKind {
    /// Detects what a partition, or a card without a partition table, holds.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn read(storage: &dyn ReadAt) -> Result<FsKind> {
        // mke2fs wipes the boot sector, but mkfs.vfat may leave an old ext superblock in
        // its reserved sectors. So FAT is tried first.
        match FatGeometry::read(storage) {
            Ok(fat) => return Ok(FsKind::Fat { volume_id: fat.volume_id, label: fat.label }),
            Err(ReadFatError::Storage(error)) => return Err(error),
            Err(ReadFatError::NotFat { .. }) => {}
        }
        if let Some(kind) = ext::detect(storage)? {
            return Ok(kind);
        }
        let found = Head::read(storage)?.find(|_| true);
        Ok(found.map_or(FsKind::Unknown, |(signature, label)| FsKind::Other { signature, label }))
    }

    /// Returns the UUID by which `UUID=` names it.
    pub fn uuid(&self) -> Option<String> {
        match self {
            FsKind::Ext { uuid, .. } => Some(uuid.clone()),
            FsKind::Fat { volume_id, .. } => {
                volume_id.map(|id| format!("{:04X}-{:04X}", id >> 16, id & 0xffff))
            }
            FsKind::Other { .. } | FsKind::Unknown => None,
        }
    }

    /// Returns the label by which `LABEL=` names it.
    pub fn label(&self) -> Option<&str> {
        match self {
            FsKind::Ext { label, .. } | FsKind::Fat { label, .. } | FsKind::Other { label, .. } => {
                label.as_deref()
            }
            FsKind::Unknown => None,
        }
    }
}

/// Writes, say, `ext4 "rootfs" (UUID=…)`.
impl fmt::Display for FsKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FsKind::Ext { version, .. } => write!(f, "ext{version}")?,
            FsKind::Fat { .. } => f.write_str("FAT")?,
            FsKind::Other { signature, .. } => f.write_str(signature.name())?,
            FsKind::Unknown => f.write_str("nothing recognized")?,
        }
        if let Some(label) = self.label() {
            write!(f, " {label:?}")?;
        }
        self.uuid().map_or(Ok(()), |uuid| write!(f, " (UUID={uuid})"))
    }
}
