//! The features a filesystem can have, and what each means here.
//!
//! Bits: the kernel's `Documentation/filesystems/ext4/super.rst`; names: as
//! tune2fs and dumpe2fs print them.

use std::fmt;

use crate::{Error, Result};

/// Which of the superblock's three feature fields a bit belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureSet {
    /// `s_feature_compat`: harmless to those who do not know it.
    Compat,
    /// `s_feature_incompat`: those who do not know it must not touch the
    /// filesystem.
    Incompat,
    /// `s_feature_ro_compat`: those who do not know it must not write.
    RoCompat,
}

/// What an operation makes of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Support {
    Yes,
    /// No, and why or what to do.
    No(&'static str),
}

/// One feature: its bit, its name, and what can be done in its presence.
#[derive(Debug)]
pub struct Feature {
    /// The field that holds its bit.
    pub set: FeatureSet,
    /// Its bit in that field.
    pub bit: u32,
    /// Its name as tune2fs prints it.
    pub name: &'static str,
    read: Support,
    edit: Support,
    grow: Support,
}

impl Feature {
    /// Whether the files and the used blocks of a filesystem with this feature can
    /// be told.
    pub fn can_read(&self) -> bool {
        self.read == Support::Yes
    }

    /// Whether the files of a filesystem with this feature can be edited.
    pub fn can_edit(&self) -> bool {
        self.edit == Support::Yes
    }

    /// Whether a filesystem with this feature can be grown.
    pub fn can_grow(&self) -> bool {
        self.grow == Support::Yes
    }
}

/// What is to be done with a filesystem, as far as features matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Read,
    Map,
    Count,
    Edit,
    Grow,
    Recover,
}

impl Operation {
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Operation::Read => "read",
            Operation::Map => "map",
            Operation::Count => "count",
            Operation::Edit => "edit",
            Operation::Grow => "grow",
            Operation::Recover => "replay the journal of",
        }
    }
}

const fn feature(
    set: FeatureSet,
    bit: u32,
    name: &'static str,
    read: Support,
    edit: Support,
    grow: Support,
) -> Feature {
    Feature { set, bit, name, read, edit, grow }
}

use FeatureSet::{Compat, Incompat, RoCompat};
use Support::{No, Yes};

const OBSOLETE: Support = No(", which no current kernel knows");
const LUSTRE: Support = No(", which only Lustre's servers know");
const QUOTA: Support = No(": what is used by whom is not kept; `tune2fs -O ^quota` removes it");
const PROJECT: Support = No(": what is used by whom is not kept; `tune2fs -O ^project` removes it");
const READ_ONLY: Support = No(", which forbids any change; `tune2fs -O ^read-only` removes it");

/// Every feature that is known.
///
/// `encrypt`, `casefold` and `verity` are a matter of single files, which have
/// flags that say so. `quota` does not matter to growing: the blocks that it adds
/// belong to no file that is accounted.
pub static FEATURES: &[Feature] = &[
    feature(Compat, 0x1, "dir_prealloc", Yes, Yes, Yes),
    feature(Compat, 0x2, "imagic_inodes", OBSOLETE, OBSOLETE, OBSOLETE),
    feature(Compat, 0x4, "has_journal", Yes, Yes, Yes),
    feature(Compat, 0x8, "ext_attr", Yes, Yes, Yes),
    feature(Compat, 0x10, "resize_inode", Yes, Yes, Yes),
    feature(Compat, 0x20, "dir_index", Yes, Yes, Yes),
    feature(Compat, 0x40, "lazy_bg", OBSOLETE, OBSOLETE, OBSOLETE),
    feature(Compat, 0x80, "exclude_inode", OBSOLETE, OBSOLETE, OBSOLETE),
    feature(Compat, 0x100, "snapshot_bitmap", OBSOLETE, OBSOLETE, OBSOLETE),
    // Backups stay in the groups that have them; missing ones are added.
    feature(Compat, 0x200, "sparse_super2", Yes, Yes, Yes),
    feature(Compat, 0x400, "fast_commit", Yes, Yes, Yes),
    // Neither the numbers of inodes nor the UUID change; only shrinking would.
    feature(Compat, 0x800, "stable_inodes", Yes, Yes, Yes),
    feature(Compat, 0x1000, "orphan_file", Yes, Yes, Yes),
    feature(Incompat, 0x1, "compression", OBSOLETE, OBSOLETE, OBSOLETE),
    feature(Incompat, 0x2, "filetype", Yes, Yes, Yes),
    // Stands for a state and has an error of its own.
    feature(Incompat, 0x4, "needs_recovery", Yes, Yes, Yes),
    feature(Incompat, 0x8, "journal_dev", JOURNAL_DEVICE, JOURNAL_DEVICE, JOURNAL_DEVICE),
    feature(Incompat, 0x10, "meta_bg", Yes, Yes, Yes),
    feature(Incompat, 0x40, "extent", Yes, Yes, Yes),
    feature(Incompat, 0x80, "64bit", Yes, Yes, Yes),
    feature(
        Incompat,
        0x100,
        "mmp",
        Yes,
        No(": another machine may have it mounted; `tune2fs -O ^mmp` removes it"),
        No(": another machine may have it mounted; grow it there"),
    ),
    feature(Incompat, 0x200, "flex_bg", Yes, Yes, Yes),
    feature(Incompat, 0x400, "ea_inode", Yes, Yes, Yes),
    feature(Incompat, 0x1000, "dirdata", LUSTRE, LUSTRE, LUSTRE),
    feature(Incompat, 0x2000, "metadata_csum_seed", Yes, Yes, Yes),
    feature(Incompat, 0x4000, "large_dir", Yes, Yes, Yes),
    feature(Incompat, 0x8000, "inline_data", Yes, Yes, Yes),
    feature(Incompat, 0x10000, "encrypt", Yes, Yes, Yes),
    feature(Incompat, 0x20000, "casefold", Yes, Yes, Yes),
    feature(RoCompat, 0x1, "sparse_super", Yes, Yes, Yes),
    feature(RoCompat, 0x2, "large_file", Yes, Yes, Yes),
    feature(RoCompat, 0x8, "huge_file", Yes, Yes, Yes),
    feature(RoCompat, 0x10, "uninit_bg", Yes, Yes, Yes),
    feature(RoCompat, 0x20, "dir_nlink", Yes, Yes, Yes),
    feature(RoCompat, 0x40, "extra_isize", Yes, Yes, Yes),
    feature(RoCompat, 0x80, "snapshot", OBSOLETE, OBSOLETE, OBSOLETE),
    feature(RoCompat, 0x100, "quota", Yes, QUOTA, Yes),
    feature(RoCompat, 0x200, "bigalloc", Yes, Yes, Yes),
    feature(RoCompat, 0x400, "metadata_csum", Yes, Yes, Yes),
    feature(RoCompat, 0x800, "replica", OBSOLETE, OBSOLETE, OBSOLETE),
    feature(RoCompat, 0x1000, "read-only", Yes, READ_ONLY, READ_ONLY),
    feature(RoCompat, 0x2000, "project", Yes, PROJECT, Yes),
    feature(
        RoCompat,
        0x4000,
        "shared_blocks",
        Yes,
        No(", whose files share blocks and must not change"),
        No(", whose files share blocks and must not change"),
    ),
    feature(RoCompat, 0x8000, "verity", Yes, Yes, Yes),
    // Stands for a state and has an error of its own.
    feature(RoCompat, 0x10000, "orphan_present", Yes, Yes, Yes),
];

