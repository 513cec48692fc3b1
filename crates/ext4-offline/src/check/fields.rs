//! The fields of one inode.

use super::Inodes;
use crate::{
    Error, Result,
    features::flag,
    inode::{CASEFOLD, EA_INODE, EXTENTS, INDEX, INLINE_DATA, Inode, S_IFDIR, S_IFLNK, S_IFREG},
    source::Source,
};

/// `i_flags`: the file cannot change.
const IMMUTABLE: u32 = 0x10;
/// `i_flags`: the file can only grow.
const APPEND: u32 = 0x20;
/// `i_flags`: used by AFS servers only.
const IMAGIC: u32 = 0x2000;

pub(super) fn wrong<T>(
    inode: &Inode,
    field: &'static str,
    value: impl Into<u64>,
    reason: &'static str,
) -> Result<T> {
    let value = value.into();
    Err(Error::InodeField { inode: inode.number(), field, value, reason })
}

impl Inodes<'_> {
    /// Returns an error if a field of an inode in use has an impossible value.
    pub(super) fn check_fields(&mut self, inode: &Inode) -> Result<()> {
        let geometry = &self.source.fs().geometry;
        let features = self.source.fs().superblock.features();
        let mode = inode.i_mode();
        if !matches!(inode.kind(), S_IFREG | S_IFDIR | S_IFLNK) && !inode.is_special() {
            return wrong(inode, "i_mode", mode, "there is no such kind of file");
        }
        if inode.i_dtime() != 0 {
            return wrong(inode, "i_dtime", inode.i_dtime(), "the inode is in use");
        }
        let extra = inode.i_extra_isize();
        if geometry.inode_size > 128
            && extra != 0
            && (u32::from(extra) > geometry.inode_size - 128
                || extra < 4
                || !extra.is_multiple_of(4))
        {
            return wrong(inode, "i_extra_isize", extra, "the inode is smaller");
        }
        if inode.has_ambiguous_time() {
            if self.report.late_times == 0 {
                self.report.first_late_time = inode.number();
            }
            self.report.late_times = self.report.late_times.saturating_add(1);
        }
        if inode.i_faddr() != 0 {
            return wrong(inode, "i_faddr", inode.i_faddr(), "the field is not in use");
        }
        if !features.has(flag::HUGE_FILE) && inode.i_blocks() >> 32 != 0 {
            let reason = "it has 32 bits if the filesystem lacks huge_file";
            return wrong(inode, "i_blocks", inode.i_blocks(), reason);
        }
        if !features.bits64() && inode.i_file_acl() >> 32 != 0 {
            return wrong(
                inode,
                "i_file_acl",
                inode.i_file_acl(),
                "it has 32 bits if the filesystem lacks 64bit",
            );
        }
        self.check_flags(inode)?;
        let size = inode.i_size();
        if inode.is_regular() && size > i32::MAX as u64 && !features.has(flag::LARGE_FILE) {
            return wrong(inode, "i_size", size, "files this large need the feature large_file");
        }
        if inode.is_dir() && size >> 32 != 0 && !features.has(flag::LARGE_DIR) {
            return wrong(
                inode,
                "i_size",
                size,
                "directories this large need the feature large_dir",
            );
        }
        // Old kernels left old block numbers in special files.
        if inode.is_special() && size != 0 {
            return wrong(inode, "i_size", size, "a special file has no contents");
        }
        Ok(())
    }

    fn check_flags(&self, inode: &Inode) -> Result<()> {
        let features = self.source.fs().superblock.features();
        let has = |flag| inode.has_flag(flag);
        let contradictions = [
            (has(EXTENTS) && !features.extent(), "EXTENTS_FL needs the feature extent"),
            (
                has(INLINE_DATA) && !features.has(flag::INLINE_DATA),
                "INLINE_DATA_FL needs the feature inline_data",
            ),
            (has(EXTENTS) && has(INLINE_DATA), "contents are either in blocks or in the inode"),
            (
                has(INDEX) && !(features.has(flag::DIR_INDEX) && inode.is_dir()),
                "INDEX_FL needs a directory and the feature dir_index",
            ),
            (has(INDEX) && has(INLINE_DATA), "a directory in the inode has no index"),
            (
                has(CASEFOLD) && !(features.has(flag::CASEFOLD) && inode.is_dir()),
                "CASEFOLD_FL needs a directory and the feature casefold",
            ),
            (has(IMAGIC), "IMAGIC_FL is not in use"),
            (inode.is_special() && has(EXTENTS | INLINE_DATA), "a special file has no contents"),
            (
                (inode.is_special() || inode.is_symlink()) && has(IMMUTABLE | APPEND),
                "IMMUTABLE_FL and APPEND_FL are for regular files and directories",
            ),
        ];
        if let Some((_, reason)) = contradictions.into_iter().find(|(found, _)| *found) {
            return wrong(inode, "i_flags", inode.i_flags(), reason);
        }
        // e2fsck looks at the flag since 1.47.1 only. Linux, since 6.4, does not open such an
        // inode and marks the filesystem as damaged (`check_igot_inode` in fs/ext4/inode.c).
        if has(EA_INODE) && !(features.has(flag::EA_INODE) && inode.is_regular()) {
            let reason = "it has EA_INODE_FL, but cannot hold the value of an attribute, so Linux \
                          does not open it";
            return Err(Error::UnsupportedInode { inode: inode.number(), reason });
        }
        Ok(())
    }
}
