//! What each file of a card is to the cluster, and so how it is compared.
//! docs/verify.md has the same as a table.

use cluster_profile::{Cluster, Node};

use crate::Severity;

/// How a file's contents are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Byte for byte, shown line by line.
    Exact,
    /// A private key: byte for byte, never shown.
    Secret,
    /// Byte for byte, never shown: it may hold passwords.
    Hidden,
    /// Algorithm and key; the comment is anybody's.
    PublicKey,
    /// The first line that says anything.
    Word,
    /// Names of addresses.
    Hosts,
    /// Keys of hosts; others' lines are not ours.
    KnownHosts,
    /// As before, but only keys of nodes that are not theirs matter.
    OwnKnownHosts,
    /// The wanted keys have to be among them.
    AuthorizedKeys,
    /// The profile's name servers have to be among them.
    Resolver,
    /// Those of the profile's users have to be there; never shown.
    Passwords,
    /// Stanzas and their options.
    Interfaces,
    /// Settings, whatever their order.
    Settings,
    /// Settings that have to be there; others may be.
    Additions,
    /// Not at all: something else tells.
    No,
}

/// What a file is to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    pub code: &'static str,
    pub severity: Severity,
    pub comparison: Comparison,
}

const fn rule(code: &'static str, severity: Severity, comparison: Comparison) -> Rule {
    Rule { code, severity, comparison }
}

/// The rule for a file that is written, with these contents.
pub(super) fn of_written(cluster: &Cluster, node: &Node, path: &str, contents: &[u8]) -> Rule {
    use Comparison as By;
    use Severity::{Error, Warning};
    if cluster.files.iter().chain(&node.files).any(|file| file.path == path) {
        return rule("extra-file", Warning, By::Exact);
    }
    match path {
        "/etc/hostname" => return rule("host-name", Error, By::Word),
        "/etc/machine-id" => return rule("machine-id", Error, By::Word),
        "/etc/hosts" => return rule("hosts", Error, By::Hosts),
        "/etc/shadow" => return rule("password", Warning, By::Passwords),
        "/etc/resolv.conf" => return rule("resolver", Warning, By::Resolver),
        "/etc/systemd/resolved.conf.d/nodecard.conf" => {
            return rule("resolver", Warning, By::Settings);
        }
        "/etc/ssh/ssh_known_hosts" => return rule("known-hosts", Error, By::KnownHosts),
        "/etc/ssh/ssh_host_ed25519_key" => return rule("host-key", Error, By::Secret),
        "/etc/ssh/ssh_host_ed25519_key.pub" => return rule("host-key", Warning, By::PublicKey),
        _ => {}
    }
    if path.starts_with("/etc/ssh/sshd_config") {
        return rule("sshd-config", Error, By::Additions);
    }
    // What they lose are mentions of key pairs, which are told of themselves.
    if path.starts_with("/etc/ssh/ssh_config") {
        return rule("ssh-config", Warning, By::No);
    }
    if let Some((_, name)) = path.rsplit_once("/.ssh/") {
        return match name {
            "id_ed25519" => rule("cluster-key", Error, By::Secret),
            "id_ed25519.pub" => rule("cluster-key", Warning, By::PublicKey),
            "authorized_keys" => rule("authorized-keys", Error, By::AuthorizedKeys),
            "known_hosts" => rule("stale-known-host", Warning, By::OwnKnownHosts),
            _ => rule("ssh-config", Warning, By::No),
        };
    }
    if is_swarm(path) {
        // The programs and the unit may be another release's; services are created once.
        return match path.rsplit('/').next() {
            Some("swarm_key") => rule("swarm", Error, By::Secret),
            Some("swarm.conf") => rule("swarm", Error, By::Settings),
            _ if path.contains("/services/") || path.contains("/environments/") => {
                rule("swarm", Warning, By::Hidden)
            }
            _ => rule("swarm", Warning, By::Exact),
        };
    }
    if path.starts_with("/etc/network/") {
        return rule("address", Error, By::Interfaces);
    }
    if is_network(path) {
        let address = node.address.to_string();
        let ours = String::from_utf8_lossy(contents).contains(&address);
        return match ours {
            true => rule("address", Error, By::Settings),
            false => rule("network-rival", Warning, By::Settings),
        };
    }
    if path.starts_with("/etc/cloud/") {
        return rule("cloud-init", Warning, By::Settings);
    }
    // Armbian's marks.
    rule("first-boot", Warning, By::Settings)
}

/// The rule for a large file of the profile's.
pub(super) fn of_copied() -> Rule {
    rule("swarm-image", Severity::Warning, Comparison::No)
}

/// Whether a file is for the swarm.
pub(super) fn is_swarm(path: &str) -> bool {
    const PLACES: [&str; 3] =
        ["/etc/nodecard/", "/usr/local/lib/nodecard", "/var/lib/nodecard/images"];
    PLACES.iter().any(|place| path.starts_with(place)) || path.ends_with("/nodecard-swarm.service")
}

/// The rule for what has to be gone.
pub(super) fn of_removed(path: &str) -> Rule {
    use Severity::{Error, Warning};
    let (code, severity) = if path.contains("/.ssh/") {
        ("cloned-user-key", Error)
    } else if cluster_profile::made_anew(path) {
        ("cloned-file", Error)
    } else if is_swarm(path) {
        ("swarm", Warning)
    } else if is_network(path) {
        ("network-rival", Error)
    } else if path == "/root/.not_logged_in_yet" || path.contains("getty@") {
        ("first-boot", Warning)
    } else {
        ("first-boot", Error)
    };
    rule(code, severity, Comparison::No)
}

fn is_network(path: &str) -> bool {
    const PLACES: [&str; 5] = [
        "/etc/netplan/",
        "/etc/NetworkManager/",
        "/etc/systemd/network/",
        "/etc/network/",
        "/etc/dhcpcd.conf",
    ];
    PLACES.iter().any(|place| path.starts_with(place))
}
