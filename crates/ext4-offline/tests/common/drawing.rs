//! Drawing options of mke2fs: everything that decides where blocks are.

use super::Random;

/// Options of mke2fs, as far as they are drawn.
pub struct Options {
    pub block_size: u64,
    pub features: Vec<&'static str>,
    pub options: Vec<String>,
    pub extended: Vec<String>,
    pub has_journal: bool,
    pub has_resize_inode: bool,
    /// Blocks in a group.
    pub per_group: u64,
}

impl Options {
    /// Draws the size of blocks.
    pub fn draw(random: &mut Random) -> Self {
        let block_size = *random.pick(&[1024, 1024, 1024, 2048, 2048, 4096, 4096, 65536]);
        Options {
            block_size,
            features: Vec::new(),
            options: vec![format!("-b {block_size}")],
            extended: Vec::new(),
            has_journal: false,
            has_resize_inode: false,
            per_group: 0,
        }
    }

    /// Draws checksums, and the size of descriptors.
    pub fn draw_checksums(&mut self, random: &mut Random) {
        self.features.push(*random.pick(&[
            "^metadata_csum,^uninit_bg",
            "^metadata_csum,uninit_bg",
            "metadata_csum",
            "metadata_csum,metadata_csum_seed",
        ]));
        self.features.push(*random.pick(&["64bit", "^64bit"]));
    }

    /// Draws whether there is a journal, and an orphan file.
    pub fn draw_journal(&mut self, random: &mut Random) {
        self.has_journal = random.below(2) == 0;
        self.features.push(match (self.has_journal, random.below(2)) {
            (false, _) => "^has_journal",
            (true, 0) => "has_journal",
            (true, _) => "has_journal,orphan_file",
        });
    }

    /// Draws where backups and descriptors are, and whether groups share their tables.
    pub fn draw_places(&mut self, random: &mut Random, can_flex: bool) {
        self.has_resize_inode = random.below(3) > 0;
        let backups = *random.pick(&["sparse_super", "sparse_super", "^sparse_super", "two"]);
        if backups == "two" {
            self.features.push("sparse_super2");
            self.extended.push(format!("num_backup_sb={}", random.below(3)));
        } else {
            self.features.push(backups);
        }
        match (self.has_resize_inode && backups != "two", random.below(4)) {
            (true, _) => self.features.push("resize_inode"),
            (false, 0) => self.features.push("^resize_inode,meta_bg"),
            (false, _) => self.features.push("^resize_inode"),
        }
        if !can_flex || random.below(4) == 0 {
            self.features.push("^flex_bg");
        } else {
            self.features.push("flex_bg");
            self.options.push(format!("-G {}", random.pick(&[1, 2, 4, 16, 64])));
            if random.below(6) == 0 {
                self.extended.push("packed_meta_blocks=1".to_owned());
            }
        }
    }

    /// Draws the sizes of clusters, groups and inodes.
    pub fn draw_groups(&mut self, random: &mut Random, can_cluster: bool, inode_sizes: &[u64]) {
        // Blocks per group are given in clusters then.
        let cluster = match random.below(6) {
            0 if can_cluster => *random.pick(&[2, 4, 16]),
            _ => 1,
        };
        let block_size = self.block_size;
        if cluster > 1 {
            self.features.push("bigalloc");
            self.options.push(format!("-C {}", block_size * cluster));
        }
        let clusters = *random.pick(&[256, 256, 512, 1024, 2048, 2056]);
        self.options.push(format!("-g {clusters}"));
        self.per_group = clusters * cluster;
        self.options.push(format!("-I {}", random.pick(inode_sizes)));
        // From one block of inodes in a group to a quarter of the group.
        let ratio = block_size * random.pick(&[1, 2, 4, 8, 32, 64]);
        self.options.push(format!("-i {}", ratio.clamp(1024, 4 << 20)));
        self.options.push(format!("-m {}", random.pick(&[0, 1, 5, 13, 50])));
        self.extended.push(format!("lazy_itable_init={}", random.below(2)));
    }

    /// Draws the number of blocks: so many whole groups, up to another one, and `most` at most
    /// where there is room for the smallest filesystem.
    pub fn draw_blocks(&mut self, random: &mut Random, groups: u64, most: u64) -> u64 {
        let per_group = self.per_group;
        let ragged = match random.below(4) {
            0 => 0,
            1 => per_group - 1 - random.below(per_group / 8),
            _ => random.below(per_group),
        };
        let least = if self.has_journal { 2048 + 1200 } else { 800 };
        let blocks = (groups * per_group + ragged).min(most).max(least + random.below(300));
        if self.has_resize_inode && random.below(2) == 0 {
            // A small or a large reserve.
            self.extended.push(format!("resize={}", blocks * (2 + random.below(40))));
        }
        blocks
    }

    /// The arguments of mke2fs for a kind of filesystem. Everything in them is deterministic.
    pub fn arguments(&self, kind: &str, seed: u64) -> String {
        let uuid = format!("00000000-0000-4000-8000-{seed:012x}");
        format!(
            "-t {kind} -O {} {} -E {},hash_seed={uuid} -U {uuid}",
            self.features.join(","),
            self.options.join(" "),
            self.extended.join(",")
        )
    }
}
