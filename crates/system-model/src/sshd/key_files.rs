//! The files in which sshd looks for a user's keys.

use super::config::SshdConfig;
use crate::{FileLine, accounts::User};

/// The default of AuthorizedKeysFile.
pub const DEFAULT_KEY_FILES: [&str; 2] = [".ssh/authorized_keys", ".ssh/authorized_keys2"];

/// Returns the path that a value of AuthorizedKeysFile stands for (`expand_authorized_keys`
/// in OpenSSH's auth.c); `None` for `none`, for an unknown token, and where the user has no
/// home for a relative one.
pub(super) fn expand(pattern: &str, user: &User) -> Option<String> {
    if pattern.eq_ignore_ascii_case("none") {
        return None;
    }
    let mut path = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            path.push(c);
            continue;
        }
        match chars.next()? {
            '%' => path.push('%'),
            'h' => path.push_str(&user.home),
            'u' => path.push_str(&user.name),
            'U' => path.push_str(&user.uid.to_string()),
            _ => return None,
        }
        if path.len() > 4096 {
            return None;
        }
    }
    if path.starts_with('/') {
        return Some(path);
    }
    user.home.starts_with('/').then(|| user.in_home(&path))
}

impl SshdConfig {
    /// Returns the path that a value of AuthorizedKeysFile stands for; `None` for `none`, for
    /// an unknown token, and where the user has no home for a relative one.
    pub fn key_file(pattern: &str, user: &User) -> Option<String> {
        expand(pattern, user)
    }

    /// Returns the paths of a user's key files, and the line that names them where it is not
    /// the default. The file system may have none of them.
    pub fn key_files(&self, user: &User) -> (Vec<String>, Option<FileLine>) {
        let lines = self.lines("authorizedkeysfile");
        let Some(line) = lines.first() else {
            let defaults = DEFAULT_KEY_FILES.iter();
            return (defaults.filter_map(|pattern| expand(pattern, user)).collect(), None);
        };
        let paths = line.words.iter().filter_map(|pattern| expand(pattern, user));
        (paths.collect(), Some(line.at.clone()))
    }
}
