//! The directory of the user's caches.

use std::{ffi::OsString, path::PathBuf};

/// Returns where the XDG Base Directory Specification wants this program's cache. It says
/// that relative paths are ignored.
pub(super) fn user_dir(variable: impl Fn(&'static str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches =
        absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    caches.map(|caches| caches.join("nodecard"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_xdg_specification() {
        for (xdg, home, expected) in [
            (Some("/x"), Some("/h"), Some("/x/nodecard")),
            (None, Some("/h"), Some("/h/.cache/nodecard")),
            (Some("relative"), Some("/h"), Some("/h/.cache/nodecard")),
            (Some(""), Some("/h"), Some("/h/.cache/nodecard")),
            (None, Some(""), None),
            (None, None, None),
        ] {
            let dir = user_dir(|name| {
                let value = if name == "HOME" { home } else { xdg };
                value.map(OsString::from)
            });
            assert_eq!(dir, expected.map(PathBuf::from));
        }
    }
}
