//! From one base image and one cluster to what every node's card must hold.

use std::{
    ops::Range,
    path::Path,
    sync::{Arc, OnceLock},
};

use block_io::{Extents, FileStorage, Layer, ReadAt};
use cluster_keys::ClusterKeys;
use cluster_profile::{Cluster, FileEdit, Node, Note};

use crate::{
    BaseImage, BaseOptions, BaseRecord, BuildProgress, Cancel, Error, ErrorKind, RootRecord,
    grown::Grown, layout::Layout, output::hex, rootfs::RootFs,
};

/// What cards are made from.
#[derive(Debug, Clone, Copy)]
pub struct BuildInputs<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The cluster's keys.
    pub keys: &'a ClusterKeys,
    /// The base image.
    pub base: &'a Path,
    /// What the base file's SHA-256 sum must be.
    pub base_sha256: Option<[u8; 32]>,
    /// The number of the root partition, where it is not to be found.
    pub root: Option<u32>,
    /// The time of every change, in seconds since 1970; else that of the last
    /// change in the base.
    pub time: Option<u64>,
    /// Where decoded bases are kept; else the user's cache directory.
    pub cache: Option<&'a Path>,
}

/// An open base image whose cards can be made, of any size.
#[derive(Debug)]
pub struct CardBuilder<'a> {
    inputs: BuildInputs<'a>,
    base: BaseImage,
    layout: Layout,
    time: u64,
    password_notes: OnceLock<Vec<Note>>,
}

/// The cards of one size.
#[derive(Debug)]
#[non_exhaustive]
pub struct PreparedCards {
    /// The cards, in the order their nodes were asked for.
    pub cards: Vec<PreparedCard>,
    /// The root filesystem, in the base and on the cards.
    pub root: RootRecord,
    /// What the user should know about the image or the profile.
    pub notes: Vec<String>,
    /// The root partition's bytes on each card.
    pub root_range: Range<u64>,
    /// The edits that all of them share, which come before each card's own.
    pub edits: Vec<FileEdit>,
    /// What all of them share: the base, grown.
    pub(crate) shared: Arc<Layer>,
    /// What of that must be on a card.
    pub(crate) shared_used: Extents,
}

/// One node's card.
#[derive(Debug)]
pub struct PreparedCard {
    /// The node's name.
    pub name: String,
    /// All bytes of the card.
    pub layer: Arc<Layer>,
    /// What must be on the card, in bytes.
    pub used: Extents,
    /// Where the card may differ from the base as it is, in bytes.
    pub changed: Extents,
    /// The edits that made it of what all cards share.
    pub edits: Vec<FileEdit>,
}

