//! resize2fs, and what is known to be wrong with it.

use std::path::Path;

use crate::{case::Case, common::*};

/// What resize2fs 1.47 got wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// It counted the free clusters of a `bigalloc` filesystem wrongly, which
    /// e2fsck mended.
    BigallocCounts,
    /// It moved a backup of `sparse_super2`, or added one, and the block bitmap
    /// or the count of free blocks does not know; e2fsck mended that.
    SparseSuper2Bitmap,
    /// It moved blocks of the orphan file, and with them went its checksums
    /// (mended in later versions).
    OrphanFileChecksums,
    /// It moved blocks of files, which then take other metadata than the quota
    /// says.
    Quota,
    /// It moved the tables of a `bigalloc` filesystem to make room for
    /// descriptors, and e2fsck cannot read those that it left.
    Destroyed,
    /// It found no room for the tables that it has to move (flex_bg with
    /// packed_meta_blocks), and gave up with the filesystem half changed.
    NoRoomToMove,
}

/// Has resize2fs grow the case's image. Panics at what is not known of it.
pub fn resize2fs(case: &Case, image: &Path) -> Option<Defect> {
    let context = case.describe();
    let path = image.to_str().unwrap();
    let target = case.target_blocks.to_string();
    let bigalloc = case.options.contains("bigalloc");
    let output = match bigalloc {
        // It warns of what follows, and must be forced.
        true => run("resize2fs", &["-f", path, &target]),
        false => run("resize2fs", &[path, &target]),
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
    let mend = || {
        run("e2fsck", &["-f", "-y", path]);
        assert_clean(image, &[], &format!("{context}: resize2fs, mended"));
    };
    if bigalloc && complaint.contains("Free blocks count wrong") {
        mend();
        return Some(Defect::BigallocCounts);
    }
    let about_blocks = ["Block bitmap differences", "Free blocks count wrong"];
    if case.options.contains("sparse_super2") && about_blocks.iter().any(|w| complaint.contains(w))
    {
        mend();
        return Some(Defect::SparseSuper2Bitmap);
    }
    if case.options.contains("orphan_file") && complaint.contains("Orphan file (inode ") {
        mend();
        return Some(Defect::OrphanFileChecksums);
    }
    if case.options.contains("quota") && complaint.contains("Update quota info") {
        mend();
        return Some(Defect::Quota);
    }
    panic!("{context}: resize2fs left:\n{complaint}");
}
