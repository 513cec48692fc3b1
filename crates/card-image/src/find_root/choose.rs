//! Choosing the root filesystem.

use std::fmt;

use super::{Candidate, ChooseError, Evidence, RootCandidate, evidence::gather};

/// The partition that was chosen as the root filesystem, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RootChoice {
    /// Its number.
    pub number: u32,
    /// The evidence for it, the strongest first. It is never empty.
    pub reasons: Vec<Evidence>,
}

/// Writes, say, `partition 2: its own /etc/fstab names it as / (LABEL=root)
/// and boot.ini names it as root (/dev/mmcblk0p2)`.
impl fmt::Display for RootChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partition {}: ", self.number)?;
        for (place, reason) in self.reasons.iter().enumerate() {
            let between = match place {
                0 => "",
                _ if place + 1 == self.reasons.len() => " and ",
                _ => ", ",
            };
            write!(f, "{between}{reason}")?;
        }
        Ok(())
    }
}

/// Chooses the root filesystem among the partitions of a card.
///
/// `wanted`, the user's choice, overrides all evidence for others. Otherwise the partition
/// is chosen that a boot file or the filesystem's own `/etc/fstab` names as root; one that
/// both name is preferred over one that only one of them names. If none is named, the
/// filesystem that holds a system is chosen; of several, the one that another's `/etc/fstab`
/// names.
///
/// # Errors
/// [`ChooseError`] if none or several remain. It lists what each partition holds.
pub fn choose(candidates: &[Candidate], wanted: Option<u32>) -> Result<RootChoice, ChooseError> {
    let findings = gather(candidates);
    if let Some(wanted) = wanted {
        return match findings.iter().find(|f| f.number == wanted) {
            None => Err(ChooseError::NoSuchPartition { wanted, findings }),
            Some(finding) if !finding.is_ext() => Err(ChooseError::NotExt { wanted, findings }),
            Some(finding) => {
                let mut reasons = vec![Evidence::Wanted];
                reasons.extend(finding.evidence.iter().cloned());
                Ok(RootChoice { number: wanted, reasons })
            }
        };
    }
    if !findings.iter().any(RootCandidate::is_ext) {
        return Err(ChooseError::NoExt { findings });
    }
    let numbers = |condition: &dyn Fn(&RootCandidate) -> bool| -> Vec<u32> {
        findings.iter().filter(|f| f.is_ext() && condition(f)).map(|f| f.number).collect()
    };
    let named = numbers(&|f| f.is_booted() || f.mounts_itself());
    let remaining = if named.is_empty() {
        let systems = numbers(&|f| f.has_system());
        let mounted = numbers(&|f| f.has_system() && f.is_mounted_by_another());
        if mounted.len() == 1 { mounted } else { systems }
    } else {
        let by_both = numbers(&|f| f.is_booted() && f.mounts_itself());
        if by_both.len() == 1 { by_both } else { named }
    };
    // A boot file is more reliable than an old system on a data partition.
    if !findings.iter().any(|f| f.is_ext() && f.is_booted())
        && let Some(named) = findings.iter().find(|f| f.is_booted()).map(|f| f.number)
    {
        return Err(ChooseError::RootIsNotExt { named, findings });
    }
    match remaining.as_slice() {
        [] => Err(ChooseError::NoSystem { findings }),
        [number] => {
            let reasons = findings
                .iter()
                .filter(|f| f.number == *number)
                .flat_map(|f| f.evidence.iter().cloned())
                .collect();
            Ok(RootChoice { number: *number, reasons })
        }
        _ => Err(ChooseError::Ambiguous { remaining, findings }),
    }
}
