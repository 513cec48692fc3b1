//! Files in ext4 filesystems of many kinds, read and edited, judged by e2fsck
//! and debugfs.

mod common;

use std::{fs, sync::Arc};

use block_io::{FileStorage, Layer, ReadAt};
use card_image::{FileKind, FsError, RootFsEditor};
use cluster_profile::{Attributes, Change, ExtraFileKind, FileEdit, Purpose};
use common::*;
use ext4_offline::{FileTimes, PathErrorKind, Timestamp};

fn every_kind(test: impl Fn(&Sample)) {
    let ext3 = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,sparse_super,large_file";
    let inline = format!("{MODERN},inline_data");
    for (features, block_size) in [
        (LEGACY, "4096"),
        (LEGACY, "1024"),
        (LEGACY, "2048"),
        (MODERN, "4096"),
        (MODERN, "1024"),
        (ext3, "4096"),
        (inline.as_str(), "4096"),
    ] {
        test(&Sample::new(features, block_size));
    }
}

#[test]
fn edits_leave_every_kind_of_filesystem_clean() {
    every_kind(|sample| {
        let mut files = sample.open();
        files.editor().write("/etc/hostname", b"new-name\n").unwrap();
        assert!(files.create("/etc/new/deep/file", 0o600).unwrap());
        files.editor().write("/etc/new/deep/file", vec![7; 20_000]).unwrap();
        files.editor().append("/etc/new/deep/file", b"more").unwrap();
        assert!(files.create_dir("/var/lib/thing", 0o700).unwrap());
        assert!(!files.create_dir("/var/lib/thing", 0o755).unwrap());
        files.replace_with_symlink("/etc/link", "new/deep/file").unwrap();
        files.editor().chown("/etc/new/deep/file", 1000, 70_000).unwrap();
        files.editor().set_permissions("/etc/new/deep/file", 0o4755).unwrap();
        let times = FileTimes::new().set_modified(1_234_567_890.into());
        files.editor().set_times("/etc/new/deep/file", times).unwrap();
        assert!(files.remove("/etc/many").unwrap());
        assert!(!files.remove("/etc/many").unwrap());
        files.close().unwrap();
        sample.check();

        assert_eq!(sample.debugfs("cat /etc/hostname").lines().next(), Some("new-name"));
        let stat = sample.debugfs("stat /etc/new/deep/file");
        for part in ["Mode:  04755", "User:  1000", "Group: 70000"] {
            assert!(stat.contains(part), "{part}: {stat}");
        }
        assert!(sample.debugfs("stat /etc/link").contains("new/deep/file"));
        assert!(sample.debugfs("stat /etc/many").contains("File not found"));
    });
}

#[test]
fn an_existing_file_keeps_owner_mode_and_attributes() {
    every_kind(|sample| {
        let mut files = sample.open();
        files
            .apply(&[FileEdit {
                path: "/etc/hostname".to_owned(),
                change: Change::Write {
                    contents: b"x".to_vec(),
                    attributes: Attributes::root(0o644),
                },
                purpose: Purpose::HostName,
            }])
            .unwrap();
        let metadata = files.metadata("/etc/hostname").unwrap().unwrap();
        assert_eq!((metadata.mode, metadata.uid, metadata.size), (0o640, 7, 1));
        assert_eq!(metadata.modified, Timestamp::saturating(NOW));
        let xattrs = files.reader().xattrs("/etc/hostname").unwrap();
        let mark = ("user.mark".to_owned(), b"kept".to_vec());
        assert!(xattrs.contains(&mark), "{xattrs:?}");
        files.close().unwrap();
        sample.check();
    });
}

#[test]
fn enforced_attributes_win_over_existing_ones() {
    let sample = Sample::new(LEGACY, "4096");
    let mut files = sample.open();
    let attributes = Attributes::exactly(0o600, 1000, 1000);
    let change = Change::Write { contents: b"old-name\n".to_vec(), attributes };
    let purpose = Purpose::HostName;
    files.apply(&[FileEdit { path: "/etc/hostname".to_owned(), change, purpose }]).unwrap();
    let metadata = files.metadata("/etc/hostname").unwrap().unwrap();
    assert_eq!((metadata.mode, metadata.uid, metadata.gid), (0o600, 1000, 1000));
}

