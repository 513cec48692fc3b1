//! Files that the running system will not see, because another filesystem is mounted over them.

use std::collections::BTreeMap;

use system_model::{FileLine, Mounts, Systemd};

use super::{RenderError, context::Context};
use crate::{Change, Note};

/// Notes the files that are written below each mount point.
pub(super) fn note(to: &mut Context<'_>) -> Result<(), RenderError> {
    let mounts = Mounts::read(to.system, &Systemd::read_later_boots(to.system)?)?;
    let mut hidden: BTreeMap<String, (FileLine, Vec<String>)> = BTreeMap::new();
    for edit in &to.rendered.edits {
        if matches!(edit.change, Change::Remove | Change::Directory { .. }) {
            continue;
        }
        let Some(mount) = mounts.hiding(&edit.path) else { continue };
        let new = || (mount.at.clone(), Vec::new());
        let (_, paths) = hidden.entry(mount.point.clone()).or_insert_with(new);
        if !paths.contains(&edit.path) {
            paths.push(edit.path.clone());
        }
    }
    for (point, (at, paths)) in hidden {
        // The keys are among the files.
        let line = Some((at.path.clone(), at.line));
        to.rendered.notes.retain(|note| match note {
            Note::MayKeepOut { at, .. } => *at != line,
            _ => true,
        });
        to.note(Note::FilesHidden { point, at, paths });
    }
    Ok(())
}
