//! The edits that a card needs, made in a layer.

use std::{slice, sync::Arc};

use block_io::{Layer, WriteAt};
use card_image::{FsError, RootFs, RootFsEditor};
use cluster_profile::{Attributes, Change, FileEdit, Purpose};

use super::ApplyOptions;
use crate::{AuditError, Card, PlanNote, verify};

/// Edits depend on the system that earlier ones made. After so many rounds nothing new
/// comes.
const MAX_ROUNDS: usize = 4;

/// What was done.
pub(super) struct Corrected {
    /// The edits that were made.
    pub edits: Vec<FileEdit>,
    /// What was left as it is.
    pub notes: Vec<PlanNote>,
}

/// Makes the edits that `card` needs in the root filesystem that fills `layer`.
///
/// # Errors
/// [`AuditError`]: the filesystem cannot be edited, or there is no room.
pub(super) fn correct(
    options: &ApplyOptions<'_>,
    card: &Card,
    layer: Arc<dyn WriteAt>,
) -> Result<Corrected, AuditError> {
    // Boot partitions are read here but never written to.
    let whole: Arc<dyn WriteAt> =
        Arc::new(Layer::new(card.storage().clone(), card.storage().size()));
    let files = RootFsEditor::open(layer, options.time);
    let files = files.and_then(|files| files.with_boot(&whole, card.layout()));
    let mut files = files.map_err(card.files_error())?;
    let mut corrected = Corrected { edits: Vec::new(), notes: Vec::new() };
    let mut last = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let mut edits = verify::needed_edits(&options.verify, options.node, card, &files)?;
        edits.retain(|edit| {
            let can_be_made = !card.layout().is_on_boot_partition(&edit.path);
            if !can_be_made {
                let note = PlanNote::OnBootPartition { path: edit.path.clone() };
                if !corrected.notes.contains(&note) {
                    corrected.notes.push(note);
                }
            }
            can_be_made
        });
        if edits.is_empty() || edits == last {
            break;
        }
        last.clone_from(&edits);
        edits.extend(keep_age(&edits, &files).map_err(card.files_error())?);
        for edit in edits {
            match files.apply(slice::from_ref(&edit)) {
                Ok(()) => corrected.edits.push(edit),
                Err(error) if is_obstructed(&error) => {
                    let reason = plain_text::with_causes(&error);
                    let note = PlanNote::Obstructed { path: edit.path.clone(), reason };
                    if !corrected.notes.contains(&note) {
                        corrected.notes.push(note);
                    }
                }
                Err(error) => return Err(card.files_error()(error)),
            }
        }
    }
    files.close().map_err(card.files_error())?;
    Ok(corrected)
}

/// Keeps a new machine id from making the card look new: verifying takes files that are
/// older than it for the base's.
fn keep_age(edits: &[FileEdit], files: &RootFs) -> card_image::FsResult<Option<FileEdit>> {
    for edit in edits {
        if let (Purpose::MachineId, Change::Write { contents, .. }) = (&edit.purpose, &edit.change)
            && files.read(&edit.path, 4096).ok().flatten().as_ref() != Some(contents)
        {
            let change = Change::Touch { mtime: 0, attributes: Attributes::root(0o444) };
            return Ok(Some(FileEdit { change, ..edit.clone() }));
        }
    }
    Ok(None)
}

/// Returns whether something of the owner's is where an edit would go.
fn is_obstructed(error: &FsError) -> bool {
    error.is_wrong_kind() || error.is_symlink_loop() || error.is_not_found()
}
