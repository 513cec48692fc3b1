//! Edits of a filesystem in use, which can be cut off at any write.
//!
//! A file's new contents go to free clusters. Then one sector decides: the one with the entry
//! of the file, or the end mark in front of new entries. Whatever is written before it, nobody
//! refers to, and whatever is written behind it is no longer referred to: clusters that belong
//! to nobody, pieces of long names without a file, and a second copy of the table that differs
//! from the first. Linux reads the first copy only. The next editor puts these in order.

use std::sync::Arc;

use block_io::WriteAt;

use super::{Dates, Editor};
use crate::{
    FatError,
    check::{examine_active, same_copies},
    fsinfo,
    geometry::Geometry,
    staged::{SECTOR, Staged},
    table::Table,
    time::DosTime,
};

/// The sector whose writing decides an edit, and what else of the directory changes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Decision {
    /// The other sectors come first: they hold pieces of a name, or lie behind the end mark.
    Last(u64),
    /// The other sectors come later: they hold pieces of a name that was removed.
    First(u64),
}

impl Decision {
    /// The sector with the byte at `offset` comes last.
    pub(super) fn last(offset: Option<u64>) -> Option<Self> {
        offset.map(|offset| Decision::Last(offset / SECTOR * SECTOR))
    }

    /// The sector with the byte at `offset` comes first.
    pub(super) fn first(offset: Option<u64>) -> Option<Self> {
        offset.map(|offset| Decision::First(offset / SECTOR * SECTOR))
    }
}

impl Editor {
    /// Opens a filesystem in use, on a card that may be pulled out at any write: each edit is
    /// then made as a whole or not at all, whenever it is cut off. This needs room for the new
    /// contents of a file beside the old ones.
    ///
    /// What an edit that was cut off left behind is put in order first: copies of the table
    /// that differ from the first, and clusters that belong to no file.
    ///
    /// # Errors
    /// As [`open`](Self::open), except that copies of the table may differ.
    pub fn open_in_place(storage: Arc<dyn WriteAt>, now: i64) -> Result<Self, FatError> {
        let geometry = Geometry::read(&storage)?;
        let table = Table::read(&storage, &geometry)?;
        let (report, lost) = examine_active(&storage, &geometry, &table)?;
        let differ = match same_copies(&storage, &geometry, &table) {
            Ok(()) => false,
            Err(FatError::TablesDiffer { .. }) => true,
            Err(error) => return Err(error),
        };
        let dates = Dates(DosTime::from_unix(now));
        let staged = Staged::new(storage);
        let mut editor =
            Editor { staged, geometry, table, report, dates, in_place: true, decision: None };
        if differ || !lost.is_empty() || report.wrong_free_count {
            editor.put_in_order(&lost)?;
        }
        Ok(editor)
    }

    /// Makes all copies of the table like the first, without the clusters `lost`.
    fn put_in_order(&mut self, lost: &[u32]) -> Result<(), FatError> {
        let all = 0..self.geometry.clusters + 2;
        self.table.store_entries(&mut self.staged, &self.geometry, all)?;
        self.staged.commit()?;
        self.staged.flush()?;
        for &cluster in lost {
            self.table.free_cluster(cluster);
        }
        self.table.store(&mut self.staged, &self.geometry)?;
        fsinfo::set_free(&mut self.staged, &self.geometry, self.table.free())?;
        self.staged.commit()?;
        self.staged.flush()
    }

    /// Writes an edit so that it can be cut off anywhere. `before` is the table as it was.
    pub(super) fn commit_in_place(&mut self, before: &Table) -> Result<(), FatError> {
        let changed = self.table.take_changed();
        let (geometry, table) = (&self.geometry, &self.table);
        let (mut taken, mut moved, mut freed) = (Vec::new(), Vec::new(), Vec::new());
        for cluster in changed {
            match (before.value(cluster), table.value(cluster)) {
                (old, new) if old == new => {}
                (0, _) => taken.push(cluster),
                (_, 0) => freed.push(cluster),
                _ => moved.push(cluster),
            }
        }
        // The chain of a directory that grows: half of a link would lead anywhere.
        if moved.iter().any(|&cluster| table.is_split(geometry, cluster)) {
            return Err(FatError::DirectoryFull { path: "/".to_owned() });
        }
        let staged = &mut self.staged;
        let was_free = |offset: u64| {
            geometry.cluster_at(offset).is_some_and(|cluster| before.value(cluster) == 0)
        };
        staged.commit_where(was_free)?;
        staged.flush()?;
        table.store_entries_alone(staged, geometry, &taken)?;
        match self.decision {
            Some(Decision::First(sector)) => {
                staged.commit_where(|offset| offset == sector)?;
                staged.flush()?;
                staged.commit()?;
            }
            Some(Decision::Last(sector)) => {
                staged.commit_where(|offset| offset != sector)?;
                staged.flush()?;
                let last = staged.take();
                table.store_entries_alone(staged, geometry, &moved)?;
                staged.put_back(last);
                staged.commit()?;
            }
            None => {
                staged.commit()?;
                staged.flush()?;
                table.store_entries_alone(staged, geometry, &moved)?;
            }
        }
        staged.flush()?;
        table.store_entries_alone(staged, geometry, &freed)?;
        if table.free() != before.free() {
            fsinfo::set_free(staged, geometry, table.free())?;
            staged.commit()?;
            staged.flush()?;
        }
        Ok(())
    }
}
