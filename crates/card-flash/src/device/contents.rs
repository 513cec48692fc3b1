//! What is on a card now, as far as its owner would want to know before it is
//! overwritten.

use std::fmt;

use block_io::{ReadAt, Window};
use part_table::{PartitionRole, PartitionTable};

/// What is on a card.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceContents {
    /// The kind of partition table, if there is one.
    table: Option<&'static str>,
    /// What is on the card as a whole, or in its partitions.
    found: Vec<Found>,
}

/// What is on a card or in a partition of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    /// The number of the partition; `None`: the card as a whole.
    number: Option<u32>,
    /// In bytes.
    size: u64,
    what: Option<What>,
}

/// Something that is known by its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
struct What {
    name: &'static str,
    label: String,
    /// Whether it is part of something larger, or locked: no card that somebody
    /// means to give away.
    volume: bool,
}

impl DeviceContents {
    /// Looks at a card. What cannot be read is nothing.
    pub fn look(card: &dyn ReadAt) -> Self {
        let mut contents = DeviceContents::default();
        let whole = What::look(card);
        let table = PartitionTable::read(card).ok();
        if whole.is_some() && table.is_none() {
            contents.found.push(Found { number: None, size: card.size(), what: whole });
        } else if let Some(volume) = whole.filter(|what| what.volume) {
            let what = Some(volume);
            contents.found.push(Found { number: None, size: card.size(), what });
        }
        let Some(table) = table else { return contents };
        contents.table = Some(if table.is_gpt() { "GPT" } else { "DOS" });
        for partition in
            table.partitions().iter().filter(|part| part.role != PartitionRole::Extended)
        {
            let range = partition.bytes();
            let size = range.end - range.start;
            let window = Window::new(card, range.start, size).ok();
            let what = window.and_then(|window| What::look(&window));
            contents.found.push(Found { number: Some(partition.number), size, what });
        }
        contents
    }

    /// Volumes of LVM, RAID or encryption, each with the number of its partition.
    pub(super) fn volumes(&self) -> impl Iterator<Item = (&'static str, Option<u32>)> + '_ {
        let volume = |found: &Found| {
            let what = found.what.as_ref().filter(|what| what.volume)?;
            Some((what.name, found.number))
        };
        self.found.iter().filter_map(volume)
    }
}

impl fmt::Display for DeviceContents {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.table {
            Some(table) => write!(f, "{table} partition table")?,
            None if self.found.is_empty() => return f.write_str("nothing known"),
            None => {}
        }
        for (place, found) in self.found.iter().enumerate() {
            if place > 0 || self.table.is_some() {
                f.write_str("; ")?;
            }
            if let Some(number) = found.number {
                write!(f, "{number}: ")?;
            }
            write!(f, "{:.1} MiB", found.size as f64 / f64::from(1 << 20))?;
            match &found.what {
                None => f.write_str(" of something unknown")?,
                Some(what) => write!(f, " {}", what.name)?,
            }
            if let Some(what) = found.what.as_ref().filter(|what| !what.label.is_empty()) {
                write!(f, " {:?}", what.label)?;
            }
        }
        Ok(())
    }
}

/// How far signatures reach: that of btrfs is the last.
const REACH: usize = 68 << 10;

