//! Filesystems that are unusual: e2fsck decides what is damage, and everything else works or is
//! refused as not supported.
#![allow(missing_docs)]

mod common;

use std::{fs, sync::Arc};

use block_io::ReadAt;
use common::*;
use ext4_offline::{Editor, Error, Reader, ShrinkPlan, check, grow, inspect};

const OLD: &str = "-t ext4 -b 1024 -O ^metadata_csum,^64bit,uninit_bg";
const MODERN: &str = "-t ext4 -b 1024 -O metadata_csum,64bit";

fn debugfs(image: &Image, request: &str) -> String {
    output_of("debugfs", &["-w", "-R", request, image.path()])
}

fn editor(image: &Image) -> Editor {
    Editor::open(Arc::new(image.open()), NOW.into()).unwrap()
}

/// Overwrites bytes of the superblock of a filesystem without checksums.
fn patch_superblock(image: &Image, at: usize, bytes: &[u8]) {
    let mut all = fs::read(&image.path).unwrap();
    all[1024 + at..1024 + at + bytes.len()].copy_from_slice(bytes);
    fs::write(&image.path, all).unwrap();
}

fn shrink_to_minimum(image: &Image) {
    let storage = Arc::new(image.open());
    let source: Arc<dyn ReadAt> = storage.clone();
    ShrinkPlan::to_minimum(&source, NOW.into()).unwrap().apply(&*storage).unwrap();
    drop((source, storage));
    assert_clean(&image.path, &[], "shrunk");
}

fn with_cause(error: &dyn std::error::Error) -> String {
    format!("{error}: {}", error.source().map(ToString::to_string).unwrap_or_default())
}

/// Makes another filesystem with the same files, which `check` may refuse.
fn make_again(image: &Image, arguments: &str) {
    let tree = image.dir.path().join("tree");
    let mut all: Vec<&str> = arguments.split_whitespace().collect();
    all.extend(["-q", "-F", "-d", tree.to_str().unwrap(), image.path()]);
    output_of("mke2fs", &all);
}

fn unsupported(image: &Image, word: &str) {
    assert_eq!(e2fsck_complaint(&image.path, &[]), None, "{word}");
    let error = check(&image.open()).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    assert!(!error.is_damage() && error.fix().is_none(), "{error}");
    assert!(error.to_string().contains(word), "{error}");
}

/// `tune2fs -I 256` makes such inodes: they have 256 bytes, and use 128.
#[test]
fn attributes_of_inodes_without_extra_fields() {
    for arguments in [OLD, MODERN] {
        let image = Image::make(arguments, 40 * MIB);
        for file in ["file-3", "file-4"] {
            debugfs(&image, &format!("set_inode_field directory-1/{file} extra_isize 0"));
        }
        assert_clean(&image.path, &[], arguments);
        let before = image.contents();
        let mut editor = editor(&image);
        editor.set_xattr("/directory-1/file-3", "user.mark", "small").unwrap();
        editor.set_xattr("/directory-1/file-4", "user.mark", [b'l'; 600]).unwrap();
        let modified = editor.metadata("/directory-1/file-3").unwrap().modified;
        editor.finish().unwrap();
        assert_clean(&image.path, &[], arguments);
        assert_eq!(image.contents(), before);
        for (file, value) in [("file-3", "small"), ("file-4", &"l".repeat(600))] {
            let found = debugfs(&image, &format!("ea_get -V directory-1/{file} user.mark"));
            assert!(found.contains(value), "{arguments}: {file}: {found}");
        }
        let stat = debugfs(&image, "stat directory-1/file-3");
        assert!(stat.contains("Size of extra inode fields: 32"), "{stat}");
        let reader = Reader::open(Arc::new(image.open())).unwrap();
        let metadata = reader.metadata("/directory-1/file-3").unwrap();
        assert_eq!((metadata.modified, metadata.changed), (modified, NOW.into()));
    }
}