fn write(path: &str, contents: &[u8], attributes: Attributes) -> FileEdit {
    let change = Change::Write { contents: contents.to_vec(), attributes };
    FileEdit { path: path.to_owned(), change, purpose: Purpose::HostName }
}

#[test]
fn an_edit_of_one_name_leaves_the_other_names_of_the_file_alone() {
    every_kind(|sample| {
        let mut files = sample.open();
        files.editor().hard_link("/etc/hostname", "/etc/passwd").unwrap();
        files.editor().hard_link("/etc/large", "/etc/stamp").unwrap();
        let before = files.metadata("/etc/passwd").unwrap().unwrap();
        let large = files.metadata("/etc/large").unwrap().unwrap();

        // Nothing would change, so both names stay.
        let same = write("/etc/hostname", b"old-name\n", Attributes::root(0o644));
        files.apply(&[same]).unwrap();
        assert_eq!(files.metadata("/etc/hostname").unwrap().unwrap().links, 2);

        // These symlinks lead to one of the names.
        for path in ["/absolute", "/etc/outside"] {
            let edit = write(path, path.as_bytes(), Attributes::root(0o644));
            files.apply(&[edit]).unwrap();
            assert_eq!(files.metadata(path).unwrap().unwrap().kind, FileKind::Symlink);
        }
        let touch = Change::Touch { mtime: 77, attributes: Attributes::exactly(0o600, 3, 4) };
        let purpose = Purpose::HostName;
        files.apply(&[FileEdit { path: "/etc/stamp".to_owned(), change: touch, purpose }]).unwrap();

        let other = files.metadata("/etc/passwd").unwrap().unwrap();
        assert_eq!(files.read("/etc/passwd", 100).unwrap().unwrap(), b"old-name\n");
        assert_eq!(
            (other.inode, other.links, other.uid, other.mode, other.modified),
            (before.inode, 1, 7, 0o640, before.modified)
        );
        let new = files.metadata("/etc/hostname").unwrap().unwrap();
        assert_eq!(files.read("/etc/hostname", 100).unwrap().unwrap(), b"/etc/outside");
        assert_eq!((new.links, new.uid, new.mode), (1, 7, 0o640));
        let xattrs = files.reader().xattrs("/etc/hostname").unwrap();
        assert!(xattrs.contains(&("user.mark".to_owned(), b"kept".to_vec())), "{xattrs:?}");

        let stamp = files.metadata("/etc/stamp").unwrap().unwrap();
        assert_eq!((stamp.uid, stamp.gid, stamp.mode, stamp.links), (3, 4, 0o600, 1));
        assert_eq!(stamp.modified, Timestamp::saturating(77));
        assert!(files.read("/etc/stamp", 1 << 20).unwrap().unwrap() == vec![b'x'; 300_000]);
        let after = files.metadata("/etc/large").unwrap().unwrap();
        assert_eq!(
            (after.uid, after.mode, after.modified),
            (large.uid, large.mode, large.modified)
        );
        files.close().unwrap();
        sample.check();
    });
}

#[test]
fn files_of_two_users_that_share_an_inode_become_two_and_stay_so() {
    let sample = Sample::new(MODERN, "4096");
    let mut files = sample.open();
    let edits = [("/root/keys", 0), ("/home/odroid/keys", 1000)]
        .map(|(path, id)| write(path, b"ssh-ed25519 AAAA\n", Attributes::exactly(0o600, id, id)));
    files.apply(&edits[..1]).unwrap();
    files.create_dir("/home/odroid", 0o755).unwrap();
    files.editor().hard_link("/root/keys", "/home/odroid/keys").unwrap();
    files.apply(&edits).unwrap();
    let owners = |files: &RootFsEditor| {
        ["/root/keys", "/home/odroid/keys"].map(|path| {
            assert_eq!(files.read(path, 100).unwrap().unwrap(), b"ssh-ed25519 AAAA\n");
            let found = files.metadata(path).unwrap().unwrap();
            (found.inode, found.links, found.uid, found.gid)
        })
    };
    let first = owners(&files);
    assert_eq!(first.map(|(_, links, uid, gid)| (links, uid, gid)), [(1, 0, 0), (1, 1000, 1000)]);
    files.apply(&edits).unwrap();
    assert_eq!(owners(&files), first);
    files.close().unwrap();
    sample.check();
}

