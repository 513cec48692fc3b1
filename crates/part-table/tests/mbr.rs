//! MBR tables, checked with sfdisk.

mod common;

use common::{Image, MIB, SECTOR, differences};
use part_table::{DiskId, Error, GrowthLimit, Guid, PartitionRole, PartitionType};
use test_support::{Random, run};

/// The cards of the ODROID-MC1: boot loader in raw sectors 1 to 3071.
const MC1: &str = "label: dos\nlabel-id: 0x3cedfd53\n\
    start=3072, size=262144, type=c, bootable\nstart=265216, size=63488, type=83\n";
const MC1_SIZE: u64 = (265216 + 63488) * SECTOR;

fn mc1() -> Image {
    let image = Image::with_sfdisk(MC1_SIZE, MC1);
    let mut random = Random::new(1);
    image.write(0, &random.bytes(440));
    image.write(512, &random.bytes(3071 * 512));
    image
}

/// A type GUID as it is in a table: its first three fields are little-endian.
fn guid(text: &str) -> Guid {
    let digits: String = text.chars().filter(|&digit| digit != '-').collect();
    let mut bytes: [u8; 16] =
        std::array::from_fn(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap());
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    Guid(bytes)
}

/// Types have the names that sfdisk gives them, by the first letters.
#[test]
fn types_are_called_as_by_sfdisk() {
    for (label, described) in [("dos", 15), ("gpt", 7)] {
        let listed = run("fdisk", "sfdisk", &["--list-types", "--label", label]);
        let mut found = 0;
        for line in listed.lines() {
            let Some((id, name)) = line.trim().split_once("  ") else { continue };
            let kind = match u8::from_str_radix(id, 16) {
                Ok(byte) if label == "dos" => PartitionType::Mbr(byte),
                _ if label == "gpt" && id.len() == 36 => PartitionType::Gpt(guid(id)),
                _ => continue,
            };
            let Some(ours) = kind.description() else { continue };
            let (ours, name) = (ours.to_lowercase(), name.to_lowercase());
            assert!(name.contains(&ours[..3]), "{id}: {ours}, for sfdisk {name}");
            found += 1;
        }
        assert_eq!(found, described, "{listed}");
    }
}

#[test]
fn reads_what_sfdisk_made() {
    let image = mc1();
    let table = image.table().unwrap();
    assert!(!table.is_gpt());
    assert_eq!(table.disk_id(), DiskId::Mbr(0x3cedfd53));
    assert_eq!(table.partuuid(2).unwrap(), "3cedfd53-02");
    let [p1, p2] = table.partitions() else { panic!("{table:?}") };
    assert_eq!((p1.number, p1.start, p1.sectors, p1.bootable), (1, 3072, 262144, true));
    assert_eq!((p2.number, p2.start, p2.sectors, p2.bootable), (2, 265216, 63488, false));
    assert_eq!(p1.kind, PartitionType::Mbr(0x0c));
    assert_eq!(p2.kind.to_string(), "0x83 (Linux)");
    assert_eq!(p2.bytes(), 265216 * 512..MC1_SIZE);
}

/// sfdisk writes the same sector 0 for the same end, and only the last address and the length
/// in the one entry change.
#[test]
fn grows_as_sfdisk_does_and_keeps_the_boot_area() {
    // Within and beyond the range of cylinder, head and sector.
    for card in [300 * MIB, 1024 * MIB, 7800 * MIB + 12345, 31_000 * MIB] {
        let image = mc1();
        let before = image.read(0, 3072 * SECTOR);
        let theirs = image.copy();
        let grown = image.grow(card, 2, MIB).unwrap();
        let end = (card - MIB) / MIB * MIB / SECTOR;
        assert_eq!(grown.before.sectors, 63488);
        assert_eq!((grown.after.start, grown.after.end()), (265216, end));
        assert_eq!((grown.limit, grown.extended), (None, None));
        image.assert_sfdisk_content();
        let json = image.json();
        assert_eq!(json["partitions"][1]["size"], end - 265216);
        assert_eq!(json["partitions"][0]["size"], 262144);
        assert_eq!(json["partitions"].as_array().unwrap().len(), 2);

        let after = image.read(0, 3072 * SECTOR);
        let entry = 446 + 16;
        for place in differences(&before, &after) {
            let place = place - entry;
            assert!((5..8).contains(&place) || (12..16).contains(&place), "byte {place}");
        }
        theirs.resize(card);
        let script = format!("size={}\n", end - 265216);
        theirs.sfdisk(&["--quiet", "--no-reread", "-N", "2"], &script);
        assert_eq!(theirs.read(0, 3072 * SECTOR), after, "a card of {card} bytes");
    }
}

