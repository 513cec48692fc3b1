//! Saving a card as an image: only what is used, as small as its contents, and without the
//! identity of its node if it is to be a base image.
//!
//! The card is only read. What is changed is changed in layers over it, as for built cards.

mod error;
mod lost;
mod moved;
mod other_names;
mod patient;
mod private_keys;
mod root;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use block_io::{Extents, Layer, ReadAt};
use cluster_keys::ClusterKeys;
use cluster_profile::{Cluster, RemovedPart};
use plain_text::{to_hex, with_causes};
use system_model::Secret;

pub use self::{
    error::SaveError,
    lost::{LostBytes, LostOwner},
};
use self::{
    patient::PatientReader,
    root::{Root, Shrink, Shrunk, Stripped},
};
use crate::{
    BuildNote, BuildProgress, Cancel, Error, FsError, ImageFormat, OutputError, RootRecord,
    layout::Layout,
    output::{EmitJob, EmittedImage, OutputDirectory, emit},
    prepare::PreparedCard,
    used::{self, OutsideRoot},
};

/// How to save a card.
pub struct SaveOptions<'a> {
    /// The card, which is only read.
    pub card: Arc<dyn ReadAt>,
    /// The path of the card, for messages. The image never replaces it.
    pub path: &'a Path,
    /// Says whether the card is still the one that was opened.
    pub is_present: Box<dyn Fn() -> bool + Send + Sync>,
    /// The number of the root partition, if it should not be detected.
    pub root: Option<u32>,
    /// The image to write. Its name says the format: `.img`, `.img.xz`, `.img.zst` or `.img.gz`.
    pub out: &'a Path,
    /// What is saved.
    pub contents: SaveContents<'a>,
    /// The size of the image.
    pub size: SaveSize,
    /// Whether an image that exists is replaced.
    pub overwrite: bool,
    /// Whether zeros take the place of what cannot be read.
    pub keep_going: bool,
    /// The time of every change, in seconds since 1970; by default that of the last change on
    /// the card.
    pub time: Option<u64>,
}

impl fmt::Debug for SaveOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaveOptions")
            .field("path", &self.path)
            .field("out", &self.out)
            .field("contents", &self.contents)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// What is saved of a card.
#[derive(Debug, Clone, Copy)]
pub enum SaveContents<'a> {
    /// All files, as a backup.
    Exact,
    /// All but the identity of the node, as a base image. With a cluster and its keys, what that
    /// put on the card is removed too.
    Base(Option<(&'a Cluster, &'a ClusterKeys)>),
}

/// The size of the image of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveSize {
    /// That of the contents and a margin.
    Contents,
    /// So many bytes, unless the card is smaller.
    Card(u64),
    /// That of the card.
    Unchanged,
}

/// A card that was saved.
#[derive(Debug)]
#[non_exhaustive]
pub struct SaveOutcome {
    /// The image.
    pub image: PathBuf,
    /// The SHA-256 sum of the image file, in hexadecimal.
    pub sha256: String,
    /// The block map beside it.
    pub bmap: PathBuf,
    /// The file with the checksum beside it.
    pub sums: PathBuf,
    /// The size of the card in bytes.
    pub card_size: u64,
    /// The size of the decoded image in bytes.
    pub size: u64,
    /// The number of bytes of it that are in use.
    pub used_bytes: u64,
    /// The root filesystem, on the card and in the image; `None` if there is none.
    pub root: Option<RootRecord>,
    /// Why the root partition was chosen.
    pub root_reason: String,
    /// What was taken out.
    pub removed: Vec<RemovedPart>,
    /// The secrets in the image.
    pub secrets: Vec<Secret>,
    /// What could not be read, and is zero in the image.
    pub lost: Vec<LostBytes>,
    /// What the user should know.
    pub notes: Vec<BuildNote>,
}

