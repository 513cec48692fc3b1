//! A password's hash as a profile gives it.

use std::fmt;

use super::{MAKE_HASH, Method};

/// The largest length of a hash, by crypt(3).
const LONGEST: usize = 383;

/// A password's hash in the format of crypt(3), complete and suitable for a field of
/// /etc/shadow. [`Debug`](fmt::Debug) does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// An error that keeps a text from being used as the hash of a password. Messages do not
/// quote the text, since it may be the password itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// An empty field of /etc/shadow lets anybody log in.
    #[error("an empty password would let anybody log in")]
    Empty,
    /// The text does not start with the prefix of a method.
    #[error("this is not the hash of a password")]
    NoHash,
    /// The method no longer protects passwords. The second field says why.
    #[error("hashes of the method {0} are not accepted: {1}")]
    Method(&'static str, &'static str),
    /// Parts of the hash are missing or malformed.
    #[error("this {0} hash is incomplete or malformed")]
    Incomplete(&'static str),
}

impl HashError {
    /// Returns what to do about it.
    pub fn fix(&self) -> Option<String> {
        Some(match self {
            HashError::Empty => {
                format!("{MAKE_HASH}; use `locked: true` for a user without a password")
            }
            HashError::NoHash => format!("do not write the password itself: {MAKE_HASH}"),
            HashError::Method(..) | HashError::Incomplete(_) => MAKE_HASH.into(),
        })
    }
}

impl PasswordHash {
    /// Checks a hash of one of the methods $5$, $6$, $y$, $gy$, $7$, $2a$, $2b$ and $2y$.
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
                Some("$1$") => HashError::Method("$1$", "MD5 hashes can be guessed too fast"),
                Some("$3$") => HashError::Method("$3$", "NT hashes can be guessed too fast"),
                _ => HashError::NoHash,
            });
        };
        if !method.is_whole(text) {
            return Err(HashError::Incomplete(method.prefix()));
        }
        Ok(PasswordHash(text.to_owned()))
    }

    /// Returns the hash as /etc/shadow contains it.
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
