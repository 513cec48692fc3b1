//! The base grown to the size of a card, which all nodes of a cluster share.

use std::{ops::Range, sync::Arc};

use block_io::{Extents, FileStorage, Layer, ReadAt, Window, WriteAt};
use cluster_profile::FileEdit;
use ext4_offline::Timestamp;

use crate::{
    BuildNote, Error,
    layout::Layout,
    rootfs::{RootFs, RootFsEditor},
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
    /// the next partition, then makes the edits that all nodes share, which `edits` returns.
    ///
    /// # Errors
    /// [`Error::CardTooSmall`]; otherwise those of the partition table, the filesystem and
    /// `edits`.
    pub fn new(
        base: Arc<FileStorage>,
        layout: &Layout,
        size: u64,
        now: u64,
        edits: impl FnOnce(&RootFs) -> Result<Vec<FileEdit>, Error>,
    ) -> Result<Self, Error> {
        let base_size = base.size();
        if size < base_size {
            return Err(Error::CardTooSmall { card: size, base: base_size });
        }
        let layer = Arc::new(Layer::new(base, size));
        let (layout, growth_note) = layout.grow(&layer, END_RESERVE)?;
        let root = layout.root_range();
        let window = window(&layer, &root)?;

        // Growing needs a clean filesystem, so the journal is replayed first.
        RootFsEditor::open(window.clone(), now)?.close()?;
        // Blocks that a wrong bitmap marks as free would be allocated again, or not copied.
        ext4_offline::check(&window)?;
        // Wrong counts are no reason to refuse: they follow from what has been checked.
        ext4_offline::recount(&window)?;
        let root_before = ext4_offline::inspect(&window)?.size();
        let size = window.size();
        ext4_offline::grow(&window, size, Timestamp::saturating(now))?;
        let whole: Arc<dyn WriteAt> = layer.clone();
        let mut files = RootFsEditor::open(window, now)?.with_boot(&whole, &layout)?;
        files.apply(&edits(&files)?)?;
        files.close()?;

        layer.forget_unchanged()?;
        let OutsideRoot { used: outside_root, notes } =
            used::outside_root(&layer, &layout, base_size)?;
        let notes = growth_note.into_iter().chain(notes).collect();
        Ok(GrownBase { layer, layout, root, base_size, outside_root, notes, root_before })
    }

    /// Makes a layer over it with the edits of one node, which `edits` returns.
    ///
    /// # Errors
    /// Those of the filesystem and `edits`.
    pub fn node(
        &self,
        now: u64,
        edits: impl FnOnce(&RootFs) -> Result<Vec<FileEdit>, Error>,
    ) -> Result<Arc<Layer>, Error> {
        let layer = Arc::new(Layer::new(self.layer.clone(), self.layer.size()));
        let whole: Arc<dyn WriteAt> = layer.clone();
        let files = RootFsEditor::open(window(&layer, &self.root)?, now)?;
        let mut files = files.with_boot(&whole, &self.layout)?;
        files.apply(&edits(&files)?)?;
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

fn window(layer: &Arc<Layer>, range: &Range<u64>) -> Result<Arc<dyn WriteAt>, Error> {
    Ok(Arc::new(Window::new(layer.clone(), range.start, range.end - range.start)?))
}
