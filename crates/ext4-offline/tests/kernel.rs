//! Grown filesystems, mounted by the kernel. This needs root; without it the tests print a message
//! and check nothing.
#![allow(missing_docs)]

mod common;

use common::{mount::*, *};
use ext4_offline::{grow, grow_lazily};

#[test]
fn the_kernel_mounts_it_and_uses_the_new_blocks() {
    if !is_root() {
        return;
    }
    let cases = [
        ("-t ext4 -O ^metadata_csum,^64bit,uninit_bg -b 1024", 200 * MIB),
        ("-t ext4 -O metadata_csum,64bit,orphan_file -b 4096", 400 * MIB),
        ("-t ext4 -O ^metadata_csum,^64bit,^uninit_bg -b 1024", 200 * MIB),
        ("-t ext4 -O bigalloc,^metadata_csum,^64bit -b 1024 -C 4096", 400 * MIB),
        ("-t ext4 -O bigalloc,metadata_csum,64bit -b 4096 -C 65536 -g 2048", 600 * MIB),
        ("-t ext4 -O bigalloc,metadata_csum,^resize_inode -b 1024 -C 2048 -g 512", 700 * MIB),
        ("-t ext4 -O sparse_super2,^resize_inode -b 4096 -g 1024", 400 * MIB),
        ("-t ext4 -O stable_inodes -b 1024", 200 * MIB),
        // This one gets meta_bg.
        ("-t ext4 -O metadata_csum,64bit,^resize_inode -b 1024", 700 * MIB),
        ("-t ext4 -O ^metadata_csum,^64bit -b 1024 -E resize=300000", 700 * MIB),
    ];
    for ((arguments, to), lazily) in cases.iter().flat_map(|case| [(case, false), (case, true)]) {
        let image = Image::make(arguments, 24 * MIB);
        let before = image.contents();
        if lazily {
            image.extend_with_garbage(*to);
            grow_lazily(&image.open(), *to, NOW.into()).unwrap();
        } else {
            image.set_len(*to);
            grow(&image.open(), *to, NOW.into()).unwrap();
        }

        let mounted = try_mount(&image.path, "rw").unwrap();
        let point = &mounted.0;
        // More than fitted before, in many directories and therefore groups.
        for number in 0..64 {
            let directory = point.join(format!("new-{number}"));
            std::fs::create_dir(&directory).unwrap();
            std::fs::write(directory.join("file"), vec![number; MIB as usize]).unwrap();
        }
        output_of("sync", &["-f", point.to_str().unwrap()]);
        for number in 0..64 {
            std::fs::remove_dir_all(point.join(format!("new-{number}"))).unwrap();
        }
        drop(mounted);
        assert_clean(&image.path, &[], arguments);
        assert_eq!(image.contents(), before, "{arguments}");
    }
}