#[test]
fn grows_the_only_partition() {
    let image = Image::with_sfdisk(64 * MIB, "label: dos\nstart=8192, type=83\n");
    let before = image.read(0, 8192 * SECTOR);
    let grown = image.grow(200 * MIB, 1, MIB).unwrap();
    assert_eq!(grown.after.bytes(), 8192 * SECTOR..199 * MIB);
    image.assert_sfdisk_content();
    assert_eq!(image.json()["partitions"][0]["size"], 199 * 2048 - 8192);
    let changed = differences(&before, &image.read(0, 8192 * SECTOR));
    assert!(changed.iter().all(|&place| (446..462).contains(&place)), "{changed:?}");
}

#[test]
fn growing_twice_changes_nothing_more() {
    let image = mc1();
    image.grow(512 * MIB, 2, MIB).unwrap();
    let before = image.read(0, 3072 * SECTOR);
    let grown = image.grow(512 * MIB, 2, MIB).unwrap();
    assert_eq!(grown.before, grown.after);
    assert_eq!(image.read(0, 3072 * SECTOR), before);
}

#[test]
fn stops_at_2_tib() {
    let image = mc1();
    let grown = image.grow(3 << 40, 2, MIB).unwrap();
    assert_eq!(grown.limit, Some(GrowthLimit::Mbr));
    assert_eq!(grown.after.end(), 1 << 32);
    image.assert_sfdisk_content();
    assert_eq!(image.json()["partitions"][1]["size"], (1u64 << 32) - 265216);
}

/// A boot partition, swap, and an extended one with two logical partitions.
const LOGICAL: &str = "label: dos\nstart=2048, size=8192, type=c\nstart=10240, type=f\n\
    start=12288, size=8192, type=82\nstart=22528, size=20480, type=83\n";

#[test]
fn grows_a_logical_partition_and_its_container() {
    let image = Image::with_sfdisk(32 * MIB, LOGICAL);
    let table = image.table().unwrap();
    let numbers: Vec<_> = table.partitions().iter().map(|p| (p.number, p.role)).collect();
    let expected = [
        (1, PartitionRole::Primary),
        (2, PartitionRole::Extended),
        (5, PartitionRole::Logical),
        (6, PartitionRole::Logical),
    ];
    assert_eq!(numbers, expected);
    assert_eq!((table.partitions()[3].start, table.partitions()[3].sectors), (22528, 20480));

    let before = image.json();
    let raw = image.read(0, 12288 * SECTOR);
    let grown = image.grow(9000 * MIB, 6, MIB).unwrap();
    assert_eq!(grown.extended, Some(2));
    image.assert_sfdisk_content();
    let after = image.json();
    let end = 8999 * 2048;
    assert_eq!(after["partitions"][3]["size"], end - 22528);
    assert_eq!(after["partitions"][1]["size"], end - 10240);
    for same in [0, 2] {
        assert_eq!(after["partitions"][same], {
            let mut entry = before["partitions"][same].clone();
            entry["node"] = after["partitions"][same]["node"].clone();
            entry
        });
    }
    // Sector 0: the second entry; sector 10240, the first record: its link.
    let now = image.read(0, 12288 * SECTOR);
    // The link spans the record and the partition, as sfdisk wrote it.
    let spans = |bytes: &[u8]| {
        let at = 10240 * 512 + 462 + 12;
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    };
    assert_eq!(u64::from(spans(&raw)), 22528 + 20480 - 20480);
    assert_eq!(u64::from(spans(&now)), end - 20480);
    for place in differences(&raw, &now) {
        let (sector, byte) = (place / 512, place % 512);
        assert!(matches!((sector, byte), (0 | 10240, 462..=477)), "{sector} {byte}");
    }
}

