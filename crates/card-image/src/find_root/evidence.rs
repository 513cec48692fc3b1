//! The evidence that a partition is the root filesystem.

use std::fmt;

use super::{
    Candidate, FsKind,
    device_spec::{fstab_roots, resolve},
};

/// Evidence for or against a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence {
    /// Its own `/etc/fstab` mounts it at `/`.
    OwnFstab {
        /// The name that is used there.
        spec: String,
    },
    /// A boot loader's file names it as root.
    BootFile {
        /// The file.
        path: String,
        /// The name that is used there.
        spec: String,
    },
    /// The `/etc/fstab` of another partition mounts it at `/`.
    OtherFstab {
        /// The number of the other partition.
        partition: u32,
    },
    /// It holds a system.
    System {
        /// Whether there is `/sbin/init`.
        init: bool,
        /// Whether there is `/etc/os-release`.
        os_release: bool,
    },
    /// Evidence against it: its own `/etc/fstab` mounts another partition at `/`.
    FstabNamesOthers {
        /// The name of the other partition there.
        spec: String,
    },
    /// The user chose it.
    Wanted,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::OwnFstab { spec } => {
                write!(f, "its own /etc/fstab names it as / ({spec})")
            }
            Evidence::BootFile { path, spec } => write!(f, "{path} names it as root ({spec})"),
            Evidence::OtherFstab { partition } => {
                write!(f, "/etc/fstab on partition {partition} names it as /")
            }
            Evidence::System { init, os_release } => f.write_str(match (init, os_release) {
                (true, true) => "it holds /sbin/init and /etc/os-release",
                (true, false) => "it holds /sbin/init",
                _ => "it holds /etc/os-release",
            }),
            Evidence::FstabNamesOthers { spec } => {
                write!(f, "but its own /etc/fstab names {spec} as /")
            }
            Evidence::Wanted => f.write_str("it was chosen by the user"),
        }
    }
}

/// A partition and the evidence about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootCandidate {
    /// The partition's number.
    pub number: u32,
    /// What it holds.
    pub kind: FsKind,
    /// The evidence for and against it, the strongest first.
    pub evidence: Vec<Evidence>,
}

impl RootCandidate {
    pub(super) fn is_ext(&self) -> bool {
        matches!(self.kind, FsKind::Ext { .. })
    }

    pub(super) fn is_booted(&self) -> bool {
        self.evidence.iter().any(|e| matches!(e, Evidence::BootFile { .. }))
    }

    pub(super) fn mounts_itself(&self) -> bool {
        self.evidence.iter().any(|e| matches!(e, Evidence::OwnFstab { .. }))
    }

    pub(super) fn is_mounted_by_another(&self) -> bool {
        self.evidence.iter().any(|e| matches!(e, Evidence::OtherFstab { .. }))
    }

    pub(super) fn has_system(&self) -> bool {
        self.evidence.iter().any(|e| matches!(e, Evidence::System { .. }))
    }
}

impl fmt::Display for RootCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partition {}: {}", self.number, self.kind)?;
        if self.evidence.is_empty() {
            return f.write_str("; nothing names it as the root filesystem");
        }
        self.evidence.iter().try_for_each(|evidence| write!(f, "; {evidence}"))
    }
}

/// Collects the evidence about every partition from what all of them hold.
pub(super) fn gather(candidates: &[Candidate]) -> Vec<RootCandidate> {
    let mut findings: Vec<_> = candidates.iter().map(|c| (c, Vec::new())).collect();
    let mut add = |number: u32, evidence: Evidence| {
        for (_, list) in findings.iter_mut().filter(|(c, _)| c.number == number) {
            list.push(evidence.clone());
        }
    };
    // In the order of strength, in which evidence is listed.
    for candidate in candidates {
        for spec in candidate.fstab.iter().flat_map(|fstab| fstab_roots(fstab)) {
            let spec_text = spec.to_owned();
            let named = resolve(candidates, spec);
            if named.contains(&candidate.number) {
                add(candidate.number, Evidence::OwnFstab { spec: spec_text });
            } else if !named.is_empty() {
                add(candidate.number, Evidence::FstabNamesOthers { spec: spec_text });
            }
        }
    }
    for file in candidates.iter().flat_map(|c| &c.boot_files) {
        for spec in file.roots() {
            for number in resolve(candidates, spec) {
                add(number, Evidence::BootFile { path: file.path.clone(), spec: spec.to_owned() });
            }
        }
    }
    for candidate in candidates {
        for spec in candidate.fstab.iter().flat_map(|fstab| fstab_roots(fstab)) {
            let partition = candidate.number;
            for number in resolve(candidates, spec).into_iter().filter(|&n| n != partition) {
                add(number, Evidence::OtherFstab { partition });
            }
        }
        if candidate.has_init || candidate.has_os_release {
            let (init, os_release) = (candidate.has_init, candidate.has_os_release);
            add(candidate.number, Evidence::System { init, os_release });
        }
    }
    findings
        .into_iter()
        .map(|(c, evidence)| RootCandidate { number: c.number, kind: c.kind.clone(), evidence })
        .collect()
}
