//! Storages that break at any moment of growing and editing: the error comes
//! through, and the base is what it was.

mod common;

use std::{fs, sync::Arc};

use block_io::{FaultInjector, FileStorage, Layer, ReadAt, WriteAt};
use card_image::RootFsEditor;
use common::*;
use ext4_offline::Timestamp;

const GROWN: u64 = 96 << 20;

/// All that is done to a root filesystem.
fn prepare(storage: Arc<dyn WriteAt>) -> Result<(), Box<dyn std::error::Error>> {
    RootFsEditor::open(storage.clone(), NOW)?.close()?;
    ext4_offline::grow(&storage, GROWN, Timestamp::saturating(NOW))?;
    let mut files = RootFsEditor::open(storage.clone(), NOW)?;
    files.editor().write("/etc/hostname", b"new-name\n")?;
    files.create("/etc/new/file", 0o600)?;
    files.editor().write("/etc/new/file", [7; 100_000])?;
    files.replace_with_symlink("/etc/link", "new/file")?;
    files.editor().chown("/etc/new/file", 1000, 1000)?;
    files.remove("/etc/many")?;
    files.close()?;
    ext4_offline::used_extents(&storage)?;
    Ok(())
}

/// Which of so many moments are tried.
fn moments(count: u64) -> impl Iterator<Item = u64> {
    let thorough = std::env::var_os("NODECARD_THOROUGH").is_some();
    let step = if thorough { 1 } else { (count / 60).max(1) };
    (0..count).step_by(step as usize)
}

#[test]
fn every_failed_read_is_reported() {
    for features in [LEGACY, MODERN] {
        let sample = Sample::new(features, "1024");
        let before = fs::read(&sample.image).unwrap();
        let base = || FileStorage::open(&sample.image).unwrap();
        let whole = Arc::new(FaultInjector::new(base(), u64::MAX, u64::MAX));
        prepare(Arc::new(Layer::new(whole.clone(), GROWN))).unwrap();
        assert!(whole.reads() > 100, "{}", whole.reads());
        for number in moments(whole.reads()) {
            let broken: Arc<dyn ReadAt> = Arc::new(FaultInjector::new(base(), number, u64::MAX));
            let result = prepare(Arc::new(Layer::new(broken, GROWN)));
            assert!(result.is_err(), "read {number} of {}", whole.reads());
        }
        assert!(fs::read(&sample.image).unwrap() == before);
    }
}

#[test]
fn every_failed_write_is_reported() {
    for features in [LEGACY, MODERN] {
        let sample = Sample::new(features, "1024");
        let before = fs::read(&sample.image).unwrap();
        let layer = || {
            let base: Arc<dyn ReadAt> = Arc::new(FileStorage::open(&sample.image).unwrap());
            Arc::new(Layer::new(base, GROWN))
        };
        let whole = Arc::new(FaultInjector::new(layer(), u64::MAX, u64::MAX));
        prepare(whole.clone()).unwrap();
        assert!(whole.writes() > 100, "{}", whole.writes());
        for number in moments(whole.writes()) {
            let broken = Arc::new(FaultInjector::new(layer(), u64::MAX, number));
            assert!(prepare(broken).is_err(), "write {number} of {}", whole.writes());
        }
        assert!(fs::read(&sample.image).unwrap() == before);
    }
}