/// Saves a card as an image, with a block map and a checksum beside it. Files that are free
/// of errors get their final names at the end, all or none.
///
/// A filesystem that was not unmounted is recovered in the image, as mounting would. A root
/// filesystem that is damaged is copied whole if everything is to stay as it is, and refused
/// otherwise.
///
/// # Errors
/// [`SaveError`].
pub fn save(
    options: SaveOptions<'_>,
    progress: &dyn BuildProgress,
    cancel: &Cancel,
) -> Result<SaveOutcome, SaveError> {
    let SaveOptions { card, path, is_present, root, contents, size, keep_going, time, .. } =
        options;
    let output = Output::open(options.out, path, options.overwrite)?;
    let _leftovers = cancel.remove_if_abandoned(output.directory.leftovers());
    let reader = PatientReader::new(card, is_present, keep_going, cancel.clone());
    let reader = Arc::new(reader);
    let mut saving = Saving {
        card: reader.clone(),
        path,
        root,
        contents,
        size,
        time,
        recovered: None,
        progress,
        cancel,
    };
    let result = saving.run(&output);
    let found = reader.found();
    if found.gone || (result.is_ok() && !reader.is_present()) {
        return Err(SaveError::Removed { card: path.to_owned() });
    }
    cancel.check()?;
    match result {
        Ok((emitted, outcome)) => {
            let lost = saving.owners(&found.unreadable);
            output.publish(emitted, SaveOutcome { lost, ..outcome })
        }
        // Whatever failed, this is why.
        Err(failure) if !keep_going && !found.unreadable.is_empty() => {
            let lost = saving.owners(&found.unreadable);
            let source: Box<dyn std::error::Error + Send + Sync> = match failure {
                Failure::Storage(source) => Box::new(source),
                Failure::Other(error) => error,
            };
            Err(SaveError::Unreadable { card: path.to_owned(), lost, source })
        }
        Err(Failure::Storage(source)) => Err(SaveError::Storage { card: path.to_owned(), source }),
        Err(Failure::Other(error)) => Err(*error),
    }
}

/// A card that is being saved.
struct Saving<'a> {
    card: Arc<PatientReader<Arc<dyn ReadAt>>>,
    path: &'a Path,
    root: Option<u32>,
    contents: SaveContents<'a>,
    size: SaveSize,
    time: Option<u64>,
    /// The layout of the card, and the card after a replay of the root filesystem's journal, once
    /// they are known.
    recovered: Option<(Layout, Arc<dyn ReadAt>)>,
    progress: &'a dyn BuildProgress,
    cancel: &'a Cancel,
}

/// The storage's error apart from all others, since it may mean that sectors are unreadable.
enum Failure {
    Storage(block_io::Error),
    Other(Box<SaveError>),
}

impl From<SaveError> for Failure {
    fn from(error: SaveError) -> Self {
        Failure::Other(Box::new(error))
    }
}

/// The root filesystem in the image.
struct SavedRoot {
    layer: Arc<Layer>,
    layout: Layout,
    used: Extents,
    stripped: Stripped,
    record: Option<RootRecord>,
    notes: Vec<BuildNote>,
}