#[test]
fn descriptors_of_128_bytes_are_not_supported() {
    let image = Image::make(MODERN, 40 * MIB);
    make_again(&image, "-t ext4 -b 1024 -O 64bit -E desc_size=128");
    unsupported(&image, "s_desc_size is 128");
    assert!(inspect(&image.open()).is_ok());
    assert!(grow(&image.open(), 40 * MIB, NOW.into()).is_err());
}

/// Linux since 6.4 does not open it, and e2fsck clears the flag since 1.47.1.
#[test]
fn files_with_the_flag_of_values_are_not_supported() {
    for (arguments, path, flags) in [
        (MODERN, "directory-1/file-3", "0x280000"),
        (OLD, "directory-1/file-3", "0x280000"),
        (MODERN, "directory-1", "0x280000"),
        ("-t ext4 -b 1024 -O ea_inode", "directory-1", "0x280000"),
        (OLD, "link", "0x200000"),
    ] {
        let image = Image::make(arguments, 40 * MIB);
        debugfs(&image, &format!("set_inode_field {path} flags {flags}"));
        let complaint = e2fsck_complaint(&image.path, &[]).unwrap_or_default();
        assert!(complaint.lines().all(|line| !line.contains("? no")), "{complaint}");
        let error = check(&image.open()).unwrap_err();
        assert!(matches!(error, Error::UnsupportedInode { .. }), "{error:?}");
        let text = format!("{error}; {}", error.fix().unwrap());
        assert!(text.contains("EA_INODE_FL") && text.contains("1.47.1"), "{text}");
        assert!(!error.is_damage(), "{error}");
    }
}

/// Without the feature `huge_file`, the flag does not change the unit of `i_blocks`.
#[test]
fn files_with_the_flag_of_huge_files() {
    let image = Image::make("-t ext4 -b 4096 -O ^huge_file", 40 * MIB);
    for file in ["file-3", "file-4", "file-5"] {
        debugfs(&image, &format!("set_inode_field directory-1/{file} flags 0xc0000"));
    }
    assert_clean(&image.path, &[], "with the flag");
    let mut expected = image.contents();
    let mut editor = editor(&image);
    editor.set_xattr("/directory-1/file-3", "user.mark", [b'l'; 600]).unwrap();
    editor.append("/directory-1/file-4", [7; 50_000]).unwrap();
    editor.remove_file("/directory-1/file-5").unwrap();
    editor.finish().unwrap();
    let file = |name: &str| std::path::PathBuf::from(format!("directory-1/{name}"));
    expected.get_mut(&file("file-4")).unwrap().extend([7; 50_000]);
    expected.remove(&file("file-5")).unwrap();
    assert_clean(&image.path, &[], "edited");
    assert_eq!(image.contents(), expected);
    shrink_to_minimum(&image);
    assert_eq!(image.contents(), expected);
}

