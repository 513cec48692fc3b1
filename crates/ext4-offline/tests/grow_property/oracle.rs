//! resize2fs, and its known bugs.

use std::path::Path;

use crate::{case::Case, common::*};

/// What resize2fs 1.47 got wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// It counted the free clusters of a `bigalloc` filesystem wrongly; e2fsck fixed that.
    BigallocCounts,
    /// It moved a backup of `sparse_super2`, or added one, without
    /// updating the block bitmap or the count of free blocks; e2fsck fixed that.
    SparseSuper2Bitmap,
    /// It moved blocks of the orphan file, whose checksums are wrong then (fixed in later
    /// versions).
    OrphanFileChecksums,
    /// It moved blocks of files, whose metadata then takes another amount than the quota records.
    Quota,
    /// It moved the tables of a `bigalloc` filesystem to make room for descriptors, and e2fsck
    /// cannot read the result.
    Destroyed,
    /// It found no room for the tables that it has to move (flex_bg with packed_meta_blocks), and
    /// failed in the middle.
    NoRoomToMove,
}

/// Grows the image of the case with resize2fs. Panics at unknown bugs.
pub fn resize2fs(case: &Case, image: &Path) -> Option<Defect> {
    let context = case.describe();
    let path = image.to_str().unwrap();
    let target = case.target_blocks.to_string();
    let bigalloc = case.options.contains("bigalloc");
    let output = if bigalloc {
        // It warns about this, and must be forced.
        run("resize2fs", &["-f", path, &target])
    } else {
        run("resize2fs", &[path, &target])
    };
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success()
        && case.options.contains("packed_meta_blocks")
        && text.contains("Could not allocate block")
    {
        return Some(Defect::NoRoomToMove);
    }
    assert!(output.status.success(), "{context}: resize2fs: {text}");
    let complaint = e2fsck_complaint(image, &[])?;
    if bigalloc && complaint.contains("trying backup blocks") {
        return Some(Defect::Destroyed);
    }
    let repair = || {
        run("e2fsck", &["-f", "-y", path]);
        assert_clean(image, &[], &format!("{context}: resize2fs, repaired"));
    };
    if bigalloc && complaint.contains("Free blocks count wrong") {
        repair();
        return Some(Defect::BigallocCounts);
    }
    let about_blocks = ["Block bitmap differences", "Free blocks count wrong"];
    if case.options.contains("sparse_super2") && about_blocks.iter().any(|w| complaint.contains(w))
    {
        repair();
        return Some(Defect::SparseSuper2Bitmap);
    }
    if case.options.contains("orphan_file") && complaint.contains("Orphan file (inode ") {
        repair();
        return Some(Defect::OrphanFileChecksums);
    }
    if case.options.contains("quota") && complaint.contains("Update quota info") {
        repair();
        return Some(Defect::Quota);
    }
    panic!("{context}: resize2fs left:\n{complaint}");
}
