//! GPT tables, checked with sgdisk and sfdisk.

mod common;

use block_io::Memory;
use common::{Image, MIB, SECTOR, differences, seal_copy};
use crc::{CRC_32_ISO_HDLC, Crc};
use part_table::{DiskId, Error, GptBackup, GrowthLimit, PartitionTable, PartitionType};
use serde_json::Value;
use test_support::Random;

const SIZE: u64 = 64 * MIB;

/// What sfdisk reports must be the same disk and partitions, on a card of this size.
fn assert_same_identity(now: &Value, before: &Value, card: u64) {
    assert_eq!(now["id"], before["id"]);
    assert_eq!(now["lastlba"], card / SECTOR - 34);
    for field in ["uuid", "name", "type", "attrs", "start"] {
        for i in 0..2 {
            assert_eq!(now["partitions"][i][field], before["partitions"][i][field], "{field}");
        }
    }
}

/// Makes two unaligned partitions, with names, attributes, and bytes between the table and the
/// first one.
fn two() -> Image {
    let image = Image::new(SIZE);
    // In one run, because each run that writes takes a second.
    image.sgdisk(&[
        "--disk-guid=01234567-89AB-CDEF-0123-456789ABCDEF",
        "-a1",
        "-n1:3077:20001",
        "-c1:BOOT",
        "-t1:EF00",
        "-A1:set:2",
        "-n4:20003:100006",
        "-c4:root ÄÖ",
        "-t4:8300",
        "-A4:set:59",
    ]);
    image.write(34 * SECTOR, &Random::new(2).bytes((3077 - 34) * 512));
    image.assert_sgdisk_content();
    image
}

#[test]
fn reads_what_sgdisk_made() {
    let image = two();
    let table = image.table().unwrap();
    assert!(table.is_gpt());
    assert_eq!(table.gpt_backup(), Some(&GptBackup::Whole));
    assert!(matches!(table.disk_id(), DiskId::Gpt(_)));
    assert_eq!(table.disk_id().to_string(), "01234567-89ab-cdef-0123-456789abcdef");
    let [p1, p4] = table.partitions() else { panic!("{table:?}") };
    assert_eq!((p1.number, p1.start, p1.end(), p1.bootable), (1, 3077, 20002, true));
    assert_eq!((p4.number, p4.start, p4.end(), p4.bootable), (4, 20003, 100007, false));
    assert_eq!(p1.name.as_deref(), Some("BOOT"));
    assert_eq!(p4.name.as_deref(), Some("root ÄÖ"));
    assert!(matches!(p4.kind, PartitionType::Gpt(_)));
    assert_eq!(p4.kind.description(), Some("Linux"));
    let json = image.json();
    for (i, p) in [p1, p4].into_iter().enumerate() {
        let theirs = json["partitions"][i]["uuid"].as_str().unwrap().to_lowercase();
        assert_eq!(table.partuuid(p.number).unwrap(), theirs);
    }
}

#[test]
fn grows_and_moves_the_backup() {
    for card in [SIZE, SIZE + 1024, 300 * MIB, 9000 * MIB + 512, 3 << 40] {
        let image = two();
        let before = image.read(0, SIZE);
        let (json, theirs) = (image.json(), image.copy());
        let info = image.sgdisk(&["-i4"]);
        let grown = image.grow(card, 4, MIB).unwrap();
        let end = (card - MIB) / MIB * MIB / SECTOR;
        assert_eq!((grown.after.start, grown.after.end()), (20003, end));
        assert_eq!(grown.table.gpt_backup(), Some(&GptBackup::Whole));
        assert_eq!(grown.limit, None);
        image.assert_sgdisk_content();
        image.assert_sfdisk_content();

        // Everything that names or describes the disk and its partitions stays.
        let now = image.json();
        assert_same_identity(&now, &json, card);
        assert_eq!(now["partitions"][1]["size"], end - 20003);
        let lines = |text: &str| -> Vec<String> {
            let sizes =
                |l: &&str| !l.starts_with("Last sector") && !l.starts_with("Partition size");
            text.lines().filter(sizes).map(str::to_owned).collect()
        };
        assert_eq!(lines(&image.sgdisk(&["-i4"])), lines(&info));

        // Up to the first partition, only the protective entry, four fields of the header
        // and the end in the one entry differ.
        let after = image.read(0, SIZE);
        let entry = 1024 + 3 * 128;
        for place in differences(&before[..3077 * 512], &after[..3077 * 512]) {
            let allowed = matches!(place, 451..=453 | 458..=461)
                || matches!(place - 512, 16..=19 | 32..=39 | 48..=55 | 88..=91)
                || (entry + 40..entry + 48).contains(&place);
            assert!(allowed, "byte {place}");
        }
        // The old copy is gone, and everything else is unchanged.
        let old = (SIZE - 33 * SECTOR) as usize;
        assert_eq!(before[3077 * 512..old], after[3077 * 512..old]);
        if card >= SIZE + 33 * SECTOR {
            assert!(after[old..].iter().all(|&byte| byte == 0));
        }

        // sgdisk moves the second copy to the same place and sets the same
        // usable area and protective MBR.
        theirs.resize(card);
        theirs.sgdisk(&["-e"]);
        let mut expected = theirs.read(0, 1024);
        let mut ours = image.read(0, 1024);
        for bytes in [&mut expected, &mut ours] {
            // Checksums follow from the entries, which differ on purpose. There are two ways
            // to write an address beyond the range.
            bytes[512 + 16..512 + 20].fill(0);
            bytes[512 + 88..512 + 92].fill(0);
            bytes[451..454].fill(0);
        }
        assert_eq!(ours, expected, "a card of {card} bytes");
    }
}

