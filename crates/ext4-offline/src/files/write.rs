//! Writing the contents of files.

use crate::{
    Error, Result,
    contents::inline_contents,
    features::flag,
    inode::{EXTENTS, INLINE_DATA, Inode},
    map::{self, Mapping, Run},
    source::Source,
    volume::Volume,
    xattr::Attributes,
};

/// A run for contents. Its blocks are fresh if they hold anything but contents of the file.
struct Piece {
    run: Run,
    fresh: bool,
}

impl Volume {
    /// Writes to an inode's contents from byte `offset` on, and makes it longer if necessary. The
    /// caller still has to write the inode into its table.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Limit`], before anything is written.
    pub fn write_contents(&mut self, inode: &mut Inode, offset: u64, bytes: &[u8]) -> Result<()> {
        let Some(end) = offset.checked_add(bytes.len() as u64) else {
            return Err(Error::Limit { inode: inode.number(), what: "a larger file" });
        };
        if bytes.is_empty() {
            return Ok(());
        }
        self.check_size(inode, end)?;
        if inode.has_flag(INLINE_DATA) {
            self.take_out_of_line(inode)?;
        }
        let block_size = u64::from(self.fs().geometry.block_size);
        let pieces = self.map_for_writing(inode, offset / block_size, end.div_ceil(block_size))?;
        // There is room: from here on, only the storage can fail.
        if offset > inode.i_size() {
            self.zero_tail(inode)?;
        }
        for Piece { run, fresh } in pieces {
            let start = run.logical * block_size;
            let (from, to) = (start.max(offset), (run.end() * block_size).min(end));
            let at = |byte: u64| run.physical * block_size + (byte - start);
            if fresh {
                self.zero_data(at(start), from - start)?;
                self.zero_data(at(to), run.end() * block_size - to)?;
            }
            if let Some(part) = bytes.get((from - offset) as usize..(to - offset) as usize) {
                self.write_data(at(from), part)?;
            }
        }
        inode.set_i_size(inode.i_size().max(end));
        Ok(())
    }

    /// Truncates an inode's contents, or adds a hole at their end. The caller still has to write
    /// the inode into its table.
    ///
    /// # Errors
    /// [`Error::Limit`]; damage to the mapping or the bitmaps.
    pub fn resize_contents(&mut self, inode: &mut Inode, size: u64) -> Result<()> {
        self.check_size(inode, size)?;
        if size == inode.i_size() {
            return Ok(());
        }
        if size < inode.i_size() {
            self.cut_contents(inode, size)?;
            return self.zero_tail(inode);
        }
        if inode.has_flag(INLINE_DATA) {
            self.take_out_of_line(inode)?;
        }
        self.zero_tail(inode)?;
        inode.set_i_size(size);
        Ok(())
    }

    /// Gives an inode new contents. The caller still has to write it into its table.
    ///
    /// # Errors
    /// As for [`write_contents`](Self::write_contents).
    pub fn replace_contents(&mut self, inode: &mut Inode, contents: &[u8]) -> Result<()> {
        let size = contents.len() as u64;
        if size < inode.i_size() {
            self.cut_contents(inode, size)?;
        }
        self.write_contents(inode, 0, contents)?;
        // Not before there is room for everything: these bytes were contents.
        self.zero_tail(inode)
    }

    /// Truncates contents, but does not change the rest of their last block.
    fn cut_contents(&mut self, inode: &mut Inode, size: u64) -> Result<()> {
        if inode.has_flag(INLINE_DATA) {
            self.take_out_of_line(inode)?;
        }
        let block_size = u64::from(self.fs().geometry.block_size);
        map::cut(self, inode, size.div_ceil(block_size))?;
        inode.set_i_size(size);
        Ok(())
    }

    /// Zeroes the rest of the file's last block.
    fn zero_tail(&self, inode: &Inode) -> Result<()> {
        let block_size = u64::from(self.fs().geometry.block_size);
        let (logical, start) = (inode.i_size() / block_size, inode.i_size() % block_size);
        if start > 0
            && let Some(run) = map::find(self, inode, logical)?
            && !run.unwritten
        {
            self.zero_data(run.physical * block_size + start, block_size - start)?;
        }
        Ok(())
    }

    fn check_size(&self, inode: &Inode, size: u64) -> Result<()> {
        let geometry = &self.fs().geometry;
        let blocks = size.div_ceil(geometry.block_size.into());
        let has_large = self.fs().superblock.features().has(flag::LARGE_FILE);
        let most = map::most_blocks(self, inode);
        if blocks > most || (size > i32::MAX as u64 && !has_large) {
            return Err(Error::Limit { inode: inode.number(), what: "a larger file" });
        }
        Ok(())
    }

