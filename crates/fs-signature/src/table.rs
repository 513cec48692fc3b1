//! The table of signatures.

use block_io::{ReadAt, Result};

/// The text that an unfinished card of nodecard begins with. Cards get it before all else is
/// written, and lose it when they are complete.
pub const UNFINISHED_CARD: &str = "nodecard: this card is not finished";

/// What a signature stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signature {
    /// A volume encrypted by LUKS.
    Luks,
    /// A volume encrypted by BitLocker.
    BitLocker,
    /// A physical volume of LVM.
    Lvm,
    /// A member of a Linux software RAID.
    Raid,
    /// A card that nodecard began to write and did not finish.
    UnfinishedCard,
    /// The journal of an ext filesystem that lies elsewhere.
    ExtJournal,
    /// A FAT filesystem whose boot sector does not fit where it lies.
    DamagedFat,
    /// XFS.
    Xfs,
    /// btrfs.
    Btrfs,
    /// F2FS.
    F2fs,
    /// EROFS.
    Erofs,
    /// NTFS.
    Ntfs,
    /// exFAT.
    ExFat,
    /// SquashFS.
    Squashfs,
    /// The filesystem of CDs.
    Iso9660,
    /// A boot image of Android.
    AndroidBoot,
    /// Swap space.
    Swap,
}

impl Signature {
    /// Returns its name, with an article where English wants one.
    pub fn name(self) -> &'static str {
        match self {
            Signature::Luks => "an encrypted volume (LUKS)",
            Signature::BitLocker => "an encrypted volume (BitLocker)",
            Signature::Lvm => "an LVM physical volume",
            Signature::Raid => "a RAID member",
            Signature::UnfinishedCard => "an unfinished card",
            Signature::ExtJournal => "the journal of another ext filesystem",
            Signature::DamagedFat => "a damaged FAT filesystem",
            Signature::Xfs => "XFS",
            Signature::Btrfs => "btrfs",
            Signature::F2fs => "F2FS",
            Signature::Erofs => "EROFS",
            Signature::Ntfs => "NTFS",
            Signature::ExFat => "exFAT",
            Signature::Squashfs => "SquashFS",
            Signature::Iso9660 => "a CD image (ISO 9660)",
            Signature::AndroidBoot => "an Android boot image",
            Signature::Swap => "swap space",
        }
    }

    /// Returns whether it is part of something larger, or locked: nothing that anybody
    /// would knowingly give away.
    pub fn is_volume(self) -> bool {
        use Signature::{BitLocker, Luks, Lvm, Raid};
        matches!(self, Luks | BitLocker | Lvm | Raid)
    }
}

/// One row of the table.
struct Row {
    signature: Signature,
    /// Offsets, and the bytes there. All must match.
    magics: &'static [(usize, &'static [u8])],
    /// Where the label is: its offset and greatest length in bytes.
    label: Option<(usize, usize)>,
}

const fn row(signature: Signature, magics: &'static [(usize, &'static [u8])]) -> Row {
    Row { signature, magics, label: None }
}

const fn labelled(
    signature: Signature,
    magics: &'static [(usize, &'static [u8])],
    offset: usize,
    length: usize,
) -> Row {
    Row { signature, magics, label: Some((offset, length)) }
}

/// The magic number of RAID superblocks.
const RAID: &[u8] = b"\xfc\x4e\x2b\xa9";

