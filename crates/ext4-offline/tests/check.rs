//! Damaged bitmaps, and filesystems that are consistent.
#![allow(missing_docs)]

mod common;

use common::*;
use ext4_offline::{check, grow};

#[test]
fn consistent_filesystems_pass() {
    for features in [
        "-t ext2",
        "-t ext2 -r 0",
        "-t ext3",
        "-t ext4 -O ^metadata_csum,^64bit,uninit_bg",
        "-t ext4 -O metadata_csum,64bit,metadata_csum_seed,orphan_file",
        "-t ext4 -O ^metadata_csum,^64bit,^uninit_bg",
        "-t ext4 -O ^resize_inode",
        "-t ext4 -O meta_bg,^resize_inode",
        "-t ext4 -O sparse_super2,^resize_inode",
        "-t ext4 -O ^flex_bg",
        "-t ext4 -O inline_data,large_dir,ea_inode",
        "-t ext4 -O encrypt,casefold,verity",
        "-t ext4 -O quota,project",
        "-t ext4 -O mmp",
        "-t ext4 -O bigalloc -C 16384",
        "-t ext4 -I 128",
        "-t ext4 -G 4 -E packed_meta_blocks=1",
    ] {
        for block_size in [1024, 4096] {
            let arguments = format!("{features} -b {block_size}");
            let image = Image::make(&arguments, 48 * MIB);
            check(&image.open()).unwrap_or_else(|error| panic!("{arguments}: {error}"));
            image.set_len(100 * MIB);
            if grow(&image.open(), 100 * MIB, NOW.into()).is_ok() {
                check(&image.open()).unwrap_or_else(|error| panic!("{arguments}, grown: {error}"));
            }
        }
    }
}

/// Files with mappings of every depth: written in pieces by debugfs, which fragments them, and one
/// with three levels of indirect blocks.
#[test]
fn deep_trees_pass() {
    for arguments in ["-t ext4 -b 1024", "-t ext2 -b 1024"] {
        let image = Image::make(arguments, 160 * MIB);
        let data = image.dir.path().join("data");
        let mut bytes = vec![0u8; 90 << 20];
        // Every other block is a hole, so that each extent has one block.
        for (index, block) in bytes.chunks_mut(1024).enumerate() {
            if index % 2 == 0 || index > 20_000 {
                block.fill(index as u8 | 1);
            }
        }
        std::fs::write(&data, bytes).unwrap();
        let request = format!("write {} deep", data.display());
        output_of("debugfs", &["-w", "-R", &request, image.path()]);
        assert_clean(&image.path, &[], arguments);
        let stat = output_of("debugfs", &["-R", "stat deep", image.path()]);
        assert!(stat.contains("(TIND)") || stat.contains("(ETB1)"), "{stat}");
        check(&image.open()).unwrap_or_else(|error| panic!("{arguments}: {error}"));
    }
}

/// The first block of a file.
fn first_block(image: &Image, path: &str) -> String {
    let blocks = output_of("debugfs", &["-R", &format!("blocks {path}"), image.path()]);
    let last = blocks.lines().find(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    last.unwrap().split_whitespace().next().unwrap().to_owned()
}

fn refused(image: &Image, words: &[&str]) {
    let error = check(&image.open()).unwrap_err();
    let error = format!("{error}; fix: {}", error.fix().unwrap_or_default());
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
}

#[test]
fn errors_name_the_inode_and_the_block() {
    for features in ["^metadata_csum,^64bit,uninit_bg", "metadata_csum,64bit"] {
        let make = || Image::make(&format!("-t ext4 -b 1024 -O {features}"), 40 * MIB);
        let debugfs = |image: &Image, request: &str| {
            output_of("debugfs", &["-w", "-R", request, image.path()]);
        };
        // debugfs keeps all checksums right.
        let image = make();
        let block = first_block(&image, "directory-3/file-5");
        debugfs(&image, &format!("freeb {block}"));
        refused(
            &image,
            &[&format!("block {block}"), "marked as free in the block bitmap", "e2fsck"],
        );

        let image = make();
        debugfs(&image, "freei directory-3/file-5");
        refused(&image, &["marked as free in the inode bitmap"]);

        let image = make();
        let block = first_block(&image, "directory-3/file-4");
        debugfs(&image, &format!("set_inode_field directory-5/file-5 block[5] {block}"));
        refused(&image, &["inode "]);

        let image = make();
        debugfs(&image, "set_inode_field directory-5/file-5 block[5] 0x7fffffff");
        refused(&image, &["not within the filesystem"]);
    }
}