#[test]
fn grows_the_first_and_only_logical_partition() {
    let script = "label: dos\nstart=2048, type=5\nstart=4096, type=83\n";
    let image = Image::with_sfdisk(16 * MIB, script);
    image.grow(64 * MIB, 5, MIB).unwrap();
    image.assert_sfdisk_content();
    assert_eq!(image.json()["partitions"][1]["size"], 63 * 2048 - 4096);
}

#[test]
fn refuses_with_the_reason() {
    let image = mc1();
    let error = image.grow(512 * MIB, 3, MIB).unwrap_err();
    let Error::NoSuchPartition { number: 3, present } = &error else { panic!("{error}") };
    assert_eq!(present, &[1, 2]);
    // The image fills its file to the end: without room for the reserve it stays as it is.
    let grown = image.copy().grow(MC1_SIZE, 2, MIB).unwrap();
    assert_eq!(grown.after, grown.before);
    let error = image.grow(MC1_SIZE / 2, 2, MIB).unwrap_err();
    let Error::CardTooSmall { number: 2, needed, .. } = error else { panic!("{error}") };
    assert_eq!(needed, MC1_SIZE);

    let image = Image::with_sfdisk(32 * MIB, LOGICAL);
    let error = image.grow(512 * MIB, 2, MIB).unwrap_err();
    assert!(matches!(error, Error::IsExtended { number: 2 }), "{error}");
    // The swap partition behind a root has to fit as well.
    let error = image.grow(8 * MIB, 1, MIB).unwrap_err();
    assert!(matches!(error, Error::CardTooSmall { number: 6, .. }), "{error}");
}

/// Grows partition `number`, which is followed by the partition `next`, and makes sure that
/// sfdisk finds it at the sectors `range`, all others as they were, and the table right.
fn grows_up_to(script: &str, number: u32, next: u32, range: std::ops::Range<u64>) {
    let image = Image::with_sfdisk(32 * MIB, script);
    let before = image.json();
    let grown = image.grow(9000 * MIB, number, MIB).unwrap();
    assert_eq!(grown.limit, Some(GrowthLimit::NextPartition { number: next }));
    assert_eq!((grown.after.start, grown.after.end()), (range.start, range.end));
    image.assert_sfdisk_content();
    let after = image.json();
    let (before, after) = (&before["partitions"], &after["partitions"]);
    assert_eq!(before.as_array().unwrap().len(), after.as_array().unwrap().len());
    for (old, new) in before.as_array().unwrap().iter().zip(after.as_array().unwrap()) {
        if old["start"] == range.start {
            assert_eq!(new["size"], range.end - range.start);
        } else if new["type"] == "f" {
            assert_eq!(grown.extended.is_some(), old["size"] != new["size"], "{new}");
        } else {
            assert_eq!(old["size"], new["size"], "{new}");
        }
    }
    // Growing again changes nothing.
    let head = image.read(0, 16 * MIB);
    image.grow(9000 * MIB, number, MIB).unwrap();
    assert_eq!(image.read(0, 16 * MIB), head);
}

#[test]
fn grows_as_far_as_the_next_partition() {
    // A root in front of swap, at once and with a gap that ends beside a whole MiB.
    grows_up_to("label: dos\nstart=2048,size=8192\nstart=10240\n", 1, 2, 2048..10240);
    grows_up_to("label: dos\nstart=2048,size=8192\nstart=20001\n", 1, 2, 2048..18432);
    // The next one in the table lies in front.
    grows_up_to(
        "label: dos\nstart=8192,size=2048\nstart=2048,size=2048\nstart=20480\n",
        1,
        3,
        8192..20480,
    );
    // An extended partition behind it, and the table of a logical one.
    grows_up_to(LOGICAL, 1, 2, 2048..10240);
    grows_up_to(LOGICAL, 5, 6, 12288..20480);
    // A primary partition behind the extended one, which grows with its last logical one.
    let script = "label: dos\nstart=2048,size=8192,type=f\nstart=40960\nstart=4096,size=2048\n";
    let script = script.replace("start=4096", "\n\nstart=4096");
    grows_up_to(&script, 5, 2, 4096..40960);
}

