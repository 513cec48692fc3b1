//! Files of several GiB.

use std::{fs::File, os::unix::fs::FileExt, path::Path};

use ext4_offline::Error;

use super::{Empty, create};
use crate::{
    common::mount::{is_root, try_mount},
    common::{GIB, KIB, MIB, thorough},
};

fn pattern(offset: u64, length: usize) -> Vec<u8> {
    (0..length as u64 / 8).flat_map(|i| (offset / 8 + i).to_le_bytes()).collect()
}

/// Panics unless the kernel reads the pattern there.
fn kernel_reads(image: &Path, name: &str, size: u64, places: &[u64], length: usize) {
    if !is_root() {
        return;
    }
    let mounted = try_mount(image, "ro").unwrap();
    let file = File::open(mounted.0.join(name)).unwrap();
    assert_eq!(file.metadata().unwrap().len(), size);
    for place in places {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, *place).unwrap();
        assert!(bytes == pattern(*place, length), "{name} at {place}");
    }
}

#[test]
fn a_file_with_data_beyond_4_gib() {
    for arguments in ["-t ext4 -b 4096", "-t ext4 -b 1024", "-t ext3 -b 4096", "-t ext2 -b 1024"] {
        let image = Empty::make(arguments, GIB);
        let mut files = image.open();
        let large = create(&mut files, "large");
        let places: Vec<u64> = (0..12).map(|number| number * 500 * MIB + 24).rev().collect();
        for place in &places {
            files.write(large, *place, &pattern(*place, 70_000)).unwrap();
        }
        files.finish().unwrap();
        image.assert_clean(arguments);
        let files = image.read();
        let size = files.stat(large).unwrap().size;
        assert_eq!(size, 11 * 500 * MIB + 24 + 70_000);
        for place in &places {
            let mut bytes = vec![0; 70_000];
            files.read(large, *place, &mut bytes).unwrap();
            assert!(bytes == pattern(*place, 70_000), "{arguments}: at {place}");
        }
        kernel_reads(&image.path, "large", size, &places, 70_000);
        let mut files = image.open();
        for size in [4 * GIB + 1, 4 * GIB, 2 * GIB, 24 + 70_000, 0] {
            files.resize(large, size).unwrap();
        }
        files.finish().unwrap();
        image.assert_clean(arguments);
    }
}

/// A file without holes, of some hundred MiB, or 5 GiB in the long tests.
#[test]
fn a_long_file_without_holes() {
    let size = if thorough() { 5 * GIB } else { 160 * MIB };
    let image = Empty::make("-t ext4 -b 4096", size + size / 4 + 64 * MIB);
    let mut files = image.open();
    let long = create(&mut files, "long");
    let piece = 4 * MIB;
    for offset in (0..size).step_by(piece as usize) {
        files.write(long, offset, &pattern(offset, piece as usize)).unwrap();
    }
    files.finish().unwrap();
    image.assert_clean("a long file");
    let places = [0, size / 2, size - piece];
    kernel_reads(&image.path, "long", size, &places, piece as usize);
}

#[test]
fn a_file_too_large_is_refused() {
    let direct_and_indirect = |per_block: u64| 12 + per_block + per_block.pow(2) + per_block.pow(3);
    for (arguments, most) in [
        ("-t ext2 -b 1024 -O ^large_file", 2 * GIB - 1),
        ("-t ext3 -b 1024", direct_and_indirect(256) * KIB),
        ("-t ext3 -b 2048", direct_and_indirect(512) * 2 * KIB),
        ("-t ext4 -b 1024", u64::from(u32::MAX) * KIB),
    ] {
        let image = Empty::make(arguments, 32 * MIB);
        let mut files = image.open();
        let large = create(&mut files, "large");
        files.write(large, 0, b"begin").unwrap();
        let free = files.free_blocks();
        for (offset, bytes) in [(most, b"1".as_slice()), (most - 1, b"12"), (u64::MAX, b"1")] {
            let result = files.write(large, offset, bytes);
            assert!(matches!(result, Err(Error::Limit { .. })), "{arguments}: {result:?}");
        }
        for size in [most + 1, u64::MAX] {
            let result = files.resize(large, size);
            assert!(matches!(result, Err(Error::Limit { .. })), "{arguments}: {result:?}");
        }
        assert_eq!((files.stat(large).unwrap().size, files.free_blocks()), (5, free));
        // The largest size that fits.
        files.write(large, most - 1, b"1").unwrap();
        files.finish().unwrap();
        image.assert_clean(arguments);
        assert_eq!(image.read().stat(large).unwrap().size, most);
    }
}
