//! The root filesystem of a card that is saved: its journal, its identity and its size.

use std::sync::Arc;

use block_io::{Layer, ReadAt, Window, WriteAt};
use cluster_profile::{KeptAddress, RemovedPart};
use ext4_offline::{ShrinkPlan, Timestamp};
use part_table::ALIGNMENT;
use system_model::Secret;

use super::{SaveContents, SaveSize, moved::Moved, other_names::OtherNames, private_keys};
use crate::{
    BuildNote, Error,
    grown::END_RESERVE,
    layout::Layout,
    rootfs::{RootFs, RootFsEditor},
    shrunk::{cut_off, smallest_card_for},
};

/// The room that a shrunk filesystem has beside its contents: this part of them, and at least
/// this number of bytes.
const MARGIN_PART: u64 = 10;
const LEAST_MARGIN: u64 = 16 << 20;

/// What was taken out of a system, and what secrets are left in it.
#[derive(Debug, Default)]
pub(super) struct Stripped {
    pub removed: Vec<RemovedPart>,
    pub secrets: Vec<Secret>,
    pub kept: Vec<KeptAddress>,
}

/// The root filesystem on a layer over the card.
pub(super) struct Root<'a> {
    pub whole: Arc<Layer>,
    pub layout: &'a Layout,
    pub time: u64,
}

impl Root<'_> {
    fn window(&self) -> Result<Arc<dyn WriteAt>, Error> {
        let range = self.layout.root_range();
        Ok(Arc::new(Window::new(self.whole.clone(), range.start, range.end - range.start)?))
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::saturating(self.time)
    }

    /// Does what mounting would do first, and makes sure that the filesystem is consistent.
    pub fn recover(&self) -> Result<(), Error> {
        let window = self.window()?;
        ext4_offline::recover(&window, self.timestamp())?;
        ext4_offline::check(&window)?;
        ext4_offline::recount(&window)?;
        Ok(())
    }

    /// Takes the identity out, if that is wanted, and lists the secrets that stay.
    pub fn strip(&self, contents: SaveContents<'_>) -> Result<Stripped, Error> {
        let whole: Arc<dyn WriteAt> = self.whole.clone();
        let SaveContents::Base(owner) = contents else {
            let readable: Arc<dyn ReadAt> = self.whole.clone();
            let window: Arc<dyn ReadAt> = Arc::new(self.window()?);
            let files = RootFs::open(window)?.with_boot(&readable, self.layout)?;
            return Ok(Stripped { secrets: secrets(&files)?, ..Stripped::default() });
        };
        let window = self.window()?;
        let files = RootFsEditor::open(window.clone(), self.time)?;
        let mut files = files.with_boot(&whole, self.layout)?;
        let neutral = cluster_profile::render_neutral(owner, &*files)?;
        let mut removed = neutral.removed;
        let others = OtherNames::find(&files, &neutral.edits)?;
        files.apply_to_all_names(&neutral.edits)?;
        others.remove(&mut files, &mut removed)?;
        let secrets = secrets(&files)?;
        files.close()?;
        // The journal may hold copies of what was just removed.
        ext4_offline::scrub(&window)?;
        ext4_offline::check(&window)?;
        Ok(Stripped { removed, secrets, kept: neutral.kept })
    }

    /// Shrinks the filesystem and its partition in a layer.
    pub fn shrink(&self, size: SaveSize) -> Result<Shrunk, Shrink> {
        let card = self.whole.size();
        let range = self.layout.root_range();
        let behind = self.layout.partitions.iter().find(|part| part.range.start >= range.end);
        let source: Arc<dyn ReadAt> = Arc::new(self.window()?);
        let smallest = || -> Result<u64, Error> {
            Ok(ShrinkPlan::to_minimum(&source, self.timestamp())?.size())
        };
        let wanted = match size {
            SaveSize::Unchanged => return Ok(Shrunk::AsLarge(None)),
            SaveSize::Card(wanted) => wanted,
            SaveSize::Contents if behind.is_some() => card,
            SaveSize::Contents => match smallest() {
                Ok(minimum) => {
                    let margin = (minimum / MARGIN_PART).max(LEAST_MARGIN);
                    smallest_card_for(self.layout, minimum + margin)
                }
                // It can be saved, but not made smaller.
                Err(Error::Ext4(error)) if !error.is_damage() && !is_storage(&error) => {
                    let reason = Some(error.to_string());
                    return Ok(Shrunk::AsLarge(Some(BuildNote::NotShrunk { reason })));
                }
                Err(error) => return Err(error.into()),
            },
        };
        if wanted >= card {
            let reason = behind.map(|part| format!("partition {} follows it", part.number));
            return Ok(Shrunk::AsLarge(Some(BuildNote::NotShrunk { reason })));
        }
        let end = self.layout.table().end_on_smaller_card(self.layout.root, wanted, END_RESERVE);
        let end = match end {
            Ok(end) => end * part_table::SECTOR_SIZE,
            Err(error) if behind.is_some() => return Err(Error::from(error).into()),
            Err(_) => return Err(Shrink::TooSmall(smallest_card_for(self.layout, smallest()?))),
        };
        let room = end.saturating_sub(range.start) / ALIGNMENT * ALIGNMENT;
        let plan = match ShrinkPlan::to_size(&source, room, self.timestamp()) {
            Ok(plan) => plan,
            Err(ext4_offline::Error::DoesNotFit { minimum, .. }) => {
                return Err(Shrink::TooSmall(smallest_card_for(self.layout, minimum)));
            }
            Err(error) => return Err(Error::from(error).into()),
        };
        // Contents are read at their old places later on: they need not fit into memory.
        let moved: Arc<dyn ReadAt> =
            Arc::new(Moved::new(self.whole.clone(), range.start, plan.moves()));
        let layer = Arc::new(Layer::new(moved.clone(), card));
        let window = Window::new(layer.clone(), range.start, range.end - range.start);
        plan.apply_metadata(&window.map_err(Error::from)?).map_err(Error::from)?;
        let table = self.layout.table();
        table.shrink(&layer, self.layout.root, wanted, END_RESERVE).map_err(Error::from)?;
        let shrunk = cut_off(moved, &layer, wanted).map_err(Error::from)?;
        let layout = self.layout.reread(&shrunk)?;
        Ok(Shrunk::Smaller(shrunk, layout))
    }
}

/// What became of a card that was to be shrunk.
pub(super) enum Shrunk {
    /// The smaller card and its layout.
    Smaller(Arc<Layer>, Layout),
    /// It is as large as before; why, if it was to be smaller.
    AsLarge(Option<BuildNote>),
}

/// Why a card cannot be shrunk.
pub(super) enum Shrink {
    /// The image would be too small; the smallest possible size in bytes.
    TooSmall(u64),
    Failed(Error),
}

impl From<Error> for Shrink {
    fn from(error: Error) -> Self {
        Shrink::Failed(error)
    }
}

fn is_storage(error: &ext4_offline::Error) -> bool {
    matches!(error, ext4_offline::Error::Storage(_))
}

fn secrets(files: &RootFs) -> Result<Vec<Secret>, Error> {
    let found = system_model::secrets(files);
    let found = found.map_err(|error| Error::Render(cluster_profile::RenderError::from(error)));
    let mut secrets = found?;
    secrets.extend(private_keys::find(files)?);
    secrets.sort();
    secrets.dedup_by(|a, b| a.path == b.path);
    Ok(secrets)
}
