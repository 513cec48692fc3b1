//! The user's directories.

use std::{env, ffi::OsString, path::PathBuf};

use crate::system;

/// The variable that holds the user's home: `HOME`, or `USERPROFILE` on Windows.
pub const HOME_VARIABLE: &str = system::HOME;

/// Returns the user's home, if [`HOME_VARIABLE`] is set.
pub fn home() -> Option<PathBuf> {
    env::var_os(HOME_VARIABLE).filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// The variable that [`caches`] takes the directory from, if `XDG_CACHE_HOME` is not set.
pub const CACHES_VARIABLE: &str = system::CACHES.0;

/// Returns the directory for what can be made again, given the environment: on Linux as the XDG
/// Base Directory Specification says, which also says that relative paths are ignored; on macOS
/// `Library/Caches` in the user's home; on Windows the local application data. `XDG_CACHE_HOME`
/// is honoured everywhere.
pub fn caches(variable: impl Fn(&'static str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let (name, below) = system::CACHES;
    absolute("XDG_CACHE_HOME").or_else(|| absolute(name).map(|above| above.join(below)))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn follows_the_xdg_specification() {
        for (xdg, home, expected) in [
            (Some("/x"), Some("/h"), Some("/x")),
            (None, Some("/h"), Some("/h/.cache")),
            (Some("relative"), Some("/h"), Some("/h/.cache")),
            (Some(""), Some("/h"), Some("/h/.cache")),
            (None, Some(""), None),
            (None, None, None),
        ] {
            let directory = caches(|name| {
                let value = if name == "HOME" { home } else { xdg };
                value.map(OsString::from)
            });
            assert_eq!(directory, expected.map(PathBuf::from));
        }
    }
}
