//! The base grown or shrunk to the size of a card, which all nodes of a cluster share.

use std::{ops::Range, sync::Arc};

use block_io::{Extents, Layer, ReadAt, Window, WriteAt};
use cluster_profile::FileEdit;
use ext4_offline::{CheckReport, Timestamp};
use system_model::{BootModel, Family};

use crate::{
    BaseStorage, BuildNote, Error,
    layout::Layout,
    rootfs::{RootFs, RootFsEditor},
    shrunk,
    used::{self, OutsideRoot},
};

/// The room left behind the root partition, in bytes. Hardkernel's first-boot resizer ends the
/// partition 1024 or 2048 sectors before the end of the card; with this room it cannot cut off
/// the filesystem if it ever runs.
pub const END_RESERVE: u64 = 1 << 20;

/// A base image grown to the size of a card, as a layer over it.
pub(crate) struct GrownBase {
    layer: Arc<Layer>,
    layout: Layout,
    /// The root filesystem's bytes on the card.
    root: Range<u64>,
    /// The size of the base image in bytes.
    base_size: u64,
    outside_root: Extents,
    /// What the user should know about the partitions.
    pub notes: Vec<BuildNote>,
    /// The size of the root filesystem in the base, in bytes.
    pub root_before: u64,
}

impl GrownBase {
    /// Grows the root partition and its filesystem to fill a card of `size` bytes, or as far as
    /// the next partition, or shrinks them if the card is smaller than the base. Then makes the
    /// edits that all nodes share, which `edits` returns.
    ///
    /// # Errors
    /// [`Error::DoesNotFit`]; otherwise those of the partition table, the filesystem and
    /// `edits`.
    pub fn new(
        base: Arc<BaseStorage>,
        layout: &Layout,
        size: u64,
        now: u64,
        edits: impl FnOnce(&RootFs) -> Result<Vec<FileEdit>, Error>,
    ) -> Result<Self, Error> {
        let base_size = base.size();
        let mut root_before = None;
        let (layer, layout) = if size < base_size {
            let root = layout.root_range();
            let in_base = Window::new(base.clone(), root.start, root.end - root.start)?;
            root_before = Some(ext4_offline::inspect(&in_base)?.size());
            shrunk::shrink(&base, layout, size, now)?
        } else {
            (Arc::new(Layer::new(base, size)), layout.clone())
        };
        let (layout, growth_note) = layout.grow(&layer, END_RESERVE)?;
        let root = layout.root_range();
        let window = window(&layer, &root)?;

        // Growing needs a clean filesystem, so the journal is replayed first.
        RootFsEditor::open(window.clone(), now)?.close()?;
        // Blocks that a wrong bitmap marks as free would be allocated again, or not copied.
        let late_times = late_times(&ext4_offline::check(&window)?);
        // Wrong counts are no reason to refuse: they follow from what has been checked.
        ext4_offline::recount(&window)?;
        let root_before = match root_before {
            Some(size) => size,
            None => ext4_offline::inspect(&window)?.size(),
        };
        let size = window.size();
        ext4_offline::grow(&window, size, Timestamp::saturating(now))?;
        let journal_note = add_missing_journal(&window, now)?;
        let whole: Arc<dyn WriteAt> = layer.clone();
        let mut files = RootFsEditor::open(window, now)?.with_boot(&whole, &layout)?;
        files.apply(&edits(&files)?)?;
        files.close()?;

        layer.forget_unchanged()?;
        let OutsideRoot { used: outside_root, mut notes } =
            used::outside_root(&layer, &layout, base_size)?;
        notes.extend(late_times);
        let root_after = root.end - root.start;
        if root_after < root_before {
            let shrunk = BuildNote::RootShrunk { before: root_before, after: root_after };
            notes.insert(0, shrunk);
        }
        let notes = growth_note.into_iter().chain(journal_note).chain(notes).collect();
        Ok(GrownBase { layer, layout, root, base_size, outside_root, notes, root_before })
    }

    /// Returns the files that all nodes share.
    ///
    /// # Errors
    /// Those of the filesystem.
    pub fn files(&self) -> Result<RootFs, Error> {
        let root = window(&self.layer, &self.root)?;
        let whole: Arc<dyn ReadAt> = self.layer.clone();
        Ok(RootFs::open(Arc::new(root))?.with_boot(&whole, &self.layout)?)
    }

    /// Makes a layer over it with the edits of one node.
    ///
    /// # Errors
    /// Those of the filesystem.
    pub fn node(&self, now: u64, edits: &[FileEdit]) -> Result<Arc<Layer>, Error> {
        let layer = Arc::new(Layer::new(self.layer.clone(), self.layer.size()));
        let whole: Arc<dyn WriteAt> = layer.clone();
        let files = RootFsEditor::open(window(&layer, &self.root)?, now)?;
        let mut files = files.with_boot(&whole, &self.layout)?;
        files.apply(edits)?;
        files.close()?;
        layer.forget_unchanged()?;
        Ok(layer)
    }

    /// Returns the layer itself.
    pub fn layer(&self) -> &Arc<Layer> {
        &self.layer
    }

    /// Returns the root partition's bytes on the card.
    pub fn root_range(&self) -> Range<u64> {
        self.root.clone()
    }

    /// Returns the size of the root filesystem on the card, in bytes.
    pub fn root_after(&self) -> u64 {
        self.root.end - self.root.start
    }

    /// Returns what must be written of a card that `layer` holds: this layer or a node's over
    /// it.
    ///
    /// # Errors
    /// Those of the filesystem.
    pub fn used(&self, layer: &Arc<Layer>) -> Result<Extents, Error> {
        let mut used = used::of_root(layer, &self.root)?;
        let is_outside =
            |range: Range<u64>| range.start < self.root.start || range.end > self.root.end;
        if !Arc::ptr_eq(layer, &self.layer) && layer.changed().iter().any(is_outside) {
            used.extend(&used::outside_root(layer, &self.layout, self.base_size)?.used);
        } else {
            used.extend(&self.outside_root);
        }
        Ok(used)
    }
}

/// Adds a journal to a root filesystem without one if the image's own first boot, which cards
/// skip, would have added it. Returns a note for the user.
fn add_missing_journal(window: &Arc<dyn WriteAt>, now: u64) -> Result<Option<BuildNote>, Error> {
    if ext4_offline::inspect(window)?.has_feature("has_journal") {
        return Ok(None);
    }
    let files = RootFs::open(Arc::new(window.clone()))?;
    // A system that cannot be read gives no family; rendering reports it.
    let model = BootModel::read(&files).ok();
    let family = model.as_ref().and_then(BootModel::family).map(|recognized| recognized.family);
    if family != Some(Family::DietPi) {
        return Ok(None);
    }
    let added = ext4_offline::add_journal(window, Timestamp::saturating(now))?;
    Ok(added.map(|size| BuildNote::JournalAdded { size }))
}

fn window(layer: &Arc<Layer>, range: &Range<u64>) -> Result<Arc<dyn WriteAt>, Error> {
    Ok(Arc::new(Window::new(layer.clone(), range.start, range.end - range.start)?))
}

/// The note about times after 2310, if there are any.
fn late_times(report: &CheckReport) -> Option<BuildNote> {
    let (inodes, first) = (report.late_times, report.first_late_time);
    (inodes > 0).then_some(BuildNote::LateTimes { inodes, first })
}
