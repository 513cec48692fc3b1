//! The partitions of a base image or card, and which of them is the root filesystem.

use std::{ops::Range, sync::Arc};

use block_io::{Layer, ReadAt, Window};
use part_table::{GrownPartition, GrowthLimit, PartitionTable, SECTOR_SIZE};
use system_model::BootPartition;

use crate::{
    BuildNote, Error,
    find_root::{BOOT_FILES, BootFile, Candidate, FsKind, boot_partitions, choose},
    rootfs::RootFs,
    storage_error::FirstStorageError,
};

/// The largest file, in bytes, that is searched for the name of the root filesystem.
const MAX_TEXT: u64 = 1 << 20;

/// One partition of a card.
#[derive(Debug, Clone)]
pub struct LayoutPartition {
    /// The number that Linux gives it.
    pub number: u32,
    /// Its bytes on the card.
    pub range: Range<u64>,
    /// What it holds.
    pub kind: FsKind,
}

/// The partitions of a base image or card, and which of them is the root filesystem.
#[derive(Debug, Clone)]
pub struct Layout {
    table: PartitionTable,
    /// All partitions except an extended one, in the order of their places.
    pub partitions: Vec<LayoutPartition>,
    /// The number of the root partition.
    pub root: u32,
    /// Why it was chosen, in words.
    pub root_reason: String,
    /// The partitions with boot files, which are FAT, and where they are mounted.
    pub boot: Vec<BootPartition>,
}

impl Layout {
    /// Reads the partition table of a base image or card and chooses the root partition.
    /// `wanted` overrides what the image says.
    ///
    /// # Errors
    /// [`Error::Table`] or [`Error::Root`].
    pub fn find(base: &Arc<dyn ReadAt>, wanted: Option<u32>) -> Result<Self, Error> {
        let table = PartitionTable::read(base)?;
        let partitions = partitions(&table, base)?;
        let candidates = partitions.iter().map(|part| candidate(base, &table, part));
        let candidates = candidates.collect::<Result<Vec<_>, Error>>()?;
        let choice = choose(&candidates, wanted)?;
        let root_reason = choice.to_string();
        let boot = boot_partitions(&candidates, choice.number);
        Ok(Layout { table, partitions, root: choice.number, root_reason, boot })
    }

    /// Reads the partition table of a card without looking for a root partition, whose number is
    /// then 0.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub(crate) fn without_root(card: &Arc<dyn ReadAt>) -> Result<Self, Error> {
        let table = PartitionTable::read(card)?;
        let partitions = partitions(&table, card)?;
        Ok(Layout { table, partitions, root: 0, root_reason: String::new(), boot: Vec::new() })
    }

    /// Grows the root partition to fill `card`, except for `reserve` bytes at the end, or as
    /// far as the next partition. Returns the new layout, and a note if another partition is
    /// in the way.
    ///
    /// # Errors
    /// [`Error::Table`], before the first write.
    pub(crate) fn grow(
        &self,
        card: &Arc<Layer>,
        reserve: u64,
    ) -> Result<(Layout, Option<BuildNote>), Error> {
        let grown = self.table.grow(card, self.root, reserve)?;
        let note = growth_note(&grown, card.size());
        let table = grown.table;
        Ok((Layout { partitions: partitions(&table, card)?, table, ..self.clone() }, note))
    }

    /// Returns the layout of a card whose table was changed, but not its partitions' kinds.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub(crate) fn reread(&self, card: &Arc<Layer>) -> Result<Layout, Error> {
        let table = PartitionTable::read(card)?;
        Ok(Layout { partitions: partitions(&table, card)?, table, ..self.clone() })
    }

    /// Returns the partition table.
    pub fn table(&self) -> &PartitionTable {
        &self.table
    }

    /// Returns the bytes of a partition.
    pub fn range(&self, number: u32) -> Option<Range<u64>> {
        let part = self.partitions.iter().find(|part| part.number == number);
        part.map(|part| part.range.clone())
    }

    /// Returns the root partition's bytes.
    pub fn root_range(&self) -> Range<u64> {
        self.range(self.root).unwrap_or(0..0)
    }

    /// Returns when the root filesystem was last written to, in seconds since 1970.
    ///
    /// # Errors
    /// [`Error::Ext4`] if it is not an ext filesystem.
    pub fn root_written(&self, base: &Arc<dyn ReadAt>) -> Result<u64, Error> {
        let range = self.root_range();
        let window = Window::new(base, range.start, range.end - range.start)?;
        Ok(ext4_offline::inspect(&window)?.last_written.unsigned_seconds())
    }
}