const JOURNAL_DEVICE: Support = No(": it is another filesystem's journal, and holds no files");

/// The features of one filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// `s_feature_compat`.
    pub compat: u32,
    /// `s_feature_incompat`.
    pub incompat: u32,
    /// `s_feature_ro_compat`.
    pub ro_compat: u32,
}

macro_rules! has {
    ($($(#[$doc:meta])* $name:ident: $field:ident $bit:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> bool {
            self.$field & $bit != 0
        }
    )*};
}

impl Features {
    has! {
        /// It has a journal (ext3 and later).
        has_journal: compat 0x4;
        /// Descriptor blocks are reserved for growing, and inode 7 holds them.
        resize_inode: compat 0x10;
        /// Two groups at most hold backups, named by `s_backup_bgs`.
        sparse_super2: compat 0x200;
        /// The journal must be replayed before anything else.
        needs_recovery: incompat 0x4;
        /// Descriptors from `s_first_meta_bg` on are spread over the groups.
        meta_bg: incompat 0x10;
        /// Files may be described by extents (ext4).
        extent: incompat 0x40;
        /// Block numbers have 64 bits, descriptors 64 bytes.
        bits64: incompat 0x80;
        /// Bitmaps and inode tables may lie outside of their group.
        flex_bg: incompat 0x200;
        /// The checksums' seed is in the superblock, not derived from the UUID.
        metadata_csum_seed: incompat 0x2000;
        /// Backups only in groups 1 and the powers of 3, 5 and 7.
        sparse_super: ro_compat 0x1;
        /// Blocks are allocated in clusters.
        bigalloc: ro_compat 0x200;
        /// All metadata has CRC-32C checksums.
        metadata_csum: ro_compat 0x400;
        /// Orphaned inodes wait in the orphan file.
        orphan_present: ro_compat 0x10000;
    }

    /// Descriptors have CRC-16 checksums (`metadata_csum` takes precedence).
    pub fn gdt_csum(&self) -> bool {
        self.ro_compat & 0x10 != 0 && !self.metadata_csum()
    }

    /// Descriptors have checksums of either kind, and thus flags.
    pub fn group_checksums(&self) -> bool {
        self.gdt_csum() || self.metadata_csum()
    }

    fn bits(&self, set: FeatureSet) -> u32 {
        match set {
            Compat => self.compat,
            Incompat => self.incompat,
            RoCompat => self.ro_compat,
        }
    }

    /// The names of all features, as tune2fs prints them; unknown ones as
    /// `FEATURE_C9`, the letter telling the field and the number the bit.
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

    /// Errors unless `operation` understands all features.
    pub(crate) fn check(&self, operation: Operation) -> Result<()> {
        let refuse = |feature: String, reason| {
            Err(Error::Feature { operation: operation.verb(), feature, reason })
        };
        for name in self.names() {
            match FEATURES.iter().find(|feature| feature.name == name) {
                None => return refuse(name, ", which is unknown"),
                Some(feature) => {
                    let support = match operation {
                        Operation::Read
                        | Operation::Map
                        | Operation::Count
                        | Operation::Recover => feature.read,
                        Operation::Edit => feature.edit,
                        Operation::Grow => feature.grow,
                    };
                    if let No(reason) = support {
                        return refuse(name, reason);
                    }
                }
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