    /// Makes sure that each of these blocks of the file has a written block.
    fn map_for_writing(&mut self, inode: &mut Inode, from: u64, to: u64) -> Result<Vec<Piece>> {
        let behind_all = map::last(self, inode)?.is_none_or(|last| last.end() <= from);
        if behind_all && self.fs().geometry.cluster_blocks == 1 {
            let goal = map::last(self, inode)?.map(|last| last.blocks().end);
            let runs = self.allocate_runs(inode.number(), goal, from, to)?;
            map::append(self, inode, &runs)?;
            return Ok(runs.into_iter().map(|run| Piece { run, fresh: true }).collect());
        }
        let mapping = Mapping::load(self, inode)?;
        let mut changed = false;
        let mut pieces = Vec::new();
        // The runs before and after stay as they are.
        let mut rebuilt = Mapping { nodes: mapping.nodes.clone(), runs: Vec::new() };
        mapping.runs.iter().filter_map(|run| run.before(from)).for_each(|run| rebuilt.push(run));
        let mut at = from;
        while at < to {
            let next = mapping.runs.partition_point(|run| run.end() <= at);
            let next = mapping.runs.get(next).and_then(|run| run.after(at));
            match next.and_then(|run| run.before(to)) {
                Some(run) if run.logical == at => {
                    let written = Run { unwritten: false, ..run };
                    changed |= run.unwritten;
                    rebuilt.push(written);
                    pieces.push(Piece { run: written, fresh: run.unwritten });
                    at = run.end();
                }
                hole => {
                    let end = hole.map_or(to, |run| run.logical);
                    for run in self.fill_hole(inode.number(), &mapping, &rebuilt, at, end)? {
                        rebuilt.push(run);
                        pieces.push(Piece { run, fresh: true });
                    }
                    changed = true;
                    at = end;
                }
            }
        }
        mapping.runs.iter().filter_map(|run| run.after(to)).for_each(|run| rebuilt.push(run));
        if changed {
            rebuilt.store(self, inode)?;
        }
        Ok(pieces)
    }

    /// Allocates blocks for a hole. If the file already has a part of a cluster, the rest of that
    /// cluster is used.
    fn fill_hole(
        &mut self,
        owner: u32,
        old: &Mapping,
        new: &Mapping,
        from: u64,
        to: u64,
    ) -> Result<Vec<Run>> {
        let cluster = u64::from(self.fs().geometry.cluster_blocks);
        let mut runs = Vec::new();
        let (mut from, mut to) = (from, to);
        let part_of = |logical: u64| {
            let (start, end) = (logical - logical % cluster, logical - logical % cluster + cluster);
            let has = |run: &&Run| run.logical < end && run.end() > start;
            let run = new.runs.iter().rev().find(has).or_else(|| old.runs.iter().find(has))?;
            Some((run.physical + logical).wrapping_sub(run.logical))
        };
        let mut tail = None;
        if cluster > 1 {
            if let Some(physical) = part_of(from) {
                let length = (cluster - from % cluster).min(to - from);
                runs.push(Run { logical: from, physical, length, unwritten: false });
                from += length;
            }
            let start = (to - 1) - (to - 1) % cluster;
            if from < to
                && from <= start
                && let Some(physical) = part_of(start)
            {
                tail = Some(Run { logical: start, physical, length: to - start, unwritten: false });
                to = start;
            }
        }
        if from < to {
            let goal = new.runs.last().map(|run| run.blocks().end);
            runs.extend(self.allocate_runs(owner, goal, from, to)?);
        }
        runs.extend(tail);
        Ok(runs)
    }

    /// Allocates free blocks for the blocks of a file.
    fn allocate_runs(
        &mut self,
        owner: u32,
        goal: Option<u64>,
        from: u64,
        to: u64,
    ) -> Result<Vec<Run>> {
        let mut goal = match goal {
            Some(goal) => goal,
            None => self.start_of_group(owner)?,
        };
        let mut whole = Mapping::default();
        let mut at = from;
        let cluster = u64::from(self.fs().geometry.cluster_blocks);
        while at < to {
            // A block in the middle of its cluster cannot be at the start of the run.
            let skip = at % cluster;
            let blocks = self.allocate(goal, to - at + skip)?;
            let length = blocks.end - blocks.start - skip;
            let physical = blocks.start + skip;
            whole.push(Run { logical: at, physical, length, unwritten: false });
            at += length;
            goal = blocks.end;
        }
        Ok(whole.runs)
    }

    /// Moves the contents from the inode to blocks. Behind them the file may have a hole.
    pub(super) fn take_out_of_line(&mut self, inode: &mut Inode) -> Result<()> {
        let contents = inline_contents(self, inode)?;
        let size = inode.i_size();
        self.empty_inline(inode)?;
        inode.set_i_size(0);
        self.write_contents(inode, 0, &contents)?;
        inode.set_i_size(size);
        Ok(())
    }

    /// Turns an inode with inline contents into one without contents and blocks.
    pub(super) fn empty_inline(&mut self, inode: &mut Inode) -> Result<()> {
        let mut attributes = Attributes::load(self, inode)?;
        attributes.remove_inline_data();
        attributes.store(self, inode)?;
        inode.set_flag(INLINE_DATA, false);
        self.empty_mapping(inode)
    }

    /// Gives an inode a mapping without blocks, in the format of the filesystem.
    pub(crate) fn empty_mapping(&mut self, inode: &mut Inode) -> Result<()> {
        inode.set_flag(EXTENTS, self.fs().superblock.features().extent());
        Mapping::default().store(self, inode)
    }
}
