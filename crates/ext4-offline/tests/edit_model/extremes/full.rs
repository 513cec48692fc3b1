//! Filesystems with no or nearly no room left.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use block_io::{Layer, ReadAt, WriteAt};
use ext4_offline::{
    Error,
    inodes::{Files, FilesMut, NewFile, ROOT_INODE},
    used_extents,
};

use super::{Empty, create};
use crate::common::{MIB, NOW, assert_clean, scratch};

/// The numbers of blocks that are left.
const LEFT: [u64; 8] = [0, 1, 2, 3, 5, 8, 20, 400];

/// The operations that may or may not have room.
const OPERATIONS: [&str; 14] = [
    "create",
    "create in a full directory",
    "link in a full directory",
    "rename into a full directory",
    "mkdir",
    "long symlink",
    "append",
    "fill holes",
    "replace by less, without holes",
    "replace by more",
    "write all over the place",
    "large attribute",
    "attribute beside another",
    "unlink and create",
];

/// The files for the operations.
struct Sample {
    dir: u32,
    holes: u32,
    plain: u32,
    scattered: u32,
}

fn populate(files: &mut FilesMut) -> Sample {
    let dir = files.create(ROOT_INODE, b"dir", NewFile::Directory, 0o755).unwrap();
    let plain = create(files, "plain");
    files.write(plain, 0, &[1; 5000]).unwrap();
    files.set_xattr(plain, "user.a", &[1; 50]).unwrap();
    files.set_xattr(plain, "user.b", &[2; 200]).unwrap();
    // Entries of 64 bytes fill blocks of any size without a rest.
    let size = |files: &Files| files.stat(dir).unwrap().size;
    let first = size(files);
    let mut number = 0;
    while size(files) == first || number < 15 {
        files.link(plain, dir, format!("{number:056}").as_bytes()).unwrap();
        number += 1;
    }
    // The name that made the directory grow leaves room, which more names fill.
    let holes = create(files, "holes");
    for number in 0..12 {
        files.write(holes, number * 16_384, &[number as u8 | 1; 900]).unwrap();
    }
    files.resize(holes, 300_000).unwrap();
    let scattered = create(files, "scattered");
    files.write(scattered, 0, &[3; 600_000]).unwrap();
    Sample { dir, holes, plain, scattered }
}

fn run(operation: &str, files: &mut FilesMut, sample: &Sample) -> Result<(), Error> {
    let Sample { dir, holes, plain, scattered } = *sample;
    let (root, regular) = (ROOT_INODE, NewFile::Regular);
    let long = "a-name-that-is-as-long-as-one-can-be".repeat(7);
    match operation {
        "create" => files.create(root, b"new", regular, 0o644).map(drop),
        "create in a full directory" => {
            for number in 0..40 {
                files.create(dir, format!("{number}{long}").as_bytes(), regular, 0o644)?;
            }
            Ok(())
        }
        "link in a full directory" => {
            for number in 0..40 {
                files.link(plain, dir, format!("{number}{long}").as_bytes())?;
            }
            Ok(())
        }
        "rename into a full directory" => {
            let mut name = b"plain".to_vec();
            let mut from = root;
            for number in 0..40 {
                let new = format!("{number}{long}").into_bytes();
                files.rename(from, &name, dir, &new)?;
                files.link(plain, dir, format!("{number}").as_bytes())?;
                (from, name) = (dir, new);
            }
            Ok(())
        }
        "mkdir" => files.create(root, b"new", NewFile::Directory, 0o755).map(drop),
        "long symlink" => files.create(root, b"new", NewFile::Symlink(&[b'l'; 300]), 0).map(drop),
        "append" => files.write(plain, 5000, &[5; 20_000]),
        "fill holes" => files.write(holes, 1000, &[6; 100_000]),
        // A size that ends within a block with contents.
        "replace by less, without holes" => files.replace(holes, &[7; 11 * 16_384 + 400]),
        "replace by more" => files.replace(plain, &[8; 30_000]),
        "write all over the place" => {
            for number in (0..30).rev() {
                files.write(holes, 400_000 + number * 40_000, b"far away")?;
            }
            files.write(scattered, 599_000, &[9; 40_000])
        }
        "large attribute" => files.set_xattr(scattered, "user.large", &[9; 800]),
        "attribute beside another" => files.set_xattr(plain, "user.c", &[3; 300]),
        "unlink and create" => {
            files.unlink(root, b"scattered")?;
            files.create(root, b"scattered", regular, 0o644).map(drop)
        }
        _ => panic!("{operation}?"),
    }
}

/// Opens the filesystem, each time with another time, which must not be written unless something
/// else is.
fn open(storage: &Arc<Layer>) -> FilesMut {
    static TIME: AtomicU32 = AtomicU32::new(NOW);
    let storage: Arc<dyn WriteAt> = storage.clone();
    FilesMut::open(storage, TIME.fetch_add(1, Ordering::Relaxed).into()).unwrap()
}