#[test]
fn growing_writes_a_missing_backup() {
    let image = two();
    image.resize(SIZE - 33 * SECTOR);
    let table = image.table().unwrap();
    let expected = GptBackup::Damaged { reason: "its header lies beyond the end" };
    assert_eq!(table.gpt_backup(), Some(&expected));
    image.grow(100 * MIB, 4, MIB).unwrap();
    image.assert_sgdisk_content();
    image.assert_sfdisk_content();
}

/// On some boards the boot loader lies right behind a short table.
#[test]
fn keeps_the_bytes_behind_a_short_table() {
    let script = "label: gpt\ntable-length: 8\nfirst-lba: 4\nstart=4096, type=L\n";
    let image = Image::with_sfdisk(16 * MIB, script);
    image.write(4 * SECTOR, &Random::new(3).bytes(4092 * 512));
    let before = image.read(4 * SECTOR, 4092 * SECTOR);
    let grown = image.grow(40 * MIB, 1, MIB).unwrap();
    assert_eq!(grown.after.bytes().end, 39 * MIB);
    image.assert_sfdisk_content();
    assert_eq!(image.json()["lastlba"], 40 * 2048 - 4);
    assert_eq!(image.read(4 * SECTOR, 4092 * SECTOR), before);
}

/// The second copy gets its place even without a reserve.
#[test]
fn leaves_room_for_the_backup() {
    let image = two();
    let grown = image.grow(200 * MIB, 4, 0).unwrap();
    assert_eq!(grown.after.bytes().end, 199 * MIB);
    image.assert_sgdisk_content();
    let error = image.grow(199 * MIB, 4, 0).unwrap_err();
    let Error::CardTooSmall { needed, .. } = error else { panic!("{error}") };
    assert_eq!(needed, 199 * MIB + 33 * SECTOR);
    image.grow(needed, 4, 0).unwrap();
    image.assert_sgdisk_content();
}

/// The partition stays as it is or grows into the gap; the second copy still moves.
#[test]
fn grows_as_far_as_the_next_partition() {
    let image = two();
    let old = image.read(SIZE - 33 * SECTOR, 33 * SECTOR);
    let grown = image.grow(128 * MIB, 1, MIB).unwrap();
    assert_eq!(grown.limit, Some(GrowthLimit::NextPartition { number: 4 }));
    assert_eq!(grown.before, grown.after);
    assert_eq!(grown.table.gpt_backup(), Some(&GptBackup::Whole));
    image.assert_sgdisk_content();
    assert_eq!(image.json()["lastlba"], 128 * MIB / SECTOR - 34);
    assert_ne!(image.read(SIZE - 33 * SECTOR, 33 * SECTOR), old);

    let image = Image::new(32 * MIB);
    image.sgdisk(&["-n1:2048:6143", "-a1", "-n2:20488:24583"]);
    let grown = image.grow(64 * MIB, 1, MIB).unwrap();
    assert_eq!(grown.after.bytes(), MIB..10 * MIB);
    assert_eq!(grown.limit, Some(GrowthLimit::NextPartition { number: 2 }));
    image.assert_sgdisk_content();
    // The other partition needs room too.
    let error = image.grow(12 * MIB, 1, MIB).unwrap_err();
    assert!(matches!(error, Error::CardTooSmall { number: 2, .. }), "{error}");
}

