//! Whatever the bytes are, reading ends without a panic, and nothing is written beyond the end.

mod common;

use std::sync::Arc;

use block_io::{Layer, Memory};
use common::{Image, MIB, seal_gpt};
use part_table::{Error, PartitionTable};
use test_support::Random;

/// In each round, flips 1 to 8 bits within `places` of a copy of the bytes, and reads and grows
/// the result. Returns how many tables could still be read and how many could be grown.
fn flip(bytes: &[u8], places: &[std::ops::Range<usize>], seal: bool) -> (u32, u32) {
    let rounds = if std::env::var_os("NODECARD_THOROUGH").is_some() { 50_000 } else { 1_500 };
    let mut random = Random::new(4);
    let (mut read, mut grown) = (0, 0);
    for _ in 0..rounds {
        let mut bytes = bytes.to_vec();
        for _ in 0..=random.below(8) {
            let range = places[random.below(places.len())].clone();
            bytes[range.start + random.below(range.len())] ^= 1 << random.below(8);
        }
        if seal {
            seal_gpt(&mut bytes);
        }
        let memory = Arc::new(Memory::new(bytes));
        let Ok(table) = PartitionTable::read(&memory) else {
            continue;
        };
        read += 1;
        let numbers: Vec<_> = table.partitions().iter().map(|p| p.number).collect();
        for number in numbers {
            assert!(table.partuuid(number).is_some());
            let layer = Layer::new(memory.clone(), 12 * MIB);
            match table.grow(&layer, number, MIB) {
                Ok(done) => {
                    grown += 1;
                    assert_eq!(PartitionTable::read(&layer).unwrap(), done.table);
                }
                Err(error) => {
                    assert!(layer.changed().is_empty(), "{error}");
                    assert!(!matches!(error, Error::NotAsPlanned { .. }), "{error}");
                }
            }
        }
    }
    (read, grown)
}

#[test]
fn flipped_bits_in_an_mbr() {
    let script = "label: dos\nstart=2048, size=2048, type=c\nstart=4096, type=f\n\
        start=6144, size=2048, type=82\nstart=10240, size=2048, type=83\n";
    let image = Image::with_sfdisk(8 * MIB, script);
    let bytes = image.read(0, 8 * MIB);
    let tables = [440..512, 4096 * 512 + 446..4096 * 512 + 512, 8192 * 512 + 446..8192 * 512 + 512];
    let (read, grown) = flip(&bytes, &tables, false);
    assert!(read > 100 && grown > 50, "{read} read, {grown} grown: too few to say anything");
}

#[test]
fn flipped_bits_in_a_gpt() {
    let image = Image::new(8 * MIB);
    image.sgdisk(&["-n1:2048:4095", "-n2:4096:8191"]);
    let bytes = image.read(0, 8 * MIB);
    let backup = 8 * MIB as usize - 512;
    flip(&bytes, &[446..512, 512..604, 1024..1280, backup..backup + 92], false);
    // Few fields, so that both copies are often still accepted.
    let (read, grown) = flip(&bytes, &[512 + 24..512 + 56, 1024..1280], true);
    assert!(read > 100 && grown > 50, "{read} read, {grown} grown: too few to say anything");
    flip(&bytes, &[512 + 8..604, 1024..1280, 446..512], true);
}

#[test]
fn random_bytes() {
    let mut random = Random::new(5);
    for round in 0..500 {
        let mut bytes = random.bytes(64 * 512);
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        for slot in 0..4 {
            bytes[446 + slot * 16] &= 0x80;
            if round % 2 == 0 {
                // Small numbers, so that more entries are plausible.
                bytes[446 + slot * 16 + 9..][..3].fill(0);
                bytes[446 + slot * 16 + 13..][..3].fill(0);
            }
        }
        let _ = PartitionTable::read(&Memory::new(bytes));
    }
    for size in [0, 1, 511, 512, 513, 1024] {
        let mut bytes = vec![0; size];
        if size >= 512 {
            bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
            bytes[446 + 4] = 0xee;
            bytes[446 + 8] = 1;
            bytes[446 + 12] = 255;
        }
        let error = PartitionTable::read(&Memory::new(bytes)).unwrap_err();
        assert!(!matches!(error, Error::Storage(_)), "{size}: {error}");
        let error = PartitionTable::read(&Memory::new(vec![0; size])).unwrap_err();
        assert!(!matches!(error, Error::Storage(_)), "{size}: {error}");
    }
}

#[test]
fn a_bare_filesystem_has_no_table() {
    let made: [(&str, &str, &[&str]); 5] = [
        ("mkfs.ext4", "e2fsprogs", &["-q"]),
        ("mkfs.vfat", "dosfstools", &["-F12"]),
        ("mkfs.vfat", "dosfstools", &["-F16"]),
        ("mkfs.vfat", "dosfstools", &["-F32"]),
        ("mkswap", "util-linux", &[]),
    ];
    for (program, package, args) in made {
        let image = Image::new(48 * MIB);
        let error = image.table().unwrap_err();
        assert!(matches!(error, Error::Blank) && error.is_blank());
        image.run(package, program, args);
        let error = image.table().unwrap_err();
        assert!(matches!(error, Error::NoTable { .. }) && !error.is_blank(), "{program}: {error}");
    }
}
