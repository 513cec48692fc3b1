//! Errors of a cluster's keys.

use std::{error::Error, io, io::ErrorKind, path::PathBuf};

use plain_text::{escaped, shell_word};
use platform::{
    Owner, Permissions,
    access::{command_to_own, command_to_restrict},
};

/// An error that keeps a cluster's keys from being read or created.
///
/// No message contains any part of a private key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The operating system refused an operation.
    #[error("cannot {operation} {}", shown(path))]
    Io {
        /// The operation: `read`, `write`, `create`, `lock`, …
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Another user owns the directory or a file, and so can read and replace it.
    #[error("{} belongs to another user ({owner})", shown(path))]
    Foreign {
        /// The file or directory.
        path: PathBuf,
        /// Its owner.
        owner: Owner,
    },
    /// Somebody called [`Cancel::cancel`](block_io::Cancel::cancel) while another run or a pipe
    /// was using the keys.
    #[error(transparent)]
    Cancelled(#[from] block_io::Cancelled),
    /// Users other than the owner can access the directory or a private file.
    #[error("other users can access {}, which holds private keys ({permissions})", shown(path))]
    Exposed {
        /// The file or directory.
        path: PathBuf,
        /// What lets them in.
        permissions: Permissions,
        /// The permission bits it must have on Unix.
        wanted: u32,
    },
    /// A file is in the place of the directory, or the other way round.
    #[error("{} is not a {wanted}", shown(path))]
    WrongKind {
        /// The path.
        path: PathBuf,
        /// What must be there.
        wanted: &'static str,
    },
    /// A file or the directory is missing.
    #[error("{} is missing", shown(path))]
    Missing {
        /// The file or directory.
        path: PathBuf,
        /// What to do.
        fix: &'static str,
    },
    /// The contents of a file are not what they must be.
    #[error("{} is damaged: it is {reason}", shown(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without any of its contents: `larger than any key`.
        reason: &'static str,
        /// What to do.
        fix: &'static str,
        /// The reason of the library that parsed it.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// A private key and the public key beside it belong to different pairs.
    #[error("{} is not the public half of {}", shown(public), shown(private))]
    Mismatch {
        /// The file of the private key.
        private: PathBuf,
        /// The file of the public key.
        public: PathBuf,
    },
    /// A node's name cannot be the name of a directory.
    #[error("{name:?} is not the name of a node")]
    NodeName {
        /// The name.
        name: String,
    },
    /// The keys were opened without this node.
    #[error("the keys were opened without the node {name:?}")]
    UnknownNode {
        /// The name.
        name: String,
    },
    /// The operating system returned no random numbers.
    #[error("the operating system returned no random numbers")]
    Random {
        /// The reason.
        source: io::Error,
    },
    /// A key cannot be converted from or to OpenSSH's format.
    #[error("cannot encode a key")]
    Encode {
        /// The reason of the library.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl KeyError {
    /// Returns what to do about it.
    pub fn fix(&self) -> Option<String> {
        Some(match self {
            KeyError::Exposed { path, wanted, .. } => format!(
                "run `{}`, and create new keys if others had access",
                command_to_restrict(&shell_word(&shown(path)), wanted & 0o100 != 0)
            ),
            KeyError::Foreign { path, .. } => format!(
                "run nodecard as that user, or, if the keys are yours, run `{}` as root",
                command_to_own(&shell_word(&shown(path)))
            ),
            KeyError::WrongKind { .. } => {
                "move it away, or set another directory with `keys:` in the profile".into()
            }
            KeyError::Missing { fix, .. } | KeyError::Damaged { fix, .. } => (*fix).into(),
            KeyError::Mismatch { public, .. } => format!(
                "restore the pair from a backup, or remove {} to have it created again from the \
                 private key",
                shown(public)
            ),
            KeyError::NodeName { .. } => {
                "use letters, digits and hyphens, at most 63, with no hyphen at either end".into()
            }
            KeyError::Io { source, path, .. } if source.kind() == ErrorKind::PermissionDenied => {
                format!("run nodecard as the owner of {}", shown(path))
            }
            KeyError::Io { source, .. } if source.kind() == ErrorKind::ReadOnlyFilesystem => {
                "create the keys on a computer where their directory is writable".into()
            }
            KeyError::Io { .. }
            | KeyError::Cancelled(_)
            | KeyError::UnknownNode { .. }
            | KeyError::Random { .. }
            | KeyError::Encode { .. } => return None,
        })
    }
}

fn shown(path: &std::path::Path) -> String {
    escaped(&path.display().to_string())
}
