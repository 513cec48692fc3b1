//! Reading a whole tree, compared with ext4-view, and creating files in one directory.
//!
//! `cargo bench -p ext4-offline --bench files [-- FILE [BYTE]]`: FILE holds an
//! ext4 filesystem from BYTE on, such as a decoded base image with its root
//! partition; without it, mke2fs makes one. Times are medians, with the file in
//! the page cache.
#![allow(missing_docs)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use block_io::{FileStorage, Layer, ReadAt, Window, WriteAt};
use common::*;
use ext4_offline::{
    FileKind, Reader,
    inodes::{Files, FilesMut, NewFile, ROOT_INODE},
};
use ext4_view::{Ext4, Ext4Read};

const RUNS: usize = 7;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let made = Image::make("-t ext4 -b 4096 -N 120000", GIB);
    let path = arguments.next().map_or_else(|| made.path.clone(), PathBuf::from);
    let start = arguments.next().map_or(0, |byte| byte.parse().expect("BYTE is a number"));

    let ours = median(|| read_with_files(&path, start));
    let by_path = median(|| read_with_reader(&path, start));
    let theirs = median(|| read_with_ext4_view(&path, start));
    assert_eq!(ours.1, theirs.1, "both read the same files and bytes");
    assert_eq!(ours.1, by_path.1, "both read the same files and bytes");
    let Read { files, bytes } = ours.1;
    println!("reading {files} files, {bytes} bytes, of {}", path.display());
    println!("  ext4-offline, by inode {:8.1} ms", ours.0);
    println!("  ext4-offline, by path  {:8.1} ms", by_path.0);
    println!("  ext4-view              {:8.1} ms   ratio {:.2}", theirs.0, ours.0 / theirs.0);

    for count in [1_000, 10_000, 100_000] {
        let (milliseconds, ()) = median(|| create(&made.path, count));
        let each = milliseconds * 1000.0 / f64::from(count);
        println!(
            "making {count:6} files in one directory: {milliseconds:8.1} ms, {each:.2} µs each"
        );
    }
}

/// The middle of several times, in milliseconds, and the last result.
fn median<T>(mut run: impl FnMut() -> T) -> (f64, T) {
    let mut times = Vec::new();
    loop {
        let begun = Instant::now();
        let result = run();
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        if times.len() == RUNS {
            times.sort_by(f64::total_cmp);
            return (times[RUNS / 2], result);
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    files: u64,
    bytes: u64,
}

fn window(path: &Path, start: u64) -> Arc<dyn ReadAt> {
    let storage = FileStorage::open(path).unwrap();
    let size = storage.size() - start;
    let window = Arc::new(Window::new(storage, start, size).unwrap());
    Arc::new(Layer::new(window, size))
}

fn read_with_files(path: &Path, start: u64) -> Read {
    let files = Files::open(window(path, start)).unwrap();
    let mut read = Read::default();
    let mut directories = vec![ROOT_INODE];
    while let Some(directory) = directories.pop() {
        for entry in files.entries(directory).unwrap() {
            let metadata = files.stat(entry.inode).unwrap();
            match metadata.kind {
                FileKind::Directory => directories.push(entry.inode),
                FileKind::Regular => {
                    let mut contents = vec![0; metadata.size as usize];
                    files.read(entry.inode, 0, &mut contents).unwrap();
                    read.bytes += contents.len() as u64;
                }
                FileKind::Symlink => {
                    read.bytes += files.read_link(entry.inode).unwrap().len() as u64;
                }
                FileKind::Special => {}
            }
            read.files += 1;
        }
    }
    read
}

fn read_with_reader(path: &Path, start: u64) -> Read {
    let files = Reader::open(window(path, start)).unwrap();
    let mut read = Read::default();
    let mut directories = vec![Vec::new()];
    while let Some(directory) = directories.pop() {
        for entry in files.read_dir(&directory).unwrap() {
            let path = [&directory[..], &entry.name].join(&b'/');
            match files.symlink_metadata(&path).unwrap().kind {
                FileKind::Directory => directories.push(path),
                FileKind::Regular => read.bytes += files.read(&path).unwrap().len() as u64,
                FileKind::Symlink => read.bytes += files.read_link(&path).unwrap().len() as u64,
                FileKind::Special => {}
            }
            read.files += 1;
        }
    }
    read
}

struct At {
    file: File,
    start: u64,
}

impl Ext4Read for At {
    fn read(
        &mut self,
        start_byte: u64,
        dst: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        Ok(self.file.read_exact_at(dst, self.start + start_byte)?)
    }
}

fn read_with_ext4_view(path: &Path, start: u64) -> Read {
    let fs = Ext4::load(Box::new(At { file: File::open(path).unwrap(), start })).unwrap();
    let mut read = Read::default();
    let mut directories = vec![ext4_view::PathBuf::new("/")];
    while let Some(directory) = directories.pop() {
        for entry in fs.read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            if matches!(entry.file_name().as_ref(), b"." | b"..") {
                continue;
            }
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                directories.push(entry.path());
            } else if kind.is_regular_file() {
                read.bytes += fs.read(&entry.path()).unwrap().len() as u64;
            } else if kind.is_symlink() {
                read.bytes += fs.read_link(&entry.path()).unwrap().as_ref().len() as u64;
            }
            read.files += 1;
        }
    }
    read
}

fn create(image: &Path, count: u32) {
    let base = FileStorage::open(image).unwrap();
    let size = base.size();
    let layer: Arc<dyn WriteAt> = Arc::new(Layer::new(Arc::new(base), size));
    let mut files = FilesMut::open(layer, NOW.into()).unwrap();
    let dir = files.create(ROOT_INODE, b"many", NewFile::Directory, 0o755).unwrap();
    for number in 0..count {
        let name = format!("file-{number:06}");
        files.create(dir, name.as_bytes(), NewFile::Regular, 0o644).unwrap();
    }
    files.finish().unwrap();
}
