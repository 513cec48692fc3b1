//! What a partition holds, by its magic numbers.

use std::fmt;

use block_io::ReadAt;

use crate::fat::{FatError, Geometry};

/// What a partition holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FsKind {
    /// ext2, ext3 or ext4.
    Ext {
        /// 2, 3 or 4, judged by its features.
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
    /// Swap space.
    Swap,
    /// Something else that has a name, but is of no use here.
    Other(&'static str),
    /// Nothing that is known.
    #[default]
    Unknown,
}

impl FsKind {
    /// What `UUID=` names it by.
    pub fn uuid(&self) -> Option<String> {
        match self {
            FsKind::Ext { uuid, .. } => Some(uuid.clone()),
            FsKind::Fat { volume_id, .. } => {
                volume_id.map(|id| format!("{:04X}-{:04X}", id >> 16, id & 0xffff))
            }
            _ => None,
        }
    }

    /// What `LABEL=` names it by.
    pub fn label(&self) -> Option<&str> {
        match self {
            FsKind::Ext { label, .. } | FsKind::Fat { label, .. } => label.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for FsKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FsKind::Ext { version, .. } => write!(f, "ext{version}")?,
            FsKind::Fat { .. } => f.write_str("FAT")?,
            FsKind::Swap => f.write_str("swap")?,
            FsKind::Other(name) => f.write_str(name)?,
            FsKind::Unknown => f.write_str("nothing known")?,
        }
        if let Some(label) = self.label() {
            write!(f, " {label:?}")?;
        }
        self.uuid().map_or(Ok(()), |uuid| write!(f, " (UUID={uuid})"))
    }
}

/// Tells what a partition (or a bare filesystem) holds.
///
/// The places and values are those of the formats' own documents: ext4 in the
/// kernel's `Documentation/filesystems/ext4/super.rst`, the others in their
/// kernel headers (`swap.h`, `btrfs_tree.h`, `f2fs_fs.h`, `xfs_format.h`,
/// `squashfs_fs.h`), the LUKS and LVM2 on-disk formats.
///
/// # Errors
/// Those of the storage.
pub fn sniff(storage: &dyn ReadAt) -> block_io::Result<FsKind> {
    // Making an ext filesystem wipes the boot sector, but making a FAT one may
    // leave an old ext superblock in its reserved sectors. So FAT goes first.
    match Geometry::read(storage) {
        Ok(fat) => return Ok(FsKind::Fat { volume_id: fat.volume_id, label: fat.label }),
        Err(FatError::Storage(error)) => return Err(error),
        Err(_) => {}
    }
    if let Some(kind) = ext(storage)? {
        return Ok(kind);
    }
    const MAGICS: [(u64, &[u8], FsKind); 18] = [
        (0, b"LUKS\xba\xbe", FsKind::Other("LUKS (encrypted)")),
        (512 + 24, b"LVM2 001", FsKind::Other("an LVM volume")),
        (24, b"LVM2 001", FsKind::Other("an LVM volume")),
        (0, b"XFSB", FsKind::Other("XFS")),
        (0, b"hsqs", FsKind::Other("squashfs")),
        (0x10040, b"_BHRfS_M", FsKind::Other("btrfs")),
        (1024, b"\x10\x20\xf5\xf2", FsKind::Other("F2FS")),
        (1024, b"\xe2\xe1\xf5\xe0", FsKind::Other("EROFS")),
        (3, b"NTFS    ", FsKind::Other("NTFS")),
        (3, b"EXFAT   ", FsKind::Other("exFAT")),
        (0x8001, b"CD001", FsKind::Other("ISO 9660")),
        (0, b"ANDROID!", FsKind::Other("an Android boot image")),
        // The end of the first memory page, whose size is the machine's.
        (4096 - 10, b"SWAPSPACE2", FsKind::Swap),
        (4096 - 10, b"SWAP-SPACE", FsKind::Swap),
        (8192 - 10, b"SWAPSPACE2", FsKind::Swap),
        (16384 - 10, b"SWAPSPACE2", FsKind::Swap),
        (32768 - 10, b"SWAPSPACE2", FsKind::Swap),
        (65536 - 10, b"SWAPSPACE2", FsKind::Swap),
    ];
    for (offset, magic, kind) in MAGICS {
        if storage.size() >= offset + magic.len() as u64
            && storage.read_vec(offset, magic.len())? == magic
        {
            return Ok(kind);
        }
    }
    Ok(FsKind::Unknown)
}

/// The superblock's first 256 bytes, 1024 bytes into the filesystem.
fn ext(storage: &dyn ReadAt) -> block_io::Result<Option<FsKind>> {
    if storage.size() < 2048 {
        return Ok(None);
    }
    let mut block = [0; 256];
    storage.read_at(1024, &mut block)?;
    let u32_at = |at: usize| {
        block.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
    };
    let (compat, incompat, ro_compat) = (u32_at(0x5c), u32_at(0x60), u32_at(0x64));
    let log_block_size = u32_at(0x18);
    if block.get(0x38..0x3a) != Some(&[0x53, 0xef]) || log_block_size > 6 {
        return Ok(None);
    }
    // What ext3 knows: filetype, recover, journal_dev, meta_bg; sparse_super,
    // large_file, btree_dir. More makes it ext4, has_journal at least ext3.
    let version = match compat & 0x4 {
        _ if incompat & !0x1e != 0 || ro_compat & !0x7 != 0 => 4,
        0 => 2,
        _ => 3,
    };
    if incompat & 0x8 != 0 {
        return Ok(Some(FsKind::Other("the journal of an ext filesystem elsewhere")));
    }
    let mut uuid = String::new();
    for (place, byte) in block.iter().skip(0x68).take(16).enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            uuid.push('-');
        }
        uuid.push_str(&format!("{byte:02x}"));
    }
    let label: Vec<u8> =
        block.iter().skip(0x78).take(16).copied().take_while(|&b| b != 0).collect();
    let label = String::from_utf8_lossy(&label).into_owned();
    let label = (!label.is_empty()).then_some(label);
    Ok(Some(FsKind::Ext { version, uuid, label }))
}
