//! The edits that a card needs, made in a layer.

use std::{collections::BTreeSet, slice, sync::Arc};

use block_io::{Layer, WriteAt};
use card_image::{BootEdit, FsError, RootFs, RootFsEditor};
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
    /// Those of them that change boot partitions.
    pub boot: Vec<BootEdit>,
    /// The paths that those edits name.
    boot_paths: BTreeSet<String>,
    /// The whole card with the changes of boot partitions.
    pub whole: Arc<Layer>,
    /// What was left as it is.
    pub notes: Vec<PlanNote>,
}

impl Corrected {
    /// Returns whether a path that was changed is one of the root filesystem.
    pub fn is_on_root(&self, path: &str) -> bool {
        !self.boot_paths.contains(path)
    }
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
    // Boot partitions are changed here in memory only.
    let whole = Arc::new(Layer::new(card.storage().clone(), card.storage().size()));
    let writable: Arc<dyn WriteAt> = whole.clone();
    let files = RootFsEditor::open(layer, options.time);
    let files = files.and_then(|files| files.with_boot_in_place(&writable, card.layout()));
    let mut files = files.map_err(card.files_error())?;
    let (edits, boot, notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut corrected = Corrected { edits, boot, boot_paths: BTreeSet::new(), whole, notes };
    let mut last = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let mut edits = verify::needed_edits(&options.verify, options.node, card, &files)?;
        if edits.is_empty() || edits == last {
            break;
        }
        last.clone_from(&edits);
        edits.extend(keep_age(&edits, &files).map_err(card.files_error())?);
        for edit in edits {
            let on_boot = BootEdit::of(&edit, &files).map_err(card.files_error())?;
            match files.apply(slice::from_ref(&edit)) {
                Ok(()) => {
                    corrected.boot_paths.extend(on_boot.is_some().then(|| edit.path.clone()));
                    corrected.edits.push(edit);
                    corrected.boot.extend(on_boot);
                }
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

/// Returns whether something of the owner's is where an edit would go, or a boot partition that
/// is damaged.
fn is_obstructed(error: &FsError) -> bool {
    error.is_boot_damage()
        || error.is_wrong_kind()
        || error.is_symlink_loop()
        || error.is_not_found()
}
