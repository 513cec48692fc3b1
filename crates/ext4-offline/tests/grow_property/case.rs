//! A case: options for mke2fs, a size, and a size to grow to.

use std::{fs, path::Path};

use ext4_offline::internals::Geometry;

use crate::common::{drawing::Options, *};

/// A filesystem that was made, and the size that it grows to.
pub struct Case {
    pub seed: u64,
    /// Options of mke2fs.
    pub options: String,
    pub old_blocks: u64,
    pub target_blocks: u64,
    /// A size in between, for growing in two steps.
    pub between: u64,
    pub block_size: u64,
    pub image: Image,
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
        let Case { seed, options, old_blocks, target_blocks, .. } = self;
        format!(
            "case {seed} (again with NODECARD_CASE={seed}): mke2fs -d TREE {options} IMAGE \
             {old_blocks} (blocks), grown to {target_blocks} blocks"
        )
    }

    /// Draws options until mke2fs accepts them. Returns how often it did not.
    pub fn draw(seed: u64, tree: &Path) -> (Case, Vec<Redrawn>) {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut redrawn = Vec::new();
        loop {
            let (options, old_blocks) = draw_options(&mut random);
            let (block_size, options) = (options.block_size, options.arguments("ext4", seed));
            match make(&options, block_size, old_blocks, tree) {
                Err(reason) => redrawn.push(reason),
                Ok(image) => {
                    let geometry = geometry(&image.path);
                    let target_blocks = draw_target(&geometry, &mut random);
                    let room = target_blocks - geometry.blocks;
                    let between = geometry.blocks + random.below(room + 1);
                    let case = Case {
                        seed,
                        options,
                        old_blocks,
                        target_blocks,
                        between,
                        block_size,
                        image,
                    };
                    return (case, redrawn);
                }
            }
            assert!(redrawn.len() < 1000, "case {seed}: mke2fs rejects everything");
        }
    }
}

/// Draws options of mke2fs and a number of blocks.
fn draw_options(random: &mut Random) -> (Options, u64) {
    let mut options = Options::draw(random);
    options.draw_checksums(random);
    options.draw_journal(random);
    options.draw_places(random, true);
    if random.below(8) == 0 {
        let more = ["inline_data", "quota", "stable_inodes", "^extent,^64bit"];
        options.features.push(*random.pick(&more));
    }
    options.draw_groups(random, true, &[128, 256, 256]);
    let groups = random.below(10) + u64::from(random.below(3) == 0) * random.below(60);
    let blocks = options.draw_blocks(random, groups, u64::MAX);
    (options, blocks)
}

fn make(options: &str, block_size: u64, blocks: u64, tree: &Path) -> Result<Image, Redrawn> {
    let dir = scratch();
    let path = dir.path().join("image");
    fs::File::create(&path).unwrap().set_len(blocks * block_size).unwrap();
    let image = Image { dir, path };
    let blocks = blocks.to_string();
    let mut all: Vec<&str> = options.split_whitespace().collect();
    all.extend(["-q", "-F", "-d", tree.to_str().unwrap(), image.path(), &blocks]);
    if !run("mke2fs", &all).status.success() {
        return Err(Redrawn::Rejected);
    }
    if e2fsck_complaint(&image.path, &[]).is_some() {
        // mke2fs does not account for the files of -d, for example.
        run("e2fsck", &["-f", "-y", image.path()]);
        if e2fsck_complaint(&image.path, &[]).is_some() {
            return Err(Redrawn::NotClean);
        }
    }
    Ok(image)
}

/// A size at a limit of the last group, of the number of groups or of the number of descriptor
/// blocks; or any size.
fn draw_target(geometry: &Geometry, random: &mut Random) -> u64 {
    let per_group = u64::from(geometry.blocks_per_group);
    let per_block = u64::from(geometry.descriptors_per_block());
    let old_groups = u64::from(geometry.groups);
    let groups = match random.below(4) {
        0 => old_groups + random.below(3),
        1 => {
            // The groups that fill a number of descriptor blocks, give or take one.
            let blocks = u64::from(geometry.descriptor_blocks()) + random.below(3);
            (blocks * per_block + random.below(3)).saturating_sub(1)
        }
        2 => old_groups + random.below(40),
        _ => old_groups + random.below(400),
    };
    // With blocks of 64 KiB, a descriptor block describes 1024 or 2048 groups.
    let many = geometry.block_size == 65536 && random.below(4) == 0;
    let most = if many { 2100 } else { 600.max(old_groups + 8) };
    let groups = if groups > most { old_groups + groups % 200 } else { groups };
    // The last group: its own tables, a backup with all descriptors, and 50.
    let tables = u64::from(geometry.inode_table_blocks()) + 2;
    let backup = 1 + groups.div_ceil(per_block) + u64::from(geometry.reserved_gdt_blocks);
    let last = match random.below(6) {
        0 => 0,
        1 => per_group - random.below(4),
        2 => tables + 48 + random.below(4),
        3 => tables + backup + 46 + random.below(8),
        _ => random.below(per_group),
    };
    let first = u64::from(geometry.first_data_block);
    (first + groups.saturating_sub(1) * per_group + last).max(geometry.blocks)
}