impl<'a> CardBuilder<'a> {
    /// Opens the base image, decoding it if need be, and finds its root
    /// filesystem.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(
        inputs: BuildInputs<'a>,
        progress: &dyn BuildProgress,
        cancel: &Cancel,
    ) -> Result<Self, Error> {
        let base = BaseImage::open(
            inputs.base,
            BaseOptions { cache_dir: inputs.cache, sha256: inputs.base_sha256, progress, cancel },
        )?;
        let look = || {
            let storage: Arc<dyn ReadAt> = base.storage();
            let layout = Layout::find(&storage, inputs.root)?;
            let time = match inputs.time {
                Some(time) => time,
                None => layout.root_written(&storage)?,
            };
            Ok((layout, time))
        };
        let (layout, time) = look().map_err(|error| blame_change(&base, error))?;
        Ok(CardBuilder { inputs, base, layout, time, password_notes: OnceLock::new() })
    }

    /// Makes the cards of these nodes, all `size` bytes large.
    ///
    /// # Errors
    /// [`Error`]; [`Error::CardTooSmall`] if the base does not fit.
    pub fn cards(
        &self,
        size: u64,
        nodes: &[&Node],
        cancel: &Cancel,
    ) -> Result<PreparedCards, Error> {
        self.make(size, nodes, cancel).map_err(|error| self.blame_change(error))
    }

    fn make(&self, size: u64, nodes: &[&Node], cancel: &Cancel) -> Result<PreparedCards, Error> {
        let BuildInputs { cluster, keys, .. } = self.inputs;
        let time = self.time;
        let (mut notes, mut shared_edits) = (Vec::new(), Vec::new());
        let render_shared = |files: &RootFs| {
            let rendered = cluster_profile::render_shared(cluster, keys, files, time)?;
            notes.extend(rendered.notes);
            notes.extend(self.password_notes(files)?);
            shared_edits.clone_from(&rendered.edits);
            Ok(rendered.edits)
        };
        let grown = Grown::new(self.base.storage(), &self.layout, size, time, render_shared)?;
        let mut shared_changed = grown.layer().changed();
        shared_changed.insert(self.base_size()..size);
        let mut cards = Vec::new();
        for node in nodes {
            cancel.check()?;
            let mut edits = Vec::new();
            let render_node = |files: &RootFs| {
                let rendered = cluster_profile::render_node(cluster, node, keys, files, time)?;
                notes.extend(rendered.notes);
                edits.clone_from(&rendered.edits);
                Ok(rendered.edits)
            };
            let layer = grown.node(time, render_node)?;
            let used = grown.used(&layer)?;
            let mut changed = shared_changed.clone();
            changed.extend(&layer.changed());
            cards.push(PreparedCard { name: node.name.clone(), layer, used, changed, edits });
        }
        let mut told: Vec<String> = Vec::new();
        for note in notes.iter().map(ToString::to_string) {
            if !told.contains(&note) {
                told.push(note);
            }
        }
        Ok(PreparedCards {
            cards,
            root: RootRecord {
                partition: self.layout.root,
                size_in_base: grown.root_before,
                size: grown.root_after(),
            },
            notes: told,
            root_range: grown.root_range(),
            edits: shared_edits,
            shared_used: grown.used(grown.layer())?,
            shared: grown.layer().clone(),
        })
    }

    /// What there is to say of passwords: the same for cards of all sizes, and slow to find
    /// out.
    fn password_notes(&self, files: &RootFs) -> Result<Vec<Note>, Error> {
        if let Some(notes) = self.password_notes.get() {
            return Ok(notes.clone());
        }
        let notes = cluster_profile::default_password_notes(self.inputs.cluster, files)?;
        Ok(self.password_notes.get_or_init(|| notes).clone())
    }

    /// The decoded base, for reading only.
    pub fn storage(&self) -> Arc<FileStorage> {
        self.base.storage()
    }

    /// The size of the decoded base in bytes, which every card must have.
    pub fn base_size(&self) -> u64 {
        self.base.storage().size()
    }

    /// Where things lie in the base.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Why the root partition was taken for that, in words.
    pub fn root_reason(&self) -> &str {
        &self.layout.root_reason
    }

    /// The time of every change, in seconds since 1970.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// What identifies the base.
    pub fn base_record(&self) -> BaseRecord {
        let file = self.inputs.base.file_name().unwrap_or_default();
        BaseRecord {
            file: file.to_string_lossy().into_owned(),
            size: self.base_size(),
            sha256: self.base.sha256().map(|sum| hex(&sum)),
        }
    }

    /// Makes sure that the base is still what was opened.
    ///
    /// # Errors
    /// [`Error::BaseImage`] if it has been written to since.
    pub fn check_unchanged(&self) -> Result<(), Error> {
        Ok(self.base.check_unchanged()?)
    }

    /// The error, or that the base has changed, which can cause any other.
    pub(crate) fn blame_change(&self, error: Error) -> Error {
        blame_change(&self.base, error)
    }
}

fn blame_change(base: &BaseImage, error: Error) -> Error {
    match base.check_unchanged() {
        Err(changed) if error.kind() != ErrorKind::Interrupted => changed.into(),
        _ => error,
    }
}