impl What {
    fn look(storage: &dyn ReadAt) -> Option<What> {
        let length = (storage.size() as usize).min(REACH);
        let mut bytes = storage.read_vec(0, length).ok()?;
        bytes.resize(REACH, 0);
        let at = |offset: usize, magic: &[u8]| bytes[offset..].starts_with(magic);
        let volume = |name| Some(What { name, label: String::new(), volume: true });
        let plain = |name| Some(What { name, label: String::new(), volume: false });
        let labelled = |name, label: std::ops::Range<usize>| {
            let label = &bytes[label];
            let end = label.iter().position(|&byte| byte == 0).unwrap_or(label.len());
            let label = String::from_utf8_lossy(&label[..end]).trim().to_owned();
            Some(What { name, label, volume: false })
        };

        const RAID: &[u8] = &[0xfc, 0x4e, 0x2b, 0xa9];
        if at(0, b"LUKS\xba\xbe") {
            return volume("an encrypted volume (LUKS)");
        }
        if at(3, b"-FVE-FS-") {
            return volume("an encrypted volume (BitLocker)");
        }
        if (0..4).any(|sector| at(sector * 512, b"LABELONE") && at(sector * 512 + 24, b"LVM2 001"))
        {
            return volume("a physical volume of LVM");
        }
        if at(0, RAID) || at(4096, RAID) || raid_at_the_end(storage, RAID) {
            return volume("a member of a RAID");
        }
        if at(0, b"nodecard: this card is not finished") {
            return plain("an unfinished card of nodecard");
        }
        if at(1080, &[0x53, 0xef]) {
            let has = |offset: usize, bit: u8| bytes[offset] & bit != 0;
            let name = match (has(1120, 0x40), has(1116, 0x04)) {
                (true, _) => "ext4",
                (false, true) => "ext3",
                (false, false) => "ext2",
            };
            return labelled(name, 1144..1160);
        }
        if at(82, b"FAT32   ") {
            return labelled("FAT32", 71..82);
        }
        if at(54, b"FAT16   ") || at(54, b"FAT12   ") {
            return labelled("FAT", 43..54);
        }
        if at(0, b"XFSB") {
            return labelled("XFS", 108..120);
        }
        if at(65600, b"_BHRfS_M") {
            return labelled("btrfs", 65536 + 299..65536 + 555);
        }
        let others: [(usize, &[u8], &'static str); 6] = [
            (3, b"EXFAT   ", "exFAT"),
            (3, b"NTFS    ", "NTFS"),
            (4086, b"SWAPSPACE2", "swap space"),
            (1024, &[0x10, 0x20, 0xf5, 0xf2], "F2FS"),
            (0, b"hsqs", "squashfs"),
            (32769, b"CD001", "an image of a CD"),
        ];
        others.iter().find(|(offset, magic, _)| at(*offset, magic)).and_then(|found| plain(found.2))
    }
}

/// Linux RAID of the versions 0.90 and 1.0 has its superblock at the end.
fn raid_at_the_end(storage: &dyn ReadAt, magic: &[u8]) -> bool {
    let size = storage.size();
    let old = (size / 0x1_0000 * 0x1_0000).checked_sub(0x1_0000);
    let new = (size / 512).checked_sub(16).map(|sectors| sectors / 8 * 8 * 512);
    let is = |offset: u64| storage.read_vec(offset, magic.len()).is_ok_and(|found| found == magic);
    [old, new].into_iter().flatten().any(is)
}

#[cfg(test)]
mod tests {
    use block_io::Memory;

    use super::*;

    fn with(signatures: &[(usize, &[u8])]) -> DeviceContents {
        let mut bytes = vec![0; 1 << 20];
        for (offset, magic) in signatures {
            bytes[*offset..offset + magic.len()].copy_from_slice(magic);
        }
        DeviceContents::look(&Memory::new(bytes))
    }

    #[test]
    fn knows_volumes() {
        const RAID: &[u8] = &[0xfc, 0x4e, 0x2b, 0xa9];
        for (signatures, name) in [
            (&[(0, &b"LUKS\xba\xbe"[..])][..], "LUKS"),
            (&[(512, b"LABELONE"), (536, b"LVM2 001")], "LVM"),
            (&[(4096, RAID)], "RAID"),
            (&[((1 << 20) - 8192, RAID)], "RAID"),
            (&[((1 << 20) - 65536, RAID)], "RAID"),
        ] {
            let contents = with(signatures);
            assert_eq!(contents.volumes().count(), 1, "{name}");
            assert!(contents.to_string().contains(name), "{contents}");
        }
        assert_eq!(with(&[]).volumes().count(), 0);
    }

    #[test]
    fn tells_what_is_there() {
        assert_eq!(with(&[]).to_string(), "nothing known");
        let ext = with(&[(1080, &[0x53, 0xef]), (1120, &[0x40]), (1144, b"rootfs")]);
        assert_eq!(ext.to_string(), "1.0 MiB ext4 \"rootfs\"");
        let mut entry = [0u8; 16];
        entry[4] = 0x0c;
        entry[8..12].copy_from_slice(&64u32.to_le_bytes());
        entry[12..16].copy_from_slice(&1024u32.to_le_bytes());
        let fat = 64 * 512;
        let card = with(&[
            (446, &entry),
            (510, &[0x55, 0xaa]),
            (fat + 54, b"FAT16   "),
            (fat + 43, b"BOOT       "),
        ]);
        assert_eq!(card.to_string(), "DOS partition table; 1: 0.5 MiB FAT \"BOOT\"");
    }
}
