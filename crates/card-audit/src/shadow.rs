//! /etc/shadow (shadow(5)), and what else has hashes of passwords in it.

/// What a user's line says.
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
    /// Whether no password lets the user in: the field is no hash.
    pub fn is_locked(&self) -> bool {
        self.password.starts_with(['!', '*'])
    }

    /// Whether the password has to be changed at the next login.
    pub fn is_expired(&self) -> bool {
        self.changed == Some("0")
    }
}

/// A user's line, the first one.
pub(crate) fn entry<'a>(shadow: &'a str, user: &str) -> Option<Entry<'a>> {
    shadow.lines().enumerate().find_map(|(index, line)| {
        let mut fields = line.strip_prefix(user)?.strip_prefix(':')?.split(':');
        let password = fields.next().unwrap_or_default();
        Some(Entry { line: index + 1, password, changed: fields.next() })
    })
}

/// Whether a path is that of hashes of passwords, or of a copy of them.
pub(crate) fn is_one(path: &str) -> bool {
    path.starts_with("/etc/shadow") || path.starts_with("/etc/gshadow")
}

/// Whether some text has a hash of a password in it, as /etc/shadow and chpasswd(8)
/// write it.
pub(crate) fn has_hash(text: &str) -> bool {
    const METHODS: [&str; 10] =
        [":$1$", ":$5$", ":$6$", ":$y$", ":$gy$", ":$7$", ":$2a$", ":$2b$", ":$2y$", ":$md5"];
    METHODS.iter().any(|method| text.contains(method))
}
