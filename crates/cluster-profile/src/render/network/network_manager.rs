//! NetworkManager: a keyfile of the highest priority.
//!
//! Other profiles for the interface stay, but are not picked automatically: of several
//! that match, NetworkManager picks the one with the highest priority.

use system_model::network::{Fit, Netplan, NetworkManager};

use super::{Address, ifupdown, netplan};
use crate::{
    Attributes, NetworkBackEnd, Note, Purpose, SystemError,
    render::{
        context::{Context, View},
        text::encode,
        units,
    },
};

const PROFILES: &str = "/etc/NetworkManager/system-connections";
const CONFIGURATION: &str = "/etc/NetworkManager/conf.d";
const OWN_RULE: &str = "99-nodecard.conf";

/// Returns the paths of nodecard's own profiles.
pub(super) fn own_files(from: &View<'_>) -> Result<Vec<String>, SystemError> {
    let is_own = |name: &String| name.starts_with("nodecard-") && name.ends_with(".nmconnection");
    let names = from.list(PROFILES)?.into_iter().filter(is_own);
    Ok(names.map(|name| format!("{PROFILES}/{name}")).collect())
}

/// Returns whether it starts at boot and manages the interface.
pub(super) fn is_active(from: &View<'_>) -> Result<bool, SystemError> {
    if !units::enabled(from, "NetworkManager.service")? {
        return Ok(false);
    }
    if netplan::renders_with_network_manager(from)? {
        return Ok(true);
    }
    let mut manager = NetworkManager::read(from.system, &Netplan::read(from.system)?)?;
    // It is told to leave to ifupdown what ifupdown brings up, whatever its plug-in does.
    let by_ifupdown = ifupdown::is_active(from)?;
    manager.forget(|path| {
        path.strip_prefix(CONFIGURATION)
            .is_some_and(|name| name.trim_start_matches('/') == OWN_RULE)
            || by_ifupdown && path.starts_with("/etc/network/")
    });
    Ok(manager.manages(from.interface) != Fit::No)
}

/// Returns whether a profile, or netplan through it, names the interface.
pub(super) fn owns(from: &View<'_>) -> Result<bool, SystemError> {
    if netplan::renders_with_network_manager(from)? && netplan::owns(from)? {
        return Ok(true);
    }
    let manager = NetworkManager::read(from.system, &Netplan::default())?;
    Ok(manager.connections.iter().any(|one| one.may_be_of(from.interface)))
}

/// Keeps NetworkManager off the interface.
pub(super) fn stand_back(to: &mut Context<'_>) {
    let interface = &to.cluster.network.interface;
    let text = format!(
        "# Written by nodecard: another program sets the address of {interface}.\n\
         [keyfile]\nunmanaged-devices+=interface-name:{interface}\n"
    );
    let path = format!("{CONFIGURATION}/{OWN_RULE}");
    to.write(Purpose::RivalSettings, path, text, Attributes::root(0o644));
}

/// Notes an interface that does not look like Ethernet, which the profile is for.
pub(super) fn note_kind(to: &mut Context<'_>) {
    let interface = to.cluster.network.interface.clone();
    if ["wl", "br", "bond", "virbr"].iter().any(|start| interface.starts_with(start)) {
        to.note(Note::EthernetProfile { interface });
    }
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
    // NetworkManager ignores profiles that others can read.
    to.write(
        Purpose::Address(NetworkBackEnd::NetworkManager),
        format!("{PROFILES}/nodecard-{interface}.nmconnection"),
        encode(&(lines.join("\n") + "\n")),
        Attributes::exactly(0o600, 0, 0),
    );
}