fn layer(below: &Arc<dyn ReadAt>) -> Arc<Layer> {
    Arc::new(Layer::new(below.clone(), below.size()))
}

/// Fills a filesystem until `left` blocks are free.
fn fill(files: &mut FilesMut, left: u64, block_size: u64) {
    let fill = create(files, "fill");
    let (mut at, mut length) = (0, 4 * MIB);
    while length >= block_size {
        match files.write(fill, at, &vec![0xf1; length as usize]) {
            Ok(()) => at += length,
            Err(Error::Full { what: "blocks" }) => length /= 2,
            Err(error) => panic!("{error}"),
        }
    }
    // Nodes of the mapping take blocks as well, so this goes block by block.
    while files.free_blocks() < left {
        at -= block_size;
        files.resize(fill, at).unwrap();
    }
}

/// Runs the parts of an operation until the first error.
#[test]
fn no_blocks_left() {
    let sets = [
        ("-t ext4 -b 1024 -J size=1", 1024),
        ("-t ext2 -b 1024", 1024),
        ("-t ext4 -b 1024 -O inline_data -J size=1", 1024),
        ("-t ext4 -b 1024 -C 4096 -O bigalloc -J size=1", 1024),
        ("-t ext4 -b 4096 -O ^has_journal", 4096),
    ];
    let dir = scratch();
    let path = dir.path().join("image");
    let (mut full, mut done) = (0, 0);
    for (arguments, block_size) in sets {
        let image = Empty::make(arguments, 10 * MIB);
        let mut files = image.open();
        let sample = populate(&mut files);
        files.finish().unwrap();
        let base: Arc<dyn ReadAt> = image.storage();
        for left in LEFT {
            let filled = layer(&base);
            let mut files = open(&filled);
            fill(&mut files, left, block_size);
            files.finish().unwrap();
            let filled: Arc<dyn ReadAt> = filled;
            for operation in OPERATIONS {
                let context = format!("{arguments}, {left} blocks left: {operation}");
                let storage = layer(&filled);
                let mut files = open(&storage);
                let free = (files.free_blocks(), files.free_inodes());
                let result = run(operation, &mut files, &sample);
                let several = operation.contains("full directory")
                    || matches!(operation, "write all over the place" | "unlink and create");
                match &result {
                    Ok(()) => done += 1,
                    Err(Error::Full { what: "blocks" }) => {
                        full += 1;
                        if !several {
                            let after = (files.free_blocks(), files.free_inodes());
                            assert_eq!(after, free, "{context}");
                        }
                    }
                    Err(error) => panic!("{context}: {error}"),
                }
                assert!(result.is_ok() || left < 400, "{context}: there was room");
                files.finish().unwrap();
                if result.is_err() && !several {
                    assert_unchanged(&storage, &context);
                    continue;
                }
                fs::write(&path, storage.read_vec(0, storage.size() as usize).unwrap()).unwrap();
                assert_clean(&path, &[], &context);
            }
        }
    }
    assert!(full > 100 && done > 100, "{full} were refused, {done} done");
}

/// Panics if a layer differs from the storage below it in blocks that are not free.
fn assert_unchanged(storage: &Arc<Layer>, context: &str) {
    storage.forget_unchanged().unwrap();
    let used = used_extents(storage).unwrap();
    for changed in storage.changed().iter() {
        let overlap = used.iter().any(|used| used.start < changed.end && changed.start < used.end);
        assert!(!overlap, "{context}: bytes at {} have changed", changed.start);
    }
}

#[test]
fn no_inodes_left() {
    for arguments in ["-t ext4 -b 1024 -N 64 -J size=1", "-t ext2 -b 1024 -N 32 -g 4096"] {
        let image = Empty::make(arguments, 12 * MIB);
        let mut files = image.open();
        let mut number = 0;
        while files.free_inodes() > 0 {
            create(&mut files, &format!("file-{number}"));
            number += 1;
        }
        files.finish().unwrap();
        image.assert_clean(arguments);
        let filled: Arc<dyn ReadAt> = image.storage();
        for new in [NewFile::Regular, NewFile::Directory, NewFile::Symlink(&[b't'; 200])] {
            let storage = layer(&filled);
            let mut files = open(&storage);
            let free = files.free_blocks();
            let result = files.create(ROOT_INODE, b"one-more", new, 0o755);
            assert!(matches!(result, Err(Error::Full { what: "inodes" })), "{result:?}");
            assert_eq!(files.free_blocks(), free);
            files.finish().unwrap();
            assert_unchanged(&storage, arguments);
        }
        let mut files = image.open();
        files.unlink(ROOT_INODE, b"file-1").unwrap();
        files.create(ROOT_INODE, b"dir", NewFile::Directory, 0o755).unwrap();
        files.rename(ROOT_INODE, b"file-2", ROOT_INODE, b"file-3").unwrap();
        create(&mut files, "last");
        assert_eq!(files.free_inodes(), 0);
        files.finish().unwrap();
        image.assert_clean(arguments);
    }
}
