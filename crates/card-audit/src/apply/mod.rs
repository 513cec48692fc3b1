//! Correcting a card in use, in place.
//!
//! Only edits that verifying asks for are made, in a layer over the root filesystem, which
//! is then committed through its journal. Done to a layer over the card, all this is a
//! rehearsal: it shows what would change and finds every reason to refuse, except for
//! those of the card's hardware.

mod correct;
mod error;

use std::{ops::Range, sync::Arc};

use block_io::{Cancel, Layer, ReadAt, Stoppable, Window, WriteAt};
use card_image::{BuildNote, END_RESERVE, FsError, Layout};
use cluster_profile::Node;
use ext4_offline::{Committed, Timestamp};

use self::correct::correct;
pub use self::error::ApplyError;
use crate::{Card, ChangePlan, Finding, PlanNote, Severity, VerifyOptions, plan, verify};

/// What is applied, and to which card.
#[derive(Debug, Clone, Copy)]
pub struct ApplyOptions<'a> {
    /// What the card is compared with; its `node` is ignored.
    pub verify: VerifyOptions<'a>,
    /// The node whose card it should be.
    pub node: &'a Node,
    /// The number of the root partition; `None` detects it.
    pub root: Option<u32>,
    /// Whether partition and filesystem grow to fill the card.
    pub grow: bool,
    /// The time of every change, in seconds since 1970.
    pub time: u64,
    /// Stops everything but the writing.
    pub cancel: &'a Cancel,
}

/// What applying changed, or would change.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Applied {
    /// What changed.
    pub plan: ChangePlan,
    /// The errors and warnings that remain.
    pub left: Vec<Finding>,
    /// Whether the partition table was written.
    pub table: bool,
    /// What was written to the root filesystem; `None` if it needed no change.
    pub committed: Option<Committed>,
    /// Whether files of boot partitions were written.
    pub boot: bool,
}

impl Applied {
    /// Returns whether the card needed no change.
    pub fn is_nothing(&self) -> bool {
        !self.table && self.committed.is_none() && !self.boot
    }
}

/// Returns what [`apply`] would do. Nothing is written; every reason to refuse is found.
///
/// # Errors
/// [`ApplyError`].
pub fn rehearse(
    options: &ApplyOptions<'_>,
    name: &str,
    card: Arc<dyn ReadAt>,
) -> Result<Applied, ApplyError> {
    let _pure = options.cancel.begin_pure();
    let size = card.size();
    let card = Arc::new(Stoppable::new(card, options.cancel.clone()));
    let scratch: Arc<dyn WriteAt> = Arc::new(Layer::new(card, size));
    Target { name, card: &scratch, cancel: options.cancel }.apply(options)
}

/// Makes a card what the profile says, and writes only what differs. `card` is the whole
/// card, `name` stands for it in messages. `agreed` is the plan of a rehearsal: if the
/// card would change in another way, nothing is written.
///
/// First the root filesystem's journal is replayed, if necessary; then the partition table
/// is written, if the partition grows, since no kernel mounts a filesystem that is larger
/// than its partition; then everything else of the root filesystem is committed at once; at
/// last the files of boot partitions are written one by one. Whenever this is cut off,
/// the partition table is the old one or the new one, the root filesystem is the old one or
/// the new one, whole, after an ordinary replay of its journal, and so is each file of a boot
/// partition; applying again completes it. A card that needs no change
/// is not written to.
///
/// # Errors
/// [`ApplyError`]. After the first write only a failing card is an error, and then
/// [`ApplyError::may_have_written`] returns true.
pub fn apply(
    options: &ApplyOptions<'_>,
    name: &str,
    card: &Arc<dyn WriteAt>,
    agreed: &ChangePlan,
) -> Result<Applied, ApplyError> {
    let rehearsed = rehearse(options, name, Arc::new(card.clone()))?;
    if rehearsed.plan != *agreed {
        return Err(ApplyError::Changed { target: name.to_owned() });
    }
    if rehearsed.is_nothing() {
        return Ok(rehearsed);
    }
    let stopped = |source| ApplyError::Storage { target: name.to_owned(), source };
    options.cancel.check_read(0).map_err(stopped)?;
    let written = Target { name, card, cancel: &Cancel::new() }.apply(options);
    written.map_err(|error| ApplyError::Cut(Box::new(error)))
}

/// The card that is written to.
struct Target<'a> {
    name: &'a str,
    card: &'a Arc<dyn WriteAt>,
    cancel: &'a Cancel,
}

