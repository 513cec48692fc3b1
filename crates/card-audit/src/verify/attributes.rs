//! Owners and modes, where nodecard enforces them.

use card_image::{FileKind, Metadata};
use cluster_profile::Attributes;

use super::rules::Rule;
use crate::{Finding, Severity};

/// Who refuses a file that belongs to others, or is open to them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// sshd (StrictModes), and ssh for private keys.
    Ssh,
    /// NetworkManager, for its profiles.
    NetworkManager,
    /// Nobody.
    Nobody,
}

impl Guard {
    fn of(path: &str, rule: Rule) -> Self {
        let home = rule.code == "home-directory";
        if home
            || path.contains("/.ssh")
            || path.contains("/ssh_host_")
            || path.ends_with("/swarm_key")
        {
            Guard::Ssh
        } else if path.starts_with("/etc/NetworkManager/system-connections/") {
            Guard::NetworkManager
        } else {
            Guard::Nobody
        }
    }

    /// Whether rights beyond the wanted ones are too many for it.
    fn refuses(self, beyond: u16, private: bool) -> bool {
        match self {
            Guard::Ssh => beyond & 0o022 != 0 || private && beyond & 0o077 != 0,
            Guard::NetworkManager => beyond & 0o077 != 0,
            Guard::Nobody => false,
        }
    }
}

/// What is wrong with them. Fewer rights than wanted are fine, as long as those can read
/// who have to.
pub(super) fn check(
    path: &str,
    rule: Rule,
    metadata: &Metadata,
    wanted: &Attributes,
) -> Vec<Finding> {
    if !wanted.enforce {
        return Vec::new();
    }
    let guard = Guard::of(path, rule);
    owner(path, guard, metadata, wanted)
        .into_iter()
        .chain(mode(path, rule, guard, metadata, wanted))
        .collect()
}

fn owner(path: &str, guard: Guard, found: &Metadata, wanted: &Attributes) -> Option<Finding> {
    if (found.uid, found.gid) == (wanted.uid, wanted.gid) {
        return None;
    }
    // Who asks, asks for the user only.
    let (severity, what) = match (found.uid == wanted.uid, guard) {
        (true, _) => (Severity::Warning, "it belongs to another group"),
        (false, Guard::Nobody) => (Severity::Warning, "it belongs to another user"),
        (false, _) => (Severity::Error, "it belongs to another user"),
    };
    let mend = format!("on the node: chown {}:{} {path}", wanted.uid, wanted.gid);
    let finding = Finding::new(severity, "owner", what, mend).at(path);
    let finding = finding.expected(format!("{}:{}", wanted.uid, wanted.gid));
    Some(finding.found(format!("{}:{}", found.uid, found.gid)))
}

fn mode(
    path: &str,
    rule: Rule,
    guard: Guard,
    found: &Metadata,
    wanted: &Attributes,
) -> Option<Finding> {
    // A directory is searched, a file is read; a private one by its owner.
    let private = wanted.mode & 0o077 == 0;
    let needed = match found.kind {
        FileKind::Directory => 0o700,
        _ if private => 0o400,
        _ => 0o444,
    };
    let beyond = found.mode & !wanted.mode;
    let missing = needed & wanted.mode & !found.mode;
    let key = private && matches!(rule.code, "host-key" | "cluster-key" | "swarm");
    let (severity, what) = if guard.refuses(beyond, key) {
        let what = match guard {
            Guard::NetworkManager => "others can read it, so NetworkManager ignores it",
            _ => "others may do so much that ssh refuses it",
        };
        (Severity::Error, what)
    } else if missing != 0 {
        (Severity::Error, "it cannot be read by those who need it")
    } else if beyond != 0 {
        (Severity::Warning, "others may do more than they should")
    } else {
        return None;
    };
    let mend = format!("on the node: chmod {:04o} {path}", wanted.mode);
    let finding = Finding::new(severity, "mode", what, mend).at(path);
    Some(finding.expected(format!("{:04o}", wanted.mode)).found(format!("{:04o}", found.mode)))
}
