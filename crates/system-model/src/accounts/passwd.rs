//! /etc/passwd.

use super::fields::{entries, number, string};

/// A line of /etc/passwd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The second field, `x` where /etc/shadow has the password.
    pub password: String,
    /// The user's number.
    pub uid: u32,
    /// The number of the primary group.
    pub gid: u32,
    /// The full name and more (GECOS).
    pub comment: String,
    /// The home directory as written, perhaps empty.
    pub home: String,
    /// The shell as written; empty means /bin/sh.
    pub shell: String,
    /// The line in /etc/passwd, counted from 1.
    pub line: usize,
}

impl User {
    /// Returns the program that a login runs: the shell, or /bin/sh where it is empty.
    pub fn login_shell(&self) -> &str {
        if self.shell.is_empty() { "/bin/sh" } else { &self.shell }
    }

    /// Returns whether the home can hold keys.
    pub fn has_home(&self) -> bool {
        self.home.starts_with('/') && self.home != "/nonexistent"
    }

    /// Returns a path below the home directory.
    pub fn in_home(&self, path: &str) -> String {
        format!("{}/{path}", self.home.trim_end_matches('/'))
    }
}

/// Returns the users of an /etc/passwd. Lines that glibc skips are left out, and so are
/// those for NIS, which begin with `+` or `-` and never name a user of their own.
pub(super) fn parse(text: &str) -> Vec<User> {
    entries(text).filter_map(|(number, line)| user(number, line)).collect()
}

fn user(at: usize, line: &str) -> Option<User> {
    let (name, rest) = string(line);
    if name.starts_with(['+', '-']) {
        return None;
    }
    let (password, rest) = string(rest);
    let (uid, rest) = number(rest)?;
    let (gid, rest) = number(rest)?;
    let (comment, rest) = string(rest);
    let (home, shell) = string(rest);
    Some(User {
        name: name.to_owned(),
        password: password.to_owned(),
        uid,
        gid,
        comment: comment.to_owned(),
        home: home.to_owned(),
        shell: shell.to_owned(),
        line: at,
    })
}
