//! Filesystems made by mke2fs, and e2fsprogs to judge them.
#![allow(dead_code, missing_docs)]

pub mod anatomy;
pub mod cases;
pub mod drawing;
pub mod journal;
pub mod mount;
pub mod tools;

use std::{
    collections::BTreeMap,
    fs,
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use block_io::{FileStorage, ReadAt, WriteAt};
use tempfile::TempDir;
pub use tools::{e2fsck_complaint, output_of, run};

pub const KIB: u64 = 1 << 10;
pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;
/// 2026-01-01.
pub const NOW: u32 = 1_767_225_600;

/// A filesystem in a file, with some files in it.
pub struct Image {
    pub dir: TempDir,
    pub path: PathBuf,
}

impl Image {
    /// Makes a filesystem of `size` bytes.
    pub fn make(arguments: &str, size: u64) -> Image {
        let dir = TempDir::with_prefix("ext4-offline-").unwrap();
        let tree = dir.path().join("tree");
        populate(&tree);
        let path = dir.path().join("image");
        fs::File::create(&path).unwrap().set_len(size).unwrap();
        let image = Image { dir, path };
        let mut all: Vec<&str> = arguments.split_whitespace().collect();
        all.extend(["-q", "-F", "-d", tree.to_str().unwrap(), image.path()]);
        output_of("mke2fs", &all);
        if arguments.contains("quota") {
            // mke2fs does not account for the files of -d.
            run("e2fsck", &["-f", "-y", image.path()]);
        }
        assert_clean(&image.path, &[], &format!("mke2fs {arguments}, {size} bytes"));
        image
    }

    pub fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// A copy of it beside it.
    pub fn copy(&self, name: &str) -> PathBuf {
        let copy = self.dir.path().join(name);
        output_of("cp", &["--sparse=always", self.path(), copy.to_str().unwrap()]);
        copy
    }

    pub fn set_len(&self, size: u64) {
        fs::OpenOptions::new().write(true).open(&self.path).unwrap().set_len(size).unwrap();
    }

    /// Makes the file larger, with garbage in the new part.
    pub fn extend_with_garbage(&self, size: u64) {
        let mut file = fs::OpenOptions::new().append(true).open(&self.path).unwrap();
        let from = file.seek(SeekFrom::End(0)).unwrap();
        let garbage = vec![0xa5; MIB as usize];
        let mut left = size.saturating_sub(from);
        while left > 0 {
            let part = left.min(MIB) as usize;
            file.write_all(&garbage[..part]).unwrap();
            left -= part as u64;
        }
    }

    pub fn open(&self) -> FileStorage {
        FileStorage::open_writable(&self.path).unwrap()
    }

    /// The contents of all files, by path.
    pub fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        contents(&self.path)
    }
}

/// Files of several sizes, among them some with holes, in many directories.
fn populate(tree: &Path) {
    for directory in 0..12 {
        let directory = tree.join(format!("directory-{directory}"));
        fs::create_dir_all(&directory).unwrap();
        for (number, size) in [0, 1, 59, 1000, 5000, 70_000].into_iter().enumerate() {
            let bytes: Vec<u8> = (0..size).map(|i| (i * (number + 7) % 251) as u8).collect();
            fs::write(directory.join(format!("file-{number}")), bytes).unwrap();
        }
    }
    let mut sparse = fs::File::create(tree.join("sparse")).unwrap();
    sparse.write_all(b"begin").unwrap();
    sparse.seek(SeekFrom::Start(300 * KIB)).unwrap();
    sparse.write_all(b"end").unwrap();
    std::os::unix::fs::symlink("directory-3/file-4", tree.join("link")).unwrap();
}

/// The contents of all files of a filesystem, by path, as debugfs reads them.
pub fn contents(image: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let found = all_files(image);
    assert!(found.len() > 80, "debugfs found only {} files", found.len());
    found
}

/// As [`contents`], but also for filesystems with few files.
pub fn all_files(image: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let dump = scratch();
    let request = format!("rdump / {}", dump.path().display());
    output_of("debugfs", &["-R", &request, image.to_str().unwrap()]);
    let mut found = BTreeMap::new();
    let mut directories = vec![dump.path().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            let bytes = if kind.is_dir() {
                directories.push(path.clone());
                b"a directory".to_vec()
            } else if kind.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else {
                fs::read(&path).unwrap()
            };
            found.insert(path.strip_prefix(dump.path()).unwrap().to_owned(), bytes);
        }
    }
    found
}

/// A temporary directory, in memory if there is enough room.
pub fn scratch() -> TempDir {
    static ROOM: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    let room = *ROOM.get_or_init(|| {
        let output = run("df", &["--output=avail", "-B1", "/dev/shm"]);
        let text = String::from_utf8_lossy(&output.stdout);
        let bytes = text.lines().nth(1).and_then(|line| line.trim().parse::<u64>().ok());
        bytes.is_some_and(|bytes| bytes >= 3 * GIB)
    });
    if room {
        TempDir::with_prefix_in("ext4-offline-", "/dev/shm")
    } else {
        TempDir::with_prefix("ext4-offline-")
    }
    .unwrap()
}

