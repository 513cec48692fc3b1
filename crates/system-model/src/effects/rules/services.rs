//! Programs that turn services off.

use super::{Arguments, if_any};
use crate::Effect;

const SSH: [&str; 7] =
    ["ssh", "sshd", "openssh-server", "dropbear", "sshd-session", "ssh.socket", "dropbear-bin"];
const NETWORK: [&str; 8] = [
    "NetworkManager",
    "network-manager",
    "networking",
    "systemd-networkd",
    "dhcpcd",
    "dhcpcd5",
    "ifupdown",
    "netplan.io",
];

pub(super) fn judge(name: &str, arguments: &Arguments<'_>) -> Option<Vec<Effect>> {
    let words: &[&str] = match name {
        "systemctl" | "update-rc.d" | "deb-systemd-helper" | "deb-systemd-invoke" => {
            &["disable", "stop", "mask", "remove", "kill", "purge"]
        }
        "service" | "invoke-rc.d" | "rc-service" => &["stop"],
        "rc-update" | "chkconfig" => &["del", "delete", "off"],
        "disable_service" | "killall" | "pkill" => &[],
        "apt" | "apt-get" | "aptitude" | "dpkg" => &["remove", "purge", "-r", "-P", "autoremove"],
        // Scripts of System V, by their own names.
        name if SSH.contains(&name) || NETWORK.contains(&name) => {
            return arguments.has("stop").then(|| off(&[name]));
        }
        _ => return None,
    };
    if !words.is_empty() && !arguments.has_any(words) {
        return Some(Vec::new());
    }
    let units: Vec<&str> = arguments.operands().map(String::as_str).collect();
    Some(off(&units))
}

/// Returns what is missing when these are off.
fn off(units: &[&str]) -> Vec<Effect> {
    let is_any = |names: &[&str]| {
        units.iter().any(|unit| {
            let name = unit.strip_suffix(".service").unwrap_or(unit);
            names.contains(&name)
        })
    };
    let mut effects = if_any(is_any(&SSH), Effect::SshServer);
    effects.extend(if_any(is_any(&NETWORK), Effect::Address));
    effects
}
