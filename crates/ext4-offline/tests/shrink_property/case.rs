//! A case: options for mke2fs, a size, and contents.

use std::{fs, path::Path};

use crate::{
    common::{drawing::Options, *},
    fill,
};

/// A filesystem with files in it.
pub struct Case {
    pub seed: u64,
    /// Options of mke2fs.
    pub options: String,
    pub block_size: u64,
    pub blocks: u64,
    pub image: Image,
    /// Between 0 and 1: where between the minimum and the present size to shrink to first.
    pub between: f64,
}

/// Why random options are not a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Redrawn {
    /// mke2fs refuses the options.
    Rejected,
    /// The filesystem is not clean for e2fsck, not even after a repair.
    NotClean,
}

impl Case {
    /// Everything that is needed to repeat the case.
    pub fn describe(&self) -> String {
        let Case { seed, options, blocks, .. } = self;
        format!("case {seed} (again with NODECARD_CASE={seed}): mke2fs {options} IMAGE {blocks}")
    }

    pub fn has(&self, option: &str) -> bool {
        self.options.contains(option)
    }

    /// Draws options until mke2fs accepts them. Returns how often it did not.
    pub fn draw(seed: u64) -> (Case, Vec<Redrawn>) {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut redrawn = Vec::new();
        loop {
            let (options, kind, blocks) = draw_options(&mut random);
            let (block_size, options) = (options.block_size, options.arguments(kind, seed));
            match make(&options, block_size, blocks, &mut random) {
                Err(reason) => redrawn.push(reason),
                Ok(image) => {
                    let between = random.below(1001) as f64 / 1000.0;
                    let case = Case { seed, options, block_size, blocks, image, between };
                    return (case, redrawn);
                }
            }
            assert!(redrawn.len() < 1000, "case {seed}: mke2fs rejects everything");
        }
    }
}

/// Draws options of mke2fs, the kind of filesystem, and a number of blocks.
fn draw_options(random: &mut Random) -> (Options, &'static str, u64) {
    let mut options = Options::draw(random);
    let kind = *random.pick(&["ext4", "ext4", "ext4", "ext4", "ext4", "ext4", "ext3", "ext2"]);
    let is_4 = kind == "ext4";
    if is_4 {
        options.draw_checksums(random);
        options.draw_journal(random);
    } else {
        options.has_journal = kind == "ext3";
    }
    options.draw_places(random, is_4);
    if is_4 && random.below(2) == 0 {
        options.features.push(*random.pick(&[
            "inline_data",
            "inline_data",
            "ea_inode",
            "ea_inode",
            "ea_inode,inline_data",
            "large_dir",
            "^extent,^64bit",
            "^dir_index",
            "^filetype",
            "^huge_file,^dir_nlink,^extra_isize",
        ]));
    }
    options.draw_groups(random, is_4, &[128, 256, 256, 1024]);
    let groups = 1 + random.below(14) + u64::from(random.below(4) == 0) * random.below(50);
    // A case must stay quick.
    let most = if options.block_size == 65536 { 80 << 20 } else { 32 << 20 };
    let blocks = options.draw_blocks(random, groups, most / options.block_size);
    (options, kind, blocks)
}

fn make(
    options: &str,
    block_size: u64,
    blocks: u64,
    random: &mut Random,
) -> Result<Image, Redrawn> {
    let dir = scratch();
    let path = dir.path().join("image");
    fs::File::create(&path).unwrap().set_len(blocks * block_size).unwrap();
    let image = Image { dir, path };
    let count = blocks.to_string();
    let mut all: Vec<&str> = options.split_whitespace().collect();
    let bad = image.dir.path().join("bad");
    // `check` expects that bad blocks fill whole clusters.
    if random.below(12) == 0 && !options.contains("bigalloc") {
        let list: String =
            (0..5).map(|_| format!("{}\n", blocks / 3 + random.below(blocks * 2 / 3))).collect();
        fs::write(&bad, list).unwrap();
        all.extend(["-l", bad.to_str().unwrap()]);
    }
    all.extend(["-q", "-F", image.path(), &count]);
    if !run("mke2fs", &all).status.success() {
        return Err(Redrawn::Rejected);
    }
    repair(&image.path, &[])?;
    fill::fill(&image, random);
    let has_journal = options.contains(",has_journal,") && !options.contains("orphan_file");
    if has_journal && random.below(2) == 0 {
        // Among other inodes, unlike one that mke2fs makes.
        run("tune2fs", &["-O", "orphan_file", image.path()]);
    }
    // Gives some large directories an index, and others none.
    if random.below(2) == 0 {
        run("e2fsck", &["-f", "-y", "-D", image.path()]);
    }
    repair(&image.path, &[])?;
    Ok(image)
}

fn repair(image: &Path, options: &[&str]) -> Result<(), Redrawn> {
    if e2fsck_complaint(image, options).is_some() {
        run("e2fsck", &["-f", "-y", image.to_str().unwrap()]);
        if e2fsck_complaint(image, options).is_some() {
            return Err(Redrawn::NotClean);
        }
    }
    Ok(())
}
