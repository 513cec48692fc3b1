//! Errors of choosing the root filesystem.

use super::RootCandidate;

/// No partition could be chosen as the root filesystem.
///
/// Each message ends with a list of what the partitions hold, one per line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChooseError {
    /// The requested partition does not exist.
    #[error("there is no partition {wanted} to use as the root filesystem{}", list(findings))]
    NoSuchPartition {
        /// The requested partition.
        wanted: u32,
        /// What each partition holds.
        findings: Vec<RootCandidate>,
    },
    /// The requested partition does not hold an ext filesystem.
    #[error("partition {wanted} cannot be the root filesystem: it is not ext4{}", list(findings))]
    NotExt {
        /// The requested partition.
        wanted: u32,
        /// What each partition holds.
        findings: Vec<RootCandidate>,
    },
    /// No partition holds an ext filesystem.
    #[error("no partition holds an ext4 filesystem{}", list(findings))]
    NoExt {
        /// What each partition holds.
        findings: Vec<RootCandidate>,
    },
    /// The boot loader's root is not an ext filesystem.
    #[error("the boot files name partition {named} as root, but it is not ext4{}", list(findings))]
    RootIsNotExt {
        /// The partition that the boot files name.
        named: u32,
        /// What each partition holds.
        findings: Vec<RootCandidate>,
    },
    /// There are ext filesystems, but none looks like a root filesystem.
    #[error(
        "no partition looks like a root filesystem: none holds /sbin/init or /etc/os-release, and \
         no /etc/fstab or boot file names one as root{}",
        list(findings)
    )]
    NoSystem {
        /// What each partition holds.
        findings: Vec<RootCandidate>,
    },
    /// Several partitions may be the root filesystem.
    #[error(
        "any of the partitions {} may be the root filesystem{}",
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

impl ChooseError {
    /// Returns what the user can do about it.
    pub fn fix(&self) -> Option<String> {
        let fix = match self {
            ChooseError::NoSuchPartition { findings, .. }
            | ChooseError::NotExt { findings, .. } => {
                let ext = findings.iter().filter(|finding| finding.is_ext());
                let ext: Vec<u32> = ext.map(|finding| finding.number).collect();
                return Some(match ext.as_slice() {
                    [] => "use an image whose root filesystem is ext4".to_owned(),
                    [one] => format!("choose partition {one}, or let it be detected"),
                    several => format!(
                        "choose one of the partitions {}, or let it be detected",
                        join(several, " and ")
                    ),
                });
            }
            ChooseError::NoExt { .. } => "use an image whose root filesystem is ext4",
            ChooseError::RootIsNotExt { .. } => {
                "use an image whose root filesystem is ext4, or set `root: NUMBER` in the profile"
            }
            ChooseError::NoSystem { .. } => {
                "if one of them is the root filesystem, set `root: NUMBER` in the profile"
            }
            ChooseError::Ambiguous { .. } => "set `root: NUMBER` in the profile to choose one",
        };
        Some(fix.to_owned())
    }
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