#[test]
fn symlinks_stay_inside_the_image() {
    let sample = Sample::new(LEGACY, "4096");
    let mut files = sample.open();
    for path in ["/absolute", "/etc/outside", "/../../etc/hostname", "/etc/./../etc//hostname"] {
        assert_eq!(files.read(path, 100).unwrap().unwrap(), b"old-name\n", "{path}");
    }
    assert!(files.read("/loop-a", 100).unwrap_err().is_symlink_loop());
    assert_eq!(files.read("/dangling", 100).unwrap(), None);
    assert_eq!(files.read("/etc/hostname/below", 100).unwrap(), None);
    // Writing through a dangling symlink makes what it points at.
    assert!(files.create("/dangling", 0o644).unwrap());
    assert_eq!(files.metadata("/nowhere/file").unwrap().unwrap().kind, FileKind::Regular);
    assert_eq!(files.metadata("/dangling").unwrap().unwrap().kind, FileKind::Symlink);
    files.close().unwrap();
    sample.check();
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let sample = Sample::new(LEGACY, "4096");
    let mut files = sample.open();
    let kind = |error: FsError| match error {
        FsError::Path(error) => error.kind,
        error => panic!("{error}"),
    };
    let large = kind(files.read("/etc/large", 1000).unwrap_err());
    assert!(matches!(large, PathErrorKind::TooLarge { size: 300_000, limit: 1000 }), "{large}");
    let is_wrong_kind = |error: FsError| matches!(kind(error), PathErrorKind::WrongKind { .. });
    assert!(is_wrong_kind(files.editor().write("/etc", b"").unwrap_err().into()));
    let missing = files.editor().write("/none/file", b"").unwrap_err();
    assert!(missing.is_not_found(), "{missing}");
    assert!(is_wrong_kind(files.create_dir("/etc/hostname", 0o755).unwrap_err()));
    assert!(is_wrong_kind(files.replace_with_symlink("/etc", "x").unwrap_err()));
    assert!(files.remove("/").is_err());
    assert!(files.create("/etc/big", 0o644).unwrap());
    let error = files.editor().write("/etc/big", vec![1; 64 << 20]).unwrap_err();
    assert!(matches!(error.kind, PathErrorKind::Full { .. }), "{error}");
    files.close().unwrap();
    sample.check();
}

#[test]
fn large_files_are_written_whole() {
    let sample = Sample::new(MODERN, "4096");
    let contents: Vec<u8> = (0..20_000_000u32).map(|i| (i / 4096 + i) as u8).collect();
    let mut files = sample.open();
    files.create("/large", 0o644).unwrap();
    files.editor().write("/large", &contents).unwrap();
    assert!(files.read("/large", 1 << 30).unwrap().unwrap() == contents);
    files.close().unwrap();
    sample.check();
}

#[test]
fn a_layer_takes_the_edits_and_the_journal_stays_out_of_it() {
    let sample = Sample::new(LEGACY, "4096");
    let before = fs::read(&sample.image).unwrap();
    let base = Arc::new(FileStorage::open(&sample.image).unwrap());
    let layer = Arc::new(Layer::new(base.clone(), base.size()));
    let mut files = RootFsEditor::open(layer.clone(), NOW).unwrap();
    files.editor().write("/etc/hostname", b"new-name\n").unwrap();
    files.close().unwrap();
    let changed = layer.changed().total();
    assert!(changed <= 64 << 10, "one small file changed {changed} bytes");
    assert!(fs::read(&sample.image).unwrap() == before);
}

/// An image whose directories are symlinks to others must not have those emptied
/// or given away.
#[test]
fn symlinks_in_place_of_directories_lead_to_no_harm() {
    let sample = Sample::new(LEGACY, "4096");
    let mut files = sample.open();
    files.replace_with_symlink("/swarm", "/etc").unwrap();
    let purpose = || Purpose::ExtraFile(ExtraFileKind::Plain);
    let edit = |change| [FileEdit { path: "/swarm".to_owned(), change, purpose: purpose() }];
    files.apply(&edit(Change::Clear)).unwrap();
    assert!(files.metadata("/etc/hostname").unwrap().is_some());
    let attributes = Attributes::exactly(0o700, 1000, 1000);
    let error = files.apply(&edit(Change::Directory { attributes })).unwrap_err();
    assert!(matches!(error, FsError::NotOwnDirectory { .. }), "{error}");
    assert_eq!(files.metadata("/etc").unwrap().unwrap().uid, 0);
    files.close().unwrap();
    sample.check();
}
