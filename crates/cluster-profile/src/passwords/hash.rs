//! A password's hash as a profile gives it.

use std::fmt;

use sha_crypt::{Algorithm, Params, PasswordHasher as _, ShaCrypt};
use ssh_key::rand_core::{OsRng, RngCore as _};

use super::{MAKE_HASH, Method, is_default_word};

/// The largest length of a hash, by crypt(3).
const LONGEST: usize = 383;

/// The longest password that crypt(3) accepts, in bytes.
const LONGEST_PASSWORD: usize = 511;

/// The rounds of SHA-512 in new hashes. The default of crypt(3), 5000, dates from 2007; with
/// these, a login takes some tenths of a second on the slowest boards.
const ROUNDS: u32 = 100_000;

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
    #[error("an empty password would let anyone log in")]
    Empty,
    /// The text does not start with the prefix of a method.
    #[error("this is not the hash of a password")]
    NoHash,
    /// The method no longer protects passwords. The second field says why.
    #[error("{0} hashes are not accepted: {1}")]
    Method(&'static str, &'static str),
    /// Parts of the hash are missing or malformed.
    #[error("this {0} hash is incomplete or malformed")]
    Incomplete(&'static str),
    /// The password is longer than programs accept at a login.
    #[error("the password is longer than {LONGEST_PASSWORD} bytes")]
    TooLong,
    /// The password contains characters that nobody can type at a login.
    #[error("the password contains a control character")]
    ControlCharacter,
    /// Images come with this password, so it is among the first that are tried.
    #[error("this is a well-known default password of images")]
    DefaultPassword,
    /// The operating system returned no random numbers.
    #[error("the operating system returned no random numbers")]
    Random,
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
            HashError::TooLong | HashError::ControlCharacter | HashError::DefaultPassword => {
                "choose another password".into()
            }
            HashError::Random => return None,
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
                Some("$1$") => HashError::Method("$1$", "they can be cracked too fast"),
                Some("$3$") => HashError::Method("$3$", "they can be cracked too fast"),
                _ => HashError::NoHash,
            });
        };
        if !method.is_whole(text) {
            return Err(HashError::Incomplete(method.prefix()));
        }
        Ok(PasswordHash(text.to_owned()))
    }

    /// Returns a new hash of a password: SHA-512 (`$6$`), which every libcrypt supports, with
    /// a random salt.
    ///
    /// # Errors
    /// [`HashError`] if it is not a password to use, or there are no random numbers.
    pub fn of(password: &str) -> Result<Self, HashError> {
        if password.is_empty() {
            return Err(HashError::Empty);
        }
        if password.len() > LONGEST_PASSWORD {
            return Err(HashError::TooLong);
        }
        if password.chars().any(char::is_control) {
            return Err(HashError::ControlCharacter);
        }
        if is_default_word(password) {
            return Err(HashError::DefaultPassword);
        }
        // 16 characters in base 64, which is what libcrypt uses of a salt.
        let mut salt = [0; 12];
        OsRng.try_fill_bytes(&mut salt).map_err(|_| HashError::Random)?;
        let params = Params::new(ROUNDS).unwrap_or_default();
        let method = ShaCrypt::new(Algorithm::Sha512Crypt, params);
        let hash = method
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map_err(|_| HashError::Incomplete(Method::Sha512.prefix()))?;
        PasswordHash::new(hash.as_str())
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
