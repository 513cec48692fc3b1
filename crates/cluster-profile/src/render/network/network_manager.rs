//! NetworkManager: a keyfile of the highest priority.
//!
//! Other profiles for the interface stay, but are never picked by themselves: of
//! several that fit, the one with the highest priority is.

use super::{Address, netplan};
use crate::{
    Attributes, SystemError,
    render::{context::Context, text::encode, units},
};

const PROFILES: &str = "/etc/NetworkManager/system-connections";
/// On Ubuntu's servers this file leaves Ethernet to others, unless one of the
/// same name in /etc takes its place.
const GLOBALLY_MANAGED: &str = "conf.d/10-globally-managed-devices.conf";

/// Whether it starts at boot and takes care of Ethernet.
pub(super) fn is_active(from: &Context<'_>) -> Result<bool, SystemError> {
    if !units::enabled(from, "NetworkManager.service")? {
        return Ok(false);
    }
    if netplan::renders_with_network_manager(from)? {
        return Ok(true);
    }
    let rule = match from.read(&format!("/etc/NetworkManager/{GLOBALLY_MANAGED}"))? {
        Some(text) => Some(text),
        None => from.read(&format!("/usr/lib/NetworkManager/{GLOBALLY_MANAGED}"))?,
    };
    Ok(rule.is_none_or(|text| {
        let value = text.lines().find_map(|line| line.strip_prefix("unmanaged-devices="));
        !value.is_some_and(|v| v.starts_with('*') && !v.contains("except:type:ethernet"))
    }))
}

/// Whether a profile, or netplan through it, speaks of the interface.
pub(super) fn owns(from: &Context<'_>) -> Result<bool, SystemError> {
    if netplan::renders_with_network_manager(from)? && netplan::owns(from)? {
        return Ok(true);
    }
    let interface = &from.cluster.network.interface;
    for name in from.list(PROFILES)? {
        let text = from.read(&format!("{PROFILES}/{name}"))?.unwrap_or_default();
        let lines = || text.lines().map(str::trim_ascii);
        let names = lines().find_map(|line| line.strip_prefix("interface-name="));
        let wired = lines().any(|line| matches!(line, "type=ethernet" | "type=802-3-ethernet"));
        if names.map_or(wired, |name| name.trim_ascii() == interface) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Keeps NetworkManager off the interface.
pub(super) fn stand_back(to: &mut Context<'_>) {
    let interface = &to.cluster.network.interface;
    let text = format!(
        "# Written by nodecard: something else gives {interface} its address.\n\
         [keyfile]\nunmanaged-devices+=interface-name:{interface}\n"
    );
    to.write("/etc/NetworkManager/conf.d/99-nodecard.conf", text, Attributes::root(0o644));
}

pub(super) fn node(to: &mut Context<'_>, Address { network, address }: &Address<'_>, name: &str) {
    let interface = &network.interface;
    let uuid = to.keys.uuid("network-manager-connection", name);
    let gateway = network.gateway.map(|gateway| format!(",{gateway}")).unwrap_or_default();
    let mut lines = vec![
        "# Written by nodecard.".to_owned(),
        "[connection]".to_owned(),
        format!("id=nodecard-{interface}"),
        format!("uuid={uuid}"),
        "type=ethernet".to_owned(),
        format!("interface-name={interface}"),
        "autoconnect=true".to_owned(),
        "autoconnect-priority=999".to_owned(),
        String::new(),
        "[ipv4]".to_owned(),
        "method=manual".to_owned(),
        format!("address1={address}/{}{gateway}", network.prefix),
    ];
    let list = |words: &mut dyn Iterator<Item = String>| words.map(|w| w + ";").collect::<String>();
    if !network.dns.is_empty() {
        lines.push(format!("dns={}", list(&mut network.dns.iter().map(ToString::to_string))));
    }
    if !network.search.is_empty() {
        lines.push(format!("dns-search={}", list(&mut network.search.iter().cloned())));
    }
    lines.extend([String::new(), "[ipv6]".to_owned(), "method=auto".to_owned()]);
    // NetworkManager ignores profiles that others could read.
    to.write(
        format!("{PROFILES}/nodecard-{interface}.nmconnection"),
        encode(&(lines.join("\n") + "\n")),
        Attributes::exactly(0o600, 0, 0),
    );
}
