//! Filesystems that were copied while the kernel had them mounted. Needs root
//! and loop devices; says so where they are missing, and checks nothing then.

mod common;

use std::{fs, io::Write as _, process::Command, sync::Arc};

use block_io::{FileStorage, Layer, ReadAt};
use card_image::RootFsEditor;
use common::*;

#[test]
fn a_dirty_journal_is_replayed() {
    for (features, block_size) in [(LEGACY, "4096"), (LEGACY, "1024"), (MODERN, "4096")] {
        let sample = Sample::new(features, block_size);
        let directory = tempfile::tempdir().unwrap();
        let point = directory.path().join("mounted");
        fs::create_dir(&point).unwrap();
        let mounted = Command::new("mount")
            .args(["-o", "loop,commit=60", sample.path(), point.to_str().unwrap()])
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            test_support::not_judged("no dirty journal was made: that needs root and loop devices");
            return;
        }
        // What is synced is in the journal, and not yet where it belongs.
        let mut kept = Vec::new();
        for number in 0..40 {
            let contents = format!("number {number}\n").repeat(number + 1);
            let name = format!("etc/new-{number}");
            let mut file = fs::File::create(point.join(&name)).unwrap();
            file.write_all(contents.as_bytes()).unwrap();
            file.sync_all().unwrap();
            if number % 3 == 0 {
                fs::remove_file(point.join(&name)).unwrap();
            } else {
                kept.push((name, contents));
            }
        }
        fs::File::open(point.join("etc")).unwrap().sync_all().unwrap();
        let copy = directory.path().join("copy");
        let copied = Command::new("cp").args([sample.path(), copy.to_str().unwrap()]).status();
        let unmounted = Command::new("umount").arg(&point).status();
        assert!(copied.unwrap().success() && unmounted.unwrap().success());

        let (_, features) = judge("dumpe2fs", &["-h", copy.to_str().unwrap()]);
        assert!(features.contains("needs_recovery"), "{features}");
        let base: Arc<dyn ReadAt> = Arc::new(FileStorage::open(&copy).unwrap());
        let before = fs::read(&copy).unwrap();
        let layer = Arc::new(Layer::new(base.clone(), base.size()));
        let mut files = RootFsEditor::open(layer.clone(), NOW).unwrap();
        for (name, contents) in &kept {
            let found = files.read(&format!("/{name}"), 1 << 20).unwrap().unwrap();
            assert!(found == contents.as_bytes(), "{name}");
        }
        assert!(files.metadata("/etc/new-0").unwrap().is_none());
        files.editor().write("/etc/hostname", b"new-name\n").unwrap();
        files.close().unwrap();
        ext4_offline::check(&layer).unwrap();
        assert!(fs::read(&copy).unwrap() == before, "the copy itself changed");

        fs::write(&sample.image, layer.read_vec(0, layer.size() as usize).unwrap()).unwrap();
        sample.check();
    }
}
