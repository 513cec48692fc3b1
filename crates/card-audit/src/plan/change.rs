//! How one file changes.

use card_image::{FsResult, Metadata, RootFs};
use cluster_profile::Purpose;
use plain_text::count;
use serde::Serialize;

use crate::{diff, secrecy, state::State};

/// How one file changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileChange {
    /// Its path on the card.
    pub path: String,
    /// The change in words: `new, 399 bytes, mode 0600, owner 0:0`.
    pub what: String,
    /// A unified diff's hunks, if it is text that may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

impl FileChange {
    /// Returns what differs at a path, or if `followed` at the end of a symlink that stays
    /// there; `None` if nothing does. The purpose says whether contents may be shown.
    pub(super) fn between(
        before: &RootFs,
        after: &RootFs,
        path: &str,
        purpose: &Purpose,
        followed: bool,
    ) -> FsResult<Option<FileChange>> {
        let (old, new) = (State::read_link(before, path)?, State::read_link(after, path)?);
        // A symlink that stays is written through.
        let stays = followed && matches!(old, State::Symlink { .. }) && old == new;
        let (old, new) = if stays {
            (State::read(before, path)?, State::read(after, path)?)
        } else {
            (old, new)
        };
        let Some(what) = describe(&old, &new) else { return Ok(None) };
        let diff = match (&old, &new) {
            (State::File { contents: old, .. }, State::File { contents: new, .. }) => {
                diff_of(purpose, old, new)
            }
            (_, State::File { contents, .. }) => diff_of(purpose, &[], contents),
            _ => None,
        };
        Ok(Some(FileChange { path: path.to_owned(), what, diff }))
    }
}

/// Describes the change; `None` if nothing changes.
fn describe(old: &State, new: &State) -> Option<String> {
    match (old, new) {
        (State::Missing, State::Missing) => None,
        (old, State::Missing) => Some(format!("removed, was {}", old.describe())),
        (State::File { contents: a, metadata: m }, State::File { contents: b, metadata: n }) => {
            file_change(m, n, a, b)
        }
        (old, State::File { contents, metadata }) => {
            let (length, owner) = (contents.len(), attributes(metadata));
            Some(format!("new, {}, {owner}{}", count(length, "byte"), was(old)))
        }
        (
            State::Directory { metadata: m, names: before },
            State::Directory { metadata: n, names: after },
        ) => {
            let mut changes = attribute_changes(m, n);
            if *after == 0 && *before > 0 {
                changes.push(format!("emptied (had {})", count(*before, "name")));
            }
            joined(&changes)
        }
        (old, State::Directory { metadata, .. }) => {
            Some(format!("new directory, {}{}", attributes(metadata), was(old)))
        }
        (old, new) if old == new => None,
        (old, new) => Some(format!("{}{}", new.describe(), was(old))),
    }
}

fn joined(changes: &[String]) -> Option<String> {
    (!changes.is_empty()).then(|| changes.join(", "))
}

fn was(old: &State) -> String {
    match old {
        State::Missing => String::new(),
        other => format!(", was {}", other.describe()),
    }
}

fn attributes(metadata: &Metadata) -> String {
    format!("mode {:04o}, owner {}:{}", metadata.mode, metadata.uid, metadata.gid)
}

/// Returns how mode and owner change.
fn attribute_changes(before: &Metadata, after: &Metadata) -> Vec<String> {
    let mut changes = Vec::new();
    if before.mode != after.mode {
        changes.push(format!("mode {:04o} becomes {:04o}", before.mode, after.mode));
    }
    if (before.uid, before.gid) != (after.uid, after.gid) {
        let owner = |m: &Metadata| format!("{}:{}", m.uid, m.gid);
        changes.push(format!("owner {} becomes {}", owner(before), owner(after)));
    }
    changes
}

fn file_change(before: &Metadata, after: &Metadata, old: &[u8], new: &[u8]) -> Option<String> {
    let mut changes = attribute_changes(before, after);
    let same_size = old.len() == new.len();
    if old != new {
        let new = count(new.len(), "byte");
        let size = if same_size { new } else { format!("{} to {new}", old.len()) };
        changes.insert(0, format!("changed, {size}"));
    } else if before.modified.seconds() != after.modified.seconds() && old.is_empty() {
        changes.push("new modification time".into());
    }
    joined(&changes)
}

/// Returns the diff of two texts, if they are texts that may be shown.
fn diff_of(purpose: &Purpose, old: &[u8], new: &[u8]) -> Option<String> {
    let (old, new) = (std::str::from_utf8(old).ok()?, std::str::from_utf8(new).ok()?);
    let is_text = !old.contains('\0') && !new.contains('\0');
    if !is_text || !secrecy::may_be_shown(purpose, [old, new]) {
        return None;
    }
    Some(diff::unified(old, new)).filter(|diff| !diff.is_empty())
}
