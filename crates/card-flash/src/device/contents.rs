//! What is on a card now, as far as its owner wants to know before it is overwritten.

use std::fmt;

use block_io::{ReadAt, Window};
use fs_signature::{FsKind, Signature, find_volume};
use part_table::{PartitionRole, PartitionTable};

/// What is on a card.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceContents {
    /// The kind of partition table, if there is one.
    table: Option<&'static str>,
    /// What is on the card as a whole, or in its partitions.
    found: Vec<Found>,
}

/// What is on a card as a whole, or in a partition of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    /// The number of the partition, or `None` for the card as a whole.
    partition: Option<u32>,
    /// In bytes.
    size: u64,
    kind: FsKind,
}

impl DeviceContents {
    /// Inspects a card. Parts that cannot be read count as empty.
    pub fn look(card: &dyn ReadAt) -> Self {
        let mut contents = DeviceContents::default();
        let table = PartitionTable::read(card).ok();
        let whole = kind(card);
        // On a card with partitions, other signatures are left over from an earlier use.
        if is_volume(&whole) || (table.is_none() && whole != FsKind::Unknown) {
            contents.found.push(Found { partition: None, size: card.size(), kind: whole });
        }
        let Some(table) = table else { return contents };
        contents.table = Some(if table.is_gpt() { "GPT" } else { "MBR" });
        for partition in
            table.partitions().iter().filter(|part| part.role != PartitionRole::Extended)
        {
            let range = partition.bytes();
            let size = range.end - range.start;
            let window = Window::new(card, range.start, size).ok();
            let kind = window.map_or(FsKind::Unknown, |window| kind(&window));
            contents.found.push(Found { partition: Some(partition.number), size, kind });
        }
        contents
    }

    /// Returns all volumes of LVM, RAID or encryption, each with the number of its
    /// partition.
    pub(super) fn volumes(&self) -> impl Iterator<Item = (Signature, Option<u32>)> + '_ {
        self.found.iter().filter_map(|found| match found.kind {
            FsKind::Other { signature, .. } if signature.is_volume() => {
                Some((signature, found.partition))
            }
            _ => None,
        })
    }
}

/// Volumes come first: some look like the filesystem in them.
fn kind(storage: &dyn ReadAt) -> FsKind {
    match find_volume(storage) {
        Ok(Some(signature)) => FsKind::Other { signature, label: None },
        _ => FsKind::read(storage).unwrap_or_default(),
    }
}

fn is_volume(kind: &FsKind) -> bool {
    matches!(kind, FsKind::Other { signature, .. } if signature.is_volume())
}

/// Writes, say, `MBR partition table; 1: FAT "BOOT", 128.0 MiB; 2: ext4 "rootfs", 7.3 GiB`.
impl fmt::Display for DeviceContents {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.table {
            Some(table) => write!(f, "{table} partition table")?,
            None if self.found.is_empty() => return f.write_str("nothing recognized"),
            None => {}
        }
        for found in &self.found {
            // Without a table, there is only the card as a whole.
            if self.table.is_some() {
                f.write_str("; ")?;
            }
            if let Some(number) = found.partition {
                write!(f, "{number}: ")?;
            }
            match &found.kind {
                FsKind::Ext { version, .. } => write!(f, "ext{version}")?,
                FsKind::Fat { .. } => f.write_str("FAT")?,
                FsKind::Other { signature, .. } => f.write_str(signature.name())?,
                _ => f.write_str("unknown contents")?,
            }
            if let Some(label) = found.kind.label() {
                write!(f, " {label:?}")?;
            }
            write!(f, ", {}", plain_text::size(found.size))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use block_io::{FileStorage, Memory};
    use test_support::TestImage;

    use super::*;

    fn with(signatures: &[(usize, &[u8])]) -> DeviceContents {
        let mut bytes = vec![0; 1 << 20];
        for (offset, magic) in signatures {
            bytes[*offset..offset + magic.len()].copy_from_slice(magic);
        }
        DeviceContents::look(&Memory::new(bytes))
    }

    #[test]
    fn reports_volumes_even_if_they_look_like_filesystems() {
        const RAID: &[u8] = &[0xfc, 0x4e, 0x2b, 0xa9];
        for (signatures, name) in [
            (&[(0, &b"LUKS\xba\xbe"[..])][..], "LUKS"),
            (&[((1 << 20) - 8192, RAID), (1080, &[0x53, 0xef])], "RAID"),
        ] {
            let contents = with(signatures);
            assert_eq!(contents.volumes().count(), 1, "{name}");
            assert!(contents.to_string().contains(name), "{contents}");
        }
        assert_eq!(with(&[]).volumes().count(), 0);
        // An XFS is no volume: nothing else can hold its other half.
        assert_eq!(with(&[(0, b"XFSB")]).volumes().count(), 0);
    }

    /// As on a disk that was partitioned as a RAID.
    #[test]
    fn a_volume_on_the_whole_card_counts_beside_a_partition_table() {
        let image = TestImage::with_sfdisk(8 << 20, "label: dos\nstart=2048, size=8192\n");
        image.write((8 << 20) - 8192, &[0xfc, 0x4e, 0x2b, 0xa9]);
        let contents = DeviceContents::look(&FileStorage::open(image.path()).unwrap());
        let parts: Vec<_> = contents.volumes().map(|(_, part)| part).collect();
        assert_eq!(parts, [None], "{contents}");
    }

    #[test]
    fn describes_a_card_with_and_without_a_table() {
        assert_eq!(with(&[]).to_string(), "nothing recognized");
        let ext = with(&[(1080, &[0x53, 0xef]), (1120, &[0x40]), (1144, b"rootfs")]);
        assert_eq!(ext.to_string(), "ext4 \"rootfs\", 1.0 MiB");

        let script = "label: dos\nstart=2048, size=8192, type=c\nstart=10240, type=83\n";
        let image = TestImage::with_sfdisk(8 << 20, script);
        let options = ["-F", "16", "-n", "BOOT", "-s", "1"];
        let fat = TestImage::with_filesystem(4 << 20, "dosfstools", "mkfs.vfat", &options);
        image.write(2048 * 512, &fat.read(0, 4 << 20));
        // What an old ext superblock in the reserved sectors must not hide.
        image.write(2048 * 512 + 1080, &[0x53, 0xef]);
        let contents = DeviceContents::look(&FileStorage::open(image.path()).unwrap());
        assert_eq!(
            contents.to_string(),
            "MBR partition table; 1: FAT \"BOOT\", 4.0 MiB; 2: unknown contents, 3.0 MiB"
        );
    }
}
