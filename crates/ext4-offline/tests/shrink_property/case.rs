//! A case: options for mke2fs, a size, and contents.

use std::{fs, path::Path};

use crate::{common::*, fill};

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
            let (options, block_size, blocks) = draw_options(&mut random);
            // Everything is deterministic.
            let uuid = format!("00000000-0000-4000-8000-{seed:012x}");
            let options = format!("{options},hash_seed={uuid} -U {uuid}");
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

fn draw_options(random: &mut Random) -> (String, u64, u64) {
    let block_size = *random.pick(&[1024, 1024, 1024, 2048, 2048, 4096, 4096, 65536]);
    let kind = *random.pick(&["ext4", "ext4", "ext4", "ext4", "ext4", "ext4", "ext3", "ext2"]);
    let mut features = Vec::new();
    let mut options = vec![format!("-t {kind} -b {block_size}")];
    let mut extended = Vec::new();
    let is_4 = kind == "ext4";
    if is_4 {
        features.push(*random.pick(&[
            "^metadata_csum,^uninit_bg",
            "^metadata_csum,uninit_bg",
            "metadata_csum",
            "metadata_csum,metadata_csum_seed",
        ]));
        features.push(*random.pick(&["64bit", "^64bit"]));
    }
    let journal = kind == "ext3" || is_4 && random.below(2) == 0;
    if is_4 {
        features.push(match (journal, random.below(2)) {
            (false, _) => "^has_journal",
            (true, 0) => "has_journal",
            (true, _) => "has_journal,orphan_file",
        });
    }
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
    if !is_4 || random.below(4) == 0 {
        features.push("^flex_bg");
    } else {
        features.push("flex_bg");
        options.push(format!("-G {}", random.pick(&[1, 2, 4, 16, 64])));
        if random.below(6) == 0 {
            extended.push("packed_meta_blocks=1".to_owned());
        }
    }
    if is_4 && random.below(2) == 0 {
        features.push(*random.pick(&[
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
    // Blocks per group are given in clusters then.
    let cluster = match random.below(6) {
        0 if is_4 => *random.pick(&[2, 4, 16]),
        _ => 1,
    };
    if cluster > 1 {
        features.push("bigalloc");
        options.push(format!("-C {}", block_size * cluster));
    }
    let clusters = *random.pick(&[256, 256, 512, 1024, 2048, 2056]);
    options.push(format!("-g {clusters}"));
    let per_group = clusters * cluster;
    options.push(format!("-I {}", random.pick(&[128, 256, 256, 1024])));
    // From one block of inodes in a group to a quarter of the group.
    let ratio = block_size * random.pick(&[1, 2, 4, 8, 32, 64]);
    options.push(format!("-i {}", ratio.clamp(1024, 4 << 20)));
    options.push(format!("-m {}", random.pick(&[0, 1, 5, 13, 50])));
    extended.push(format!("lazy_itable_init={}", random.below(2)));

    let groups = 1 + random.below(14) + u64::from(random.below(4) == 0) * random.below(50);
    let ragged = match random.below(4) {
        0 => 0,
        1 => per_group - 1 - random.below(per_group / 8),
        _ => random.below(per_group),
    };
    let least = if journal { 2048 + 1200 } else { 800 };
    // A case must stay quick.
    let most = (if block_size == 65536 { 80 << 20 } else { 32 << 20 }) / block_size;
    let blocks = (groups * per_group + ragged).min(most).max(least + random.below(300));
    if resize_inode && random.below(2) == 0 {
        // A small or a large reserve.
        extended.push(format!("resize={}", blocks * (2 + random.below(40))));
    }
    let joined =
        format!("-O {} {} -E {}", features.join(","), options.join(" "), extended.join(","));
    (joined, block_size, blocks)
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
