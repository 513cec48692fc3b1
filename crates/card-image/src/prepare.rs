//! From one base image and one cluster to the contents of every node's card.

use std::{
    ops::Range,
    path::Path,
    sync::{Arc, OnceLock},
};

use block_io::{Extents, Layer, ReadAt};
use cluster_keys::ClusterKeys;
use cluster_profile::{Cluster, FileEdit, Node, Note, RenderError};
use plain_text::to_hex;
use system_model::{CachedFiles, SystemFiles};

use crate::{
    BaseImage, BaseOptions, BaseRecord, BaseStorage, BuildNote, BuildProgress, Cancel, Error,
    ErrorKind, RootRecord, grown::GrownBase, layout::Layout, rootfs::RootFs, shrunk::smallest_card,
};

/// How many times as large as the largest card a base can be: its root filesystem is shrunk, but
/// what a small file unpacks to is not decoded without limit.
pub const LARGEST_BASE: u64 = 4;

/// What cards are made from.
#[derive(Debug, Clone, Copy)]
pub struct BuildInputs<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The cluster's keys.
    pub keys: &'a ClusterKeys,
    /// The base image.
    pub base: &'a Path,
    /// The SHA-256 sum that the base file must have.
    pub base_sha256: Option<[u8; 32]>,
    /// The number of the root partition, if it should not be detected.
    pub root: Option<u32>,
    /// The time of every change, in seconds since 1970; by default that of the last change in
    /// the base.
    pub time: Option<u64>,
    /// The directory for decoded bases; by default the user's cache directory.
    pub cache: Option<&'a Path>,
    /// The size in bytes of the largest card, if it is known. No base of more than
    /// [`LARGEST_BASE`] times that is decoded.
    pub largest_card: Option<u64>,
}

/// An open base image from which cards of any size can be made.
#[derive(Debug)]
pub struct CardBuilder<'a> {
    inputs: BuildInputs<'a>,
    base: BaseImage,
    layout: Layout,
    time: u64,
    password_notes: OnceLock<Vec<Note>>,
    /// The size of the smallest card, once that was needed.
    smallest_card: OnceLock<u64>,
}

/// The cards of one size.
#[derive(Debug)]
#[non_exhaustive]
pub struct PreparedCards {
    /// The cards, in the order of the requested nodes.
    pub cards: Vec<PreparedCard>,
    /// The root filesystem, in the base and on the cards.
    pub root: RootRecord,
    /// What the user should know about the image or the profile, each thing once.
    pub notes: Vec<BuildNote>,
    /// The root partition's bytes on each card.
    pub root_range: Range<u64>,
    /// The edits that all cards share, which come before those of each card.
    pub edits: Vec<FileEdit>,
    /// What all cards share: the grown base.
    pub(crate) shared: Arc<Layer>,
    /// The parts of that which must be on a card.
    pub(crate) shared_used: Extents,
}

/// One node's card.
#[derive(Debug)]
pub struct PreparedCard {
    /// The node's name.
    pub name: String,
    /// All bytes of the card.
    pub layer: Arc<Layer>,
    /// The bytes that must be on the card.
    pub used: Extents,
    /// The bytes where the card may differ from the base.
    pub changed: Extents,
    /// The bytes where it may differ from what all cards of its size share.
    pub own: Extents,
    /// The edits of this card, on top of those that all cards share.
    pub edits: Vec<FileEdit>,
}

