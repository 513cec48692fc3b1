//! The user who called this program through sudo, doas or pkexec.
//!
//! Only devices need root. Everything else is done as the user: `~` is the user's home, and
//! whatever is made belongs to the user as if there had been no sudo. The process keeps root as its
//! saved user id, with which [`rights`](crate::rights) opens devices. Only Linux has this, because
//! only there are devices written.

use std::io;

use crate::system;

/// Something could not be done as the user who called sudo.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokerError {
    /// The home of root is used.
    #[error("cannot use the home of {name}")]
    Home {
        /// The user.
        name: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The process stays root's.
    #[error("new files will belong to root: cannot act as {name}")]
    Identity {
        /// The user.
        name: String,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// Takes on the identity of the user who called sudo, doas or pkexec, if one did. Returns what
/// failed. Must be called before there are other threads: they take over the identity of the
/// thread that starts them.
///
/// A shell that was started as root stays root's.
pub fn become_invoker() -> Vec<InvokerError> {
    system::become_invoker()
}
