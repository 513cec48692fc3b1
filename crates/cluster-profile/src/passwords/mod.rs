//! Passwords as crypt(5) hashes: which are well formed.

mod hash;
mod method;

pub use hash::{HashError, PasswordHash};
pub(crate) use method::Method;

/// How a hash is made, for messages.
pub(crate) const MAKE_HASH: &str =
    "make a hash with `openssl passwd -6`, and write it in single quotes";
