//! Damaged filesystems: no panic, no hang, and what is refused is not written.
#![allow(missing_docs)]

mod common;

use block_io::{Memory, ReadAt};
use common::*;
use ext4_offline::{grow, inspect, recount, used_extents};

/// Changes bytes where metadata is, most of them in superblock, descriptors
/// and bitmaps.
fn mutate(bytes: &mut [u8], metadata: &[u64], random: &mut Random) {
    for _ in 0..random.below(4) + 1 {
        let at = match random.below(3) {
            0 => 1024 + random.below(0x280) as usize,
            1 => 2048 + random.below(1024) as usize,
            _ => *random.pick(metadata) as usize + random.below(1024) as usize,
        };
        bytes[at] = match random.below(4) {
            0 => 0,
            1 => 0xff,
            2 => bytes[at] ^ (1 << random.below(8)),
            _ => random.below(256) as u8,
        };
    }
}

fn metadata_blocks(image: &Image) -> Vec<u64> {
    let text = output_of("dumpe2fs", &[image.path()]);
    let mut blocks: Vec<u64> = text
        .lines()
        .flat_map(|line| line.split(" at ").skip(1))
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .map(|block: u64| block * KIB)
        .collect();
    blocks.retain(|&at| at + KIB <= 8 * MIB);
    assert!(blocks.len() > 4, "{text}");
    blocks
}

#[test]
fn nothing_panics_and_refusals_write_nothing() {
    let cases = if thorough() { 20_000 } else { 600 };
    let mut random = Random(11);
    for arguments in [
        "-t ext4 -O ^metadata_csum,^64bit,uninit_bg -b 1024 -g 2048",
        "-t ext4 -O ^metadata_csum,^64bit,^uninit_bg -b 1024 -g 2048",
        "-t ext4 -O ^metadata_csum,^64bit,meta_bg,^resize_inode -b 1024 -g 2048",
        "-t ext4 -O bigalloc,^metadata_csum -b 1024 -C 4096",
        "-t ext4 -O metadata_csum,64bit -b 1024 -g 2048",
    ] {
        let image = Image::make(arguments, 8 * MIB);
        let metadata = metadata_blocks(&image);
        let original = std::fs::read(&image.path).unwrap();
        let (mut grown, mut refused) = (0, 0);
        for _ in 0..cases / 5 {
            let mut bytes = original.clone();
            mutate(&mut bytes, &metadata, &mut random);
            let mut larger = bytes.clone();
            larger.resize(14 * MIB as usize, 0xa5);
            let storage = Memory::new(larger.clone());
            let _ = inspect(&storage);
            let _ = used_extents(&storage);
            match grow(&storage, 14 * MIB, NOW) {
                Ok(_) => grown += 1,
                Err(_) => {
                    refused += 1;
                    assert!(storage.read_vec(0, larger.len()).unwrap() == larger);
                }
            }
            let storage = Memory::new(bytes.clone());
            if recount(&storage).is_err() {
                assert!(storage.read_vec(0, bytes.len()).unwrap() == bytes);
            }
        }
        assert!(refused > 0, "{arguments}: {grown} grown, {refused} refused");
    }
}