/// Growing back gives the same bytes: only one length and one last address change.
#[test]
fn shrinks_to_a_smaller_card() {
    let image = mc1();
    let before = image.read(0, 265216 * SECTOR);
    for card in [MC1_SIZE - SECTOR, 150 * MIB, 132 * MIB] {
        let image = image.copy();
        let end = (card - MIB) / MIB * MIB / SECTOR;
        let shrunk = image.shrink(card, 2, MIB).unwrap();
        assert_eq!((shrunk.start, shrunk.end()), (265216, end));
        image.assert_sfdisk_content();
        let after = image.read(0, 4 * MIB);
        for place in differences(&before[..after.len()], &after) {
            assert!(matches!(place, 467..=469 | 474..=477), "byte {place}");
        }
        // sfdisk writes the same sector.
        let theirs = mc1();
        let end_before_cut = format!("start=265216, size={}, type=83\n", end - 265216);
        theirs.sfdisk(&["-N", "2", "--no-reread"], &end_before_cut);
        assert_eq!(theirs.read(0, 512), image.read(0, 512), "a card of {card} bytes");
    }
    let error = image.copy().shrink(130 * MIB, 2, MIB).unwrap_err();
    assert!(matches!(error, Error::CardTooSmall { number: 2, .. }), "{error}");
    let error = image.copy().shrink(150 * MIB, 1, MIB).unwrap_err();
    assert!(matches!(error, Error::CardTooSmall { number: 2, .. }), "{error}");
}

#[test]
fn a_partition_that_fits_a_smaller_card_stays() {
    let image = Image::with_sfdisk(64 * MIB, "label: dos\nstart=2048, size=20480, type=83\n");
    let before = image.read(0, 512);
    assert_eq!(image.shrink(32 * MIB, 1, MIB).unwrap().sectors, 20480);
    assert_eq!(image.read(0, 512), before);
}

#[test]
fn a_partition_beyond_2_tib_is_refused() {
    let image = Image::new(3 << 40);
    image.write(446 + 4, &[0x83]);
    image.write(446 + 8, &[0xf000_0000u32.to_le_bytes(), 0x2000_0000u32.to_le_bytes()].concat());
    image.write(510, &[0x55, 0xaa]);
    let table = image.table().unwrap();
    assert_eq!(table.partition(1).unwrap().end(), 0x1_1000_0000);
    let error = table.growth(1, 4 << 40, MIB).unwrap_err();
    assert!(matches!(error, Error::BeyondMbr { number: 1 }), "{error}");
}

/// Other programs write other addresses.
#[test]
fn a_partition_that_cannot_grow_keeps_its_entry() {
    let image = mc1();
    image.write(446 + 16 + 5, &[1, 2, 3]);
    let before = image.read(0, 512);
    let grown = image.grow(MC1_SIZE, 2, MIB).unwrap();
    assert_eq!(grown.after, grown.before);
    assert_eq!(image.read(0, 512), before);
}

#[test]
fn shrinks_a_logical_partition_with_its_container() {
    let script = "label: dos\nstart=2048, type=5\nstart=4096, type=83\n";
    let image = Image::with_sfdisk(64 * MIB, script);
    image.shrink(16 * MIB, 5, MIB).unwrap();
    image.assert_sfdisk_content();
    let json = image.json();
    assert_eq!(json["partitions"][0]["size"], 15 * 2048 - 2048);
    assert_eq!(json["partitions"][1]["size"], 15 * 2048 - 4096);
}