#[test]
fn shrinks_to_a_smaller_card_with_the_backup_at_its_end() {
    for card in [48 * MIB, 40 * MIB, 33 * MIB + 512, 12 * MIB] {
        let image = two();
        let (before, json) = (image.read(0, 11 * MIB), image.json());
        let end = (card - MIB) / MIB * MIB / SECTOR;
        let shrunk = image.shrink(card, 4, MIB).unwrap();
        assert_eq!((shrunk.start, shrunk.end()), (20003, end.min(100007)));
        assert_eq!(image.table().unwrap().gpt_backup(), Some(&GptBackup::Whole));
        image.assert_sgdisk_content();
        image.assert_sfdisk_content();
        let now = image.json();
        assert_same_identity(&now, &json, card);
        let after = image.read(0, 11 * MIB);
        let entry = 1024 + 3 * 128;
        for place in differences(&before, &after) {
            let allowed = matches!(place, 451..=453 | 458..=461)
                || place >= 512 && matches!(place - 512, 16..=19 | 32..=39 | 48..=55 | 88..=91)
                || (entry + 40..entry + 48).contains(&place);
            assert!(allowed, "byte {place}");
        }
    }
    // The other partition stays as it is.
    let error = two().shrink(48 * MIB, 1, MIB).unwrap_err();
    let Error::CardTooSmall { number: 4, needed, .. } = error else { panic!("{error}") };
    assert_eq!(needed, (100007 + 33) * SECTOR);
    two().shrink(needed, 1, MIB).unwrap();
    let error = two().shrink(10 * MIB, 4, MIB).unwrap_err();
    assert!(matches!(error, Error::CardTooSmall { number: 4, .. }), "{error}");
}

#[test]
fn refuses_with_the_reason() {
    let error = two().grow(32 * MIB, 4, MIB).unwrap_err();
    assert!(matches!(error, Error::CardTooSmall { number: 4, .. }), "{error}");
    let error = two().grow(128 * MIB, 2, MIB).unwrap_err();
    assert!(matches!(error, Error::NoSuchPartition { number: 2, .. }), "{error}");

    let image = two();
    image.sgdisk(&["-h1"]);
    assert_eq!(image.table().unwrap().partitions().len(), 2);
    let error = image.grow(128 * MIB, 4, MIB).unwrap_err();
    assert!(matches!(&error, Error::HybridMbr { entries } if entries.len() == 1), "{error}");
}

#[test]
fn reports_damage() {
    let image = two();
    image.write(512 + 40, &[99]);
    let error = image.table().unwrap_err();
    let last = SIZE / SECTOR - 1;
    let named = matches!(error, Error::GptPrimaryDamaged { backup_sector, .. }
        if backup_sector == last);
    assert!(named, "{error}");
    assert!(error.to_string().contains("the checksum of its header is wrong"), "{error}");
    image.write(SIZE - 512, b"X");
    let error = image.table().unwrap_err();
    assert!(matches!(error, Error::GptDamaged { .. }), "{error}");

    let image = two();
    image.write(1024 + 40, &[99]);
    let error = image.table().unwrap_err();
    assert!(error.to_string().contains("the checksum of its entries is wrong"), "{error}");

    let image = two();
    image.write(SIZE - 512 + 30, &[99]);
    let backup = image.table().unwrap().gpt_backup().cloned();
    let expected = GptBackup::Damaged { reason: "the checksum of its header is wrong" };
    assert_eq!(backup, Some(expected));

    let image = two();
    image.write(510, &[0, 0]);
    let error = image.table().unwrap_err();
    assert!(matches!(error, Error::NoProtectiveMbr), "{error}");

    let image = two();
    image.write(512, &[0; 512]);
    image.write(4096, b"EFI PART");
    let error = image.table().unwrap_err();
    assert!(matches!(error, Error::SectorSize4096), "{error}");
}

/// The area for partitions that the headers state does not decide alone.
#[test]
fn refuses_partitions_over_either_copy() {
    let image = Image::new(8 * MIB);
    image.sgdisk(&["-n1:2048:4095"]);
    let last = 8 * MIB / SECTOR - 1;
    let read = |first: u64, end: u64| {
        let mut bytes = image.read(0, 8 * MIB);
        let ends = last as usize * 512;
        for (header, entries) in [(512, 1024), (ends, ends - 32 * 512)] {
            let area = [2u64.to_le_bytes(), last.to_le_bytes()].concat();
            bytes[header + 40..header + 56].copy_from_slice(&area);
            let partition = [first.to_le_bytes(), (end - 1).to_le_bytes()].concat();
            bytes[entries + 32..entries + 48].copy_from_slice(&partition);
            seal_copy(&mut bytes, header, entries);
        }
        PartitionTable::read(&Memory::new(bytes))
    };
    for (first, end, covered) in [(33, 2048, 33), (2, 3, 2), (2048, last - 31, last - 32)] {
        let error = read(first, end).unwrap_err();
        let expected =
            matches!(error, Error::CoversTable { number: 1, sector } if sector == covered);
        assert!(expected, "{error}");
    }
    assert_eq!(read(34, last - 32).unwrap().gpt_backup(), Some(&GptBackup::Whole));
}

