//! The features that a filesystem can have, and what this crate can do in their presence.
//!
//! This is the only table of feature bits. Bits are those of the kernel's
//! `Documentation/filesystems/ext4/super.rst`; names are those that tune2fs and dumpe2fs print.

use std::fmt;

use crate::{Error, Operation, Result};

/// One of the superblock's three feature fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureSet {
    /// `s_feature_compat`: a program that does not know the feature can ignore it.
    Compat,
    /// `s_feature_incompat`: a program that does not know the feature must not use the
    /// filesystem.
    Incompat,
    /// `s_feature_ro_compat`: a program that does not know the feature must not write.
    RoCompat,
}

/// Whether an operation supports a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Support {
    Yes,
    /// The reason why not, as a clause.
    No(&'static str),
}

/// A feature: its bit, its name, and what this crate can do with a filesystem that has it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Feature {
    /// The field that holds its bit.
    pub set: FeatureSet,
    /// Its bit in that field.
    pub bit: u32,
    /// Its name as tune2fs prints it.
    pub name: &'static str,
    /// Support for reading, for editing, for growing and for shrinking.
    support: [Support; 4],
}

impl Feature {
    /// Returns whether a filesystem with this feature can be read, checked and mapped.
    pub fn can_read(&self) -> bool {
        self.support[0] == Support::Yes
    }

    /// Returns whether the files of a filesystem with this feature can be edited.
    pub fn can_edit(&self) -> bool {
        self.support[1] == Support::Yes
    }

    /// Returns whether a filesystem with this feature can be grown.
    pub fn can_grow(&self) -> bool {
        self.support[2] == Support::Yes
    }

    /// Returns whether a filesystem with this feature can be shrunk.
    pub fn can_shrink(&self) -> bool {
        self.support[3] == Support::Yes
    }

    fn support(&self, operation: Operation) -> Support {
        let [read, edit, grow, shrink] = self.support;
        match operation {
            Operation::Edit => edit,
            Operation::Grow => grow,
            Operation::Shrink => shrink,
            _ => read,
        }
    }
}

/// A bit in one of the three fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flag {
    pub set: FeatureSet,
    pub bit: u32,
}

use FeatureSet::{Compat, Incompat, RoCompat};
use Support::{No, Yes};

const OLD: Support = No("no current kernel knows it");
const LUSTRE_ONLY: Support = No("only Lustre servers know it");
const ACCOUNTING: Support = No("an edit would not update the accounting of who uses what");
const NO_CHANGES: Support = No("it forbids every change");
const IS_JOURNAL: Support = No("it is the journal of another filesystem and holds no files");
const MOUNTED_ELSEWHERE: Support = No("another machine may have it mounted");
const SHARED: Support = No("its files share blocks and must not change");
const RECOUNT: Support = No("moving files would not update the accounting of who uses what");
const STABLE: Support = No("it forbids to change the numbers of inodes");

macro_rules! features {
    (@support [$all:expr]) => { [$all, $all, $all, $all] };
    (@support [$read:expr, $edit:expr, $grow:expr, $shrink:expr]) => {
        [$read, $edit, $grow, $shrink]
    };
    ($($name:ident: $set:ident $bit:literal $text:literal $support:tt;)*) => {
        /// The bits by name.
        #[allow(dead_code, reason = "the table is complete; not every bit matters here")]
        pub(crate) mod flag {
            use super::{FeatureSet::*, Flag};

            $(pub(crate) const $name: Flag = Flag { set: $set, bit: $bit };)*
        }

        /// Every known feature.
        ///
        /// `encrypt`, `casefold` and `verity` concern single files, which have flags of their
        /// own. `quota` does not stand in the way of growing: the blocks that growing adds
        /// belong to no file that is accounted for.
        pub static FEATURES: &[Feature] = &[$(
            Feature {
                set: $set,
                bit: $bit,
                name: $text,
                support: features!(@support $support),
            },
        )*];
    };
}

