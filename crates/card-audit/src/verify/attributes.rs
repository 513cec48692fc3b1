//! Owners and modes, where nodecard enforces them.

use card_image::{FileKind, Metadata};
use cluster_profile::Attributes;
use plain_text::shell_word;

use super::judgement::Guard;
use crate::{Finding, FindingCode, FixAction, Severity};

impl Guard {
    /// Returns whether it rejects a file with these permission bits beyond the right ones.
    fn rejects(self, beyond: u16) -> bool {
        match self {
            Guard::PrivateKey | Guard::NetworkManager => beyond & 0o077 != 0,
            Guard::Ssh => beyond & 0o022 != 0,
            Guard::Nobody => false,
        }
    }
}

/// Returns what is wrong with a file's owner and mode. Fewer permissions than expected are
/// fine, as long as those who have to read it still can.
pub(super) fn check(
    path: &str,
    guard: Guard,
    metadata: &Metadata,
    expected: &Attributes,
) -> Vec<Finding> {
    if !expected.enforce {
        return Vec::new();
    }
    let findings = [owner(path, guard, metadata, expected), mode(path, guard, metadata, expected)];
    findings.into_iter().flatten().collect()
}

fn owner(path: &str, guard: Guard, found: &Metadata, expected: &Attributes) -> Option<Finding> {
    if (found.uid, found.gid) == (expected.uid, expected.gid) {
        return None;
    }
    // The guards check the user, not the group.
    let (severity, what) = if found.uid == expected.uid {
        (Severity::Warning, "it belongs to another group")
    } else if guard == Guard::Nobody {
        (Severity::Warning, "it belongs to another user")
    } else {
        (Severity::Error, "it belongs to another user")
    };
    let owner = format!("{}:{}", expected.uid, expected.gid);
    let fix = FixAction::OnNode(format!("chown {owner} {}", shell_word(path)));
    let finding = Finding::new(severity, FindingCode::Owner, what, fix).at(path);
    Some(finding.expected(owner).found(format!("{}:{}", found.uid, found.gid)))
}

fn mode(path: &str, guard: Guard, found: &Metadata, expected: &Attributes) -> Option<Finding> {
    // A directory has to be searched, a file read: a private one by its owner only.
    let is_private = expected.mode & 0o077 == 0;
    let needed = match found.kind {
        FileKind::Directory => 0o700,
        _ if is_private => 0o400,
        _ => 0o444,
    };
    let beyond = found.mode & !expected.mode;
    let missing = needed & expected.mode & !found.mode;
    let (severity, what) = if guard.rejects(beyond) {
        let what = match guard {
            Guard::NetworkManager => "other users can read it, so NetworkManager ignores it",
            Guard::PrivateKey | Guard::Ssh | Guard::Nobody => {
                "other users have more permissions than ssh accepts"
            }
        };
        (Severity::Error, what)
    } else if missing != 0 {
        (Severity::Error, "users who need it cannot read it")
    } else if beyond != 0 {
        (Severity::Warning, "other users have more permissions than they should")
    } else {
        return None;
    };
    let fix = FixAction::OnNode(format!("chmod {:04o} {}", expected.mode, shell_word(path)));
    let finding = Finding::new(severity, FindingCode::Mode, what, fix).at(path);
    Some(finding.expected(format!("{:04o}", expected.mode)).found(format!("{:04o}", found.mode)))
}