/// Linux reads zeros behind what is in the inode, and e2fsck does not compare the two.
#[test]
fn files_that_are_larger_than_what_is_in_their_inode() {
    let image = Image::make("-t ext4 -b 1024 -O inline_data", 40 * MIB);
    let files = ["read", "append", "middle", "cut", "cut-inside", "larger", "replaced"];
    let mut whole = b"inside".to_vec();
    fs::write(image.dir.path().join("inside"), &whole).unwrap();
    whole.resize(70_000, 0);
    for file in files {
        let source = image.dir.path().join("inside");
        debugfs(&image, &format!("write {} {file}", source.display()));
        debugfs(&image, &format!("set_inode_field {file} size 70000"));
    }
    assert_clean(&image.path, &[], "with larger files");
    check(&image.open()).unwrap();
    let mut editor = editor(&image);
    editor.append("/append", "end").unwrap();
    editor.write("/replaced", "new").unwrap();
    let inode = |file: &str| editor.metadata(format!("/{file}")).unwrap().inode;
    let [middle, cut, inside, larger] = ["middle", "cut", "cut-inside", "larger"].map(inode);
    let inodes = editor.inodes_mut();
    inodes.write(middle, 30_000, b"middle").unwrap();
    inodes.resize(cut, 5000).unwrap();
    inodes.resize(inside, 3).unwrap();
    inodes.resize(larger, 100_000).unwrap();
    editor.finish().unwrap();
    assert_clean(&image.path, &[], "edited");

    let with = |at: usize, bytes: &[u8]| {
        let mut contents = whole.clone();
        contents.resize(contents.len().max(at + bytes.len()), 0);
        contents[at..at + bytes.len()].copy_from_slice(bytes);
        contents
    };
    let expected = [
        ("read", whole.clone()),
        ("append", with(70_000, b"end")),
        ("middle", with(30_000, b"middle")),
        ("cut", whole[..5000].to_vec()),
        ("cut-inside", b"ins".to_vec()),
        ("larger", with(100_000, b"")),
        ("replaced", b"new".to_vec()),
    ];
    let same = |step: &str| {
        let reader = Reader::open(Arc::new(image.open())).unwrap();
        for (file, contents) in &expected {
            let read = reader.read(format!("/{file}")).unwrap();
            assert!(read == *contents, "{step}: {file}: {} bytes", read.len());
        }
    };
    same("edited");
    shrink_to_minimum(&image);
    same("shrunk");
}

#[test]
fn filesystems_of_the_hurd_are_not_supported() {
    let image = Image::make("-t ext2", 40 * MIB);
    patch_superblock(&image, 0x48, &[1]);
    unsupported(&image, "s_creator_os is 1");
}

/// Kernels since 6.12 do not mount it; e2fsck does not look.
#[test]
fn unknown_hash_functions_are_not_blamed_on_directories() {
    let image = Image::make(OLD, 40 * MIB);
    patch_superblock(&image, 0xfc, &[6]);
    unsupported(&image, "s_def_hash_version is 6");
    let opened = Editor::open(Arc::new(image.open()), NOW.into());
    assert!(matches!(opened, Err(Error::Unsupported { .. })), "{opened:?}");
    let reader = Reader::open(Arc::new(image.open())).unwrap();
    assert_eq!(reader.read_dir("/directory-3").unwrap().len(), 6);
}

/// mke2fs leaves backups of the superblock where they have to be, bad blocks or not.
#[test]
fn bad_blocks_in_backups_are_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("bad");
    // Groups of 8192 blocks: superblocks, a descriptor block, and blocks for files.
    fs::write(&list, "8193\n8194\n12000\n12001\n24577\n30000\n").unwrap();
    for arguments in [OLD, MODERN] {
        let image = Image::make(arguments, 40 * MIB);
        make_again(&image, &format!("{arguments} -l {}", list.display()));
        let warnings = |step: &str| {
            let text = output_of("e2fsck", &["-fn", image.path()]);
            assert_eq!(text.matches("Warning: Group").count(), 3, "{arguments}, {step}: {text}");
            assert!(!text.contains("? no"), "{arguments}, {step}: {text}");
            check(&image.open()).unwrap_or_else(|error| panic!("{arguments}, {step}: {error}"));
        };
        warnings("made");
        let bad = output_of("dumpe2fs", &["-b", image.path()]);
        assert!(bad.contains("8193") && bad.contains("30000"), "{bad}");
        image.set_len(100 * MIB);
        grow(&image.open(), 100 * MIB, NOW.into()).unwrap();
        let mut editor = editor(&image);
        editor.write("/directory-2/new", vec![7; 3_000_000]).unwrap();
        editor.finish().unwrap();
        warnings("grown and edited");
    }
}

