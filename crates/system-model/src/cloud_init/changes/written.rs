//! Files that `write_files` writes, and what of a card they are.

use crate::{Effect, effects::protected};

/// Returns what of a card a file that cloud-init writes belongs to. Other programs of a system may
/// write more of these for good reasons, such as /etc/resolv.conf.
pub(super) fn effect(path: &str) -> Option<Effect> {
    if let Some(effect) = protected(path) {
        return Some(effect);
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    let below = |directory: &str| path.starts_with(directory);
    if path == "/etc/fstab" || below("/etc/systemd/system/") && name.ends_with(".mount") {
        Some(Effect::Mounts)
    } else if path == "/etc/resolv.conf"
        || below("/etc/resolvconf/")
        || below("/etc/systemd/resolved.conf")
        || below("/etc/NetworkManager/conf.d/")
        || below("/usr/lib/NetworkManager/conf.d/")
    {
        Some(Effect::Address)
    } else if below("/etc/ssh/ssh_known_hosts")
        || path.contains("/.ssh/") && name.starts_with("known_hosts")
    {
        Some(Effect::KnownHosts)
    } else if path.contains("/.ssh/") {
        Some(Effect::UserKeys)
    } else {
        None
    }
}
