//! Symlinks in the places of files that are written.
//!
//! A symlink at the end of a path is followed if it leads to a file of the same name: that is how
//! distributions and owners move a file elsewhere (`/boot/cmdline.txt` to
//! `firmware/cmdline.txt`, `/etc/ssh/ssh_host_ed25519_key` to `/persist/…`). Any other symlink
//! is replaced by the file, since what it leads to has another purpose. So is one to a file that
//! another edit makes, to a place that is empty after every boot, and one in a loop.

use system_model::{FileKind, real_path};

use super::{RenderError, Rendered, edited::Edited};
use crate::{Attributes, Change, FileEdit, Purpose, SystemError, SystemFiles};

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
        let (Change::Write { attributes, .. }
        | Change::Copy { attributes, .. }
        | Change::Touch { attributes, .. }) = change
        else {
            continue;
        };
        let is_first = edits.iter().take(index).all(|earlier| earlier.path != *path);
        if !is_first || system.read_link(path)?.is_none() {
            continue;
        }
        let remove =
            || FileEdit { path: path.clone(), change: Change::Remove, purpose: purpose.clone() };
        match judge(system, edits, path, attributes)? {
            // What programs write behind it is read where they do; here none does.
            Link::Followed if *purpose == Purpose::Resolver => replaced.push(remove()),
            Link::Followed => {}
            Link::Replaced => replaced.push(remove()),
            Link::Hidden => hidden.push(remove()),
        }
    }
    Ok((hidden, replaced))
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
        // Applying an edit replaces any symlink in the place of an ordinary user's file.
        return Ok(if is_secret { unfollowed } else { Link::Followed });
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