/// Panics unless e2fsck is silent.
pub fn assert_clean(image: &Path, options: &[&str], context: &str) {
    if let Some(text) = e2fsck_complaint(image, options) {
        panic!("{context}: e2fsck {options:?}:\n{text}");
    }
    // `check` must accept what e2fsck accepts.
    if let Err(error) = ext4_offline::check(&FileStorage::open(image).unwrap()) {
        panic!("{context}: clean for e2fsck, but not for check: {error}");
    }
}

/// Panics unless e2fsck is silent when it uses the superblock and the descriptors of a backup. Does
/// nothing if there is no backup.
pub fn assert_clean_from_backup(image: &Path, context: &str) {
    let Some((group, block, size)) = first_backup(image) else { return };
    let options = ["-b", &block.to_string(), "-B", &size.to_string()];
    assert_clean(image, &options, &format!("{context}, backup in group {group}"));
}

fn first_backup(image: &Path) -> Option<(u32, u64, u32)> {
    let geometry = geometry(image);
    let group = *geometry.backup_groups().first()?;
    Some((group, geometry.superblock_block(group), geometry.block_size))
}

pub fn geometry(image: &Path) -> ext4_offline::internals::Geometry {
    let storage = FileStorage::open(image).unwrap();
    ext4_offline::internals::Geometry::of(
        &ext4_offline::internals::Superblock::read(&storage).unwrap(),
    )
    .unwrap()
}

/// The counts that growing decides, as dumpe2fs prints them.
#[derive(Debug, PartialEq, Eq)]
pub struct Counts {
    pub blocks: u64,
    pub inodes: u64,
    pub reserved: u64,
    pub groups: usize,
}

pub fn counts(image: &Path) -> Counts {
    all_counts(image).0
}

/// The counts that growing decides, the free blocks and the free inodes.
pub fn all_counts(image: &Path) -> (Counts, u64, u64) {
    let text = output_of("dumpe2fs", &[image.to_str().unwrap()]);
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].trim().parse().unwrap()
    };
    let counts = Counts {
        blocks: value("Block count:"),
        inodes: value("Inode count:"),
        reserved: value("Reserved block count:"),
        groups: text.lines().filter(|line| line.starts_with("Group ")).count(),
    };
    (counts, value("Free blocks:"), value("Free inodes:"))
}

/// Numbers that look random, the same in every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % limit
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

/// Returns whether the long tests are enabled.
pub fn thorough() -> bool {
    std::env::var_os("NODECARD_THOROUGH").is_some_and(|value| value == "1")
}

/// Writes a card full of garbage, except for the bytes in `used`.
pub fn card_with_garbage(image: &Path, used: &block_io::Extents, card: &Path) {
    let source = FileStorage::open(image).unwrap();
    let mut file = fs::File::create(card).unwrap();
    let garbage = vec![0xa5; MIB as usize];
    for _ in 0..source.size().div_ceil(MIB) {
        file.write_all(&garbage).unwrap();
    }
    file.set_len(source.size()).unwrap();
    for range in used.iter() {
        let mut at = range.start;
        while at < range.end {
            let part = (range.end - at).min(MIB) as usize;
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(&source.read_vec(at, part).unwrap()).unwrap();
            at += part as u64;
        }
    }
}

/// A storage that counts the bytes written to it. As a card it cannot report zeros.
#[derive(Debug)]
pub struct Counting {
    pub storage: FileStorage,
    pub card: bool,
    pub written: std::sync::atomic::AtomicU64,
}

impl Counting {
    pub fn new(storage: FileStorage, card: bool) -> Counting {
        Counting { storage, card, written: 0.into() }
    }

    pub fn written(&self) -> u64 {
        self.written.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl ReadAt for Counting {
    fn size(&self) -> u64 {
        self.storage.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> block_io::Result<()> {
        self.storage.read_at(offset, buf)
    }

    fn next_data(&self, from: u64) -> block_io::Result<Option<std::ops::Range<u64>>> {
        if self.card {
            Ok((from < self.size()).then(|| from..self.size()))
        } else {
            self.storage.next_data(from)
        }
    }
}

impl WriteAt for Counting {
    fn write_at(&self, offset: u64, data: &[u8]) -> block_io::Result<()> {
        self.written.fetch_add(data.len() as u64, std::sync::atomic::Ordering::Relaxed);
        self.storage.write_at(offset, data)
    }

    fn flush(&self) -> block_io::Result<()> {
        self.storage.flush()
    }
}

/// Grows an image to `blocks` blocks with resize2fs. Returns the number of bytes that it wrote, as
/// the kernel counts them, without its output.
pub fn resize2fs_writes(image: &Path, blocks: u64) -> u64 {
    let script = "resize2fs \"$1\" \"$2\" 2>/dev/null || exit 1; cat /proc/$$/io";
    let (path, blocks) = (image.to_str().unwrap(), blocks.to_string());
    let text = output_of("sh", &["-c", script, "sh", path, &blocks]);
    let (said, account) = text.split_at(text.find("rchar:").unwrap());
    let line = account.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap();
    line.parse::<u64>().unwrap() - said.len() as u64
}
