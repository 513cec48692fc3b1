//! Adding a journal, judged by e2fsck and by a change that is committed through it.
#![allow(missing_docs)]

mod common;

use std::sync::Arc;

use block_io::{FileStorage, Layer, WriteAt};
use common::*;
use ext4_offline::{Editor, Timestamp, add_journal, commit, inspect};

/// Options of mke2fs; the first are those of DietPi's images.
const SETS: [(&str, u64); 6] = [
    ("-t ext4 -O ^has_journal", 64 * MIB),
    ("-t ext4 -O ^has_journal,^64bit,^metadata_csum -b 1024", 40 * MIB),
    ("-t ext4 -O ^has_journal,metadata_csum_seed -b 4096", 200 * MIB),
    ("-t ext4 -O ^has_journal,inline_data -I 256 -b 2048", 80 * MIB),
    ("-t ext4 -O ^has_journal,bigalloc -C 16384", 300 * MIB),
    ("-t ext2 -I 128 -b 1024", 40 * MIB),
];

#[test]
fn e2fsck_accepts_the_journal_and_a_change_goes_through_it() {
    let now = Timestamp::saturating(NOW);
    for (arguments, size) in SETS {
        let image = Image::make(arguments, size);
        let storage: Arc<dyn WriteAt> = Arc::new(FileStorage::open_writable(&image.path).unwrap());
        let added = add_journal(&storage, now).unwrap_or_else(|e| panic!("{arguments}: {e}"));
        assert!(added.unwrap() >= 1 << 20, "{arguments}");
        assert_clean(&image.path, &[], arguments);
        let text = output_of("dumpe2fs", &["-h", image.path()]);
        for part in
            ["has_journal", "Journal inode:            8", "Journal backup:           inode"]
        {
            assert!(text.contains(part), "{arguments}: {part} is missing: {text}");
        }
        assert_eq!(add_journal(&storage, now).unwrap(), None, "{arguments}");

        // What the journal is for.
        let layer = Arc::new(Layer::new(storage.clone(), storage.size()));
        let mut editor = Editor::open(layer.clone(), now).unwrap();
        editor.write("/after", "through the journal\n").unwrap();
        editor.finish().unwrap();
        let committed = commit(&storage, &layer, &layer.changed(), now).unwrap();
        assert!(committed.logged > 0, "{arguments}");
        assert!(!inspect(&storage).unwrap().needs_recovery);
        assert_clean(&image.path, &[], arguments);
        let read = output_of("debugfs", &["-R", "cat /after", image.path()]);
        assert!(read.contains("through the journal"), "{arguments}: {read}");
    }
}

#[test]
fn a_filesystem_without_room_stays_as_it_is() {
    let image = Image::make("-t ext4 -O ^has_journal -b 1024", 1536 * KIB);
    let before = std::fs::read(&image.path).unwrap();
    let storage: Arc<dyn WriteAt> = Arc::new(FileStorage::open_writable(&image.path).unwrap());
    assert!(add_journal(&storage, Timestamp::saturating(0)).is_err());
    assert!(std::fs::read(&image.path).unwrap() == before);
}
