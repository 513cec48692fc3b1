//! systemd's units: which are there and enabled.

use super::context::View;
use crate::SystemError;

/// Where the owner of a system enables units.
const OWNERS: &str = "/etc/systemd/system";
/// Where packages do; on most systems the two are the same directory.
const PACKAGES: [&str; 2] = ["/lib/systemd/system", "/usr/lib/systemd/system"];

/// Returns the links in `directory` that make another unit pull in `unit`.
fn pulled_in(from: &View<'_>, directory: &str, unit: &str) -> Result<Vec<String>, SystemError> {
    let mut links = Vec::new();
    for name in from.list(directory)? {
        if name.ends_with(".wants") || name.ends_with(".requires") {
            let link = format!("{directory}/{name}/{unit}");
            if from.exists(&link)? {
                links.push(link);
            }
        }
    }
    Ok(links)
}

/// Returns whether a unit is masked: a symlink to /dev/null, which reads as no file.
pub(super) fn masked(from: &View<'_>, unit: &str) -> Result<bool, SystemError> {
    let path = format!("{OWNERS}/{unit}");
    // A symlink to a real unit file can be read.
    Ok(from.exists(&path)? && from.system.read(&path)?.is_none_or(|text| text.is_empty()))
}

/// Returns whether a unit starts at boot. A symlink that a removed package left behind
/// starts nothing: the unit's own file has to be there too.
pub(super) fn enabled(from: &View<'_>, unit: &str) -> Result<bool, SystemError> {
    Ok(armed(from, unit)? && text(from, unit)?.is_some())
}

/// Returns whether something pulls a unit in at boot, whether its file exists or not.
fn armed(from: &View<'_>, unit: &str) -> Result<bool, SystemError> {
    if masked(from, unit)? {
        return Ok(false);
    }
    for directory in [OWNERS].iter().chain(&PACKAGES) {
        if !pulled_in(from, directory, unit)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the text of a unit's file, wherever it is.
pub(super) fn text(from: &View<'_>, unit: &str) -> Result<Option<String>, SystemError> {
    for directory in [OWNERS].iter().chain(&PACKAGES) {
        if let Some(text) = from.read(&format!("{directory}/{unit}"))? {
            return Ok(Some(text));
        }
    }
    Ok(None)
}
