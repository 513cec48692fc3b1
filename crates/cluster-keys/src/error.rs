//! What can go wrong with a cluster's keys.

use std::{io, path::PathBuf};

/// A cluster's keys could not be read or made.
///
/// No message ever holds anything of a private key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The operating system refused something.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`, `make`, `lock`, …
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Others than the owner may look into the directory or a private file.
    #[error(
        "{} is open to others than its owner (mode {mode:04o}); it holds private keys: \
         close it with `chmod {wanted:o} {}`, and if others had access, make new keys",
        path.display(), path.display()
    )]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The permission bits it must have.
        wanted: u32,
    },
    /// A file has the place of the directory, or the other way round.
    #[error("{} is not a {wanted}; move it away, or name another directory with `keys:`", path.display())]
    WrongKind {
        /// What is there.
        path: PathBuf,
        /// What ought to be there.
        wanted: &'static str,
    },
    /// A file that belongs to the set is not there although others of it are.
    #[error("{} is missing; {help}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What to do.
        help: &'static str,
    },
    /// A file does not hold what it ought to.
    #[error("{} is damaged: {reason}; {help}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without any of its contents.
        reason: String,
        /// What to do.
        help: &'static str,
    },
    /// A private key and the public key beside it are of two pairs.
    #[error(
        "{} is not the public half of {}; restore the pair from a backup, or remove the \
         .pub file, and it is made again from the private key", public.display(), private.display()
    )]
    Mismatch {
        /// The private key's file.
        private: PathBuf,
        /// The public key's file.
        public: PathBuf,
    },
    /// A node's name cannot be a directory's name.
    #[error("{name:?} is no node's name: letters, digits and inner hyphens, at most 63")]
    NodeName {
        /// The name.
        name: String,
    },
    /// A node was asked for that these keys were not opened with.
    #[error("these keys were opened without the node {name:?}")]
    UnknownNode {
        /// The name.
        name: String,
    },
    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers: {reason}")]
    Random {
        /// Its reason.
        reason: String,
    },
    /// A key could not be put into OpenSSH's format.
    #[error("cannot encode a key: {reason}")]
    Encode {
        /// The library's reason.
        reason: String,
    },
}