/// Old kernels wrote times before 1970 so. e2fsck asks, but the files are fine.
#[test]
fn times_after_2310_are_noted() {
    let image = Image::make(MODERN, 40 * MIB);
    let path = "directory-1/file-3";
    debugfs(&image, &format!("set_inode_field {path} mtime 0xfffffff0"));
    debugfs(&image, &format!("set_inode_field {path} mtime_extra 3"));
    let complaint = e2fsck_complaint(&image.path, &[]).expect("a question about times");
    assert!(complaint.contains("beyond 2310"), "{complaint}");
    let report = check(&image.open()).unwrap();
    let stat = debugfs(&image, &format!("stat {path}"));
    assert_eq!(report.late_times, 1);
    assert!(stat.contains(&format!("Inode: {} ", report.first_late_time)), "{stat}");
    image.set_len(80 * MIB);
    grow(&image.open(), 80 * MIB, NOW.into()).unwrap();
    let mut editor = editor(&image);
    editor.write(format!("/{path}"), "new").unwrap();
    editor.finish().unwrap();
    assert_clean(&image.path, &[], "with a new time");
}

/// `tune2fs -j` gives the journal of a mounted filesystem a name.
#[test]
fn the_journal_cannot_be_changed_by_its_name() {
    let image = Image::make("-t ext2 -b 1024", 40 * MIB);
    let journal = image.dir.path().join("journal");
    let with_journal = image.copy("with-journal");
    output_of("tune2fs", &["-j", with_journal.to_str().unwrap()]);
    let dump = format!("dump <8> {}", journal.display());
    output_of("debugfs", &["-R", &dump, with_journal.to_str().unwrap()]);
    let mut files = editor(&image);
    files.write("/.journal", fs::read(&journal).unwrap()).unwrap();
    files.finish().unwrap();
    let stat = debugfs(&image, "stat .journal");
    let number = stat.split_whitespace().nth(1).unwrap();
    debugfs(&image, &format!("set_super_value journal_inum {number}"));
    debugfs(&image, "feature has_journal");
    assert_clean(&image.path, &[], "with /.journal");

    let mut editor = editor(&image);
    let path = "/.journal";
    let refused = [
        editor.write(path, "x"),
        editor.append(path, "x"),
        editor.remove_file(path),
        editor.rename(path, "/other"),
        editor.rename("/sparse", path),
        editor.hard_link(path, "/other"),
        editor.set_permissions(path, 0o600),
        editor.set_xattr(path, "user.a", "x"),
    ];
    for result in refused {
        let error = with_cause(&result.unwrap_err());
        assert!(error.contains("the journal"), "{error}");
    }
    editor.write("/directory-1/file-3", "new").unwrap();
    editor.finish().unwrap();
    assert_clean(&image.path, &[], "after edits");
}

/// As chmod(1): with a mask, the permissions of the group are its.
#[test]
fn permissions_change_the_access_control_list() {
    for arguments in [OLD, "-t ext4 -b 1024 -I 128"] {
        let image = Image::make(arguments, 40 * MIB);
        let list = |owner: u8, mask: u8, others: u8| -> Vec<u8> {
            let user = [2, 0, 7, 0, 0xe8, 3, 0, 0];
            let parts: [&[u8]; 6] = [
                &[1, 0, 0, 0],
                &[1, 0, owner, 0],
                &user,
                &[4, 0, 5, 0],
                &[16, 0, mask, 0],
                &[32, 0, others, 0],
            ];
            parts.concat()
        };
        let (path, name) = ("/directory-1/file-3", "system.posix_acl_access");
        let mut editor = editor(&image);
        editor.set_xattr(path, name, list(6, 7, 4)).unwrap();
        editor.set_permissions(path, 0o751).unwrap();
        editor.finish().unwrap();
        assert_clean(&image.path, &[], arguments);
        let reader = Reader::open(Arc::new(image.open())).unwrap();
        assert_eq!(reader.metadata(path).unwrap().mode, 0o751);
        assert_eq!(reader.xattrs(path).unwrap(), [(name.to_owned(), list(7, 5, 1))]);
    }
}
