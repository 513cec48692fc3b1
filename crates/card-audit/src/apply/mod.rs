//! A card in use, brought to what the profile says in place.
//!
//! Only edits that verifying asks for are carried out, in a layer over the root
//! filesystem, which is then committed through its journal. Done to a layer over the
//! card, all this is a rehearsal: it shows what would change and finds every reason to
//! refuse, but for those of the card's hardware.

mod correct;
mod error;

use std::{ops::Range, sync::Arc};

use block_io::{Layer, ReadAt, Window, WriteAt};
use card_image::{Layout, RESERVE};
use cluster_profile::Node;
use ext4_offline::{Committed, Timestamp};

use self::correct::correct;
pub use self::error::ApplyError;
use crate::{Card, Finding, Plan, Severity, Verify, plan, verify};

/// What is applied.
#[derive(Debug, Clone, Copy)]
pub struct Apply<'a> {
    /// What the card is compared with; the node is left out of account.
    pub verify: Verify<'a>,
    /// The node whose card it is to be.
    pub node: &'a Node,
    /// The number of the root partition, where it is not to be found.
    pub root: Option<u32>,
    /// Whether partition and filesystem grow to fill the card.
    pub grow: bool,
    /// The time of every change, in seconds since 1970.
    pub time: u64,
}

/// What applying came to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Applied {
    /// What changed.
    pub plan: Plan,
    /// What is not as it should be still, errors and warnings.
    pub left: Vec<Finding>,
    /// Whether the partition table was written.
    pub table: bool,
    /// What was written to the root filesystem; `None` if nothing was to be changed.
    pub committed: Option<Committed>,
}

impl Applied {
    /// Whether nothing was to be changed.
    pub fn is_nothing(&self) -> bool {
        !self.table && self.committed.is_none()
    }
}

/// What [`apply`] would come to. Nothing is written; every reason to refuse is found.
///
/// # Errors
/// [`ApplyError`].
pub fn rehearse(
    options: &Apply<'_>,
    name: &str,
    card: Arc<dyn ReadAt>,
) -> Result<Applied, ApplyError> {
    let size = card.size();
    let scratch: Arc<dyn WriteAt> = Arc::new(Layer::new(card, size));
    Target { name, card: &scratch }.apply(options)
}

/// Brings the whole card that `card` stands for to what the profile says, touching
/// only what differs; `name` stands for it in messages. `agreed` is what a rehearsal
/// showed, and nothing else is done.
///
/// First the root filesystem's journal is replayed, if need be; then the partition
/// table is written, if the partition grows, since no kernel mounts a filesystem that
/// is larger than its partition; then all else is committed at once. Whenever this is
/// cut off, the partition table is the old one or the new one, and the filesystem is
/// the old one or the new one, whole, after an ordinary replay of its journal. A card
/// that needs no change is not written to.
///
/// # Errors
/// [`ApplyError`]; after the first write only that of a card that fails, which is told
/// by [`ApplyError::may_have_written`].
pub fn apply(
    options: &Apply<'_>,
    name: &str,
    card: &Arc<dyn WriteAt>,
    agreed: &Plan,
) -> Result<Applied, ApplyError> {
    let rehearsed = rehearse(options, name, Arc::new(card.clone()))?;
    if rehearsed.plan != *agreed {
        return Err(ApplyError::Changed { target: name.to_owned() });
    }
    if rehearsed.is_nothing() {
        return Ok(rehearsed);
    }
    let written = Target { name, card }.apply(options);
    written.map_err(|error| ApplyError::Cut(Box::new(error)))
}

/// The card that is written to.
struct Target<'a> {
    name: &'a str,
    card: &'a Arc<dyn WriteAt>,
}

