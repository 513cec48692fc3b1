//! /etc/shadow (shadow(5)), and hashes in other texts.

/// A user's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// Its number, from 1.
    pub line: usize,
    /// The password field.
    pub password: &'a str,
    /// The day of the last change.
    pub changed: Option<&'a str>,
}

impl Entry<'_> {
    /// Returns whether no password is accepted: the field is not a hash.
    pub fn is_locked(&self) -> bool {
        self.password.starts_with(['!', '*'])
    }

    /// Returns whether the password has to be changed at the next login.
    pub fn is_expired(&self) -> bool {
        self.changed == Some("0")
    }
}

/// Returns a user's line; the first one counts.
pub(crate) fn entry<'a>(shadow: &'a str, user: &str) -> Option<Entry<'a>> {
    shadow.lines().enumerate().find_map(|(index, line)| {
        let mut fields = line.strip_prefix(user)?.strip_prefix(':')?.split(':');
        let password = fields.next().unwrap_or_default();
        Some(Entry { line: index + 1, password, changed: fields.next() })
    })
}

/// Returns whether a text holds a password hash, as /etc/shadow and chpasswd(8) write it.
pub(crate) fn holds_hash(text: &str) -> bool {
    const METHODS: [&str; 10] =
        [":$1$", ":$5$", ":$6$", ":$y$", ":$gy$", ":$7$", ":$2a$", ":$2b$", ":$2y$", ":$md5"];
    METHODS.iter().any(|method| text.contains(method))
}
