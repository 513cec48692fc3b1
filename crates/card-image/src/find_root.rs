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
use system_model::BootPartition;

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

/// Returns the FAT partitions of a card with the prefix of their files' paths, by what the
/// `/etc/fstab` of the root filesystem mounts.
pub fn boot_partitions(candidates: &[Candidate], root: u32) -> Vec<BootPartition> {
    let root = candidates.iter().find(|candidate| candidate.number == root);
    let fstab = root.and_then(|root| root.fstab.as_deref()).unwrap_or_default();
    let mounts = device_spec::fat_mounts(candidates, fstab).into_iter();
    mounts
        .map(|(number, mounted)| BootPartition {
            number,
            prefix: mounted.unwrap_or_else(|| format!("p{number}:")),
        })
        .collect()
}

#[cfg(test)]
mod tests;
