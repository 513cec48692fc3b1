//! Passwords as crypt(5) hashes: which are well formed, and which are of passwords that
//! everybody knows.

mod default;
mod hash;
mod method;

pub use default::{DefaultPassword, default_password};
pub use hash::{HashError, PasswordHash};
pub(crate) use method::Method;

/// How a hash is made, for messages.
pub(crate) const MAKE_HASH: &str =
    "make a hash with `openssl passwd -6`, and write it in single quotes";
