//! Choosing the partition that is the root filesystem.
//!
//! Nothing is derived from a partition's number, size or type. The image itself decides: the
//! root line of a filesystem's own `/etc/fstab`, `root=` in the files that its boot loader
//! reads, and which filesystem holds a system at all. The choice is a pure function of what
//! was found, so that it can be explained and tested; the caller, who opens the image,
//! gathers the [`Candidate`]s.

mod boot_files;
mod choose;
mod device_spec;
mod error;
mod evidence;

pub use boot_files::{BOOT_FILES, BootFile};
pub use choose::choose;
pub use error::ChooseError;
pub use evidence::{Evidence, RootCandidate};
pub use fs_signature::FsKind;

/// One partition and what was found on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The number that Linux gives the partition.
    pub number: u32,
    /// What it holds.
    pub kind: FsKind,
    /// Its PARTUUID, as Linux writes it.
    pub partuuid: Option<String>,
    /// Its name in the partition table (GPT only).
    pub name: Option<String>,
    /// The text of `/etc/fstab` on it.
    pub fstab: Option<String>,
    /// Whether it holds `/sbin/init`.
    pub has_init: bool,
    /// Whether it holds `/etc/os-release`.
    pub has_os_release: bool,
    /// The boot loader's files on it (see [`BOOT_FILES`]), in its root directory or in its
    /// `/boot`.
    pub boot_files: Vec<BootFile>,
}

#[cfg(test)]
mod tests;
