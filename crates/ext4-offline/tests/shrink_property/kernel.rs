//! The kernel mounts the result and writes on.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use block_io::{FileStorage, WriteAt};
use ext4_offline::shrink;

use crate::{case::Case, common::*, copy, snapshot};

/// Shrinks to a size with some room, lets the kernel write, and checks the result. Returns what
/// happened.
pub fn write_on(case: &Case, original: &Path, minimum: u64) -> &'static str {
    let context = format!("{}, in the kernel", case.describe());
    let image = case.image.dir.path().join("kernel");
    copy(original, &image);
    let old_sizes = match mount::try_mount(&image, "ro") {
        Ok(mounted) => sectors(&mounted.0),
        // It must be able to read what was there before.
        Err(_) => return "kernel: does not mount the original",
    };
    let blocks = geometry(original).blocks;
    let target = (minimum + blocks.div_ceil(8)).min(blocks) * case.block_size;
    let storage: Arc<dyn WriteAt> = Arc::new(FileStorage::open_writable(&image).unwrap());
    let shrunk = shrink(&storage, target, NOW.into()).unwrap();
    let size = shrunk.blocks * case.block_size;
    fs::OpenOptions::new().write(true).open(&image).unwrap().set_len(size).unwrap();
    let before = snapshot::read(&image);
    {
        let mounted = mount::try_mount(&image, "rw,noatime");
        let mounted = mounted.unwrap_or_else(|text| panic!("{context}: {text}"));
        let root = &mounted.0;
        assert_sparse(&old_sizes, &sectors(root), case.block_size, &context);
        let new = root.join("by-the-kernel");
        // A nearly full filesystem has no room.
        if fs::create_dir(&new).is_ok() {
            for number in 0..30 {
                let bytes = vec![number as u8; 100 * number];
                let _ = fs::write(new.join(format!("file-{number}")), bytes);
            }
            for number in 0..10 {
                let _ = fs::remove_file(new.join(format!("file-{number}")));
            }
            output_of("sync", &["-f", new.to_str().unwrap()]);
        }
    }
    assert_clean(&image, &[], &context);
    let mut after = snapshot::read(&image);
    after.retain(|path, _| !path.starts_with(b"/by-the-kernel"));
    let root = Vec::new();
    // The new name changed the root directory.
    if let (Some(old), Some(new)) = (before.get(&root), after.get_mut(&root)) {
        new.metadata = old.metadata.clone();
    }
    snapshot::assert_same(&before, &after, &context);
    "kernel: mounts it and writes on"
}

/// The sectors of all regular files, by path.
fn sectors(root: &Path) -> BTreeMap<Vec<u8>, u64> {
    use std::os::unix::ffi::OsStrExt;
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                left.push(path);
            } else if metadata.is_file() {
                let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
                found.insert(name, metadata.blocks());
            }
        }
    }
    found
}

/// Files keep their holes: only the blocks of their mappings can become more or fewer.
fn assert_sparse(
    before: &BTreeMap<Vec<u8>, u64>,
    after: &BTreeMap<Vec<u8>, u64>,
    block_size: u64,
    context: &str,
) {
    assert_eq!(before.len(), after.len(), "{context}");
    for (path, &old) in before {
        let new = after.get(path).copied().unwrap_or_default();
        // A node holds at least 84 extents, and clusters have up to 16 blocks.
        let blocks = old * 512 / block_size;
        let nodes = (2 + blocks / 80) * 16 * block_size / 512;
        let shown = String::from_utf8_lossy(path);
        assert!(old.abs_diff(new) <= nodes, "{context}: {shown}: {old} sectors, then {new}");
    }
}
