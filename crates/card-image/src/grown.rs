//! What all nodes of a cluster share: the base, grown to the size of a card.

use std::{ops::Range, sync::Arc};

use block_io::{Extents, FileStorage, Layer, ReadAt, Window, WriteAt};
use cluster_profile::FileEdit;
use ext4_offline::Timestamp;

use crate::{
    Error,
    layout::Layout,
    rootfs::{RootFs, RootFsEditor},
    used,
};

/// How much room is left behind the root partition, in bytes: what the design of
/// a card promises, and what keeps Hardkernel's first-boot resizer, which ends
/// the partition 1024 or 2048 sectors before the end of the card, from cutting
/// the filesystem off should it ever run.
pub const END_RESERVE: u64 = 1 << 20;

/// A base image grown to the size of a card, as a layer over it.
pub(crate) struct Grown {
    layer: Arc<Layer>,
    /// The root filesystem's bytes on the card.
    root: Range<u64>,
    outside_root: Extents,
    /// The size of the root filesystem before, in bytes.
    pub root_before: u64,
}

impl Grown {
    /// Grows the root partition and its filesystem to fill a card of `size`
    /// bytes, then lets `edits` say what all nodes share and writes that.
    ///
    /// # Errors
    /// [`Error::CardTooSmall`]; else what the partition table, the filesystem or
    /// `edits` answers.
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
        let layout = layout.grow(&layer, END_RESERVE)?;
        let root = layout.root_range();
        let window = window(&layer, &root)?;

        // Growing wants a clean filesystem: replay the journal first.
        RootFsEditor::open(window.clone(), now)?.close()?;
        // What a wrong bitmap calls free would be given away, or not copied.
        ext4_offline::check(&window)?;
        // Counts are not worth a refusal: they follow from what is right now.
        ext4_offline::recount(&window)?;
        let root_before = ext4_offline::inspect(&window)?.size();
        let size = window.size();
        ext4_offline::grow(&window, size, Timestamp::saturating(now))?;
        let mut files = RootFsEditor::open(window, now)?;
        files.apply(&edits(&files)?)?;
        files.close()?;

        layer.forget_unchanged()?;
        let outside_root = used::outside_root(&layer, &layout, base_size)?;
        Ok(Grown { layer, root, outside_root, root_before })
    }

    /// A layer over it that holds what `edits` says for one node.
    ///
    /// # Errors
    /// What the filesystem or `edits` answers.
    pub fn node(
        &self,
        now: u64,
        edits: impl FnOnce(&RootFs) -> Result<Vec<FileEdit>, Error>,
    ) -> Result<Arc<Layer>, Error> {
        let layer = Arc::new(Layer::new(self.layer.clone(), self.layer.size()));
        let mut files = RootFsEditor::open(window(&layer, &self.root)?, now)?;
        files.apply(&edits(&files)?)?;
        files.close()?;
        layer.forget_unchanged()?;
        Ok(layer)
    }

    /// The layer itself.
    pub fn layer(&self) -> &Arc<Layer> {
        &self.layer
    }

    /// The root partition's bytes on the card.
    pub fn root_range(&self) -> Range<u64> {
        self.root.clone()
    }

    /// The size of the root filesystem now, in bytes.
    pub fn root_after(&self) -> u64 {
        self.root.end - self.root.start
    }

    /// What must be written of a card that `layer`, this one or a node's over
    /// it, describes.
    ///
    /// # Errors
    /// What the filesystem answers.
    pub fn used(&self, layer: &Arc<Layer>) -> Result<Extents, Error> {
        let mut used = used::of_root(layer, &self.root)?;
        used.extend(&self.outside_root);
        Ok(used)
    }
}

fn window(layer: &Arc<Layer>, range: &Range<u64>) -> Result<Arc<dyn WriteAt>, Error> {
    Ok(Arc::new(Window::new(layer.clone(), range.start, range.end - range.start)?))
}