// Name, field, bit, name in tune2fs; support for everything, or for reading, editing, growing,
// shrinking.
features! {
    DIR_PREALLOC: Compat 0x1 "dir_prealloc" [Yes];
    IMAGIC_INODES: Compat 0x2 "imagic_inodes" [OLD];
    HAS_JOURNAL: Compat 0x4 "has_journal" [Yes];
    EXT_ATTR: Compat 0x8 "ext_attr" [Yes];
    RESIZE_INODE: Compat 0x10 "resize_inode" [Yes];
    DIR_INDEX: Compat 0x20 "dir_index" [Yes];
    LAZY_BG: Compat 0x40 "lazy_bg" [OLD];
    EXCLUDE_INODE: Compat 0x80 "exclude_inode" [OLD];
    SNAPSHOT_BITMAP: Compat 0x100 "snapshot_bitmap" [OLD];
    // The second backup is in the last group, and moves with it.
    SPARSE_SUPER2: Compat 0x200 "sparse_super2" [Yes];
    FAST_COMMIT: Compat 0x400 "fast_commit" [Yes];
    // Neither edits nor growing change the numbers of inodes or the UUID.
    STABLE_INODES: Compat 0x800 "stable_inodes" [Yes, Yes, Yes, STABLE];
    ORPHAN_FILE: Compat 0x1000 "orphan_file" [Yes];
    COMPRESSION: Incompat 0x1 "compression" [OLD];
    FILETYPE: Incompat 0x2 "filetype" [Yes];
    // This is a state, and has an error of its own.
    NEEDS_RECOVERY: Incompat 0x4 "needs_recovery" [Yes];
    JOURNAL_DEV: Incompat 0x8 "journal_dev" [IS_JOURNAL];
    META_BG: Incompat 0x10 "meta_bg" [Yes];
    EXTENT: Incompat 0x40 "extent" [Yes];
    BITS64: Incompat 0x80 "64bit" [Yes];
    MMP: Incompat 0x100 "mmp" [Yes, MOUNTED_ELSEWHERE, MOUNTED_ELSEWHERE, MOUNTED_ELSEWHERE];
    FLEX_BG: Incompat 0x200 "flex_bg" [Yes];
    EA_INODE: Incompat 0x400 "ea_inode" [Yes];
    DIRDATA: Incompat 0x1000 "dirdata" [LUSTRE_ONLY];
    METADATA_CSUM_SEED: Incompat 0x2000 "metadata_csum_seed" [Yes];
    LARGE_DIR: Incompat 0x4000 "large_dir" [Yes];
    INLINE_DATA: Incompat 0x8000 "inline_data" [Yes];
    ENCRYPT: Incompat 0x10000 "encrypt" [Yes];
    CASEFOLD: Incompat 0x20000 "casefold" [Yes];
    SPARSE_SUPER: RoCompat 0x1 "sparse_super" [Yes];
    LARGE_FILE: RoCompat 0x2 "large_file" [Yes];
    HUGE_FILE: RoCompat 0x8 "huge_file" [Yes];
    UNINIT_BG: RoCompat 0x10 "uninit_bg" [Yes];
    DIR_NLINK: RoCompat 0x20 "dir_nlink" [Yes];
    EXTRA_ISIZE: RoCompat 0x40 "extra_isize" [Yes];
    SNAPSHOT: RoCompat 0x80 "snapshot" [OLD];
    QUOTA: RoCompat 0x100 "quota" [Yes, ACCOUNTING, Yes, RECOUNT];
    BIGALLOC: RoCompat 0x200 "bigalloc" [Yes];
    METADATA_CSUM: RoCompat 0x400 "metadata_csum" [Yes];
    REPLICA: RoCompat 0x800 "replica" [OLD];
    READ_ONLY: RoCompat 0x1000 "read-only" [Yes, NO_CHANGES, NO_CHANGES, NO_CHANGES];
    PROJECT: RoCompat 0x2000 "project" [Yes, ACCOUNTING, Yes, RECOUNT];
    SHARED_BLOCKS: RoCompat 0x4000 "shared_blocks" [Yes, SHARED, SHARED, SHARED];
    VERITY: RoCompat 0x8000 "verity" [Yes];
    // This is a state, and has an error of its own.
    ORPHAN_PRESENT: RoCompat 0x10000 "orphan_present" [Yes];
}

/// The features of one filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// `s_feature_compat`.
    pub(crate) compat: u32,
    /// `s_feature_incompat`.
    pub(crate) incompat: u32,
    /// `s_feature_ro_compat`.
    pub(crate) ro_compat: u32,
}

macro_rules! has {
    ($($(#[$doc:meta])* $name:ident: $flag:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(&self) -> bool {
            self.has(flag::$flag)
        }
    )*};
}

impl Features {
    /// Returns whether the filesystem has the feature that tune2fs calls `name`.
    pub fn contains(&self, name: &str) -> bool {
        FEATURES
            .iter()
            .any(|feature| feature.name == name && self.bits(feature.set) & feature.bit != 0)
    }

