//! The verdict on a damaged filesystem, with e2fsck as the standard.

use std::{fs, path::Path, sync::Arc};

use block_io::{Layer, ReadAt};
use ext4_offline::Error;

use crate::common::{e2fsck_complaint, tools::complaint_lines};

pub enum Verdict {
    /// Refused, at which step and for what kind of reason.
    Refused(String),
    /// Accepted, and nothing is wrong with it.
    Clean,
    /// Accepted, with harmless damage that was there before.
    Tolerated(&'static str),
    /// Accepted although it is damaged, or refused without a reason.
    Wrong(String),
}

impl Verdict {
    pub fn with(self, context: &str) -> Self {
        match self {
            Verdict::Wrong(how) => Verdict::Wrong(format!("{context}\n{how}")),
            other => other,
        }
    }
}

/// Parts of the output of e2fsck that are not damage, and why each is accepted.
const TOLERATED: [(&str, &str); 7] = [
    ("Superblock last mount time", TIME),
    ("Superblock last write time", TIME),
    ("is in the future", TIME),
    ("now = ", TIME),
    ("beyond 2310-04-04 are likely pre-1970", "the check notes such times"),
    ("Can't find external journal", "the journal is on another device"),
    ("lost+found not found", "a directory that only e2fsck needs"),
];
/// Unknown here, and without consequences.
const TIME: &str = "times are compared with the judge's clock";

/// Checks that the result is a refusal with a reason, or a clean filesystem.
pub fn judge(
    result: Result<Arc<Layer>, (&'static str, Error)>,
    input: &[u8],
    dir: &Path,
) -> Verdict {
    let layer = match result {
        Ok(layer) => layer,
        Err((step, error)) => return reason(step, &error),
    };
    let path = dir.join("image");
    fs::write(&path, layer.read_vec(0, layer.size() as usize).unwrap()).unwrap();
    let Some(after) = e2fsck_complaint(&path, &[]) else { return Verdict::Clean };
    fs::write(&path, input).unwrap();
    let before = e2fsck_complaint(&path, &[]).unwrap_or_default();
    let mut why = "";
    for line in complaint_lines(&after) {
        // The answer to the question of the line before.
        if line.trim() == "Fix? no" {
            continue;
        }
        let Some((_, reason)) = TOLERATED.iter().find(|(part, _)| line.contains(part)) else {
            return Verdict::Wrong(format!("after:\n{after}\nbefore:\n{before}"));
        };
        why = reason;
    }
    Verdict::Tolerated(why)
}

/// The kind of an error, which must name a place.
fn reason(step: &str, error: &Error) -> Verdict {
    let text = error.to_string();
    let places = ["inode", "block", "superblock", "journal", "feature", "1080", "only", "orphan"];
    let states = matches!(
        error,
        Error::MarkedErroneous { .. }
            | Error::NotClean { .. }
            | Error::TooManyGroups { .. }
            | Error::Unsupported { .. }
    );
    if matches!(error, Error::Storage(_)) || !states && !places.iter().any(|p| text.contains(p)) {
        return Verdict::Wrong(format!("{step}: names no place: {text}"));
    }
    let kind = format!("{error:?}");
    let end = kind.find([' ', '(']).unwrap_or(kind.len());
    Verdict::Refused(format!("{step}: {}", &kind[..end]))
}
