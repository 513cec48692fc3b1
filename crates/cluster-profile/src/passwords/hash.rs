//! A password hash, as a profile gives it.

use std::fmt;

use super::Method;

/// The longest hash, by crypt(3).
const LONGEST: usize = 383;

/// A complete password hash of crypt(3) that can be a field of /etc/shadow.
/// [`Debug`](fmt::Debug) does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// A text is not a password hash. The message does not contain the text, which may be the
/// password itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// It is empty.
    #[error("an empty password hash lets everybody log in")]
    Empty,
    /// It does not begin with the prefix of a method.
    #[error("this is not a password hash, and a profile must not contain the password itself")]
    NoHash,
    /// The method is too weak. Its prefix, and why.
    #[error("hashes of the method {0} are not accepted: {1}")]
    Method(&'static str, &'static str),
    /// Parts are missing or wrong. The prefix of the method.
    #[error("this hash is incomplete: parts are missing, or do not belong to a {0} hash")]
    Incomplete(&'static str),
}

impl PasswordHash {
    /// Accepts a hash of one of the methods $5$, $6$, $y$, $gy$, $7$, $2a$, $2b$ and $2y$.
    ///
    /// # Errors
    /// [`HashError`] for anything else.
    pub fn new(text: &str) -> Result<Self, HashError> {
        if text.is_empty() {
            return Err(HashError::Empty);
        }
        // crypt(5) never uses these; `:` and line ends would break /etc/shadow.
        let odd = |b: u8| !b.is_ascii_graphic() || b":;*!\\".contains(&b);
        if text.len() > LONGEST || text.bytes().any(odd) {
            return Err(HashError::NoHash);
        }
        let Some(method) = Method::of(text) else {
            return Err(match text.get(..3) {
                Some("$1$") => HashError::Method("$1$", "MD5 is too fast to guess"),
                Some("$3$") => HashError::Method("$3$", "NT hashes are too fast to guess"),
                _ => HashError::NoHash,
            });
        };
        if method.is_complete(text) {
            Ok(PasswordHash(text.to_owned()))
        } else {
            Err(HashError::Incomplete(method.prefix()))
        }
    }

    /// Returns the hash as a field of /etc/shadow.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn method(&self) -> Option<Method> {
        Method::of(&self.0)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}
