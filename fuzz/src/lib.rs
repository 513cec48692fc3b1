//! The operations on an ext4 filesystem, step by step, on arbitrary bytes: for cargo-fuzz, and for
//! the tests of ext4-offline, which include this file.

use std::sync::Arc;

use block_io::{Layer, Memory, ReadAt, WriteAt};
use ext4_offline::{
    Error, FileKind, check, grow as grow_to,
    inodes::{Files, FilesMut, NewFile, ROOT_INODE},
    inspect, recount, recover, used_extents,
};

/// 2026-01-01.
const NOW: u32 = 1_767_225_600;
/// The largest number of files and directories that are read.
const MAX_FILES: usize = 400;

fn layer(data: &[u8], size: u64) -> Arc<Layer> {
    let base: Arc<dyn ReadAt> = Arc::new(Memory::new(data.to_vec()));
    Arc::new(Layer::new(base, size))
}

/// The superblock, the used blocks, the counts, and the check.
pub fn open(data: &[u8]) {
    let storage = layer(data, data.len() as u64);
    let _ = inspect(&storage);
    let _ = used_extents(&storage);
    let _ = check(&storage);
    let before = storage.changed().total();
    if recount(&storage).is_err() {
        assert_eq!(storage.changed().total(), before, "recounting was refused, but wrote");
    }
}

/// The journal and the orphans.
pub fn replay(data: &[u8]) {
    let storage = layer(data, data.len() as u64);
    let dynamic: Arc<dyn WriteAt> = storage.clone();
    let _ = recover(&dynamic, NOW.into());
    let _ = check(&storage);
}

/// All names, contents and attributes, checked or not.
pub fn read_all(data: &[u8]) {
    let Ok(files) = Files::open(layer(data, data.len() as u64)) else { return };
    let mut buffer = vec![0; 4096];
    for (_, inode, _) in walk(&files) {
        let _ = files.xattrs(inode);
        let _ = files.read_link(inode);
        let Ok(stat) = files.stat(inode) else { continue };
        let _ = files.read(inode, 0, &mut buffer);
        let _ = files.read(inode, stat.size.saturating_sub(4096), &mut buffer);
    }
}

/// Edits without a check before: only panics, hangs and memory matter.
pub fn edit(data: &[u8]) {
    let storage = layer(data, data.len() as u64);
    let Ok(files) = FilesMut::open(storage, NOW.into()) else { return };
    let _ = edit_files(files);
}

/// Growing without a check before.
pub fn grow(data: &[u8]) {
    let size = data.len() as u64 * 2 + (1 << 20);
    let storage = layer(data, size);
    if grow_to(&storage, size, NOW.into()).is_err() {
        assert_eq!(storage.changed().total(), 0, "growing was refused, but wrote");
    }
}

/// Everything that is done to real filesystems: whatever the check accepts stays consistent.
pub fn whole(data: &[u8]) {
    let base: Arc<dyn ReadAt> = Arc::new(Memory::new(data.to_vec()));
    let Ok(storage) = prepare(base, data.len() as u64 + (1 << 19)) else { return };
    if let Err(error) = check(&storage) {
        panic!("it was accepted, and then damaged: {error}");
    }
    assert!(!recount(&storage).is_ok_and(|changed| changed), "the counts are wrong");
}

/// Runs everything that is done to a filesystem before it is written to a card. If it is refused,
/// returns the step; a refused step has not written anything.
pub fn prepare(base: Arc<dyn ReadAt>, size: u64) -> Result<Arc<Layer>, (&'static str, Error)> {
    let mut top = Arc::new(Layer::new(base, size));
    let mut step = |name, work: &dyn Fn(Arc<dyn WriteAt>) -> Result<(), Error>| {
        let own = Arc::new(Layer::new(top.clone(), size));
        match work(own.clone()) {
            Ok(()) => {
                top = own;
                Ok(top.clone())
            }
            Err(error) => {
                let written = own.changed().total();
                assert_eq!(written, 0, "{name} was refused, but wrote: {error}");
                Err((name, error))
            }
        }
    };
    step("recover", &|storage| recover(&storage, NOW.into()).map(drop))?;
    step("check", &|storage| check(&storage).map(drop))?;
    step("recount", &|storage| recount(&storage).map(drop))?;
    step("grow", &|storage| grow_to(&storage, size, NOW.into()).map(drop))?;
    step("open", &|storage| FilesMut::open(storage, NOW.into()).map(drop))?;
    let edited = step("edit", &|storage| {
        let files = FilesMut::open(storage, NOW.into())?;
        // Each edit may be refused; the others are complete.
        edit_files(files)
    })?;
    step("map", &|storage| used_extents(&storage).map(drop))?;
    Ok(edited)
}

