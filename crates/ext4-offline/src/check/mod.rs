//! Checking a filesystem for consistency.
//!
//! Everything else relies on the filesystem being consistent: blocks that are marked as free are
//! allocated or not copied, and a file is freed when its count of links reaches zero. Editing a
//! filesystem that contradicts itself would make it worse, with all checksums right. e2fsck is
//! the standard: it must accept whatever this check accepts.

mod attributes;
mod census;
mod claims;
mod contents;
mod fields;
mod reserved;
mod settings;
mod tree;

use block_io::ReadAt;

use self::{
    attributes::Shared,
    census::{Census, Found},
    claims::Claims,
    fields::wrong,
};
use crate::{
    Error, Operation, Result,
    bitmap::Bitmap,
    features::flag,
    filesystem::Filesystem,
    inode::{EA_INODE, Inode},
    journal, orphans,
    source::Stored,
};

/// How many bytes of an inode table are read at a time.
const CHUNK: u64 = 1 << 20;

/// Checks that a filesystem is consistent.
///
/// That covers each inode; that every block in use belongs to one inode and is marked as used;
/// each directory, and that directories form a tree that refers to every inode as often as its
/// count of links says; extended attributes, the journal and orphans. It does not cover the counts
/// of free blocks and inodes, which [`recount`](crate::recount) corrects, backups of superblock and
/// descriptors, and the contents of files.
///
/// # Errors
/// The first contradiction, with its inode, block, group or field; a feature that is not
/// supported; [`Error::NeedsRecovery`] and [`Error::Orphans`].
pub fn check(storage: &dyn ReadAt) -> Result<CheckReport> {
    let fs = Filesystem::open(storage, Operation::Map)?;
    settings::check(&fs)?;
    journal::verify_empty(storage)?;
    orphans::verify(storage)?;
    let source = Stored { fs: &fs, storage };
    let mut inodes = Inodes {
        source: &source,
        claims: Claims::new(&fs),
        census: Census::default(),
        shared: Shared::default(),
        report: CheckReport::default(),
    };
    for group in 0..fs.geometry.groups {
        inodes.check_group(storage, group)?;
    }
    let Inodes { claims, mut census, shared, report, .. } = inodes;
    claims.finish(storage)?;
    shared.finish(&source, &census)?;
    tree::check(&source, &mut census)?;
    Ok(report)
}

/// What [`check`] found that is neither damage nor in the way of edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CheckReport {
    /// The number of inodes with a time after 2310. Old kernels wrote times before 1970 so, and
    /// e2fsck asks whether they are meant.
    pub late_times: u32,
    /// The first inode of them; 0 if there is none.
    pub first_late_time: u32,
}

/// The state of the check while it goes through the inodes.
struct Inodes<'a> {
    source: &'a Stored<'a>,
    claims: Claims<'a>,
    census: Census,
    shared: Shared,
    report: CheckReport,
}

