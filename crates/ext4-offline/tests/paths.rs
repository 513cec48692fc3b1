//! Files by path: the methods of `std::fs`, judged by e2fsck and debugfs.
#![allow(missing_docs)]

mod common;

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    sync::Arc,
};

use block_io::{FileStorage, Memory, ReadAt};
use common::*;
use ext4_offline::{
    Editor, FileKind, FileTimes, PathErrorKind, PathResult, Reader, Timestamp, inodes::NewFile,
};

const KINDS: [&str; 4] = [
    "-t ext4 -O metadata_csum,64bit,orphan_file -b 4096",
    "-t ext4 -O inline_data,metadata_csum -b 1024 -I 256",
    "-t ext3 -b 1024",
    "-t ext2 -b 2048",
];

fn editor(image: &Image) -> Editor {
    Editor::open(Arc::new(image.open()), NOW.into()).unwrap()
}

fn kind<T>(result: PathResult<T>) -> PathErrorKind {
    match result {
        Ok(_) => panic!("it succeeded"),
        Err(error) => error.kind,
    }
}

#[test]
fn every_method_leaves_a_clean_filesystem() {
    for options in KINDS {
        let image = Image::make(options, 24 * MIB);
        let mut files = editor(&image);
        files.create_dir("/new").unwrap();
        files.create_dir_all("new/a/b").unwrap();
        files.create_dir_all("/new/a/b").unwrap();
        files.write("/new/a/b/file", "contents").unwrap();
        files.append("/new/a/b/file", [b'+'; 5000]).unwrap();
        files.write("/new/short", vec![7; 100_000]).unwrap();
        files.write("/new/short", "short").unwrap();
        files.symlink("a/b/file", "/new/link").unwrap();
        files.hard_link("/new/a/b/file", "/new/second").unwrap();
        files.rename("/new/short", "/renamed").unwrap();
        files.rename("/new/a", "/directory-1/moved").unwrap();
        files.set_permissions("/renamed", 0o4751).unwrap();
        files.chown("/renamed", 1000, 70_000).unwrap();
        let times = FileTimes::new().set_accessed(7.into()).set_modified(1_234_567_890.into());
        files.set_times("/renamed", times).unwrap();
        files.set_xattr("/renamed", "user.mark", "value").unwrap();
        files.set_xattr("/renamed", "user.gone", "value").unwrap();
        assert!(files.remove_xattr("/renamed", "user.gone").unwrap());
        assert!(!files.remove_xattr("/renamed", "user.gone").unwrap());
        files.remove_file("/link").unwrap();
        files.remove_dir_all("/directory-2").unwrap();
        files.remove_dir_contents("/directory-3").unwrap();
        files.remove_dir("/directory-3").unwrap();
        let free = (files.free_blocks(), files.free_inodes());
        files.finish().unwrap();
        assert_clean(&image.path, &[], options);

        let stat = output_of("debugfs", &["-R", "stat /renamed", image.path()]);
        for part in ["Mode:  04751", "User:  1000", "Group: 70000"] {
            assert!(stat.contains(part), "{options}, {part}: {stat}");
        }
        let files = Reader::open(Arc::new(image.open())).unwrap();
        assert_eq!((files.free_blocks(), files.free_inodes()), free, "{options}");
        let metadata = files.metadata("/renamed").unwrap();
        assert_eq!((metadata.size, metadata.links, metadata.mode), (5, 1, 0o4751));
        assert_eq!((metadata.accessed, metadata.modified), (7.into(), 1_234_567_890.into()));
        assert_eq!(metadata.changed, Timestamp::from(NOW));
        assert_eq!(files.xattrs("/renamed").unwrap(), [("user.mark".into(), b"value".into())]);
        let moved = files.metadata("/directory-1/moved/b/file").unwrap();
        assert_eq!((moved.links, moved.inode), (2, files.metadata("/new/second").unwrap().inode));
        assert_eq!(files.read("/new/second").unwrap()[..9], *b"contents+");
        assert_eq!(files.read_link("/new/link").unwrap(), b"a/b/file");
        assert!(!files.exists("/new/link").unwrap(), "{options}: its target was moved");
        assert_eq!(files.symlink_metadata("/new/link").unwrap().kind, FileKind::Symlink);
        assert!(!files.exists("/directory-2").unwrap() && !files.exists("/directory-3").unwrap());
        let mut names: Vec<_> =
            files.read_dir("/new").unwrap().into_iter().map(|entry| entry.name).collect();
        names.sort();
        assert_eq!(names, [&b"link"[..], b"second"]);
    }
}