impl<'a> CardBuilder<'a> {
    /// Opens the base image, decodes it if necessary, and finds its root filesystem.
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
            BaseOptions {
                cache_dir: inputs.cache,
                sha256: inputs.base_sha256,
                limit: inputs.largest_card.map(|card| card.saturating_mul(LARGEST_BASE)),
                progress,
                cancel,
            },
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
        Ok(CardBuilder {
            inputs,
            base,
            layout,
            time,
            password_notes: OnceLock::new(),
            smallest_card: OnceLock::new(),
        })
    }

    /// Makes the cards of these nodes, all of `size` bytes.
    ///
    /// # Errors
    /// [`Error`]; [`Error::DoesNotFit`] if the contents of the base do not fit.
    pub fn cards(
        &self,
        size: u64,
        nodes: &[&Node],
        cancel: &Cancel,
    ) -> Result<PreparedCards, Error> {
        let _pure = cancel.begin_pure();
        self.make(size, nodes, cancel).map_err(|error| self.blame_change(error))
    }

    fn make(&self, size: u64, nodes: &[&Node], cancel: &Cancel) -> Result<PreparedCards, Error> {
        let BuildInputs { cluster, keys, .. } = self.inputs;
        let time = self.time;
        let (mut notes, mut shared_edits) = (Vec::new(), Vec::new());
        let render_shared = |files: &RootFs| {
            let files = CachedFiles::new(files);
            let rendered = cluster_profile::render_shared(cluster, keys, &files, time)
                .map_err(|first| self.refused(nodes, &files, first))?;
            notes.extend(rendered.notes);
            notes.extend(self.password_notes(&files)?);
            shared_edits.clone_from(&rendered.edits);
            Ok(rendered.edits)
        };
        let grown = GrownBase::new(self.base.storage(), &self.layout, size, time, render_shared)?;
        let mut shared_changed = grown.layer().changed();
        shared_changed.insert(self.base_size()..size);
        let files = grown.files()?;
        let files = CachedFiles::new(&files);
        let mut cards = Vec::new();
        for node in nodes {
            cancel.check()?;
            let rendered = cluster_profile::render_node(cluster, node, keys, &files, time)
                .map_err(|first| self.refused(nodes, &files, first))?;
            notes.extend(rendered.notes);
            let edits = rendered.edits;
            let layer = grown.node(time, &edits)?;
            let used = grown.used(&layer)?;
            let mut changed = shared_changed.clone();
            let own = layer.changed();
            changed.extend(&own);
            cards.push(PreparedCard { name: node.name.clone(), layer, used, changed, own, edits });
        }
        let mut unique: Vec<BuildNote> = Vec::new();
        let notes = notes.into_iter().map(BuildNote::from);
        for note in notes.chain(grown.notes.iter().cloned()) {
            if !unique.contains(&note) {
                unique.push(note);
            }
        }
        Ok(PreparedCards {
            cards,
            root: RootRecord {
                partition: self.layout.root,
                size_in_base: grown.root_before,
                size: grown.root_after(),
            },
            notes: unique,
            root_range: grown.root_range(),
            edits: shared_edits,
            shared_used: grown.used(grown.layer())?,
            shared: grown.layer().clone(),
        })
    }

    /// Returns the error with all reasons why no cards can be made, of which `first` is one.
    fn refused(&self, nodes: &[&Node], files: &dyn SystemFiles, first: RenderError) -> Error {
        let BuildInputs { cluster, keys, .. } = self.inputs;
        match cluster_profile::card_obstacles(cluster, nodes, keys, files, self.time) {
            Ok(all) if !all.is_empty() => Error::Refused(all),
            _ => first.into(),
        }
    }

    /// Returns the notes about passwords, which are the same for cards of all sizes and slow
    /// to compute.
    fn password_notes(&self, files: &dyn SystemFiles) -> Result<Vec<Note>, Error> {
        if let Some(notes) = self.password_notes.get() {
            return Ok(notes.clone());
        }
        let notes = cluster_profile::default_password_notes(self.inputs.cluster, files)?;
        Ok(self.password_notes.get_or_init(|| notes).clone())
    }

    /// Returns the decoded base, for reading only.
    pub fn storage(&self) -> Arc<BaseStorage> {
        self.base.storage()
    }

    /// Returns the size of the decoded base in bytes.
    pub fn base_size(&self) -> u64 {
        self.base.storage().size()
    }

    /// Returns whether a card of `size` bytes has room for the contents of the base, or the size
    /// in bytes of the smallest card that has. This takes time only if the card is smaller than
    /// the base.
    ///
    /// # Errors
    /// [`Error`].
    pub fn check_card_size(&self, size: u64, cancel: &Cancel) -> Result<Result<(), u64>, Error> {
        if size >= self.base_size() {
            return Ok(Ok(()));
        }
        let smallest = match self.smallest_card.get() {
            Some(&smallest) => smallest,
            None => {
                let _pure = cancel.begin_pure();
                let smallest = smallest_card(&self.base.storage(), &self.layout, self.time)
                    .map_err(|error| self.blame_change(error))?;
                *self.smallest_card.get_or_init(|| smallest)
            }
        };
        Ok(if size >= smallest { Ok(()) } else { Err(smallest) })
    }

    /// Returns the layout of the base.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns why the root partition was chosen, in words.
    pub fn root_reason(&self) -> &str {
        &self.layout.root_reason
    }

    /// Returns the time of every change, in seconds since 1970.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// Returns what identifies the base.
    pub fn base_record(&self) -> BaseRecord {
        let file = self.inputs.base.file_name().unwrap_or_default();
        BaseRecord {
            file: file.to_string_lossy().into_owned(),
            size: self.base_size(),
            sha256: self.base.sha256().map(|sum| to_hex(&sum)),
        }
    }

    /// Makes sure that the base has not been written to since it was opened.
    ///
    /// # Errors
    /// [`Error::Base`] if it has.
    pub fn check_unchanged(&self) -> Result<(), Error> {
        Ok(self.base.check_unchanged()?)
    }

    /// Returns the error, or that the base has changed, which can cause any other error.
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
