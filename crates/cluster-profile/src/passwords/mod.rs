//! Passwords as crypt(5) hashes: which are complete, and which are of default passwords.

mod default;
mod hash;
mod method;

pub(crate) use default::is_default_word;
pub use default::{DefaultPassword, cloud_default_password, default_password};
pub use hash::{HashError, PasswordHash};
pub(crate) use method::Method;

/// How to make a hash, for messages.
pub(crate) const MAKE_HASH: &str =
    "make a hash with `nodecard password`, and write it in single quotes";