impl Inodes<'_> {
    fn check_group(&mut self, storage: &dyn ReadAt, group: u32) -> Result<()> {
        let fs = self.source.fs;
        let geometry = &fs.geometry;
        let descriptor = fs.descriptors.get(group);
        let used = geometry.inodes_per_group - fs.itable_unused(&descriptor);
        let size = geometry.inode_size;
        let table = geometry.offset(descriptor.bg_inode_table());
        let per_chunk = (CHUNK / u64::from(size)) as u32;
        let mut expected = Bitmap::clear(geometry.block_size, geometry.inodes_per_group);
        let bitmap = fs.inode_bitmap(storage, group)?;
        for start in (0..used).step_by(per_chunk as usize) {
            let count = per_chunk.min(used - start);
            let offset = table + u64::from(start) * u64::from(size);
            let bytes = storage.read_vec(offset, (count * size) as usize)?;
            for (index, raw) in (start..).zip(bytes.chunks_exact(size as usize)) {
                let number = group * geometry.inodes_per_group + index + 1;
                let is_reserved = number < fs.superblock.first_inode();
                let reserved_by_number = self.is_for_project_quota(number);
                if !is_reserved
                    && !reserved_by_number
                    && !bitmap.get(index)
                    && raw.iter().all(|&byte| byte == 0)
                {
                    continue;
                }
                let inode = Inode::new(number, raw.to_vec());
                inode.verify_checksum(fs.checksums.seed())?;
                let in_use = if reserved_by_number && !reserved::is_taken(&inode) {
                    true
                } else if is_reserved {
                    self.check_reserved(&inode).map(|()| true)?
                } else {
                    self.check_inode(&inode, bitmap.get(index))?
                };
                if in_use {
                    expected.fill(index..index + 1, true);
                }
            }
        }
        self.compare_bitmaps(group, &bitmap, &expected)
    }

    /// Checks an inode that is not reserved. Returns whether it is in use.
    fn check_inode(&mut self, inode: &Inode, marked: bool) -> Result<bool> {
        if inode.i_links_count() == 0 {
            if inode.i_mode() != 0 && inode.i_dtime() == 0 {
                let reason = "the inode has no links, but was not deleted";
                return wrong(inode, "i_dtime", 0u32, reason);
            }
            return Ok(false);
        }
        if !marked {
            let place = crate::source::place_of(self.source.fs, inode.number())?;
            let reason = "holds it, but it is marked as free in the inode bitmap";
            return Err(Error::Inode { inode: inode.number(), block: place.block, reason });
        }
        let of_filesystem = self.is_of_filesystem(inode.number())?;
        self.check_fields(inode)?;
        self.check_contents(inode)?;
        self.check_attributes(inode)?;
        let hidden = inode.has_flag(EA_INODE) || of_filesystem;
        self.census.push(Found::new(inode, hidden));
        Ok(true)
    }

    /// Returns whether the inode is reserved for the quotas of projects, whose inode has no fixed
    /// number, without the feature. e2fsck counts it as in use.
    fn is_for_project_quota(&self, number: u32) -> bool {
        let superblock = &self.source.fs.superblock;
        let [.., project] = superblock.quota_inodes();
        number == project && !superblock.features().has(flag::QUOTA)
    }

    /// Returns whether a field of the superblock names the inode, which is in use.
    fn is_of_filesystem(&self, number: u32) -> Result<bool> {
        let superblock = &self.source.fs.superblock;
        let features = superblock.features();
        let fields = [
            ("s_orphan_file_inum", superblock.s_orphan_file_inum() == number, flag::ORPHAN_FILE),
            ("s_*_quota_inum", superblock.quota_inodes().contains(&number), flag::QUOTA),
        ];
        match fields.into_iter().find(|(_, names, _)| *names) {
            None => Ok(false),
            Some((_, _, feature)) if features.has(feature) => Ok(true),
            Some((field, ..)) => {
                let reason = "the inode is in use, and the filesystem lacks the feature for it";
                Err(Error::Superblock { field, value: number.into(), reason })
            }
        }
    }

    fn compare_bitmaps(&self, group: u32, bitmap: &Bitmap, expected: &Bitmap) -> Result<()> {
        if bitmap == expected {
            return Ok(());
        }
        let geometry = &self.source.fs.geometry;
        let mut bits = 0..geometry.block_size * 8;
        let Some(bit) = bits.find(|&bit| bitmap.get(bit) != expected.get(bit)) else {
            return Ok(());
        };
        let number = u64::from(group) * u64::from(geometry.inodes_per_group) + u64::from(bit) + 1;
        let reason = match (bit < geometry.inodes_per_group, bitmap.get(bit)) {
            (false, _) => "is after the end of the group, but is not marked as in use",
            (true, true) => "is marked as in use, but is not in use",
            (true, false) => "is in use, but marked as free",
        };
        Err(Error::Bitmap { kind: "inode", group, number, reason })
    }
}
