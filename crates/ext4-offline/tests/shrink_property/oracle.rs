//! resize2fs, and its known bugs.

use std::path::Path;

use crate::{case::Case, common::*};

/// What resize2fs made of a filesystem.
#[derive(Debug)]
pub struct Theirs {
    /// The number of blocks; `None` if it did not shrink it.
    pub blocks: Option<u64>,
    /// What it got wrong.
    pub defect: Option<String>,
}

/// Shrinks a copy of the image of the case as far as resize2fs does it.
pub fn resize2fs(case: &Case, image: &Path) -> Theirs {
    let before = geometry(image).blocks;
    let output = run("resize2fs", &["-f", "-M", image.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        let line = text.lines().rfind(|line| line.starts_with("resize2fs: ")).unwrap_or_default();
        let line = line.split(" while").next().unwrap_or_default();
        return Theirs { blocks: None, defect: Some(format!("fails: {line}")) };
    }
    let defect = e2fsck_complaint(image, &[]).map(|complaint| classify(case, &complaint));
    // What e2fsck cannot even read has no size.
    let destroyed = defect.as_ref().is_some_and(|defect| defect.contains("unreadable"));
    let blocks = (!destroyed).then(|| geometry(image).blocks);
    Theirs { blocks: blocks.filter(|&blocks| blocks <= before), defect }
}

fn classify(case: &Case, complaint: &str) -> String {
    let known = [
        ("trying backup blocks", "leaves it unreadable"),
        ("Superblock checksum does not match", "leaves it unreadable"),
        ("Orphan file (inode ", "wrong checksums of the orphan file"),
        ("Free blocks count wrong", "wrong count of free blocks"),
        ("Block bitmap differences", "wrong block bitmap"),
        ("could be", "an extent tree or directory that could be smaller"),
        ("Resize inode not valid", "an invalid resize inode"),
        ("multiply-claimed", "blocks that two files claim"),
    ];
    let found = known.iter().find(|(text, _)| complaint.contains(text));
    let Some((_, what)) = found else {
        return format!("OTHER, {}:\n{complaint}", case.describe());
    };
    let kind = ["bigalloc", "sparse_super2", "meta_bg", "bad blocks"];
    let kind = kind.iter().find(|kind| case.has(kind)).unwrap_or(&"others");
    format!("{what} ({kind})")
}