/// All files below the root: the directory, the inode, the name.
fn walk(files: &Files) -> Vec<(u32, u32, Vec<u8>)> {
    let mut found = Vec::new();
    let mut directories = vec![ROOT_INODE];
    while let Some(dir) = directories.pop() {
        for entry in files.entries(dir).unwrap_or_default() {
            if found.len() >= MAX_FILES {
                return found;
            }
            let is_dir = files.stat(entry.inode).is_ok_and(|stat| stat.kind == FileKind::Directory);
            if is_dir && entry.inode != dir {
                directories.push(entry.inode);
            }
            found.push((dir, entry.inode, entry.name));
        }
    }
    found
}

/// Every kind of edit, on existing and on new files.
pub fn edit_files(mut files: FilesMut) -> Result<(), Error> {
    let found = walk(&files);
    let of_kind = |files: &Files, kind, skip: usize| {
        let is = |inode| files.stat(inode).is_ok_and(|stat| stat.kind == kind);
        found.iter().filter(|(_, inode, _)| is(*inode)).nth(skip).cloned()
    };
    let contents: Vec<u8> = (0..9000u32).map(|i| (i % 251) as u8).collect();

    if let Ok(file) = files.create(ROOT_INODE, b"new-file", NewFile::Regular, 0o644) {
        let _ = files.replace(file, &contents);
        let _ = files.write(file, 30_000, b"far behind");
        let _ = files.set_xattr(file, "user.small", b"value");
        let _ = files.set_xattr(file, "user.large", &contents[..700]);
        let _ = files.link(file, ROOT_INODE, b"second-name");
    }
    if let Ok(dir) = files.create(ROOT_INODE, b"new-dir", NewFile::Directory, 0o755) {
        for number in 0..40 {
            let name = format!("a-name-that-takes-some-room-in-its-block-{number:04}");
            let _ = files.create(dir, name.as_bytes(), NewFile::Symlink(b"target"), 0o777);
        }
        let _ = files.rename(ROOT_INODE, b"new-file", dir, b"renamed");
    }
    for skip in [0, 3, 11] {
        if let Some((dir, inode, name)) = of_kind(&files, FileKind::Regular, skip) {
            let _ = files.replace(inode, &contents[..skip * 600]);
            let _ = files.set_xattr(inode, "user.mark", b"changed");
            let _ = files.remove_xattr(inode, "user.large");
            let _ = files.resize(inode, 70_000);
            let _ = files.set_owner(inode, 1000, 70_000);
            let _ = files.rename(dir, &name, ROOT_INODE, b"moved");
        }
        if let Some((dir, _, name)) = of_kind(&files, FileKind::Regular, skip + 1) {
            let _ = files.unlink(dir, &name);
        }
        if let Some((dir, _, name)) = of_kind(&files, FileKind::Symlink, 0) {
            let _ = files.unlink(dir, &name);
        }
        if let Some((dir, inode, name)) = of_kind(&files, FileKind::Directory, skip) {
            remove_all(&mut files, dir, inode, &name, 0);
        }
    }
    files.finish()
}

/// `rm -r`, but not of the directory that e2fsck expects.
fn remove_all(files: &mut FilesMut, dir: u32, inode: u32, name: &[u8], depth: u32) {
    if name == b"lost+found" || depth > 8 {
        return;
    }
    for entry in files.entries(inode).unwrap_or_default().into_iter().take(MAX_FILES) {
        let is_dir = files.stat(entry.inode).is_ok_and(|stat| stat.kind == FileKind::Directory);
        match is_dir {
            true => remove_all(files, inode, entry.inode, &entry.name, depth + 1),
            false => drop(files.unlink(inode, &entry.name)),
        }
    }
    let _ = files.rmdir(dir, name);
}