/// Each field of the header at its limits, with checksums that are right.
#[test]
fn reports_what_is_wrong_with_the_header() {
    let image = Image::new(8 * MIB);
    image.sgdisk(&["-n1:4096:8191"]);
    let sectors = 8 * MIB / SECTOR;
    let read = |fields: &[(usize, u64)]| {
        let mut bytes = image.read(0, 8 * MIB);
        for &(at, value) in fields {
            let length = if matches!(at, 8 | 12 | 80 | 84) { 4 } else { 8 };
            bytes[512 + at..512 + at + length].copy_from_slice(&value.to_le_bytes()[..length]);
        }
        let field = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let (size, entries) = (field(512 + 12).min(512), field(512 + 72) * 512);
        let length = field(512 + 80) * field(512 + 84);
        let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
        let sum = crc.checksum(bytes.get(entries..entries + length).unwrap_or_default());
        bytes[512 + 88..512 + 92].copy_from_slice(&sum.to_le_bytes());
        bytes[512 + 16..512 + 20].fill(0);
        let sum = crc.checksum(&bytes[512..512 + size]);
        bytes[512 + 16..512 + 20].copy_from_slice(&sum.to_le_bytes());
        match PartitionTable::read(&Memory::new(bytes)) {
            Ok(table) => table.partitions().len().to_string(),
            Err(Error::GptPrimaryDamaged { reason, .. }) => reason.to_owned(),
            Err(error) => error.to_string(),
        }
    };
    let size = "the size of its header is invalid";
    let entry_size = "the size of its entries is invalid";
    let number = "the number of its entries is invalid";
    let beyond = "its entries lie beyond the end";
    let overlap = "its entries overlap its header";
    let area = "its area for partitions is invalid";
    let outside = "partition 1 (sectors 4096 to 8191) lies outside the area that the GPT reserves \
                   for partitions (sectors 4097 to 16350)";
    // The last entry is the header of the backup then.
    let header = "partition 125 covers sector 1, which holds a part of the partition table";
    let cases: &[(&[(usize, u64)], &str)] = &[
        (&[(8, 0x1_0001)], "1"),
        (&[(8, 0x2_0000)], "its header has an unknown revision"),
        (&[(12, 91)], size),
        (&[(12, 512)], "1"),
        (&[(12, 513)], size),
        (&[(24, 2)], "its header belongs in another sector"),
        (&[(84, 64)], entry_size),
        (&[(84, 192)], entry_size),
        (&[(84, 4096), (80, 4)], "1"),
        (&[(84, 8192), (80, 2)], entry_size),
        (&[(80, 0)], number),
        (&[(80, 1)], "1"),
        (&[(80, 8192)], "1"),
        (&[(80, 8193)], number),
        (&[(72, 0)], overlap),
        (&[(72, 0), (80, 4)], overlap),
        (&[(72, 1)], overlap),
        (&[(72, sectors - 33)], "1"),
        (&[(72, sectors - 32)], header),
        (&[(72, sectors - 31)], beyond),
        (&[(72, u64::MAX)], beyond),
        (&[(40, 1)], area),
        (&[(40, 2)], "1"),
        (&[(40, 4096), (48, 4095)], area),
        (&[(40, 4096)], "1"),
        (&[(40, 4097)], outside),
        (&[(48, 8191)], "1"),
        (&[(48, u64::MAX / 512 - 1)], "1"),
        (&[(48, u64::MAX / 512)], area),
    ];
    for (fields, expected) in cases {
        assert_eq!(read(fields), *expected, "{fields:?}");
    }
}

#[test]
fn a_backup_of_other_contents_is_damaged() {
    let image = two();
    let header = (SIZE - SECTOR) as usize;
    let entries = header - 32 * 512;
    // The GUID of the disk, the area for partitions, and the name of a partition.
    for place in [header + 56, header + 40, entries + 56] {
        let mut bytes = image.read(0, SIZE);
        bytes[place] ^= 1;
        seal_copy(&mut bytes, header, entries);
        let table = PartitionTable::read(&Memory::new(bytes)).unwrap();
        let expected = GptBackup::Damaged { reason: "it differs from the primary copy" };
        assert_eq!(table.gpt_backup(), Some(&expected), "byte {place}");
    }
}

/// There are two ways to write an address beyond the range, and both stay.
#[test]
fn the_protective_entry_ends_where_the_card_does() {
    let any = [0xff; 3];
    let beyond = [0xfe, 0xff, 0xff];
    for (before, card, after) in [
        ([1, 2, 3], 300 * MIB, [62, 24, 38]),
        ([1, 2, 3], 9000 * MIB, any),
        (beyond, 9000 * MIB, beyond),
        (any, 9000 * MIB, any),
    ] {
        let image = two();
        image.write(446 + 5, &before);
        image.grow(card, 4, MIB).unwrap();
        assert_eq!(image.read(446 + 5, 3), after, "{before:?}, {card}");
        assert_eq!(image.read(446 + 12, 4), ((card / SECTOR - 1) as u32).to_le_bytes());
    }
}
