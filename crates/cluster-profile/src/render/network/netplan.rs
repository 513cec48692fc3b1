//! netplan with the renderer systemd-networkd: a file of its own.
//!
//! netplan merges what several files say about one definition, and joins their lists of
//! addresses. So the file does not use the definition that the image may have, `eth0`, but
//! one of its own that matches the interface: of several that match, only the one whose
//! name sorts first is used.

use super::Address;
use crate::{
    Attributes, NetworkBackEnd, Note, Purpose, SystemError,
    render::{
        context::{Context, View},
        text::{self, glob},
        units,
    },
    yaml::{self, Kind, Value},
};

const DIRECTORY: &str = "/etc/netplan";
const FILE: &str = "/etc/netplan/99-nodecard.yaml";
/// Sorts before every name that begins with a letter.
const DEFINITION: &str = "00-nodecard";
/// The file that netplan generates from the definition.
pub(super) const NETWORKD_FILE: &str = "10-netplan-00-nodecard.network";

/// Returns the image's netplan files, those of packages first.
fn files(from: &View<'_>) -> Result<Vec<Value>, SystemError> {
    let mut values = Vec::new();
    for directory in ["/lib/netplan", DIRECTORY] {
        for name in from.list(directory)?.iter().filter(|name| name.ends_with(".yaml")) {
            let path = format!("{directory}/{name}");
            if path == FILE {
                continue;
            }
            // A file that netplan cannot read either configures nothing.
            let text = from.read(&path)?;
            values.extend(text.and_then(|text| yaml::parse(&text).ok()));
        }
    }
    Ok(values)
}

/// Returns the paths of nodecard's own file.
pub(super) fn own_files(from: &View<'_>) -> Result<Vec<String>, SystemError> {
    Ok(if from.exists(FILE)? { vec![FILE.to_owned()] } else { Vec::new() })
}

fn installed(from: &View<'_>) -> Result<bool, SystemError> {
    for program in ["/usr/sbin/netplan", "/usr/libexec/netplan/generate", "/lib/netplan/generate"] {
        if from.exists(program)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_files(from: &View<'_>) -> Result<bool, SystemError> {
    Ok(from.list(DIRECTORY)?.iter().any(|name| name.ends_with(".yaml")))
}

pub(super) fn is_active(from: &View<'_>) -> Result<bool, SystemError> {
    Ok(installed(from)? && has_files(from)? && !renders_with_network_manager(from)?)
}

/// Returns whether netplan hands the interface to NetworkManager.
pub(super) fn renders_with_network_manager(from: &View<'_>) -> Result<bool, SystemError> {
    if !installed(from)? || !has_files(from)? {
        return Ok(false);
    }
    let interface = from.interface;
    let (mut global, mut own) = (None, None);
    for value in files(from)? {
        let Some(network) = get(&value, "network") else { continue };
        global = get(network, "renderer").and_then(scalar).map(str::to_owned).or(global);
        let definition = definitions(network).find(|(id, value)| matches(id, value, interface));
        let renderer = definition.and_then(|(_, value)| get(value, "renderer").and_then(scalar));
        own = renderer.map(str::to_owned).or(own);
    }
    Ok(own.or(global).as_deref() == Some("NetworkManager"))
}

pub(super) fn owns(from: &View<'_>) -> Result<bool, SystemError> {
    if from.exists(FILE)? {
        return Ok(true);
    }
    let interface = from.interface;
    let owns = |value: &Value| {
        let network = get(value, "network");
        network.is_some_and(|n| definitions(n).any(|(id, value)| matches(id, value, interface)))
    };
    Ok(files(from)?.iter().any(owns))
}

/// Returns whether netplan would apply a file that is added.
pub(super) fn could_work(from: &View<'_>) -> Result<bool, SystemError> {
    Ok(installed(from)? && units::text(from, "systemd-networkd.service")?.is_some())
}

/// Notes which bridges, bonds and VLANs of the image lose the interface.
pub(super) fn note_users(to: &mut Context<'_>) -> Result<(), SystemError> {
    let interface = to.cluster.network.interface.clone();
    let uses = |definition: &Value| {
        let listed = match get(definition, "interfaces").map(|value| &value.kind) {
            Some(Kind::List(items)) => items.iter().any(|i| scalar(i) == Some(&*interface)),
            _ => false,
        };
        listed || get(definition, "link").and_then(scalar) == Some(&*interface)
    };
    let mut names = Vec::new();
    for value in files(to)? {
        for kind in ["bridges", "bonds", "vlans"] {
            let Some(Kind::Map(entries)) =
                get(&value, "network").and_then(|n| get(n, kind)).map(|value| &value.kind)
            else {
                continue;
            };
            let users = entries.iter().filter(|(_, definition)| uses(definition));
            names.extend(users.map(|(key, _)| key.name.clone()));
        }
    }
    if !names.is_empty() {
        to.note(Note::NetplanBuildsOn { interface, names });
    }
    Ok(())
}

fn get<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let Kind::Map(entries) = &value.kind else { return None };
    entries.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
}

fn scalar(value: &Value) -> Option<&str> {
    match &value.kind {
        Kind::Scalar(text) => Some(text),
        _ => None,
    }
}

fn definitions(network: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let entries = match get(network, "ethernets").map(|value| &value.kind) {
        Some(Kind::Map(entries)) => entries.as_slice(),
        _ => &[],
    };
    entries.iter().map(|(key, value)| (key.name.as_str(), value))
}

/// Returns whether a definition is the interface's. One that matches by hardware address
/// may be any node's.
fn matches(id: &str, definition: &Value, interface: &str) -> bool {
    if get(definition, "set-name").and_then(scalar) == Some(interface) {
        return true;
    }
    match get(definition, "match") {
        None => id == interface,
        Some(rules) => match get(rules, "name").and_then(scalar) {
            Some(pattern) => glob(pattern, interface),
            None => id == interface,
        },
    }
}

pub(super) fn node(
    to: &mut Context<'_>,
    Address { network, address }: &Address<'_>,
) -> Result<(), SystemError> {
    super::networkd::remove_earlier(to, NETWORKD_FILE)?;
    let interface = &network.interface;
    let mut yaml = format!(
        "# Written by nodecard. Of the definitions that match {interface}, only the one whose\n\
         # name sorts first is used.\n\
         network:\n  version: 2\n  ethernets:\n    {DEFINITION}:\n\
         \x20     match: {{name: \"{interface}\"}}\n\
         \x20     renderer: networkd\n\
         \x20     dhcp4: false\n\
         \x20     addresses: [\"{address}/{}\"]\n",
        network.prefix
    );
    if let Some(gateway) = network.gateway {
        // Every version of netplan knows this form of a default route.
        yaml += &format!("      routes: [{{to: 0.0.0.0/0, via: {gateway}}}]\n");
    }
    if !network.dns.is_empty() || !network.search.is_empty() {
        let servers: Vec<String> = network.dns.iter().map(ToString::to_string).collect();
        yaml += "      nameservers:\n";
        if !servers.is_empty() {
            yaml += &format!("        addresses: [{}]\n", servers.join(", "));
        }
        if !network.search.is_empty() {
            let domains: Vec<String> = network.search.iter().map(|d| format!("\"{d}\"")).collect();
            yaml += &format!("        search: [{}]\n", domains.join(", "));
        }
    }
    let purpose = Purpose::Address(NetworkBackEnd::Netplan);
    to.write(purpose, FILE, text::encode(&yaml), Attributes::exactly(0o600, 0, 0));
    Ok(())
}
