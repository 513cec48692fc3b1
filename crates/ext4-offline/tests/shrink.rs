//! Shrinking: what is refused, and what random filesystems rarely have.
#![allow(missing_docs)]

mod common;

use std::sync::Arc;

use block_io::{FileStorage, Layer, ReadAt, WriteAt};
use common::*;
use ext4_offline::{
    Editor, Error, ShrinkLimit, ShrinkPlan, check, internals::Superblock, recover, shrink,
};

fn layer(image: &Image) -> Arc<Layer> {
    let storage: Arc<dyn ReadAt> = Arc::new(FileStorage::open(&image.path).unwrap());
    let size = storage.size();
    Arc::new(Layer::new(storage, size))
}

/// The error of shrinking to half, before anything was written.
fn refusal(image: &Image) -> Error {
    let layer = layer(image);
    let storage: Arc<dyn WriteAt> = layer.clone();
    let error = shrink(&storage, layer.size() / 2, NOW.into()).unwrap_err();
    assert!(layer.changed().is_empty(), "{error}: it was written to");
    error
}

#[test]
fn a_feature_that_cannot_be_shrunk_is_refused_by_name() {
    for feature in ["quota", "project", "stable_inodes", "mmp"] {
        let options = if feature == "project" { "quota,project" } else { feature };
        let image = Image::make(&format!("-t ext4 -b 1024 -O {options}"), 24 * MIB);
        let text = refusal(&image).to_string();
        assert!(text.starts_with("cannot shrink a filesystem with the feature "), "{text}");
        assert!(text.contains(feature) || text.contains("quota"), "{text}");
    }
}

#[test]
fn damage_and_unfinished_work_are_refused() {
    let image = Image::make("-t ext4 -b 1024", 24 * MIB);
    // A block of a file is marked as free.
    let block = output_of("debugfs", &["-R", "bmap directory-3/file-5 2", image.path()]);
    let block = block.lines().next().unwrap().trim().to_owned();
    output_of("debugfs", &["-w", "-R", &format!("freeb {block}"), image.path()]);
    let error = refusal(&image);
    assert!(error.is_damage(), "{error}");

    let image = Image::make("-t ext4 -b 1024", 24 * MIB);
    output_of("debugfs", &["-w", "-R", "feature needs_recovery", image.path()]);
    assert!(matches!(refusal(&image), Error::NeedsRecovery { .. }));
}

#[test]
fn the_error_says_how_large_a_target_has_to_be() {
    let image = Image::make("-t ext4 -b 1024", 24 * MIB);
    let layer = layer(&image);
    let storage: Arc<dyn WriteAt> = layer.clone();
    let error = shrink(&storage, MIB, NOW.into()).unwrap_err();
    let Error::DoesNotFit { target: MIB, minimum, limit } = error else { panic!("{error}") };
    assert_eq!(limit, ShrinkLimit::Blocks);
    assert!(error.to_string().starts_with("cannot shrink the filesystem to 1.0 MB: it needs"));
    let text = format!("at least {} MiB", minimum.div_ceil(MIB));
    assert!(error.fix().unwrap().contains(&text), "{error:?}");
    assert_eq!(shrink(&storage, minimum, NOW.into()).unwrap().blocks * 1024, minimum);
}

/// The orphan file that tune2fs adds has an inode among those of other files. Its number is in the
/// superblock and in the checksums of its blocks.
#[test]
fn an_orphan_file_moves() {
    for checksums in ["metadata_csum", "^metadata_csum,uninit_bg"] {
        let options = format!("-t ext4 -b 1024 -g 1024 -i 65536 -J size=1 -O {checksums}");
        let image = Image::make(&options, 24 * MIB);
        output_of("tune2fs", &["-O", "orphan_file", image.path()]);
        let mut editor = Editor::open(Arc::new(image.open()), NOW.into()).unwrap();
        for directory in 1..12 {
            editor.remove_dir_all(format!("/directory-{directory}")).unwrap();
        }
        editor.finish().unwrap();
        assert_clean(&image.path, &[], &options);
        let before = all_files(&image.path);
        let number = || Superblock::read(&image.open()).unwrap().s_orphan_file_inum();
        let old = number();

        let source: Arc<dyn ReadAt> = Arc::new(image.open());
        let plan = ShrinkPlan::to_minimum(&source, NOW.into()).unwrap();
        let shrunk = plan.apply(&image.open()).unwrap();
        image.set_len(plan.size());
        assert!(number() < old && shrunk.inodes_moved > 0, "{} was {old}: {shrunk:?}", number());
        assert_clean(&image.path, &[], &options);
        assert_eq!(all_files(&image.path), before);
    }
}

/// Carrying out a plan writes what the plan says, and a second one has nothing to do.
#[test]
fn a_plan_does_what_it_says() {
    let image = Image::make("-t ext4 -b 4096 -g 2048", 64 * MIB);
    let layer = layer(&image);
    let storage: Arc<dyn WriteAt> = layer.clone();
    recover(&storage, NOW.into()).unwrap();
    let source: Arc<dyn ReadAt> = layer.clone();
    let plan = ShrinkPlan::to_size(&source, 24 * MIB, NOW.into()).unwrap();
    assert!(layer.changed().is_empty(), "making a plan wrote something");
    assert_eq!((plan.old_size(), plan.limit(), plan.is_empty()), (64 * MIB, None, false));
    let shrunk = plan.apply(&layer).unwrap();
    assert_eq!(shrunk.blocks * 4096, plan.size());
    assert_eq!((shrunk.bytes_moved, shrunk.inodes_moved), {
        (plan.bytes_to_move(), plan.inodes_to_move())
    });
    check(&layer).unwrap();
    // What was moved, and metadata: not the whole filesystem.
    assert!(layer.changed().total() < shrunk.bytes_moved + 4 * MIB, "{shrunk:?}");
    let again = ShrinkPlan::to_size(&source, 24 * MIB, NOW.into()).unwrap();
    assert!(again.is_empty());
    assert_eq!(again.apply(&layer).unwrap().bytes_written, 0);
}
