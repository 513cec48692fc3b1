//! The edits that a card needs, carried out in a layer.

use std::{slice, sync::Arc};

use block_io::WriteAt;
use card_image::{FsError, RootFs};
use cluster_profile::{Attributes, Change, FileEdit};

use super::ApplyOptions;
use crate::{AuditError, Card, verify};

/// Edits look at the system that earlier ones made; after so many rounds nothing new
/// comes.
const MAX_ROUNDS: usize = 4;

/// What was carried out.
pub(super) struct Corrected {
    /// The edits.
    pub edits: Vec<FileEdit>,
    /// What could not be carried out, in words.
    pub notes: Vec<String>,
}

/// Carries out in the root filesystem that fills `layer` what `card` needs.
///
/// # Errors
/// [`AuditError`]: the filesystem cannot be edited, or there is no room.
pub(super) fn correct(
    options: &ApplyOptions<'_>,
    card: &Card,
    layer: Arc<dyn WriteAt>,
) -> Result<Corrected, AuditError> {
    let mut files = RootFs::open(layer, options.time).map_err(card.files_error())?;
    let mut corrected = Corrected { edits: Vec::new(), notes: Vec::new() };
    let mut last = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let mut edits = verify::mending(&options.verify, options.node, card, &files)?;
        if edits.is_empty() || edits == last {
            break;
        }
        last.clone_from(&edits);
        edits.extend(age(&edits, &files).map_err(card.files_error())?);
        for edit in edits {
            match files.apply(slice::from_ref(&edit)) {
                Ok(()) => corrected.edits.push(edit),
                Err(error) if is_in_the_way(&error) => {
                    let note = format!(
                        "{} stays as it is: {}",
                        edit.path,
                        plain_text::with_causes(&error)
                    );
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

/// A new machine id must not make the card look new: verifying takes files that are
/// older than that for the base's.
fn age(edits: &[FileEdit], files: &RootFs) -> card_image::FsResult<Option<FileEdit>> {
    const PATH: &str = "/etc/machine-id";
    for edit in edits {
        if let (PATH, Change::Write { contents, .. }) = (edit.path.as_str(), &edit.change)
            && files.read(PATH, 4096).ok().flatten().as_ref() != Some(contents)
        {
            let change = Change::Touch { mtime: 0, attributes: Attributes::root(0o444) };
            return Ok(Some(FileEdit { path: PATH.to_owned(), change }));
        }
    }
    Ok(None)
}

/// Whether something of the owner's stands where an edit would go.
fn is_in_the_way(error: &FsError) -> bool {
    matches!(
        error,
        FsError::WrongKind { .. } | FsError::SymlinkLoop { .. } | FsError::NotFound { .. }
    )
}