impl Target<'_> {
    fn apply(&self, options: &Apply<'_>) -> Result<Applied, ApplyError> {
        let layout = self.layout(options)?;
        let window = self.window(&layout.root_range())?;
        ext4_offline::replay_journal(&window).map_err(|error| self.filesystem(error))?;
        let before = Card::from_storage(self.name.to_owned(), self.readable(), options.root)?;
        let (table, in_the_way) = match options.grow {
            true => self.grow_table(&layout)?,
            false => (false, None),
        };
        let range = match table {
            true => self.layout(options)?.root_range(),
            false => layout.root_range(),
        };
        let window = self.window(&range)?;
        let layer = Arc::new(Layer::new(Arc::new(window.clone()), window.size()));
        self.prepare(&layer, options.time).map_err(|error| self.filesystem(error))?;
        if options.grow {
            // A card cannot tell what is zero; the kernel writes the tables, as after
            // its own growing.
            ext4_offline::grow_lazily(&layer, layer.size(), Timestamp::saturating(options.time))
                .map_err(|error| self.filesystem(error))?;
        }
        let mut corrected = correct(options, &before, layer.clone())?;

        let after = plan::read_only(layer.clone()).map_err(before.files_error())?;
        let files = plan::compare(options.node, &before, &after, &corrected.edits)?;
        let info = ext4_offline::inspect(&layer).map_err(|error| self.filesystem(error))?;
        let grew = before.root().blocks != info.blocks;
        if let Some(error) = in_the_way {
            if !grew {
                return Err(self.table(error));
            }
            corrected.notes.push(format!("the partition stays as it is: {error}"));
        }
        let words = plan::grown(before.layout(), range.end, before.root(), Some(&info));
        let mut notes = corrected.notes;
        notes.extend(verify::stranger(&options.verify, options.node, &before)?);
        if let verify::Base::Absent(reason) = options.verify.base {
            notes.push(format!(
                "identities that are the base's are not looked for, {reason}; those stay"
            ));
        }
        let committed = match grew || !files.files.is_empty() {
            true => {
                let changed = layer.changed();
                let committed = ext4_offline::commit(
                    &window,
                    &layer,
                    &changed,
                    Timestamp::saturating(options.time),
                );
                Some(committed.map_err(|error| self.filesystem(error))?)
            }
            false => None,
        };
        let plan = plan::finish(self.name, words, notes, vec![files]);
        Ok(Applied { plan, left: self.left(options)?, table, committed })
    }

    /// Makes of a filesystem whose journal was replayed one that can be changed.
    fn prepare(&self, layer: &Arc<Layer>, time: u64) -> ext4_offline::Result<()> {
        ext4_offline::recount(layer)?;
        let storage: Arc<dyn WriteAt> = layer.clone();
        // Orphans go with the change: removing them is no single write.
        ext4_offline::recover(&storage, Timestamp::saturating(time))?;
        // What a wrong bitmap calls free would be given away.
        ext4_offline::check(layer)
    }

    fn layout(&self, options: &Apply<'_>) -> Result<Layout, ApplyError> {
        Ok(Card::from_storage(self.name.to_owned(), self.readable(), options.root)?
            .layout()
            .clone())
    }

    fn readable(&self) -> Arc<dyn ReadAt> {
        Arc::new(self.card.clone())
    }

    fn window(&self, range: &Range<u64>) -> Result<Window<Arc<dyn WriteAt>>, ApplyError> {
        Window::new(self.card.clone(), range.start, range.end - range.start)
            .map_err(|source| self.storage(source))
    }

    /// Lets the root partition fill the card. Answers whether that was a change, or that
    /// other partitions are in its way, in which case its filesystem may grow still.
    fn grow_table(&self, layout: &Layout) -> Result<(bool, Option<part_table::Error>), ApplyError> {
        let scratch = Layer::new(self.readable(), self.card.size());
        match layout.table().grow_last(&scratch, layout.root, RESERVE) {
            Err(error @ part_table::Error::NotLast { .. }) => return Ok((false, Some(error))),
            other => other.map_err(|error| self.table(error))?,
        };
        scratch.forget_unchanged().map_err(|source| self.storage(source))?;
        if scratch.changed().is_empty() {
            return Ok((false, None));
        }
        let grown = layout.table().grow_last(self.card, layout.root, RESERVE);
        grown.map_err(|error| self.table(error))?;
        self.card.flush().map_err(|source| self.storage(source))?;
        Ok((true, None))
    }

    /// What is still not as it should be.
    fn left(&self, options: &Apply<'_>) -> Result<Vec<Finding>, ApplyError> {
        let card = Card::from_storage(self.name.to_owned(), self.readable(), options.root)?;
        let verify = Verify { node: Some(options.node), ..options.verify };
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

    fn storage(&self, source: block_io::Error) -> ApplyError {
        ApplyError::Storage { target: self.name.to_owned(), source }
    }
}
