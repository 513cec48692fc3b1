//! Which files are what of a card.

use crate::{Effect, glob};

/// Files that a pattern, or a directory that is removed, may be about.
const EXAMPLES: [&str; 17] = [
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/ssh/sshd_config",
    "/etc/ssh/sshd_config.d/file.conf",
    "/etc/dropbear/dropbear_ed25519_host_key",
    "/etc/hostname",
    "/etc/machine-id",
    "/etc/hosts",
    "/etc/shadow",
    "/etc/passwd",
    "/root/.ssh/authorized_keys",
    "/home/user/.ssh/authorized_keys",
    "/etc/network/interfaces",
    "/etc/network/interfaces.d/file",
    "/etc/netplan/file.yaml",
    "/etc/systemd/network/file.network",
    "/etc/NetworkManager/system-connections/file.nmconnection",
    "/etc/dhcpcd.conf",
];

/// Parts of the paths of files that configure the network.
const NETWORK: [&str; 6] = [
    "/etc/network/interfaces",
    "/etc/netplan",
    "/etc/systemd/network",
    "/etc/NetworkManager/system-connections",
    "/etc/NetworkManager/NetworkManager.conf",
    "/etc/dhcpcd.conf",
];

/// Returns what of a card a file belongs to.
pub(crate) fn protected(path: &str) -> Option<Effect> {
    let path = path.trim_matches(['"', '\'']);
    let ends = |end: &str| path.ends_with(end);
    Some(if path.contains("ssh_host") || path.contains("/etc/dropbear") {
        Effect::HostKeys
    } else if ends("/etc/hostname") || path == "/proc/sys/kernel/hostname" {
        Effect::HostName
    } else if ends("/etc/machine-id") || ends("/dbus/machine-id") {
        Effect::MachineId
    } else if ends("/etc/hosts") {
        Effect::Hosts
    } else if ends("/etc/shadow") {
        Effect::Passwords
    } else if ends("/etc/passwd") {
        Effect::Users
    } else if path.contains("authorized_keys") {
        Effect::UserKeys
    } else if NETWORK.iter().any(|start| path.contains(start)) {
        Effect::Address
    } else if path.contains("/etc/ssh/sshd_config") || ends("/etc/nologin") {
        Effect::SshServer
    } else {
        return None;
    })
}

/// Returns what a path or a pattern of paths is about; a tree is all below it as well.
pub(crate) fn matching(path: &str, is_tree: bool) -> Vec<Effect> {
    let mut effects: Vec<Effect> = protected(path).into_iter().collect();
    let path = path.trim_end_matches('/');
    // `rm -rf "$x"/*` with a value that is not known means no more than it says.
    let says_something = path.split('/').any(|name| !name.trim_matches('*').is_empty());
    if says_something && (is_tree || path.contains(['*', '?', '['])) {
        let is_about = |example: &&&str| is_match(path, example, is_tree);
        effects.extend(EXAMPLES.iter().filter(is_about).filter_map(|example| protected(example)));
    }
    effects.sort_unstable();
    effects.dedup();
    effects
}

/// Returns whether a pattern of a path matches a file or, for a tree, a directory above it. A user
/// whom nothing else names is any.
fn is_match(pattern: &str, file: &str, is_tree: bool) -> bool {
    let (mut patterns, mut names) = (pattern.split('/'), file.split('/'));
    loop {
        match (patterns.next(), names.next()) {
            (None, None) => return true,
            (None, Some(_)) => return is_tree,
            (Some(_), None) => return false,
            (Some(_), Some("user")) => {}
            (Some(pattern), Some(name)) if glob::matches(pattern, name) => {}
            (Some(_), Some(_)) => return false,
        }
    }
}