    pub(crate) fn has(&self, flag: Flag) -> bool {
        self.bits(flag.set) & flag.bit != 0
    }

    /// The features with one of them set or cleared.
    pub(crate) fn with(mut self, flag: Flag, value: bool) -> Self {
        let bits = match flag.set {
            Compat => &mut self.compat,
            Incompat => &mut self.incompat,
            RoCompat => &mut self.ro_compat,
        };
        *bits = if value { *bits | flag.bit } else { *bits & !flag.bit };
        self
    }

    has! {
        /// The filesystem has a journal (ext3 and later).
        has_journal: HAS_JOURNAL;
        /// Descriptor blocks are reserved for growing, and inode 7 holds them.
        resize_inode: RESIZE_INODE;
        /// At most two groups hold backups; `s_backup_bgs` names them.
        sparse_super2: SPARSE_SUPER2;
        /// The journal must be replayed before anything else.
        needs_recovery: NEEDS_RECOVERY;
        /// Descriptors from `s_first_meta_bg` on are spread over the groups.
        meta_bg: META_BG;
        /// Files may be described by extents (ext4).
        extent: EXTENT;
        /// Block numbers have 64 bits, descriptors 64 bytes.
        bits64: BITS64;
        /// Bitmaps and inode tables may lie outside of their group.
        flex_bg: FLEX_BG;
        /// The seed of checksums is in the superblock, not derived from the UUID.
        metadata_csum_seed: METADATA_CSUM_SEED;
        /// Only group 1 and the powers of 3, 5 and 7 hold backups.
        sparse_super: SPARSE_SUPER;
        /// Blocks are allocated in clusters.
        bigalloc: BIGALLOC;
        /// All metadata has CRC-32C checksums.
        metadata_csum: METADATA_CSUM;
        /// The orphan file may hold orphans.
        orphan_present: ORPHAN_PRESENT;
    }

    /// Descriptors have CRC-16 checksums (`metadata_csum` takes precedence).
    pub(crate) fn gdt_csum(&self) -> bool {
        self.has(flag::UNINIT_BG) && !self.metadata_csum()
    }

    /// Descriptors have checksums of either kind, and therefore flags.
    pub(crate) fn group_checksums(&self) -> bool {
        self.gdt_csum() || self.metadata_csum()
    }

    /// Returns whether the kernel's ext3 driver would know all features.
    pub(crate) fn are_those_of_ext3(&self) -> bool {
        use flag::{FILETYPE, JOURNAL_DEV, LARGE_FILE, META_BG, NEEDS_RECOVERY, SPARSE_SUPER};
        /// Directories as B-trees: reserved, but never implemented.
        const BTREE_DIR: Flag = Flag { set: RoCompat, bit: 0x4 };
        let known = [FILETYPE, JOURNAL_DEV, META_BG, NEEDS_RECOVERY];
        let known = known.into_iter().chain([SPARSE_SUPER, LARGE_FILE, BTREE_DIR]);
        let rest = known.fold(*self, |features, flag| features.with(flag, false));
        rest.incompat == 0 && rest.ro_compat == 0
    }

    fn bits(&self, set: FeatureSet) -> u32 {
        match set {
            Compat => self.compat,
            Incompat => self.incompat,
            RoCompat => self.ro_compat,
        }
    }

    /// Returns the names of all features, as tune2fs prints them; unknown ones as
    /// `FEATURE_C9`, where the letter stands for the field and the number for the bit.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (set, letter) in [(Compat, 'C'), (Incompat, 'I'), (RoCompat, 'R')] {
            let bits = self.bits(set);
            for shift in 0..32 {
                let bit = 1u32 << shift;
                if bits & bit != 0 {
                    match FEATURES.iter().find(|f| f.set == set && f.bit == bit) {
                        Some(feature) => names.push(feature.name.to_owned()),
                        None => names.push(format!("FEATURE_{letter}{shift}")),
                    }
                }
            }
        }
        names
    }

    /// Returns an error unless `operation` supports all features.
    pub(crate) fn check(&self, operation: Operation) -> Result<()> {
        for name in self.names() {
            let support = FEATURES
                .iter()
                .find(|feature| feature.name == name)
                .map_or(No("it is unknown"), |feature| feature.support(operation));
            if let No(reason) = support {
                return Err(Error::Feature { operation, feature: name, reason });
            }
        }
        Ok(())
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(" "))
    }
}
