//! NetworkManager: a keyfile of the highest priority.
//!
//! Other profiles for the interface stay, but are not picked automatically: of several
//! that match, NetworkManager picks the one with the highest priority. It is written to the
//! directory that the settings name, and they are made to allow it.

use system_model::{
    FileLine,
    network::{CONNECTION_DIRECTORIES, Fit, Netplan, NetworkManager},
};

use super::{Address, ifupdown, netplan};
use crate::{
    Attributes, NetworkBackEnd, Note, Purpose, SystemError, SystemFiles,
    render::{
        context::{Context, View},
        text::{encode, lines},
        units,
    },
};

const CONFIGURATION: &str = "/etc/NetworkManager/conf.d";
const OWN_RULE: &str = "99-nodecard.conf";

/// Of the connections that fit, the one of the highest priority is picked.
const PRIORITY: i32 = 999;

/// Returns the settings and the connections, with those of netplan.
fn read(from: &View<'_>) -> Result<NetworkManager, SystemError> {
    NetworkManager::read(from.system, &Netplan::read(from.system)?)
}

/// Returns the paths of nodecard's own profiles.
pub(super) fn own_files(from: &View<'_>) -> Result<Vec<String>, SystemError> {
    let is_own = |name: &String| name.starts_with("nodecard-") && name.ends_with(".nmconnection");
    let configured = read(from)?.lasting_directory();
    let [_, usual, packages] = CONNECTION_DIRECTORIES;
    let mut directories = vec![usual, packages];
    if !directories.contains(&configured.as_str()) {
        directories.push(&configured);
    }
    let mut found = Vec::new();
    for directory in directories {
        let names = from.list(directory)?.into_iter().filter(is_own);
        found.extend(names.map(|name| format!("{directory}/{name}")));
    }
    Ok(found)
}

/// Returns whether it starts at boot and manages the interface.
pub(super) fn is_active(from: &View<'_>) -> Result<bool, SystemError> {
    if !units::enabled(from, "NetworkManager.service")? {
        return Ok(false);
    }
    if netplan::renders_with_network_manager(from)? {
        return Ok(true);
    }
    Ok(own_decision(from)?.manages(from.interface) != Fit::No)
}

/// Returns the settings without those by which nodecard keeps it off the interface.
fn own_decision(from: &View<'_>) -> Result<NetworkManager, SystemError> {
    let mut manager = read(from)?;
    // It is told to leave to ifupdown what ifupdown brings up, whatever its plug-in does.
    let by_ifupdown = ifupdown::is_active(from)?;
    manager.forget(|path| {
        path.strip_prefix(CONFIGURATION)
            .is_some_and(|name| name.trim_start_matches('/') == OWN_RULE)
            || by_ifupdown && path.starts_with("/etc/network/")
    });
    Ok(manager)
}

/// Returns the line that has it leave the interface alone, if it starts at boot.
pub(super) fn left_alone(from: &View<'_>) -> Result<Option<FileLine>, SystemError> {
    if !units::enabled(from, "NetworkManager.service")? {
        return Ok(None);
    }
    Ok(own_decision(from)?.unmanaged_by(from.interface).cloned())
}

/// Returns whether it writes /etc/resolv.conf, and whether it hands name servers to
/// systemd-resolved.
pub(super) fn name_servers(from: &View<'_>) -> Result<(bool, bool), SystemError> {
    let manager = read(from)?;
    Ok((manager.writes_resolv_conf(), manager.feeds_resolved()))
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

/// Makes nodecard's connection the one that is picked, for every node: others of the same priority
/// get a lower one, and the settings have to allow it.
pub(super) fn prefer(to: &mut Context<'_>) -> Result<(), SystemError> {
    let manager = read(to)?;
    let interface = to.interface.to_owned();
    let own = format!("nodecard-{interface}");
    let tied = manager.candidates(&interface).into_iter();
    let tied = tied.filter(|one| one.priority == PRIORITY && one.id != own);
    for path in tied.map(|one| one.path.clone()).collect::<Vec<_>>() {
        let Some(old) = to.read(&path)? else { continue };
        let new = with_lower_priority(&old);
        if new != old {
            let attributes = Attributes::exactly(0o600, 0, 0);
            to.write(Purpose::RivalSettings, path.clone(), encode(&new), attributes);
            to.note(Note::ConnectionLowered { path, interface: interface.clone() });
        }
    }
    // Without the UUID, which differs between nodes.
    if !manager.allows(&interface, &own, "") {
        let text = format!(
            "# Written by nodecard: the connection that sets the address of {interface}.\n\
             [device-nodecard]\nmatch-device=interface-name:={interface}\n\
             allowed-connections=id:{own}\n"
        );
        let path = format!("{CONFIGURATION}/{OWN_RULE}");
        to.write(Purpose::RivalSettings, path, text, Attributes::root(0o644));
    }
    Ok(())
}

/// Returns a connection whose priority is one less than nodecard's.
fn with_lower_priority(text: &str) -> String {
    let mut in_section = false;
    let line = |line: &str| {
        let bare = line.trim_ascii();
        if bare.starts_with('[') {
            in_section = bare == "[connection]";
        }
        let key = bare.split_once('=').map(|(key, _)| key.trim_ascii_end());
        match key {
            Some("autoconnect-priority") if in_section => {
                let end = line.get(line.trim_end_matches(['\r', '\n']).len()..);
                format!("autoconnect-priority={}{}", PRIORITY - 1, end.unwrap_or_default())
            }
            _ => line.to_owned(),
        }
    };
    lines(text).into_iter().map(line).collect()
}

/// Returns the line that keeps nodecard's connection from being used on the finished system, and
/// whether NetworkManager manages the interface in spite of it.
pub(super) fn obstacle(
    edited: &dyn SystemFiles,
    interface: &str,
) -> Result<Option<(bool, FileLine)>, SystemError> {
    let manager = NetworkManager::read(edited, &Netplan::read(edited)?)?;
    let own = format!("nodecard-{interface}");
    if let Some(at) = manager.unmanaged_by(interface) {
        return Ok(Some((false, at.clone())));
    }
    let at = manager.disallowed_by(interface, &own);
    Ok(at.map(|at| (true, at.clone())))
}

pub(super) fn node(
    to: &mut Context<'_>,
    Address { network, address }: &Address<'_>,
    name: &str,
) -> Result<(), SystemError> {
    let interface = &network.interface;
    let directory = read(to)?.lasting_directory();
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
        format!("autoconnect-priority={PRIORITY}"),
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
        format!("{directory}/nodecard-{interface}.nmconnection"),
        encode(&(lines.join("\n") + "\n")),
        Attributes::exactly(0o600, 0, 0),
    );
    Ok(())
}
