//! What becomes of one file.

use card_image::{FsResult, Metadata, RootFs};
use serde::Serialize;

use crate::{diff, shadow, state::State, text::count};

/// What becomes of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileChange {
    /// Its path on the card.
    pub path: String,
    /// What becomes of it, in words: `new, 399 bytes, mode 0600, owner 0:0`.
    pub what: String,
    /// A unified diff's hunks, if it is text that may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

impl FileChange {
    /// What differs at a path, or if `followed` at the end of a symlink that stays there;
    /// `None` if nothing does.
    pub(super) fn between(
        before: &RootFs,
        after: &RootFs,
        path: &str,
        followed: bool,
    ) -> FsResult<Option<FileChange>> {
        let change = |what: String, diff: Option<String>| {
            Ok(Some(FileChange { path: path.to_owned(), what, diff }))
        };
        let (old, new) = (State::read_link(before, path)?, State::read_link(after, path)?);
        // A symlink that stays is written through.
        let stays = followed && matches!(old, State::Symlink { .. }) && old == new;
        let (old, new) = match stays {
            true => (State::read(before, path)?, State::read(after, path)?),
            false => (old, new),
        };
        match (old, new) {
            (State::Missing, State::Missing) => Ok(None),
            (old, State::Missing) => change(format!("removed, was {}", old.describe()), None),
            (
                State::File { contents: a, metadata: m },
                State::File { contents: b, metadata: n },
            ) => file(&m, &n, &a, &b).map_or(Ok(None), |what| change(what, shown(path, &a, &b))),
            (old, State::File { contents, metadata }) => {
                let was = was(&old);
                let (length, owner) = (contents.len(), owner(&metadata));
                let what = format!("new, {}, {owner}{was}", count(length, "byte"));
                change(what, shown(path, &[], &contents))
            }
            (
                State::Directory { metadata: m, names: before },
                State::Directory { metadata: n, names: after },
            ) => {
                let mut what = Vec::new();
                what.extend(moved(&m, &n));
                if after == 0 && before > 0 {
                    what.push(format!("emptied, had {}", count(before, "name")));
                }
                match what.is_empty() {
                    true => Ok(None),
                    false => change(what.join(", "), None),
                }
            }
            (old, State::Directory { metadata, .. }) => {
                change(format!("new directory, {}{}", owner(&metadata), was(&old)), None)
            }
            (old, new) if old == new => Ok(None),
            (old, new) => change(format!("{}{}", new.describe(), was(&old)), None),
        }
    }
}

fn was(old: &State) -> String {
    match old {
        State::Missing => String::new(),
        other => format!(", was {}", other.describe()),
    }
}

fn owner(metadata: &Metadata) -> String {
    format!("mode {:04o}, owner {}:{}", metadata.mode, metadata.uid, metadata.gid)
}

/// What changes of mode and owner.
fn moved(before: &Metadata, after: &Metadata) -> Vec<String> {
    let mut what = Vec::new();
    if before.mode != after.mode {
        what.push(format!("mode {:04o} becomes {:04o}", before.mode, after.mode));
    }
    if (before.uid, before.gid) != (after.uid, after.gid) {
        let owner = |m: &Metadata| format!("{}:{}", m.uid, m.gid);
        what.push(format!("owner {} becomes {}", owner(before), owner(after)));
    }
    what
}

fn file(before: &Metadata, after: &Metadata, old: &[u8], new: &[u8]) -> Option<String> {
    let mut what = moved(before, after);
    if old != new {
        what.insert(0, format!("changed, {} to {}", old.len(), count(new.len(), "byte")));
    } else if before.modified.seconds() != after.modified.seconds() && old.is_empty() {
        what.push("time stamp".into());
    }
    (!what.is_empty()).then(|| what.join(", "))
}

/// The diff of two texts, unless it may not be shown or is none.
fn shown(path: &str, old: &[u8], new: &[u8]) -> Option<String> {
    let (old, new) = (std::str::from_utf8(old).ok()?, std::str::from_utf8(new).ok()?);
    let secret = |text: &str| text.contains("PRIVATE KEY-----") || shadow::has_hash(text);
    let is_text = |text: &str| !text.contains('\0');
    let private = path.starts_with("/etc/ssh/ssh_host_") && !path.ends_with(".pub")
        // The environment of a service may hold passwords.
        || path.starts_with("/etc/nodecard/environments/")
        || shadow::is_one(path);
    if private || secret(old) || secret(new) || !is_text(old) || !is_text(new) {
        return None;
    }
    Some(diff::unified(old, new)).filter(|diff| !diff.is_empty())
}