impl Target<'_> {
    fn apply(&self, options: &ApplyOptions<'_>) -> Result<Applied, ApplyError> {
        let layout = self.layout(options)?;
        let window = self.window(&layout.root_range())?;
        ext4_offline::replay_journal(&window).map_err(|error| self.filesystem(error))?;
        let before = self.open(options)?;
        let (table, growth_note) =
            if options.grow { self.grow_table(&layout)? } else { (false, None) };
        let range = if table { self.layout(options)?.root_range() } else { layout.root_range() };
        let window = self.window(&range)?;
        let layer = Arc::new(Layer::new(Arc::new(window.clone()), window.size()));
        self.prepare(&layer, options.time).map_err(|error| self.filesystem(error))?;
        if options.grow {
            // Nobody knows which blocks of a card are zero. The kernel zeroes the inode
            // tables, as after its own growing.
            ext4_offline::grow_lazily(&layer, layer.size(), Timestamp::saturating(options.time))
                .map_err(|error| self.filesystem(error))?;
        }
        let mut corrected = correct(options, &before, layer.clone())?;

        let whole: Arc<dyn ReadAt> = corrected.whole.clone();
        let after = plan::read_only(layer.clone());
        let after = after.and_then(|root| root.with_boot(&whole, before.layout()));
        let after = after.map_err(before.files_error())?;
        let files = plan::compare(options.node, &before, &after, &corrected.edits)?;
        let info = ext4_offline::inspect(&layer).map_err(|error| self.filesystem(error))?;
        let grew = before.root().blocks != info.blocks;
        corrected.notes.extend(growth_note.map(PlanNote::Build));
        let words = plan::describe_growth(before.layout(), range.end, before.root(), Some(&info));
        let mut notes = std::mem::take(&mut corrected.notes);
        let other = verify::other_identity(&options.verify, options.node, &before)?;
        notes.extend(other.map(PlanNote::OtherIdentity));
        if let verify::BaseReference::Absent(reason) = options.verify.base {
            notes.push(PlanNote::BaseNotCompared { reason: reason.to_owned() });
        }
        let mut committed = None;
        if grew || files.files.iter().any(|change| corrected.is_on_root(&change.path)) {
            let time = Timestamp::saturating(options.time);
            let commit = ext4_offline::commit(&window, &layer, &layer.changed(), time);
            committed = Some(commit.map_err(|error| self.filesystem(error))?);
        }
        corrected.whole.forget_unchanged().map_err(|source| self.storage(source))?;
        let boot = !corrected.whole.changed().is_empty();
        if boot {
            card_image::edit_boot_in_place(
                self.card,
                before.layout(),
                options.time,
                &corrected.boot,
            )
            .map_err(|source| self.boot(source))?;
        }
        let plan = plan::finish(self.name, words, notes, vec![files]);
        Ok(Applied { plan, left: self.left(options)?, table, committed, boot })
    }

    /// Prepares a filesystem whose journal was replayed for a change.
    fn prepare(&self, layer: &Arc<Layer>, time: u64) -> ext4_offline::Result<()> {
        ext4_offline::recount(layer)?;
        let storage: Arc<dyn WriteAt> = layer.clone();
        // Orphans are removed with the change: that takes more than one write.
        ext4_offline::recover(&storage, Timestamp::saturating(time))?;
        // Blocks that a wrong bitmap calls free would be overwritten.
        ext4_offline::check(layer).map(drop)
    }

    fn layout(&self, options: &ApplyOptions<'_>) -> Result<Layout, ApplyError> {
        Ok(crate::card::layout(self.name, &self.readable(), options.root)?)
    }

    fn open(&self, options: &ApplyOptions<'_>) -> Result<Card, ApplyError> {
        let name = self.name.to_owned();
        Ok(Card::stoppable(name, self.readable(), options.root, self.cancel)?)
    }

    fn readable(&self) -> Arc<dyn ReadAt> {
        Arc::new(self.card.clone())
    }

    fn window(&self, range: &Range<u64>) -> Result<Window<Arc<dyn WriteAt>>, ApplyError> {
        Window::new(self.card.clone(), range.start, range.end - range.start)
            .map_err(|source| self.storage(source))
    }

    /// Grows the root partition to fill the card, or as far as the next partition. Returns
    /// whether that was a change, and a note if another partition is in the way.
    fn grow_table(&self, layout: &Layout) -> Result<(bool, Option<BuildNote>), ApplyError> {
        let scratch = Layer::new(self.readable(), self.card.size());
        let grown = layout.table().grow(&scratch, layout.root, END_RESERVE);
        let grown = grown.map_err(|error| self.table(error))?;
        let note = card_image::growth_note(&grown, self.card.size());
        scratch.forget_unchanged().map_err(|source| self.storage(source))?;
        if scratch.changed().is_empty() {
            return Ok((false, note));
        }
        let grown = layout.table().grow(self.card, layout.root, END_RESERVE);
        grown.map_err(|error| self.table(error))?;
        self.card.flush().map_err(|source| self.storage(source))?;
        Ok((true, note))
    }

    /// Returns what remains to be fixed.
    fn left(&self, options: &ApplyOptions<'_>) -> Result<Vec<Finding>, ApplyError> {
        let card = self.open(options)?;
        let verify = VerifyOptions { node: Some(options.node), ..options.verify };
        let mut findings = verify::one(&verify, &card)?.findings;
        findings.retain(|finding| finding.severity > Severity::Note);
        Ok(findings)
    }

    fn table(&self, source: part_table::Error) -> ApplyError {
        ApplyError::Table { target: self.name.to_owned(), source: source.into() }
    }

    fn filesystem(&self, source: ext4_offline::Error) -> ApplyError {
        ApplyError::Filesystem { target: self.name.to_owned(), source: Box::new(source) }
    }

    fn boot(&self, source: FsError) -> ApplyError {
        ApplyError::Boot { target: self.name.to_owned(), source: Box::new(source) }
    }

    fn storage(&self, source: block_io::Error) -> ApplyError {
        ApplyError::Storage { target: self.name.to_owned(), source }
    }
}
