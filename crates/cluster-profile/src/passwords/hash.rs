//! A password's hash as a profile gives it.

use std::fmt;

use super::Method;

/// No hash is longer: crypt(3) says so.
const LONGEST: usize = 383;

/// A password as crypt(3) hashes it; neither empty nor cut short, and fit for a field
/// of /etc/shadow. [`Debug`](fmt::Debug) does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// A password's hash is none. What was given is not in the message: it may be the
/// password itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// It would let everybody in.
    #[error("an empty password would let everybody in")]
    Empty,
    /// No method's prefix is in front.
    #[error("this is no password's hash; the password itself does not belong into a profile")]
    NoHash,
    /// The method keeps nothing secret any more, or is not known.
    #[error("hashes of the method {0} are not taken: {1}")]
    Method(&'static str, &'static str),
    /// Parts are missing.
    #[error("this hash is not whole: parts of it are missing, or are no part of a {0} hash")]
    Cut(&'static str),
}

impl PasswordHash {
    /// Takes a hash of one of the methods $5$, $6$, $y$, $gy$, $7$, $2a$, $2b$ and $2y$.
    ///
    /// # Errors
    /// [`HashError`] for anything else.
    pub fn new(text: &str) -> Result<Self, HashError> {
        if text.is_empty() {
            return Err(HashError::Empty);
        }
        // What crypt(5) never uses; `:` and line ends would break /etc/shadow.
        let odd = |b: u8| !b.is_ascii_graphic() || b":;*!\\".contains(&b);
        if text.len() > LONGEST || text.bytes().any(odd) {
            return Err(HashError::NoHash);
        }
        let Some(method) = Method::of(text) else {
            return Err(match text.get(..3) {
                Some("$1$") => HashError::Method("$1$", "MD5 is guessed too fast"),
                Some("$3$") => HashError::Method("$3$", "NT hashes are guessed too fast"),
                _ => HashError::NoHash,
            });
        };
        match method.is_whole(text) {
            true => Ok(PasswordHash(text.to_owned())),
            false => Err(HashError::Cut(method.prefix())),
        }
    }

    /// The hash, as it goes into /etc/shadow.
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