/// Returns why a root partition that grew does not fill a card of `card` bytes, if another
/// partition is in the way.
pub fn growth_note(grown: &GrownPartition, card: u64) -> Option<BuildNote> {
    let obstacle = match grown.limit? {
        GrowthLimit::NextPartition { number } => format!("partition {number}"),
        GrowthLimit::EmptyTable { sector } => {
            format!("an empty table of logical partitions at sector {sector}")
        }
        _ => return None,
    };
    let (before, after) = (grown.before.bytes(), grown.after.bytes());
    let last = grown.table.partitions().iter().map(|part| part.bytes().end).max();
    let unused = card.saturating_sub(last.unwrap_or(0));
    let growth = after.end.saturating_sub(before.end);
    Some(BuildNote::RootLimited { partition: grown.after.number, growth, obstacle, unused })
}

/// Returns all partitions except an extended one, which is only a container.
fn partitions(table: &PartitionTable, storage: &dyn ReadAt) -> Result<Vec<LayoutPartition>, Error> {
    let mut parts = Vec::new();
    for partition in table.partitions() {
        if partition.role == part_table::PartitionRole::Extended {
            continue;
        }
        let start = partition.start * SECTOR_SIZE;
        let size = partition.sectors * SECTOR_SIZE;
        let window = Window::new(storage, start, size)?;
        let kind = FsKind::read(&window)?;
        parts.push(LayoutPartition { number: partition.number, range: start..start + size, kind });
    }
    parts.sort_by_key(|part| part.range.start);
    Ok(parts)
}

/// Collects what a partition says about itself and the others.
fn candidate(
    base: &Arc<dyn ReadAt>,
    table: &PartitionTable,
    part: &LayoutPartition,
) -> Result<Candidate, Error> {
    let window = Window::new(base.clone(), part.range.start, part.range.end - part.range.start)?;
    let mut candidate = Candidate {
        number: part.number,
        kind: part.kind.clone(),
        partuuid: table.partuuid(part.number),
        name: table.partition(part.number).and_then(|partition| partition.name.clone()),
        ..Candidate::default()
    };
    // A damaged filesystem gives no evidence; if it is chosen anyway, opening it reports the
    // damage. A card that cannot be read is an error.
    let failed = FirstStorageError::default();
    match part.kind {
        FsKind::Fat { .. } => {
            candidate.boot_files =
                boot_files(|path| failed.ok(fat_offline::read_file(&window, path)).flatten());
        }
        FsKind::Ext { .. } => {
            if let Some(files) = failed.ok(RootFs::open(Arc::new(window))) {
                let read = |path: &str| failed.ok(files.read(path, MAX_TEXT)).flatten();
                let exists = |path| failed.ok(files.metadata(path)).flatten().is_some();
                candidate.fstab = read("/etc/fstab").map(text);
                candidate.has_init = exists("/sbin/init");
                candidate.has_os_release = exists("/etc/os-release");
                candidate.boot_files = boot_files(|path| read(&format!("/{path}")));
                candidate.boot_files.extend(boot_files(|path| read(&format!("/boot/{path}"))));
            }
        }
        _ => {}
    }
    match failed.into_error() {
        Some(error) => Err(error.into()),
        None => Ok(candidate),
    }
}

fn boot_files(read: impl Fn(&str) -> Option<Vec<u8>>) -> Vec<BootFile> {
    let file = |path: &&str| {
        let text = text(read(path)?);
        Some(BootFile { path: (*path).to_owned(), text })
    };
    BOOT_FILES.iter().filter_map(file).collect()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
