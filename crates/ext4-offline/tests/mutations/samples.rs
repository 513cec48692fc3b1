//! Filesystems of every kind, with all kinds of metadata.

use std::sync::Arc;

use block_io::WriteAt;
use ext4_offline::{
    FileKind,
    inodes::{FilesMut, NewFile, ROOT_INODE},
};

use crate::common::{mount::*, *};

const KINDS: [(&str, u64); 12] = [
    ("-t ext4 -O metadata_csum,64bit,metadata_csum_seed,orphan_file -b 1024 -g 2048 -N 512", 7),
    ("-t ext4 -O ^metadata_csum,^64bit,uninit_bg -b 1024 -g 2048 -N 512", 7),
    ("-t ext4 -O ^metadata_csum,^64bit,^uninit_bg -b 1024 -g 2048 -N 512", 7),
    ("-t ext4 -O metadata_csum,^has_journal -b 1024 -g 2048 -N 512 -E packed_meta_blocks=1", 5),
    ("-t ext4 -O meta_bg,^resize_inode,^has_journal -b 1024 -g 1024 -N 512", 5),
    ("-t ext4 -O sparse_super2,^resize_inode,^flex_bg,^has_journal -b 1024 -g 2048 -N 512", 5),
    ("-t ext4 -O inline_data,ea_inode,large_dir,^has_journal -b 1024 -I 256 -N 512", 5),
    ("-t ext4 -O bigalloc,^has_journal -b 1024 -C 4096 -N 512", 6),
    ("-t ext4 -O ^has_journal -b 4096 -N 512", 8),
    ("-t ext3 -b 1024 -N 512", 7),
    ("-t ext2 -b 1024 -N 512", 5),
    ("-t ext2 -r 0 -b 1024 -N 512", 5),
];

/// Larger blocks, in the thorough mode only.
const LARGE: [(&str, u64); 4] = [
    ("-t ext4 -b 4096 -N 512", 8),
    ("-t ext4 -O metadata_csum,64bit,^has_journal -b 16384 -N 256", 8),
    ("-t ext4 -O metadata_csum,^has_journal -b 65536 -N 128", 12),
    ("-t ext2 -b 65536 -N 128", 12),
];

/// An image of each kind.
pub fn samples() -> Vec<(&'static str, Image)> {
    let large = if thorough() { &LARGE[..] } else { &[] };
    let made = KINDS.iter().chain(large).map(|&(arguments, size)| {
        let image = Image::make(arguments, size * MIB);
        enrich(&image, arguments);
        (arguments, image)
    });
    let mut samples: Vec<_> = made.collect();
    if thorough() {
        samples.push(("busybox mke2fs", of_busybox()));
        let used = ["used by the kernel", "used by the kernel, not unmounted"];
        samples.extend(used.into_iter().zip(of_the_kernel().into_iter().flatten()));
    }
    samples
}

/// A filesystem of another maker.
fn of_busybox() -> Image {
    let dir = scratch();
    let path = dir.path().join("image");
    std::fs::File::create(&path).unwrap().set_len(4 * MIB).unwrap();
    let image = Image { dir, path };
    output_of("busybox", &["mke2fs", "-F", "-b", "1024", image.path()]);
    enrich(&image, "busybox");
    image
}

/// A filesystem whose journal the kernel went through several times, as it was after unmounting
/// and before.
fn of_the_kernel() -> Option<[Image; 2]> {
    if !is_root() {
        return None;
    }
    let image = make("-t ext4 -b 1024 -N 512 -J size=1", 8 * MIB);
    let mounted = mount(&image.path, "noatime")?;
    let bytes = |number: usize| vec![number as u8; 3000 + 100 * (number % 50)];
    for number in 0..400 {
        let directory = mounted.0.join(format!("{}", number % 7));
        std::fs::create_dir_all(&directory).unwrap();
        write_synced(&directory.join(format!("{}", number % 31)), &bytes(number));
        if number % 20 == 19 {
            std::fs::remove_dir_all(&directory).unwrap();
        }
    }
    let dir = scratch();
    let path = dir.path().join("image");
    std::fs::copy(&image.path, &path).unwrap();
    drop(mounted);
    assert_clean(&image.path, &[], "used by the kernel");
    Some([image, Image { dir, path }])
}

/// A hashed directory, deep trees, attributes in every place, links.
fn enrich(image: &Image, arguments: &str) {
    let storage: Arc<dyn WriteAt> = Arc::new(image.open());
    let mut files = FilesMut::open(storage, NOW.into()).unwrap();
    let dir = files.create(ROOT_INODE, b"many", NewFile::Directory, 0o755).unwrap();
    for number in 0..50 {
        let name = format!("{number:03}-{}", "long-name-".repeat(8));
        files.create(dir, name.as_bytes(), NewFile::Symlink(b"short"), 0o777).unwrap();
    }
    let target = [b'x'; 200];
    files.create(ROOT_INODE, b"long-link", NewFile::Symlink(&target), 0o777).unwrap();
    let deep = files.create(ROOT_INODE, b"deep", NewFile::Regular, 0o644).unwrap();
    for block in 0..12 {
        files.write(deep, block * 50_000, b"a piece").unwrap();
    }
    files.link(deep, dir, b"another-name").unwrap();
    // The others lack ext_attr.
    if !arguments.contains("-r 0") && !arguments.contains("busybox") {
        for (entry, size) in files.entries(ROOT_INODE).unwrap().into_iter().zip([20, 300, 600, 3]) {
            if files.stat(entry.inode).unwrap().kind != FileKind::Symlink {
                files.set_xattr(entry.inode, "user.one", &vec![b'a'; size]).unwrap();
                files.set_xattr(entry.inode, "security.two", b"second").unwrap();
            }
        }
    }
    files.finish().unwrap();
    if arguments.contains("ea_inode") {
        let value = image.dir.path().join("value");
        std::fs::write(&value, [b'v'; 3000]).unwrap();
        let request = format!("ea_set -f {} deep user.large", value.display());
        output_of("debugfs", &["-w", "-R", &request, image.path()]);
        // debugfs does not count the value's blocks.
        run("e2fsck", &["-f", "-y", image.path()]);
    }
    assert_clean(&image.path, &[], arguments);
}
