//! What a card's files are to be in the end, after all edits.

use std::collections::BTreeSet;

use card_image::RootFs;
use cluster_profile::{Attributes, Change, FileEdit};

/// Returns the paths at which a symlink is removed to be replaced by a file, and those at which a
/// symlink or a file is removed to be replaced by a directory.
pub(super) fn replaced_links(files: &RootFs, edits: &[FileEdit]) -> BTreeSet<String> {
    let is_file = |edit: &FileEdit| {
        matches!(edit.change, Change::Write { .. } | Change::Copy { .. } | Change::Touch { .. })
    };
    let is_directory = |path: &str| {
        let here =
            |edit: &FileEdit| edit.path == path && matches!(edit.change, Change::Directory { .. });
        edits.iter().any(here)
    };
    let is_file_there =
        |path: &str| matches!(files.metadata(path), Ok(Some(found)) if found.is_file());
    let removed = edits.iter().enumerate().filter(|(_, edit)| edit.change == Change::Remove);
    removed
        .filter(|(at, removed)| {
            let is_made = |edit: &FileEdit| edit.path == removed.path && is_file(edit);
            edits.iter().skip(*at).any(is_made) || is_directory(&removed.path)
        })
        // Where symlinks on the way form a loop, there is none at the end.
        .filter(|(_, FileEdit { path, .. })| {
            matches!(files.read_link(path), Ok(Some(_)))
                || is_directory(path) && is_file_there(path)
        })
        .map(|(_, removed)| removed.path.clone())
        .collect()
}

/// Returns the last edit of each path. What an earlier one enforced of mode and owner still
/// holds, and a directory stays what it is.
pub(super) fn fold(edits: impl IntoIterator<Item = FileEdit>) -> Vec<FileEdit> {
    let mut folded: Vec<FileEdit> = Vec::new();
    for mut edit in edits {
        let earlier = folded.iter().position(|other| other.path == edit.path);
        if let Some(earlier) = earlier.map(|index| folded.remove(index))
            && let (Some(before), Some(after)) =
                (attributes(&earlier.change), attributes_mut(&mut edit.change))
            && before.enforce
            && !after.enforce
        {
            *after = before;
        }
        folded.push(edit);
    }
    folded
}

fn attributes(change: &Change) -> Option<Attributes> {
    match change {
        Change::Write { attributes, .. }
        | Change::Copy { attributes, .. }
        | Change::Directory { attributes } => Some(*attributes),
        _ => None,
    }
}

fn attributes_mut(change: &mut Change) -> Option<&mut Attributes> {
    match change {
        Change::Write { attributes, .. }
        | Change::Copy { attributes, .. }
        | Change::Directory { attributes } => Some(attributes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use cluster_profile::Purpose;

    use super::*;

    #[test]
    fn the_last_edit_counts_and_enforced_attributes_stay() {
        let purpose = Purpose::HostName;
        let write = |contents: &str, attributes| FileEdit {
            path: "/a".into(),
            change: Change::Write { contents: contents.into(), attributes },
            purpose: purpose.clone(),
        };
        let exact = Attributes::exactly(0o600, 1, 1);
        let gone = FileEdit { path: "/a".into(), change: Change::Remove, purpose: purpose.clone() };
        let edits = [gone, write("1", exact), write("2", Attributes::root(0o644))];
        assert_eq!(fold(edits), [write("2", exact)]);
    }
}
