//! Orphans in the superblock's list and in the orphan file: removed or truncated, as by e2fsck and
//! the kernel.
#![allow(missing_docs)]

mod common;

use std::{fs, os::unix::fs::FileExt, path::Path, sync::Arc};

use block_io::{FileStorage, Layer, ReadAt, WriteAt};
use common::{journal::raw_crc32c, mount::*, *};
use ext4_offline::{Error, inspect, recover};

const SETS: [&str; 5] = [
    "-t ext4 -O ^metadata_csum,^64bit,uninit_bg -b 1024",
    "-t ext4 -O metadata_csum,64bit,metadata_csum_seed,^orphan_file -b 4096",
    "-t ext4 -O metadata_csum,64bit,metadata_csum_seed,orphan_file -b 1024",
    "-t ext4 -O metadata_csum,orphan_file,inline_data -b 4096",
    "-t ext3 -b 1024",
];

/// Recovers a copy of an image, and returns its path.
fn recovered(image: &Path) -> Result<std::path::PathBuf, Error> {
    let copy = image.with_extension("ours");
    fs::copy(image, &copy).unwrap();
    let storage: Arc<dyn WriteAt> = Arc::new(FileStorage::open_writable(&copy).unwrap());
    recover(&storage, NOW.into()).map(|_| copy)
}

/// Runs a script of debugfs on an image.
fn debugfs(image: &Path, requests: &[String]) -> String {
    let commands = image.with_extension("commands");
    fs::write(&commands, requests.join("\n")).unwrap();
    let arguments = ["-w", "-f", commands.to_str().unwrap(), image.to_str().unwrap()];
    output_of("debugfs", &arguments)
}

fn inode_of(image: &Path, path: &str) -> u32 {
    let text = debugfs(image, &[format!("stat {path}")]);
    let number = text.split_once("Inode: ").unwrap().1;
    number.split_whitespace().next().unwrap().parse().unwrap()
}

/// Turns some files into orphans: the first two lose their names, the third is truncated from
/// 70,000 to 1500 bytes. Returns their inodes.
fn make_orphans(image: &Path) -> [u32; 3] {
    let paths =
        ["/directory-1/file-5", "/directory-2/file-4", "/directory-3/file-5"].map(str::to_owned);
    let inodes = paths.each_ref().map(|path| inode_of(image, path));
    let mut requests = Vec::new();
    for (path, inode) in paths.iter().zip(inodes).take(2) {
        requests.push(format!("unlink {path}"));
        requests.push(format!("set_inode_field <{inode}> links_count 0"));
    }
    requests.push(format!("set_inode_field <{}> size 1500", inodes[2]));
    debugfs(image, &requests);
    inodes
}

/// Writes the superblock's list, which leads from one inode to the next.
fn put_in_list(image: &Path, inodes: &[u32]) {
    let mut requests = vec![format!("set_super_value last_orphan {}", inodes[0])];
    for (index, inode) in inodes.iter().enumerate() {
        if inodes[..index].contains(inode) {
            // This closes a loop.
            break;
        }
        let next = inodes.get(index + 1).copied().unwrap_or(0);
        requests.push(format!("set_inode_field <{inode}> dtime @{next:#x}"));
    }
    debugfs(image, &requests);
}

/// Puts inodes into the first block of the orphan file, and sets the mark.
fn put_in_file(image: &Path, inodes: &[u32]) {
    let text = output_of("dumpe2fs", &["-h", image.to_str().unwrap()]);
    let line = text.lines().find(|line| line.starts_with("Orphan file inode:")).unwrap();
    let file: u32 = line.split_whitespace().last().unwrap().parse().unwrap();
    let text = debugfs(image, &[format!("bmap <{file}> 0"), "feature FEATURE_R16".to_owned()]);
    let is_number = |line: &&str| !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit());
    let block: u64 = text.lines().find(is_number).unwrap().parse().unwrap();
    let block_size = u64::from(geometry(image).block_size);
    let disk = fs::OpenOptions::new().read(true).write(true).open(image).unwrap();
    let mut bytes = vec![0; block_size as usize];
    disk.read_exact_at(&mut bytes, block * block_size).unwrap();
    for (slot, inode) in bytes.chunks_exact_mut(4).zip(inodes) {
        slot.copy_from_slice(&inode.to_le_bytes());
    }
    let text = debugfs(image, &[format!("stat <{file}>")]);
    let generation = text.split_once("Generation: ").unwrap().1.split_whitespace().next().unwrap();
    let mut superblock = [0; 1024];
    disk.read_exact_at(&mut superblock, 1024).unwrap();
    // s_checksum_seed where metadata_csum_seed says so, else of the UUID.
    let has_seed = superblock[0x61] & 0x20 != 0;
    let mut crc = if has_seed {
        u32::from_le_bytes(superblock[0x270..0x274].try_into().unwrap())
    } else {
        raw_crc32c(!0, &superblock[0x68..0x78])
    };
    let entries = bytes.len() - 8;
    for part in [
        &file.to_le_bytes()[..],
        &generation.parse::<u32>().unwrap().to_le_bytes(),
        &block.to_le_bytes(),
        &bytes[..entries],
    ] {
        crc = raw_crc32c(crc, part);
    }
    bytes[entries + 4..].copy_from_slice(&crc.to_le_bytes());
    disk.write_all_at(&bytes, block * block_size).unwrap();
}

