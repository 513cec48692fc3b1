//! Which edits mend a card in use: those that a finding asks for, and no others.

use card_image::RootFs;
use cluster_profile::{Change, FileEdit, Node};

use super::{Subject, VerifyOptions, clones, edits, files, fold::fold, identify, unreadable};
use crate::{AuditError, Card, Facts, Finding, Severity};

/// The largest file whose contents are kept while its owner or mode is mended.
const LARGEST: u64 = 16 << 20;

/// The edits that mend what is wrong with `files`, those of `card` as they are by now.
///
/// # Errors
/// [`AuditError`].
pub(crate) fn mending(
    options: &VerifyOptions<'_>,
    node: &Node,
    card: &Card,
    files: &RootFs,
) -> Result<Vec<FileEdit>, AuditError> {
    let subject =
        Subject { cluster: options.cluster, keys: options.keys, node, files, apply: None };
    let facts = Facts::read(files).map_err(card.files_error())?;
    let clones = clones(options, &subject, &facts).map_err(card.files_error())?;
    let folded = fold(edits(&subject, card, &mut Vec::new())?);
    let mut found = Vec::new();
    for edit in &folded {
        let findings = match files::compare(&subject, &clones, edit) {
            Ok(findings) => findings,
            Err(error) => vec![unreadable(card, &edit.path, error)?],
        };
        found.push(findings.into_iter().filter(is_mended).collect::<Vec<_>>());
    }
    // Of a pair of keys only the private half is told of.
    let private = |path: &str| {
        let private = path.strip_suffix(".pub")?;
        let at = folded.iter().position(|edit| edit.path == private)?;
        found.get(at)
    };
    let mut mending = Vec::new();
    for (edit, own) in folded.iter().zip(&found) {
        let asked = |findings: &[Finding]| findings.iter().any(|finding| !is_of_rights(finding));
        if asked(own) || private(&edit.path).is_some_and(|findings| asked(findings)) {
            mending.push(edit.clone());
        } else if !own.is_empty() {
            mending.push(keep_contents(edit, files).map_err(card.files_error())?);
        }
    }
    Ok(mending)
}

/// Whether a finding is for applying to mend. That a file is as old as the card makes
/// it a clone perhaps, which is not enough to remove it for.
pub(super) fn is_mended(finding: &Finding) -> bool {
    match finding.severity {
        Severity::Error => finding.code != "unreadable-file",
        Severity::Warning => !matches!(finding.code, "cloned-file" | "cloned-user-key"),
        Severity::Note => false,
    }
}

/// Whether only owner or mode are wrong.
fn is_of_rights(finding: &Finding) -> bool {
    matches!(finding.code, "owner" | "mode")
}

/// The edit, but for contents that are right as they are, in whatever words.
fn keep_contents(edit: &FileEdit, files: &RootFs) -> card_image::FsResult<FileEdit> {
    let mut edit = edit.clone();
    if let Change::Write { contents, .. } = &mut edit.change
        && let Some(found) = files.read(&edit.path, LARGEST)?
    {
        *contents = found;
    }
    Ok(edit)
}

/// Whose card it looks like, in words, if it does not look like the node's.
///
/// # Errors
/// [`AuditError`].
pub(crate) fn stranger(
    options: &VerifyOptions<'_>,
    node: &Node,
    card: &Card,
) -> Result<Option<String>, AuditError> {
    let facts = Facts::read(card.files()).map_err(card.files_error())?;
    Ok(match identify::identify(options.cluster, options.keys, &facts) {
        Some((found, _)) if found.name == node.name => None,
        Some((found, by)) => Some(format!("it is {}'s card by its {}", found.name, by.join(", "))),
        None => Some(format!("it is no card of the cluster: {}", identify::stranger(&facts))),
    })
}
