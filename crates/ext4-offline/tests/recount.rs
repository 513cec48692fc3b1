//! Correcting the counts that are outdated after a replay.
#![allow(missing_docs)]

mod common;

use block_io::{ReadAt, WriteAt};
use common::*;
use ext4_offline::recount;

const SETS: [&str; 3] = [
    "-t ext4 -O ^metadata_csum,^64bit,uninit_bg -b 1024",
    "-t ext4 -O metadata_csum,64bit,orphan_file -b 1024",
    "-t ext2 -b 1024",
];

#[test]
fn a_clean_filesystem_is_not_written() {
    for arguments in SETS {
        let image = Image::make(arguments, 40 * MIB);
        let before = std::fs::read(&image.path).unwrap();
        assert!(!recount(&image.open()).unwrap(), "{arguments}");
        assert!(std::fs::read(&image.path).unwrap() == before, "{arguments}");
    }
}

/// debugfs sets counts to any value, with the right checksums.
#[test]
fn wrong_counts_are_corrected() {
    for arguments in SETS {
        let image = Image::make(arguments, 40 * MIB);
        let right = output_of("dumpe2fs", &[image.path()]);
        let requests = image.dir.path().join("requests");
        let commands = "ssv free_blocks_count 5\nssv free_inodes_count 6\n\
                        set_bg 1 free_blocks_count 7\nset_bg 1 free_inodes_count 8\n\
                        set_bg 1 used_dirs_count 9\nset_bg 1 checksum calc\n";
        std::fs::write(&requests, commands).unwrap();
        output_of("debugfs", &["-w", "-f", requests.to_str().unwrap(), image.path()]);
        let wrong = run("e2fsck", &["-fn", image.path()]);
        assert!(String::from_utf8_lossy(&wrong.stdout).contains("count wrong"), "{arguments}");

        assert!(recount(&image.open()).unwrap(), "{arguments}");
        assert_clean(&image.path, &[], arguments);
        let counts = |text: &str| {
            text.lines().filter(|l| l.contains("ree ")).map(str::to_owned).collect::<Vec<_>>()
        };
        let now = output_of("dumpe2fs", &[image.path()]);
        assert_eq!(counts(&now), counts(&right), "{arguments}");
        assert!(!recount(&image.open()).unwrap(), "{arguments}: once more");
    }
}

#[test]
fn a_damaged_bitmap_is_refused() {
    let image = Image::make("-t ext4 -O metadata_csum -b 1024", 40 * MIB);
    let text = output_of("dumpe2fs", &[image.path()]);
    let block: u64 = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Block bitmap at "))
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap()
        .parse()
        .unwrap();
    let storage = image.open();
    let byte = storage.read_vec(block * KIB + 500, 1).unwrap()[0];
    storage.write_at(block * KIB + 500, &[byte ^ 1]).unwrap();
    let before = std::fs::read(&image.path).unwrap();
    let error = recount(&storage).unwrap_err().to_string();
    assert!(error.contains("block bitmap of block group 0"), "{error}");
    assert!(std::fs::read(&image.path).unwrap() == before);
}