impl Saving<'_> {
    fn run(&mut self, output: &Output) -> Result<(EmittedImage, SaveOutcome), Failure> {
        let card: Arc<dyn ReadAt> = self.card.clone();
        // Until the image is written, everything is in memory.
        let pure = self.cancel.begin_pure();
        let saved = match Layout::find(&card, self.root) {
            Ok(layout) => self.with_root(layout)?,
            // A backup needs no root filesystem.
            Err(Error::Root(_)) if self.is_copy() && self.root.is_none() => {
                let layout = Layout::without_root(&card).map_err(|error| self.failure(error, 0))?;
                self.recovered = Some((layout.clone(), card.clone()));
                self.whole(layout, Vec::new())
            }
            Err(error) => return Err(self.failure(error, 0)),
        };
        let SavedRoot { layer, layout, used, stripped, record, mut notes } = saved;
        let size = layer.size();
        let outside = used::outside_root(&layer, &layout, size);
        let OutsideRoot { used: mut all, notes: more } =
            outside.map_err(|error| self.failure(error, 0))?;
        all.extend(&used);
        notes.extend(more);
        drop(pure);
        self.cancel.check().map_err(SaveError::from)?;
        let emitted = self.emit(output, layer, all)?;
        let outcome = SaveOutcome {
            image: output.path(emitted.image.name()),
            sha256: emitted.sum.as_ref().map(|sum| to_hex(sum)).unwrap_or_default(),
            bmap: output.path(emitted.bmap.name()),
            sums: output.path(&output.sums_name()),
            card_size: self.card.size(),
            size,
            used_bytes: emitted.used_bytes,
            root: record,
            root_reason: layout.root_reason,
            removed: stripped.removed,
            secrets: stripped.secrets,
            lost: Vec::new(),
            notes,
        };
        Ok((emitted, outcome))
    }

    /// Returns whether everything stays as it is.
    fn is_copy(&self) -> bool {
        matches!((self.contents, self.size), (SaveContents::Exact, SaveSize::Unchanged))
    }

    fn with_root(&mut self, layout: Layout) -> Result<SavedRoot, Failure> {
        let number = layout.root;
        let card: Arc<dyn ReadAt> = self.card.clone();
        let time = match self.time {
            Some(time) => time,
            None => layout.root_written(&card).map_err(|error| self.failure(error, number))?,
        };
        self.recovered = Some((layout.clone(), card.clone()));
        let size = card.size();
        let recovered = Arc::new(Layer::new(card.clone(), size));
        let root = Root { whole: recovered.clone(), layout: &layout, time };
        match root.recover().map_err(|error| self.failure(error, number)) {
            Ok(()) => {}
            Err(Failure::Other(error)) if self.is_copy() => {
                let SaveError::Filesystem { source, .. } = &*error else {
                    return Err(Failure::Other(error));
                };
                let reason = with_causes(&**source);
                let note = BuildNote::CopiedWhole { partition: number, reason };
                return Ok(self.whole(layout, vec![note]));
            }
            Err(failure) => return Err(failure),
        }
        self.recovered = Some((layout.clone(), recovered.clone()));
        let before = layout.root_range();
        let whole = Arc::new(Layer::new(recovered, size));
        let root = Root { whole: whole.clone(), layout: &layout, time };
        let stripped = root.strip(self.contents).map_err(|error| self.failure(error, number))?;
        let kept = stripped.kept.iter().cloned();
        let mut notes: Vec<BuildNote> = kept.map(BuildNote::AddressKept).collect();
        let shrunk = root.shrink(self.size).map_err(|error| match error {
            Shrink::TooSmall(needed) => {
                let wanted = match self.size {
                    SaveSize::Card(wanted) => wanted,
                    _ => size,
                };
                SaveError::TooSmall { card: self.path.to_owned(), wanted, needed }.into()
            }
            Shrink::Failed(error) => self.failure(error, number),
        })?;
        let (layer, layout) = match shrunk {
            Shrunk::Smaller(layer, layout) => (layer, layout),
            Shrunk::AsLarge(note) => {
                notes.extend(note);
                (whole, layout)
            }
        };
        let range = layout.root_range();
        let used = used::of_root(&layer, &range).map_err(|error| self.failure(error, number))?;
        let record = RootRecord {
            partition: number,
            size_in_base: before.end - before.start,
            size: range.end - range.start,
        };
        Ok(SavedRoot { layer, layout, used, stripped, record: Some(record), notes })
    }

    /// Returns the card with a root partition that is copied like any other.
    fn whole(&self, layout: Layout, notes: Vec<BuildNote>) -> SavedRoot {
        let layer = Arc::new(Layer::new(self.card.clone(), self.card.size()));
        let used = layout.root_range();
        SavedRoot {
            layer,
            layout,
            used: Extents::from(used),
            stripped: Stripped::default(),
            record: None,
            notes,
        }
    }

    fn emit(
        &self,
        output: &Output,
        shared: Arc<Layer>,
        used: Extents,
    ) -> Result<EmittedImage, Failure> {
        let size = shared.size();
        let card = PreparedCard {
            name: output.stem.clone(),
            layer: Arc::new(Layer::new(shared.clone(), size)),
            used: used.clone(),
            changed: Extents::new(),
            own: Extents::new(),
            edits: Vec::new(),
        };
        let job = EmitJob {
            base: None,
            shared,
            shared_used: used,
            cards: vec![card],
            earlier: Vec::new(),
            map_ending: output.map_ending(),
            raw_sums: true,
        };
        let emitted = emit(&job, &output.directory, output.format, self.progress, self.cancel);
        let mut emitted = emitted.map_err(|error| self.failure(error.into(), 0))?;
        let missing = || OutputError::Compress { reason: "no image was made".to_owned() };
        Ok(emitted.pop().ok_or_else(missing).map_err(SaveError::from)?)
    }

    /// Says what an error is about. `root` is the number of the root partition.
    fn failure(&self, error: Error, root: u32) -> Failure {
        let card = || self.path.to_owned();
        let filesystem = |source: FsError| match source.into_storage_error() {
            Ok(source) => Failure::Storage(source),
            Err(source) => {
                let source = Box::new(source);
                SaveError::Filesystem { card: card(), partition: root, source }.into()
            }
        };
        match error {
            Error::Storage(source)
            | Error::Table(part_table::Error::Storage(source))
            | Error::Output(OutputError::Read(source)) => Failure::Storage(source),
            Error::Table(source) => SaveError::Table { card: card(), source: source.into() }.into(),
            Error::Root(source) => SaveError::Root { card: card(), source: source.into() }.into(),
            Error::Ext4(source) => filesystem(source.into()),
            Error::Files(source) => filesystem(source),
            Error::Render(source) => {
                SaveError::Render { card: card(), source: source.into() }.into()
            }
            Error::Output(source) => SaveError::from(source).into(),
            Error::Cancelled(source) => SaveError::from(source).into(),
            other => {
                let source =
                    block_io::Error::Open { path: card(), source: io::Error::other(other) };
                SaveError::Storage { card: card(), source }.into()
            }
        }
    }

    fn owners(&self, lost: &Extents) -> Vec<LostBytes> {
        match &self.recovered {
            _ if lost.is_empty() => Vec::new(),
            Some((layout, card)) => lost::owners(card, layout, lost),
            None => lost::unknown(lost),
        }
    }
}

