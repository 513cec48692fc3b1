//! Where a path leads through symlinks.

use crate::{SystemError, SystemFiles};

/// As many symlinks as Linux follows in one path (path_resolution(7)).
const MAX_SYMLINKS: usize = 40;

/// Returns a path without symlinks; `None` for a loop. What comes after a name that does not
/// exist is kept. `target_of` returns what the symlink at a path without symlinks holds.
///
/// # Errors
/// Those of `target_of`.
pub fn follow_links<E>(
    path: &str,
    follow_last: bool,
    mut target_of: impl FnMut(&str) -> Result<Option<String>, E>,
) -> Result<Option<String>, E> {
    if !path.starts_with('/') {
        // A boot partition that is not mounted has no symlinks.
        return Ok(Some(path.to_owned()));
    }
    let parts = |path: &str| -> Vec<String> {
        let names = path.rsplit('/').filter(|name| !name.is_empty() && *name != ".");
        names.map(str::to_owned).collect()
    };
    let (mut ahead, mut here, mut symlinks) = (parts(path), String::new(), 0);
    while let Some(name) = ahead.pop() {
        if name == ".." {
            here.truncate(here.rfind('/').unwrap_or(0));
            continue;
        }
        let next = format!("{here}/{name}");
        let target = if ahead.is_empty() && !follow_last { None } else { target_of(&next)? };
        let Some(target) = target else {
            here = next;
            continue;
        };
        symlinks += 1;
        if symlinks > MAX_SYMLINKS || target.len() > 4096 {
            return Ok(None);
        }
        if target.starts_with('/') {
            here.clear();
        }
        ahead.extend(parts(&target));
    }
    Ok(Some(if here.is_empty() { "/".to_owned() } else { here }))
}

/// Returns the path without symlinks that a path leads to; `None` for a loop.
///
/// # Errors
/// [`SystemError`] if the filesystem is damaged.
pub fn real_path(files: &dyn SystemFiles, path: &str) -> Result<Option<String>, SystemError> {
    follow_links(path, true, |at| files.read_link(at))
}