/// Compares the results of this crate and of e2fsck: the same files, and the same free counts.
fn assert_as_e2fsck(image: &Path, context: &str) {
    let theirs = image.with_extension("theirs");
    fs::copy(image, &theirs).unwrap();
    let output = run("e2fsck", &["-p", theirs.to_str().unwrap()]);
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{context}: e2fsck -p: {output:?}");
    let ours = recovered(image).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_clean(&ours, &[], context);
    let info = inspect(&FileStorage::open(&ours).unwrap()).unwrap();
    assert!(!info.orphans && info.clean, "{context}");
    assert_eq!(contents(&ours), contents(&theirs), "{context}");
    assert_eq!(all_counts(&ours), all_counts(&theirs), "{context}");
}

#[test]
fn orphans_are_released_as_by_e2fsck() {
    for arguments in SETS {
        let image = Image::make(arguments, 24 * MIB);
        let inodes = make_orphans(&image.path);
        if arguments.contains(",orphan_file") {
            put_in_file(&image.path, &inodes)
        } else {
            put_in_list(&image.path, &inodes)
        }
        assert!(inspect(&image.open()).unwrap().orphans, "{arguments}");
        let before = all_counts(&image.path);
        assert_as_e2fsck(&image.path, arguments);
        let after = all_counts(&image.path.with_extension("ours"));
        assert!(after.1 > before.1 && after.2 == before.2 + 2, "{arguments}: {before:?} {after:?}");
    }
}

#[test]
fn damaged_lists_are_refused_before_the_first_write() {
    let image = Image::make(SETS[0], 24 * MIB);
    let inodes = make_orphans(&image.path);
    let [first, second, _] = inodes;
    let free = 700;
    for list in [vec![first, second, first], vec![first, free], vec![2], vec![first, 8]] {
        let copy = image.copy("copy");
        put_in_list(&copy, &list);
        let base = Arc::new(FileStorage::open(&copy).unwrap());
        let layer = Arc::new(Layer::new(base.clone(), base.size()));
        let storage: Arc<dyn WriteAt> = layer.clone();
        let error = recover(&storage, NOW.into()).unwrap_err();
        let named = matches!(error, Error::Orphan { .. } | Error::InodeNumber { .. });
        assert!(named, "{list:?}: {error}");
        assert!(layer.changed().is_empty(), "{list:?}");
    }
}

/// Files that are deleted while they are open, and a copy of the image as after a power failure.
#[test]
fn orphans_of_the_kernel_are_released_as_by_the_kernel() {
    if !is_root() {
        return;
    }
    for arguments in SETS {
        let image = make(arguments, 24 * MIB);
        let Some(mounted) = mount(&image.path, "rw") else { return };
        let point = mounted.0.clone();
        let open: Vec<_> = (0..6)
            .map(|number| {
                let path = point.join(format!("open-{number}"));
                write_synced(&path, &vec![number; 3000 + 40_000 * usize::from(number)]);
                let file = fs::File::open(&path).unwrap();
                fs::remove_file(&path).unwrap();
                file
            })
            .collect();
        fs::File::open(&point).unwrap().sync_all().unwrap();
        output_of("sync", &["-f", point.to_str().unwrap()]);
        let copy = image.dir.path().join("copy");
        fs::copy(&image.path, &copy).unwrap();
        drop(open);
        drop(mounted);

        let state = inspect(&FileStorage::open(&copy).unwrap()).unwrap();
        assert!(state.needs_recovery, "{arguments}");
        assert_as_e2fsck(&copy, arguments);
        let kernels = image.dir.path().join("kernels");
        fs::copy(&copy, &kernels).unwrap();
        drop(mount(&kernels, "rw"));
        let ours = copy.with_extension("ours");
        assert_eq!(contents(&ours), contents(&kernels), "{arguments}");
        assert_eq!(all_counts(&ours), all_counts(&kernels), "{arguments}");
    }
}
