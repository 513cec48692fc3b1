//! Filesystems that are refused, before the first write and with a reason.
#![allow(missing_docs)]

mod common;

use block_io::{FileStorage, Memory, ReadAt};
use common::*;
use ext4_offline::{FEATURES, FeatureSet, grow, inspect, used_extents};

/// Checks that growing fails with all of `words` in the error and its fix, and does not change the
/// image.
fn refused(image: &Image, target: u64, words: &[&str]) {
    image.set_len(image.open().size().max(100 * MIB));
    let before = std::fs::read(&image.path).unwrap();
    let error = grow(&image.open(), target, NOW.into()).unwrap_err();
    let error = format!("{error}; fix: {}", error.fix().unwrap_or_default());
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
    assert!(std::fs::read(&image.path).unwrap() == before, "written before: {error}");
}

/// Changes the superblock with debugfs, which updates the checksum.
fn debugfs(image: &Image, request: &str) {
    output_of("debugfs", &["-w", "-R", request, image.path()]);
}

#[test]
fn unsupported_features_are_named() {
    let image = Image::make("-t ext4 -O mmp", 40 * MIB);
    refused(&image, 100 * MIB, &["mmp", "cannot grow"]);
    let image = Image::make("-t ext4", 40 * MIB);
    debugfs(&image, "feature FEATURE_I20");
    refused(&image, 100 * MIB, &["FEATURE_I20", "unknown"]);
    let error = used_extents(&image.open()).unwrap_err().to_string();
    assert!(error.contains("FEATURE_I20"), "{error}");
}

#[test]
fn unsupported_states_are_named() {
    for (request, words) in [
        ("feature needs_recovery", ["needs_recovery", "e2fsck"]),
        ("feature orphan_present", ["orphan", "e2fsck"]),
        ("ssv last_orphan 20", ["inode 20", "e2fsck"]),
        ("ssv state 2", ["errors", "e2fsck"]),
        ("ssv state 0", ["not unmounted cleanly", "e2fsck"]),
    ] {
        let image = Image::make("-t ext4", 40 * MIB);
        debugfs(&image, request);
        refused(&image, 100 * MIB, &words);
    }
}

#[test]
fn impossible_sizes_are_refused() {
    let image = Image::make("-t ext4", 40 * MIB);
    refused(&image, 39 * MIB, &["shrink", "41.9 MB", "40.9 MB"]);
    refused(&image, 101 * MIB, &["105.9 MB", "104.9 MB", "partition"]);
    image.set_len(30 * MIB);
    let error = grow(&image.open(), 30 * MIB, NOW.into()).unwrap_err().to_string();
    assert!(error.contains("cut short"), "{error}");
}

#[test]
fn other_contents_are_not_ext4() {
    let dir = tempfile::tempdir().unwrap();
    for (name, size) in [("empty", 0), ("short", 1500), ("zeros", 4 * MIB)] {
        let path = dir.path().join(name);
        std::fs::File::create(&path).unwrap().set_len(size).unwrap();
        let storage = FileStorage::open_writable(&path).unwrap();
        let error = inspect(&storage).unwrap_err().to_string();
        assert!(error.contains("not an ext2, ext3 or ext4"), "{error}");
        assert!(grow(&storage, size, NOW.into()).is_err());
    }
}

/// Damages every byte of the superblock and of a descriptor.
#[test]
fn damage_to_bytes_with_a_checksum_is_found() {
    let image = Image::make("-t ext4 -O metadata_csum,64bit -b 1024 -g 2048", 8 * MIB);
    image.set_len(16 * MIB);
    let mut bytes = std::fs::read(&image.path).unwrap();
    for at in 1024..2048 + 64 {
        bytes[at] ^= 0x40;
        let storage = Memory::new(bytes.clone());
        assert!(grow(&storage, 16 * MIB, NOW.into()).is_err(), "byte {at}");
        assert!(storage.into_bytes() == bytes, "byte {at}");
        bytes[at] ^= 0x40;
    }
    grow(&image.open(), 16 * MIB, NOW.into()).unwrap();
    assert_clean(&image.path, &[], "with all bytes put back");
}

#[test]
fn every_feature_has_one_name_and_one_bit() {
    for (index, feature) in FEATURES.iter().enumerate() {
        assert!(feature.bit.is_power_of_two());
        assert!(FEATURES[..index].iter().all(|other| {
            other.name != feature.name && (other.set, other.bit) != (feature.set, feature.bit)
        }));
    }
    assert!(FEATURES.iter().any(|f| f.set == FeatureSet::RoCompat && f.name == "bigalloc"));
}
