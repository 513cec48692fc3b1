//! What [`build`](crate::build) would write, without writing it.

use std::{ops::Range, sync::Arc};

use block_io::{Layer, ReadAt};
use cluster_keys::ClusterKeys;
use cluster_profile::{Cluster, FileEdit, Node};

use crate::{Base, Error, grown::Grown, layout::Layout, rootfs::RootFs};

/// A base grown to the size of a card, with what all nodes share, in memory.
pub struct Planned<'a> {
    grown: Grown,
    before: Layout,
    cluster: &'a Cluster,
    keys: &'a ClusterKeys,
    time: u64,
    shared: Vec<FileEdit>,
    notes: Vec<String>,
}

/// One node's card, in memory.
#[derive(Debug)]
pub struct PlannedNode {
    /// The whole card.
    pub card: Arc<Layer>,
    /// All edits that made it, those that all nodes share first.
    pub edits: Vec<FileEdit>,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl<'a> Planned<'a> {
    /// Does all that building does before the first image is written.
    ///
    /// # Errors
    /// As [`build`](crate::build).
    pub fn new(
        base: &Base,
        cluster: &'a Cluster,
        keys: &'a ClusterKeys,
        card_size: u64,
        root: Option<u32>,
        time: Option<u64>,
    ) -> Result<Self, Error> {
        let storage: Arc<dyn ReadAt> = base.storage();
        let before = Layout::find(&storage, root)?;
        let time = match time {
            Some(time) => time,
            None => before.root_written(&storage)?,
        };
        let (mut shared, mut notes) = (Vec::new(), Vec::new());
        let render = |files: &RootFs| {
            let rendered = cluster_profile::render_shared(cluster, keys, files, time)?;
            notes.extend(rendered.notes.iter().map(ToString::to_string));
            shared.clone_from(&rendered.edits);
            Ok(rendered.edits)
        };
        let grown = Grown::new(base.storage(), &before, card_size, time, render)?;
        Ok(Planned { grown, before, cluster, keys, time, shared, notes })
    }

    /// The base's partitions, before growing.
    pub fn before(&self) -> &Layout {
        &self.before
    }

    /// The grown card, in memory.
    pub fn card(&self) -> &Arc<Layer> {
        self.grown.layer()
    }

    /// The root partition's bytes on the grown card.
    pub fn root_range(&self) -> Range<u64> {
        self.grown.root_range()
    }

    /// Does what building does for one node.
    ///
    /// # Errors
    /// As [`build`](crate::build).
    pub fn node(&self, node: &Node) -> Result<PlannedNode, Error> {
        let (mut edits, mut notes) = (self.shared.clone(), self.notes.clone());
        let render = |files: &RootFs| {
            let rendered =
                cluster_profile::render_node(self.cluster, node, self.keys, files, self.time)?;
            notes.extend(rendered.notes.iter().map(ToString::to_string));
            edits.extend(rendered.edits.iter().cloned());
            Ok(rendered.edits)
        };
        let card = self.grown.node(self.time, render)?;
        Ok(PlannedNode { card, edits, notes })
    }
}