/// The image and the files beside it.
struct Output {
    directory: OutputDirectory,
    parent: PathBuf,
    stem: String,
    format: ImageFormat,
    overwrite: bool,
}

impl Output {
    /// Makes sure that the files can be made, and replace nothing unless that is wanted.
    fn open(path: &Path, card: &Path, overwrite: bool) -> Result<Self, SaveError> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some((stem, format)) = ImageFormat::of_name(name) else {
            return Err(OutputError::Name { path: path.to_owned() }.into());
        };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new(".")).to_owned();
        // As with cp and tar, a misspelled directory is an error.
        let directory = OutputDirectory::open_existing(&parent)?;
        let output = Output { directory, parent, stem: stem.to_owned(), format, overwrite };
        output.directory.check_targets(&output.names(), card)?;
        output.refuse_existing()?;
        Ok(output)
    }

    fn names(&self) -> [String; 3] {
        [self.image_name(), self.bmap_name(), self.sums_name()]
    }

    fn refuse_existing(&self) -> Result<(), OutputError> {
        match self.directory.taken(&self.names()) {
            Some(name) if !self.overwrite => Err(OutputError::Exists { path: self.path(name) }),
            _ => Ok(()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        if self.parent.as_os_str() == "." { PathBuf::from(name) } else { self.parent.join(name) }
    }

    fn image_name(&self) -> String {
        format!("{}.{}", self.stem, self.format.extension())
    }

    /// Returns what is added to the stem for the name of the block map. Images of one stem, such
    /// as `a.img.xz` and `a.img.zst`, have a map each, where bmaptool looks for it first.
    fn map_ending(&self) -> String {
        format!(".{}.bmap", self.format.extension())
    }

    fn bmap_name(&self) -> String {
        format!("{}{}", self.stem, self.map_ending())
    }

    fn sums_name(&self) -> String {
        format!("{}.sha256", self.image_name())
    }

    /// Gives all files their final names. The image comes last.
    fn publish(
        &self,
        emitted: EmittedImage,
        outcome: SaveOutcome,
    ) -> Result<SaveOutcome, SaveError> {
        // Saving takes minutes, in which somebody may have put something there.
        self.refuse_existing()?;
        let line = format!("{}  {}\n", outcome.sha256, self.image_name());
        let sums = self.directory.begin_with(&self.sums_name(), line.as_bytes())?;
        self.directory.publish_beside(&[emitted.bmap, sums, emitted.image])?;
        Ok(outcome)
    }
}