/// All signatures at fixed places. FAT and ext are detected before this table is searched.
///
/// The places and values are those of the formats' own documents: the kernel headers
/// `swap.h`, `btrfs_tree.h`, `f2fs_fs.h`, `xfs_format.h`, `squashfs_fs.h`, `md_p.h`, and
/// the LUKS and LVM2 on-disk formats.
const TABLE: &[Row] = &[
    row(Signature::Luks, &[(0, b"LUKS\xba\xbe")]),
    row(Signature::BitLocker, &[(3, b"-FVE-FS-")]),
    // The label is in one of the first four sectors.
    row(Signature::Lvm, &[(0, b"LABELONE"), (24, b"LVM2 001")]),
    row(Signature::Lvm, &[(512, b"LABELONE"), (512 + 24, b"LVM2 001")]),
    row(Signature::Lvm, &[(1024, b"LABELONE"), (1024 + 24, b"LVM2 001")]),
    row(Signature::Lvm, &[(1536, b"LABELONE"), (1536 + 24, b"LVM2 001")]),
    // Versions 1.1 and 1.2; those with the superblock at the end are not in this table.
    row(Signature::Raid, &[(0, RAID)]),
    row(Signature::Raid, &[(4096, RAID)]),
    row(Signature::UnfinishedCard, &[(0, UNFINISHED_CARD.as_bytes())]),
    labelled(Signature::Xfs, &[(0, b"XFSB")], 108, 12),
    labelled(Signature::Btrfs, &[(0x10040, b"_BHRfS_M")], 0x10000 + 0x12b, 256),
    row(Signature::F2fs, &[(1024, b"\x10\x20\xf5\xf2")]),
    row(Signature::Erofs, &[(1024, b"\xe2\xe1\xf5\xe0")]),
    row(Signature::Ntfs, &[(3, b"NTFS    ")]),
    row(Signature::ExFat, &[(3, b"EXFAT   ")]),
    row(Signature::Squashfs, &[(0, b"hsqs")]),
    row(Signature::Iso9660, &[(0x8001, b"CD001")]),
    row(Signature::AndroidBoot, &[(0, b"ANDROID!")]),
    // At the end of the first memory page, whose size depends on the machine.
    row(Signature::Swap, &[(4096 - 10, b"SWAPSPACE2")]),
    row(Signature::Swap, &[(4096 - 10, b"SWAP-SPACE")]),
    row(Signature::Swap, &[(8192 - 10, b"SWAPSPACE2")]),
    row(Signature::Swap, &[(16384 - 10, b"SWAPSPACE2")]),
    row(Signature::Swap, &[(32768 - 10, b"SWAPSPACE2")]),
    row(Signature::Swap, &[(65536 - 10, b"SWAPSPACE2")]),
    // A FAT that can be used has been detected before.
    row(Signature::DamagedFat, &[(82, b"FAT32   ")]),
    row(Signature::DamagedFat, &[(54, b"FAT16   ")]),
    row(Signature::DamagedFat, &[(54, b"FAT12   ")]),
];

/// The number of first bytes that the table looks at: the label of btrfs is the last.
const REACH: usize = 0x10000 + 0x12b + 256;

/// The first bytes of a storage.
pub(crate) struct Head(Vec<u8>);

impl Head {
    pub fn read(storage: &dyn ReadAt) -> Result<Head> {
        let length = usize::try_from(storage.size()).unwrap_or(usize::MAX).min(REACH);
        storage.read_vec(0, length).map(Head)
    }

    /// Returns the first signature of the table that `wanted` accepts, with the label.
    pub fn find(&self, wanted: fn(Signature) -> bool) -> Option<(Signature, Option<String>)> {
        let has = |(offset, magic): &(usize, &[u8])| {
            self.0.get(*offset..).is_some_and(|bytes| bytes.starts_with(magic))
        };
        let row = TABLE.iter().find(|row| wanted(row.signature) && row.magics.iter().all(has))?;
        let label = row.label.and_then(|(offset, length)| self.0.get(offset..offset + length));
        Some((row.signature, label.and_then(label_text)))
    }
}

/// Returns a label that ends at a zero byte, unless it is empty.
pub(crate) fn label_text(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let label = String::from_utf8_lossy(bytes.get(..end)?);
    let label = label.trim_end();
    (!label.is_empty()).then(|| label.to_owned())
}

/// Returns what kind of volume a storage is: part of LVM or of a RAID, or encrypted.
///
/// A volume may look like a filesystem too: a RAID that has its superblock at the end
/// begins with the filesystem in it.
///
/// # Errors
/// Those of the storage.
pub fn find_volume(storage: &dyn ReadAt) -> Result<Option<Signature>> {
    if let Some((signature, _)) = Head::read(storage)?.find(Signature::is_volume) {
        return Ok(Some(signature));
    }
    // RAID of the versions 0.90 and 1.0 has its superblock at the end.
    let size = storage.size();
    let version_0 = (size / 0x1_0000 * 0x1_0000).checked_sub(0x1_0000);
    let version_1 = (size / 512).checked_sub(16).map(|sectors| sectors / 8 * 8 * 512);
    for offset in [version_0, version_1].into_iter().flatten() {
        if offset + RAID.len() as u64 <= size && storage.read_vec(offset, RAID.len())? == RAID {
            return Ok(Some(Signature::Raid));
        }
    }
    Ok(None)
}
