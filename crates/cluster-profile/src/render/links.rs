//! Symlinks in the places of files that are written.
//!
//! A symlink at the end of a path is followed if it leads to a file of the same name: that is how
//! distributions and owners move a file elsewhere (`/boot/cmdline.txt` to
//! `firmware/cmdline.txt`, `/etc/ssh/ssh_host_ed25519_key` to `/persist/…`). Any other symlink
//! is replaced by the file, since what it leads to has another purpose. So is one to a file that
//! another edit makes, to a place that is empty after every boot, and one in a loop. A symlink in
//! the place of a directory with an owner and mode of its own (~/.ssh) is replaced unless it leads
//! to a directory of the same owner beside it.

use system_model::{FileKind, real_path};

use super::{RenderError, Rendered, edited::Edited};
use crate::{Attributes, Change, FileEdit, Note, Purpose, SystemError, SystemFiles};

/// What is empty when the system boots.
const VOLATILE: [&str; 5] = ["/run/", "/tmp/", "/dev/", "/proc/", "/sys/"];

/// What becomes of a symlink at the end of a path.
enum Link {
    Followed,
    /// A file takes its place, with what is kept of the text behind it.
    Replaced,
    /// A file takes its place. What is behind it is no text of this file, or a secret that the
    /// file would show to more users.
    Hidden,
}

/// Edits, and what the system does that no edit removes.
pub(super) type Attempt = (Rendered, Option<RenderError>);

/// Renders, and replaces symlinks that must not be followed.
pub(super) fn without_foreign_links(
    system: &dyn SystemFiles,
    render: impl Fn(&dyn SystemFiles) -> Result<Attempt, RenderError>,
) -> Result<Attempt, RenderError> {
    let (mut rendered, mut obstacle) = render(system)?;
    let (removed, _) = foreign(system, &rendered.edits)?;
    if !removed.is_empty() {
        let mut without = Edited::new(system);
        without.apply(&removed)?;
        (rendered, obstacle) = render(&without)?;
    }
    let (_, replaced) = foreign(system, &rendered.edits)?;
    let is_directory = |path: &str| {
        let here =
            |edit: &FileEdit| edit.path == path && matches!(edit.change, Change::Directory { .. });
        rendered.edits.iter().any(here)
    };
    let directories = removed.iter().filter(|edit| is_directory(&edit.path));
    let notes = directories.map(|edit| Note::RemovedObstacle { path: edit.path.clone() });
    let notes: Vec<Note> = notes.collect();
    rendered.notes.extend(notes);
    let is_removed = |edit: &FileEdit| removed.iter().any(|other| other.path == edit.path);
    let replaced: Vec<FileEdit> = replaced.into_iter().filter(|edit| !is_removed(edit)).collect();
    // A file that is removed first is written as a new one.
    for edit in replaced.into_iter().chain(removed) {
        let at = rendered.edits.iter().position(|other| other.path == edit.path);
        rendered.edits.insert(at.unwrap_or(0), edit);
    }
    Ok((rendered, obstacle))
}

/// Returns the edits that remove the symlinks which these edits do not follow.
pub(super) fn removals(
    system: &dyn SystemFiles,
    edits: &[FileEdit],
) -> Result<Vec<FileEdit>, SystemError> {
    let (mut removed, replaced) = foreign(system, edits)?;
    removed.extend(replaced);
    Ok(removed)
}

/// Returns the edits that remove symlinks: those whose text is hidden, and the others.
fn foreign(
    system: &dyn SystemFiles,
    edits: &[FileEdit],
) -> Result<(Vec<FileEdit>, Vec<FileEdit>), SystemError> {
    let (mut hidden, mut replaced) = (Vec::new(), Vec::new());
    for (index, FileEdit { path, change, purpose }) in edits.iter().enumerate() {
        let attributes = match change {
            Change::Write { attributes, .. }
            | Change::Copy { attributes, .. }
            | Change::Touch { attributes, .. } => attributes,
            Change::Directory { attributes } if attributes.enforce => attributes,
            _ => continue,
        };
        let is_first = edits.iter().take(index).all(|earlier| earlier.path != *path);
        if !is_first || system.read_link(path)?.is_none() {
            continue;
        }
        let remove =
            || FileEdit { path: path.clone(), change: Change::Remove, purpose: purpose.clone() };
        let link = match change {
            Change::Directory { .. } => judge_directory(system, path, attributes)?,
            _ => judge(system, edits, path, attributes)?,
        };
        match link {
            // What programs write behind it is read where they do; here none does.
            Link::Followed if *purpose == Purpose::Resolver => replaced.push(remove()),
            Link::Followed => {}
            Link::Replaced => replaced.push(remove()),
            Link::Hidden => hidden.push(remove()),
        }
    }
    Ok((hidden, replaced))
}

/// Judges a symlink in the place of a directory with an owner and mode of its own, such as ~/.ssh.
/// One to another directory of the owner's, beside the symlink or below, is followed.
fn judge_directory(
    system: &dyn SystemFiles,
    path: &str,
    attributes: &Attributes,
) -> Result<Link, SystemError> {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let (Some(real), Some(parent)) = (real_path(system, path)?, real_path(system, parent)?) else {
        return Ok(Link::Hidden);
    };
    let found = system.metadata(&real)?;
    let is_own =
        found.is_some_and(|found| found.kind == FileKind::Directory && found.uid == attributes.uid);
    let is_inside = real.strip_prefix(&parent).is_some_and(|rest| rest.starts_with('/'));
    Ok(if is_own && is_inside { Link::Followed } else { Link::Hidden })
}

fn judge(
    system: &dyn SystemFiles,
    edits: &[FileEdit],
    path: &str,
    attributes: &Attributes,
) -> Result<Link, SystemError> {
    let Some(real) = real_path(system, path)? else { return Ok(Link::Hidden) };
    let found = system.metadata(&real)?;
    if found.is_some_and(|found| found.kind != FileKind::Regular) {
        return Ok(Link::Hidden);
    }
    let is_secret = found.is_some_and(|found| {
        let is_shown = match attributes.uid {
            0 => attributes.mode & 0o004 != 0,
            user => user != found.uid,
        };
        is_shown && found.mode & 0o004 == 0
    });
    let unfollowed = if is_secret { Link::Hidden } else { Link::Replaced };
    if attributes.uid != 0 {
        // Applying an edit replaces any symlink in the place of an ordinary user's file. What
        // belongs to the user is the user's choice for as long as nothing has to change.
        let is_own = found.is_some_and(|found| found.uid == attributes.uid);
        return Ok(if is_own { Link::Followed } else { unfollowed });
    }
    let is_same_name = path.rsplit('/').next() == real.rsplit('/').next();
    if !is_same_name || VOLATILE.iter().any(|directory| real.starts_with(directory)) {
        return Ok(unfollowed);
    }
    for other in edits.iter().filter(|other| other.path != path) {
        if real_path(system, &other.path)?.as_ref() == Some(&real) {
            return Ok(unfollowed);
        }
    }
    Ok(Link::Followed)
}