#[test]
fn errors_name_the_operation_the_path_and_the_reason() {
    let image = Image::make(KINDS[0], 24 * MIB);
    let mut files = editor(&image);
    let file = "/directory-1/file-3";
    let error = files.read("/directory-1/none").unwrap_err();
    assert_eq!(error.to_string(), "cannot read /directory-1/none");
    assert_eq!(error.kind.to_string(), "there is no such file or directory");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), error.kind.to_string());

    assert!(matches!(kind(files.read("/directory-1")), PathErrorKind::WrongKind { .. }));
    assert!(matches!(kind(files.read_dir(file)), PathErrorKind::WrongKind { .. }));
    assert!(matches!(kind(files.read_link(file)), PathErrorKind::WrongKind { .. }));
    let below = kind(files.read(format!("{file}/below")));
    assert!(matches!(&below, PathErrorKind::NotADirectory { path } if path == file), "{below}");
    assert!(matches!(kind(files.read_up_to(file, 9)), PathErrorKind::TooLarge { limit: 9, .. }));
    assert!(matches!(kind(files.write("/none/file", "")), PathErrorKind::NotFound));
    assert!(matches!(kind(files.append("/none", "")), PathErrorKind::NotFound));
    assert!(matches!(kind(files.create_dir("/directory-1")), PathErrorKind::AlreadyExists));
    assert!(matches!(kind(files.symlink("x", "/link")), PathErrorKind::AlreadyExists));
    assert!(matches!(kind(files.hard_link(file, "/link")), PathErrorKind::AlreadyExists));
    assert!(matches!(kind(files.remove_dir("/directory-1")), PathErrorKind::NotEmpty));
    assert!(matches!(kind(files.remove_file("/directory-1")), PathErrorKind::WrongKind { .. }));
    assert!(matches!(kind(files.remove_dir_all("/link")), PathErrorKind::WrongKind { .. }));
    assert!(matches!(kind(files.remove_dir_all("/")), PathErrorKind::RootDirectory));
    assert!(matches!(kind(files.rename("/", "/x")), PathErrorKind::RootDirectory));
    let inside = kind(files.rename("/directory-1", "/directory-1/x"));
    assert!(matches!(inside, PathErrorKind::BelowItself), "{inside}");
    let full = files.write("/large", vec![1; 64 << 20]).unwrap_err();
    assert!(matches!(full.kind, PathErrorKind::Full { .. }), "{full}");
    files.finish().unwrap();
    assert_clean(&image.path, &[], "after refused operations");
}

#[test]
fn symlinks_never_lead_out_of_the_filesystem() {
    let image = Image::make(KINDS[0], 24 * MIB);
    let mut files = editor(&image);
    files.symlink("/directory-4/../directory-5", "/absolute").unwrap();
    files.symlink("../../../../directory-5/file-1", "/directory-4/outside").unwrap();
    files.symlink("loop-b", "/loop-a").unwrap();
    files.symlink("loop-a", "/loop-b").unwrap();
    let expected = files.read("/directory-5/file-1").unwrap();
    for path in ["absolute/file-1", "/directory-4/outside", "/../../absolute/./file-1"] {
        assert_eq!(files.read(path).unwrap(), expected, "{path}");
    }
    assert!(matches!(kind(files.read("/loop-a")), PathErrorKind::SymlinkLoop));
    assert!(matches!(kind(files.exists("/loop-a")), PathErrorKind::SymlinkLoop));

    // Creating through a dangling symlink creates its target, as on Linux.
    files.symlink("created/by/symlink", "/dangling").unwrap();
    assert!(matches!(kind(files.write("/dangling", "x")), PathErrorKind::NotFound));
    assert!(files.ensure("/dangling", NewFile::Regular, 0o600).unwrap());
    assert!(!files.ensure("/dangling", NewFile::Regular, 0o644).unwrap());
    assert_eq!(files.symlink_metadata("/created/by/symlink").unwrap().mode, 0o600);
    files.finish().unwrap();
    assert_clean(&image.path, &[], "with symlinks of all kinds");
}

#[test]
fn an_open_file_reads_and_seeks_like_one_of_std() {
    let image = Image::make(KINDS[0], 24 * MIB);
    let files = Reader::open(Arc::new(image.open())).unwrap();
    let whole = files.read("/sparse").unwrap();
    assert_eq!(whole.len() as u64, 300 * KIB + 3);
    let mut file = files.open_file("/sparse").unwrap();
    let mut read = Vec::new();
    file.read_to_end(&mut read).unwrap();
    assert!(read == whole);
    assert_eq!(file.seek(SeekFrom::End(-3)).unwrap(), 300 * KIB);
    read.clear();
    file.read_to_end(&mut read).unwrap();
    assert_eq!(read, b"end");
    assert!(file.seek(SeekFrom::Current(-1 << 40)).is_err());
    let mut buffer = [9; 10];
    assert_eq!(file.read_at(1 << 40, &mut buffer).unwrap(), 0);
    assert_eq!(file.read_at(300 * KIB + 1, &mut buffer).unwrap(), 2);
}

/// debugfs writes a journal that was not replayed.
#[test]
fn reading_replays_the_journal_in_memory_only() {
    let image = Image::make("-t ext4 -O metadata_csum -b 1024 -J size=4", 24 * MIB);
    let image = journal_with_transaction(image);
    let before = fs::read(&image.path).unwrap();
    let storage = Arc::new(Memory::new(before.clone()));
    assert!(ext4_offline::inspect(&storage).unwrap().needs_recovery);
    let files = Reader::open(storage.clone()).unwrap();
    assert!(files.exists("/directory-1/file-3").unwrap());
    drop(files);
    let after = storage.read_vec(0, before.len()).unwrap();
    assert!(after == before, "reading changed the storage");
    // A storage that cannot be written at all is enough.
    Reader::open(Arc::new(FileStorage::open(&image.path).unwrap())).unwrap();
}

/// Has debugfs write a transaction to the journal.
fn journal_with_transaction(image: Image) -> Image {
    let block = image.dir.path().join("block");
    fs::write(&block, [0; 1024]).unwrap();
    let script = image.dir.path().join("script");
    let free = output_of("debugfs", &["-R", "ffb 1", image.path()]);
    let number: u64 = free
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .find(|&number| number > 100)
        .unwrap_or_else(|| panic!("no free block: {free}"));
    fs::write(&script, format!("jo\njw -b {number} {}\njc\n", block.display())).unwrap();
    output_of("debugfs", &["-w", "-f", script.to_str().unwrap(), image.path()]);
    image
}
