//! resize2fs, and what is known to be wrong with it.

use std::path::Path;

use crate::{case::Case, common::*};

/// What resize2fs 1.47 got wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// It counted the free clusters of a `bigalloc` filesystem wrongly, which
    /// e2fsck mended.
    BigallocCounts,
}

impl Defect {
    /// Whether what it made can be compared nevertheless.
    pub fn leaves_counts(self) -> bool {
        match self {
            Defect::BigallocCounts => true,
        }
    }
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
    assert!(output.status.success(), "{context}: resize2fs: {text}");
    let complaint = e2fsck_complaint(image, &[])?;
    let mend = || {
        run("e2fsck", &["-f", "-y", path]);
        assert_clean(image, &[], &format!("{context}: resize2fs, mended"));
    };
    if bigalloc && complaint.contains("Free blocks count wrong") {
        mend();
        return Some(Defect::BigallocCounts);
    }
    panic!("{context}: resize2fs left: {complaint}");
}