#[test]
fn refuses_a_table_that_changed_in_between() {
    let image = mc1();
    let table = image.table().unwrap();
    image.resize(512 * MIB);
    image.write(446 + 16 + 12, &1000u32.to_le_bytes());
    let before = image.read(0, 512);
    let storage = block_io::FileStorage::open_writable(image.path()).unwrap();
    let error = table.grow(&storage, 2, MIB).unwrap_err();
    assert!(matches!(error, Error::Changed), "{error}");
    assert_eq!(image.read(0, 512), before);
}

#[test]
fn reports_damage() {
    // Partition 2 begins inside partition 1.
    let image = mc1();
    image.write(446 + 16 + 8, &3073u32.to_le_bytes());
    let error = image.table().unwrap_err();
    let overlap = matches!(error, Error::Overlap { first: 1, second: 2, sector: 3073 });
    assert!(overlap, "{error}");
    // An incomplete download.
    let image = mc1();
    image.resize(MC1_SIZE - 512);
    let error = image.table().unwrap_err();
    assert!(matches!(error, Error::BeyondEnd { number: 2, .. }), "{error}");
    // A partition over sector 0.
    let image = mc1();
    image.write(446 + 8, &0u32.to_le_bytes());
    let error = image.table().unwrap_err();
    assert!(matches!(error, Error::CoversTable { number: 1, sector: 0 }), "{error}");
    // A logical partition over the table of the next one.
    let image = Image::with_sfdisk(32 * MIB, LOGICAL);
    image.write(10240 * SECTOR + 446 + 12, &(20481u32 - 12288).to_le_bytes());
    let error = image.table().unwrap_err();
    assert!(matches!(error, Error::CoversTable { number: 5, sector: 20480 }), "{error}");
    // Two extended partitions.
    let image = mc1();
    image.write(446 + 4, &[0x05]);
    image.write(446 + 16 + 4, &[0x0f]);
    let error = image.table().unwrap_err();
    assert!(matches!(error, Error::SecondExtended { first: 1, second: 2 }), "{error}");
}

#[test]
fn follows_damaged_chains_to_an_end() {
    let record = 10240 * SECTOR;
    let damage = |offset: u64, bytes: &[u8]| {
        let image = Image::with_sfdisk(32 * MIB, LOGICAL);
        image.write(record + offset, bytes);
        let error = image.table().unwrap_err();
        let Error::Extended { sector, reason } = error else { panic!("{error}") };
        (sector, reason)
    };
    // The link of the first record: back to itself, outside, into nowhere.
    let link = 462 + 8;
    assert_eq!(damage(link, &0u32.to_le_bytes()), (10240, "the chain leads back to it"));
    let outside = "it lies outside the extended partition";
    assert_eq!(damage(link, &u32::MAX.to_le_bytes()), (10240 + u64::from(u32::MAX), outside));
    assert_eq!(damage(link, &1u32.to_le_bytes()).1, "it has no boot signature (55 AA)");
    assert_eq!(damage(510, &[0]).1, "it has no boot signature (55 AA)");
    assert_eq!(damage(446 + 4, &[0x05]).1, "it leads to two other tables");
    assert_eq!(damage(462 + 4, &[0x83]).1, "it lists two partitions");
    let long = damage(446 + 12, &u32::MAX.to_le_bytes());
    assert_eq!(long, (10240, "its partition reaches beyond the extended partition"));
    assert_eq!(damage(478 + 12, &[1]).1, "it uses its third or fourth entry");

    // A chain of empty records, each leading to the next sector.
    let image = Image::with_sfdisk(32 * MIB, LOGICAL);
    let mut bytes = [0; 512];
    bytes[510..].copy_from_slice(&[0x55, 0xaa]);
    bytes[462 + 4] = 0x05;
    bytes[462 + 12] = 1;
    for step in 0..1000u32 {
        bytes[462 + 8..][..4].copy_from_slice(&(step + 1).to_le_bytes());
        image.write(record + u64::from(step) * 512, &bytes);
    }
    let error = image.table().unwrap_err();
    let long = "the chain is longer than 256 tables";
    assert!(matches!(error, Error::Extended { reason, .. } if reason == long), "{error}");
}
