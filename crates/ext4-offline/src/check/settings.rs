//! The superblock and the descriptors, beyond the checks of opening.

use crate::{
    Error, Result, Superblock, features::flag, filesystem::Filesystem, group_desc::BLOCK_UNINIT,
    inode,
};

/// `s_encoding` of UTF-8 with the rules of Unicode 12.1, the only one that exists.
const UTF8_12_1: u16 = 1;
/// `s_creator_os` of the Hurd.
const HURD: u32 = 1;

fn require(
    ok: bool,
    field: &'static str,
    value: impl Into<u64>,
    reason: &'static str,
) -> Result<()> {
    if ok { Ok(()) } else { Err(Error::Superblock { field, value: value.into(), reason }) }
}

/// Returns an error if fields contradict each other.
pub(super) fn check(fs: &Filesystem) -> Result<()> {
    check_features(fs)?;
    let (superblock, geometry) = (&fs.superblock, &fs.geometry);
    let reserved = superblock.s_r_blocks_count();
    require(
        reserved <= geometry.blocks / 2,
        "s_r_blocks_count",
        reserved,
        "at most half of the blocks can be reserved",
    )?;
    if superblock.s_creator_os() == HURD {
        let reason = "the Hurd uses fields of inodes differently";
        return Err(Error::Unsupported { field: "s_creator_os", value: HURD.into(), reason });
    }
    check_own_inodes(superblock)?;
    if superblock.s_rev_level() > 0 {
        let first = superblock.s_first_ino();
        require(
            (11..=superblock.s_inodes_count()).contains(&first),
            "s_first_ino",
            first,
            "11 inodes are reserved at least, and there are not as many",
        )?;
        let sizes = [
            ("s_min_extra_isize", superblock.s_min_extra_isize()),
            ("s_want_extra_isize", superblock.s_want_extra_isize()),
        ];
        for (field, size) in sizes {
            let most = geometry.inode_size - 128;
            let possible = size.is_multiple_of(4) && u32::from(size) <= most;
            require(possible || most == 0, field, size, "inodes are smaller")?;
        }
    }
    if !superblock.features().bigalloc() {
        let (cluster, block) = (superblock.s_log_cluster_size(), superblock.s_log_block_size());
        let reason = "it must equal that of blocks if the filesystem lacks bigalloc";
        require(cluster == block, "s_log_cluster_size", cluster, reason)?;
        let clusters = superblock.s_clusters_per_group();
        require(clusters == geometry.blocks_per_group, "s_clusters_per_group", clusters, reason)?;
    }
    (0..geometry.groups).try_for_each(|group| check_group(fs, group))
}

/// Checks the numbers of inodes that the superblock names. They have no names in directories,
/// whether the filesystem has the feature or not.
fn check_own_inodes(superblock: &Superblock) -> Result<()> {
    /// Reserved inodes that have another purpose.
    const OTHERS: [u32; 8] = [1, 2, 5, 6, 7, 8, 9, 10];
    let fields = ["s_usr_quota_inum", "s_grp_quota_inum", "s_prj_quota_inum"];
    for (field, number) in fields.into_iter().zip(superblock.quota_inodes()) {
        let possible = number <= superblock.s_inodes_count() && !OTHERS.contains(&number);
        require(possible, field, number, "this inode cannot record quotas")?;
    }
    let orphans = superblock.s_orphan_file_inum();
    let is_resize_inode = orphans == inode::RESIZE && superblock.features().resize_inode();
    require(
        orphans != inode::ROOT && !is_resize_inode,
        "s_orphan_file_inum",
        orphans,
        "this inode cannot list orphans",
    )
}

fn check_features(fs: &Filesystem) -> Result<()> {
    let superblock = &fs.superblock;
    let features = superblock.features();
    let bits = [superblock.s_feature_compat(), superblock.s_feature_incompat()];
    let none = bits == [0; 2] && superblock.s_feature_ro_compat() == 0;
    require(
        superblock.s_rev_level() > 0 || none,
        "s_rev_level",
        superblock.s_rev_level(),
        "revision 0 has no features",
    )?;
    require(
        superblock.s_rev_level() <= 1,
        "s_rev_level",
        superblock.s_rev_level(),
        "0 and 1 exist",
    )?;
    let both = features.metadata_csum() && features.has(flag::UNINIT_BG);
    require(
        !both,
        "s_feature_ro_compat",
        features.ro_compat,
        "uninit_bg and metadata_csum exclude each other",
    )?;
    let incompat = [
        (
            features.metadata_csum_seed() && !features.metadata_csum(),
            "metadata_csum_seed needs metadata_csum",
        ),
        (features.bits64() && !features.extent(), "64bit needs extent"),
        (
            features.meta_bg() && features.resize_inode(),
            "meta_bg and resize_inode exclude each other",
        ),
    ];
    for (wrong, reason) in incompat {
        require(!wrong, "s_feature_incompat", features.incompat, reason)?;
    }
    let journal = superblock.s_journal_inum();
    let elsewhere = superblock.s_journal_uuid() != [0; 16];
    require(
        journal == 0 || !elsewhere,
        "s_journal_inum",
        journal,
        "the journal's UUID says that it is on another device",
    )?;
    require(
        features.has_journal() || journal == 0 && !elsewhere,
        "s_feature_compat",
        features.compat,
        "the superblock names a journal, and the filesystem lacks has_journal",
    )?;
    let encoding = superblock.s_encoding();
    let known = encoding == UTF8_12_1 || !features.has(flag::CASEFOLD);
    require(known, "s_encoding", encoding, "neither e2fsck nor Linux knows this encoding")?;
    let flex = superblock.s_log_groups_per_flex();
    require(flex <= 31, "s_log_groups_per_flex", flex, "31 is the maximum")?;
    let reserved = superblock.s_reserved_gdt_blocks();
    require(
        reserved == 0 || features.resize_inode(),
        "s_reserved_gdt_blocks",
        reserved,
        "only filesystems with resize_inode can have reserved blocks",
    )
}

fn check_group(fs: &Filesystem, group: u32) -> Result<()> {
    let (geometry, descriptor) = (&fs.geometry, fs.descriptors.get(group));
    let wrong = |field, value, reason| Err(Error::Descriptor { group, field, value, reason });
    if !fs.superblock.features().flex_bg() {
        let whole = geometry.group_range(group);
        for (field, blocks) in crate::bitmap::own_metadata(geometry, &descriptor) {
            if blocks.start < whole.start || blocks.end > whole.end {
                return wrong(
                    field,
                    blocks.start,
                    "it must be in the group itself if the filesystem lacks flex_bg",
                );
            }
        }
    }
    let flags = descriptor.bg_flags();
    if fs.superblock.features().group_checksums() {
        if flags & BLOCK_UNINIT != 0 && group + 1 == geometry.groups {
            let reason = "the block bitmap of the last group must be initialized";
            return wrong("bg_flags", flags.into(), reason);
        }
    } else if flags & 3 != 0 || descriptor.bg_itable_unused() != 0 {
        let reason = "only descriptors with checksums can have this flag";
        return wrong("bg_flags", flags.into(), reason);
    }
    Ok(())
}
