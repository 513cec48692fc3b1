//! Which edits a card in use needs: those that a finding asks for, and no others.

use card_image::RootFs;
use cluster_profile::{Attributes, Change, FileEdit, KeyHalf, Node, Purpose};
use system_model::CachedFiles;

use super::{
    OtherIdentity, Subject, VerifyOptions, clones, edits, files,
    fold::{fold, replaced_links},
    identify,
    image_keys::{self, ImageLine},
    unreadable,
};
use crate::{AuditError, Card, Facts, Finding, FindingCode, Severity};

/// The largest file whose contents are kept while its owner or mode is corrected.
const LARGEST: u64 = 16 << 20;

/// Returns the edits that fix what is wrong with `files`, those of `card` as they are by
/// now.
///
/// # Errors
/// [`AuditError`].
pub(crate) fn needed_edits(
    options: &VerifyOptions<'_>,
    node: &Node,
    card: &Card,
    files: &RootFs,
) -> Result<Vec<FileEdit>, AuditError> {
    let system = &CachedFiles::new(files);
    let VerifyOptions { cluster, keys, .. } = *options;
    let subject = Subject { cluster, keys, node, files, system };
    let facts = Facts::read(files).map_err(card.files_error())?;
    let clones = clones(options, &subject, &facts).map_err(card.files_error())?;
    let all = edits(&subject, card)?.edits;
    let links = replaced_links(files, &all);
    // A file that cannot be read has a finding of its own, and keeps its lines.
    let mut of_image = image_keys::lines(&subject, &clones).unwrap_or_default();
    of_image.retain(ImageLine::is_certain);
    let mut folded = fold(all);
    for edit in folded.iter_mut().filter(|edit| is_key_file(edit)) {
        remove_lines(edit, &of_image);
    }
    let mut found = Vec::new();
    for edit in &folded {
        let findings = match files::compare(&subject, &clones, edit) {
            Ok(findings) => findings,
            Err(error) => vec![unreadable(card, &edit.path, error)?],
        };
        found.push(findings.into_iter().filter(is_fixed_by_edit).collect::<Vec<_>>());
    }
    let asks = |findings: &[Finding]| findings.iter().any(|finding| !is_of_attributes(finding));
    // Only the private half of a pair has findings, but both halves are written.
    let private_half_asks = |edit: &FileEdit| {
        let is_public = edit.purpose.key_half() == Some(KeyHalf::Public);
        let private = edit.path.strip_suffix(".pub").filter(|_| is_public);
        let at = private.and_then(|private| folded.iter().position(|e| e.path == private));
        at.and_then(|at| found.get(at)).is_some_and(|findings| asks(findings))
    };
    let mut needed = Vec::new();
    for (edit, findings) in folded.iter().zip(&found) {
        let has_line = is_key_file(edit) && of_image.iter().any(|line| line.path == edit.path);
        if asks(findings) || private_half_asks(edit) || has_line {
            if links.contains(&edit.path) {
                needed.push(FileEdit { change: Change::Remove, ..edit.clone() });
            }
            needed.push(edit.clone());
        } else if !findings.is_empty() {
            needed.push(keep_contents(edit, files).map_err(card.files_error())?);
        }
    }
    // Of accounts that the profile does not name.
    for line in &of_image {
        let is_known = |edits: &[FileEdit]| edits.iter().any(|edit| edit.path == line.path);
        if !is_known(&folded) && !is_known(&needed) {
            needed.extend(without_lines(line, files, &of_image).map_err(card.files_error())?);
        }
    }
    Ok(needed)
}

fn is_key_file(edit: &FileEdit) -> bool {
    matches!(edit.purpose, Purpose::AuthorizedKeys { .. })
}

/// Takes the base image's keys out of what an edit writes.
fn remove_lines(edit: &mut FileEdit, of_image: &[ImageLine]) {
    if let Change::Write { contents, .. } = &mut edit.change {
        *contents = others(contents, &edit.path, of_image);
    }
}

/// Returns the lines of a key file without those that hold one of its keys of the base image.
fn others(contents: &[u8], path: &str, of_image: &[ImageLine]) -> Vec<u8> {
    let lines = contents.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| !holds_key(line, path, of_image)).flatten().copied().collect()
}

/// Returns the edit that takes the base image's keys out of a key file.
fn without_lines(
    line: &ImageLine,
    files: &RootFs,
    of_image: &[ImageLine],
) -> card_image::FsResult<Option<FileEdit>> {
    let Some(old) = files.read(&line.path, LARGEST)? else { return Ok(None) };
    let contents = others(&old, &line.path, of_image);
    Ok(Some(FileEdit {
        purpose: Purpose::AuthorizedKeys { user: line.user.clone() },
        path: line.path.clone(),
        change: Change::Write { contents, attributes: Attributes::root(0o600) },
    }))
}

fn holds_key(line: &[u8], path: &str, of_image: &[ImageLine]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace);
    !line.trim_ascii_start().starts_with(b"#")
        && words
            .any(|word| of_image.iter().any(|one| one.path == path && one.key.as_bytes() == word))
}

/// Returns whether `nodecard apply` fixes what an edit found. A file that is as old as the
/// card may be a clone, but that is no reason to remove it.
pub(super) fn is_fixed_by_edit(finding: &Finding) -> bool {
    match finding.severity {
        Severity::Error => finding.code != FindingCode::UnreadableFile,
        Severity::Warning => {
            !matches!(finding.code, FindingCode::ClonedFile | FindingCode::ClonedUserKey)
        }
        Severity::Note => false,
    }
}

/// Returns whether only owner or mode are wrong.
fn is_of_attributes(finding: &Finding) -> bool {
    matches!(finding.code, FindingCode::Owner | FindingCode::Mode)
}

/// Returns the edit with the contents that are there, which are right.
fn keep_contents(edit: &FileEdit, files: &RootFs) -> card_image::FsResult<FileEdit> {
    let mut edit = edit.clone();
    if let Change::Write { contents, .. } = &mut edit.change
        && let Some(found) = files.read(&edit.path, LARGEST)?
    {
        *contents = found;
    }
    Ok(edit)
}

/// Returns whose card it looks like, if it does not look like the node's.
///
/// # Errors
/// [`AuditError`].
pub(crate) fn other_identity(
    options: &VerifyOptions<'_>,
    node: &Node,
    card: &Card,
) -> Result<Option<OtherIdentity>, AuditError> {
    let facts = Facts::read(card.files()).map_err(card.files_error())?;
    Ok(match identify::identify(options.cluster, options.keys, &facts) {
        Some((found, _)) if found.name == node.name => None,
        Some((found, by)) => Some(OtherIdentity::Node { node: found.name.clone(), by }),
        None => Some(OtherIdentity::Stranger { found: identify::describe(&facts) }),
    })
}
