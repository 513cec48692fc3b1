//! Why no root filesystem could be chosen.

use super::RootCandidate;

/// No partition could be chosen as the root filesystem.
///
/// Each message ends with a list of what every partition holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChooseError {
    /// The partition asked for does not exist.
    #[error("there is no partition {wanted} to take as the root filesystem{}", list(findings))]
    NoSuchPartition {
        /// The partition asked for.
        wanted: u32,
        /// What each partition holds.
        findings: Vec<RootCandidate>,
    },
    /// The partition asked for holds no ext filesystem.
    #[error(
        "partition {wanted} was asked for as the root filesystem, but holds no ext4 \
         filesystem{}",
        list(findings)
    )]
    NotExt {
        /// The partition asked for.
        wanted: u32,
        /// What each partition holds.
        findings: Vec<RootCandidate>,
    },
    /// No partition holds an ext filesystem.
    #[error(
        "no partition holds an ext4 filesystem: take a base image whose root filesystem is \
         ext4{}",
        list(findings)
    )]
    NoExt {
        /// What each partition holds.
        findings: Vec<RootCandidate>,
    },
    /// The boot loader's root is no ext filesystem.
    #[error(
        "the boot files name partition {named} as root, which holds no ext4 filesystem: take a \
         base image whose root filesystem is ext4, or name the partition to work on with --root N \
         (or root: N in the profile){}",
        list(findings)
    )]
    RootIsNotExt {
        /// The partition that the boot files name.
        named: u32,
        /// What each partition holds.
        findings: Vec<RootCandidate>,
    },
    /// There are ext filesystems, but none looks like a root filesystem.
    #[error(
        "no partition looks like a root filesystem (none holds /sbin/init or /etc/os-release, \
         none is named as root by an /etc/fstab or a boot file); if one is, name it with --root N \
         (or root: N in the profile){}",
        list(findings)
    )]
    NoSystem {
        /// What each partition holds.
        findings: Vec<RootCandidate>,
    },
    /// Several partitions may be the root filesystem.
    #[error(
        "partitions {} may each be the root filesystem: choose one with --root N (or root: N in \
         the profile){}",
        join(remaining, " and "),
        list(findings)
    )]
    Ambiguous {
        /// The partitions that remain.
        remaining: Vec<u32>,
        /// What each partition holds.
        findings: Vec<RootCandidate>,
    },
}

fn join(numbers: &[u32], between: &str) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(between)
}

fn list(findings: &[RootCandidate]) -> String {
    if findings.is_empty() {
        return "\n  (the table lists no partitions)".to_owned();
    }
    findings.iter().map(|finding| format!("\n  {finding}")).collect()
}
