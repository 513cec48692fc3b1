//! A case: options for mke2fs, a size, and a size to grow to.

use std::{fs, path::Path};

use ext4_offline::internals::Geometry;

use crate::common::*;

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
            let (options, block_size, old_blocks) = draw_options(&mut random);
            // Everything is deterministic.
            let uuid = format!("00000000-0000-4000-8000-{seed:012x}");
            let options = format!("{options},hash_seed={uuid} -U {uuid}");
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

fn draw_options(random: &mut Random) -> (String, u64, u64) {
    let block_size = *random.pick(&[1024, 1024, 1024, 2048, 2048, 4096, 4096, 65536]);
    let mut features = Vec::new();
    let mut options = vec![format!("-b {block_size}")];
    let mut extended = Vec::new();

    features.push(*random.pick(&[
        "^metadata_csum,^uninit_bg",
        "^metadata_csum,uninit_bg",
        "metadata_csum",
        "metadata_csum,metadata_csum_seed",
    ]));
    features.push(*random.pick(&["64bit", "^64bit"]));
    let journal = random.below(2) == 0;
    features.push(match (journal, random.below(2)) {
        (false, _) => "^has_journal",
        (true, 0) => "has_journal",
        (true, _) => "has_journal,orphan_file",
    });
    let resize_inode = random.below(3) > 0;
    let backups = *random.pick(&["sparse_super", "sparse_super", "^sparse_super", "two"]);
    if backups == "two" {
        features.push("sparse_super2");
        extended.push(format!("num_backup_sb={}", random.below(3)));
    } else {
        features.push(backups);
    }
    match (resize_inode && backups != "two", random.below(4)) {
        (true, _) => features.push("resize_inode"),
        (false, 0) => features.push("^resize_inode,meta_bg"),
        (false, _) => features.push("^resize_inode"),
    }
    if random.below(4) == 0 {
        features.push("^flex_bg");
    } else {
        features.push("flex_bg");
        options.push(format!("-G {}", random.pick(&[1, 2, 4, 16, 64])));
        if random.below(6) == 0 {
            extended.push("packed_meta_blocks=1".to_owned());
        }
    }
    if random.below(8) == 0 {
        features.push(*random.pick(&["inline_data", "quota", "stable_inodes", "^extent,^64bit"]));
    }
    // Blocks per group are given in clusters then.
    let cluster = match random.below(6) {
        0 => *random.pick(&[2, 4, 16]),
        _ => 1,
    };
    if cluster > 1 {
        features.push("bigalloc");
        options.push(format!("-C {}", block_size * cluster));
    }
    let clusters = *random.pick(&[256, 256, 512, 1024, 2048, 2056]);
    options.push(format!("-g {clusters}"));
    let per_group = clusters * cluster;
    options.push(format!("-I {}", random.pick(&[128, 256, 256])));
    // From one block of inodes in a group to a quarter of the group.
    let ratio = block_size * random.pick(&[1, 2, 4, 8, 32, 64]);
    options.push(format!("-i {}", ratio.clamp(1024, 4 << 20)));
    options.push(format!("-m {}", random.pick(&[0, 1, 5, 13, 50])));
    extended.push(format!("lazy_itable_init={}", random.below(2)));

    let groups = random.below(10) + u64::from(random.below(3) == 0) * random.below(60);
    let ragged = match random.below(4) {
        0 => 0,
        1 => per_group - 1 - random.below(per_group / 8),
        _ => random.below(per_group),
    };
    let least = if journal { 2048 + 1200 } else { 800 };
    let old_blocks = (groups * per_group + ragged).max(least + random.below(300));
    if resize_inode && random.below(2) == 0 {
        // A small or a large reserve.
        extended.push(format!("resize={}", old_blocks * (2 + random.below(40))));
    }
    let joined = format!(
        "-t ext4 -O {} {} -E {}",
        features.join(","),
        options.join(" "),
        extended.join(",")
    );
    (joined, block_size, old_blocks)
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
