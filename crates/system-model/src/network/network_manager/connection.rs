//! Connections of keyfiles.
//!
//! Sources: NetworkManager's src/libnm-core-impl/nm-keyfile.c, nm-connection.c
//! (`_normalize_connection_type`, `_normalize_ip_config`) and nm-setting-connection.c (`verify`).

use std::collections::BTreeMap;

use super::{
    address,
    devices::is_hardware_address,
    keyfile::{Entry, KeyFile},
};
use crate::{FileLine, network::source::AddressKind};

/// A connection of a keyfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The file.
    pub path: String,
    /// The name.
    pub id: String,
    /// The UUID in lower case, if it is written.
    pub uuid: Option<String>,
    /// `ethernet`, `wifi` …
    pub kind: String,
    /// The interface that it is for; `None` for any.
    pub interface: Option<String>,
    /// Patterns that the interface's name has to fit (`[match]`).
    pub patterns: Vec<String>,
    /// Whether NetworkManager may pick it.
    pub autoconnect: bool,
    /// Of several that fit, the highest is picked.
    pub priority: i32,
    /// Whether a hardware address or another condition of the board decides.
    pub conditional: bool,
    /// How it gets addresses, and where that is written.
    pub sources: Vec<(AddressKind, FileLine)>,
}

/// The section of Ethernet, by both of its names.
const ETHERNET: [&str; 2] = ["ethernet", "802-3-ethernet"];
const WIFI: [&str; 2] = ["wifi", "802-11-wireless"];

/// Kinds of connections that are for other devices than those that boards have.
const OTHER_KINDS: [&str; 29] = [
    "6lowpan",
    "adsl",
    "bluetooth",
    "bond",
    "bridge",
    "cdma",
    "dummy",
    "generic",
    "gsm",
    "hsr",
    "infiniband",
    "ip-tunnel",
    "loopback",
    "macsec",
    "macvlan",
    "olpc-mesh",
    "ovs-bridge",
    "ovs-interface",
    "ovs-port",
    "pppoe",
    "team",
    "tun",
    "veth",
    "vlan",
    "vpn",
    "vrf",
    "vxlan",
    "wireguard",
    "wpan",
];

impl Connection {
    /// Returns whether it can be an interface's, by its name or its kind. A name that begins
    /// with `wl` stands for Wi-Fi, all others for Ethernet.
    pub fn may_be_of(&self, interface: &str) -> bool {
        let kind = if interface.starts_with("wl") { "wifi" } else { "ethernet" };
        match &self.interface {
            Some(name) => name == interface,
            None => self.kind == kind,
        }
    }

    /// Reads a keyfile; `None` if NetworkManager refuses it.
    pub(super) fn parse(file: &KeyFile, path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or_default();
        let name = name.strip_suffix(".nmconnection").filter(|one| !one.is_empty()).unwrap_or(name);
        let connection = |key: &str| file.string("connection", key);
        let interface = connection("interface-name");
        let port = ["port-type", "slave-type"].into_iter().find_map(connection);
        let controller = ["controller", "master"].into_iter().find_map(connection);
        let permissions = file.get("connection", "permissions").map(|one| one.strings(';'));
        let permissions = permissions.unwrap_or_default();
        let is_refused = interface.as_deref().is_some_and(|name| !is_interface_name(name))
            || connection("uuid").is_some_and(|uuid| !is_uuid(&uuid))
            || port.as_deref() == Some("")
            || port.is_some() != controller.is_some()
            || permissions.iter().any(|one| !one.starts_with("user:"))
            || !ethernet_is_valid(file)
            || file.has_group(&["802-1x"]) && file.get("802-1x", "eap").is_none()
            || file.entries(&["user"]).any(|entry| !entry.key.contains('.'));
        if is_refused {
            return None;
        }
        let autoconnect = connection("autoconnect").and_then(|value| boolean(&value));
        let priority = file.get("connection", "autoconnect-priority");
        let priority = priority.and_then(|entry| number(&entry.value));
        let is_match = |entry: &Entry| entry.key != "interface-name" && !entry.value.is_empty();
        let is_address = |entry: &Entry| {
            let keys = ["mac-address", "mac-address-blacklist", "mac-address-denylist"];
            keys.contains(&entry.key.as_str()) && !entry.value.is_empty()
        };
        let patterns = file.get("match", "interface-name").map(|entry| entry.strings(';'));
        let mut one = Connection {
            path: path.to_owned(),
            id: connection("id").filter(|id| !id.is_empty()).unwrap_or_else(|| name.to_owned()),
            uuid: connection("uuid").map(|uuid| uuid.to_ascii_lowercase()),
            kind: kind(file)?,
            interface,
            patterns: patterns.unwrap_or_default(),
            autoconnect: autoconnect.unwrap_or(true) && permissions.is_empty(),
            priority: priority.unwrap_or(0),
            conditional: file.entries(&["match"]).any(is_match)
                || file.entries(&ETHERNET).any(is_address),
            sources: Vec::new(),
        };
        one.patterns.retain(|pattern| !pattern.is_empty());
        let (v4, v6) = (of_ipv4(file, path)?, of_ipv6(file, path)?);
        // What belongs to a bridge or a bond has no addresses of its own.
        if port.is_none_or(|port| port == "vrf") {
            one.sources = v4;
            one.sources.extend(v6);
        }
        Some(one)
    }
}

/// Returns the kind of a connection, which its other sections say where it is not written; `None`
/// for one that NetworkManager does not know.
fn kind(file: &KeyFile) -> Option<String> {
    let (ethernet, wifi) = (file.has_group(&ETHERNET), file.has_group(&WIFI));
    Some(match file.string("connection", "type").as_deref() {
        Some("802-3-ethernet" | "ethernet") => "ethernet".to_owned(),
        Some("802-11-wireless" | "wifi") if wifi => "wifi".to_owned(),
        Some(other) if OTHER_KINDS.contains(&other) => other.to_owned(),
        None if ethernet && !wifi => "ethernet".to_owned(),
        None if wifi && !ethernet => "wifi".to_owned(),
        _ => return None,
    })
}

/// Returns whether NetworkManager accepts the settings of Ethernet.
fn ethernet_is_valid(file: &KeyFile) -> bool {
    file.entries(&ETHERNET).all(|entry| match entry.key.as_str() {
        "duplex" => matches!(entry.value.as_str(), "half" | "full"),
        "port" => matches!(entry.value.as_str(), "tp" | "aui" | "bnc" | "mii"),
        "mac-address-blacklist" | "mac-address-denylist" => {
            entry.strings(';').iter().all(|one| is_hardware_address(one))
        }
        _ => true,
    })
}

/// Returns the addresses of a section, in NetworkManager's order; `None` for a gateway that is not
/// an address.
fn addresses(file: &KeyFile, section: &str, path: &str) -> Option<Vec<(AddressKind, FileLine)>> {
    let is_ipv6 = section == "ipv6";
    let names = [section];
    let mut found: BTreeMap<(i64, bool), &Entry> = BTreeMap::new();
    for entry in file.entries(&names) {
        let Some(number) = address::number(&entry.key) else { continue };
        found.insert(number, entry);
    }
    let mut gateway = None;
    let mut addresses = Vec::new();
    for entry in found.into_values() {
        let value = entry.string().unwrap_or_default();
        let Some((address, its_gateway)) = address::parse(&value, is_ipv6) else { continue };
        gateway = gateway.or(its_gateway);
        addresses.push((AddressKind::Static(address), FileLine::new(path, entry.line)));
    }
    let gateway = file.string(section, "gateway").or(gateway);
    gateway.is_none_or(|one| address::is_address(&one, is_ipv6)).then_some(addresses)
}

/// Returns how a connection gets IPv4 addresses; `None` if NetworkManager refuses it.
fn of_ipv4(file: &KeyFile, path: &str) -> Option<Vec<(AddressKind, FileLine)>> {
    let addresses = addresses(file, "ipv4", path)?;
    if !file.has_group(&["ipv4"]) {
        return Some(vec![(AddressKind::Dhcp4, FileLine::new(path, 1))]);
    }
    let method = file.get("ipv4", "method")?;
    let at = FileLine::new(path, method.line);
    Some(match method.string()?.as_str() {
        "auto" => [(AddressKind::Dhcp4, at)].into_iter().chain(addresses).collect(),
        "manual" if !addresses.is_empty() => addresses,
        "disabled" if addresses.is_empty() => Vec::new(),
        "link-local" if addresses.is_empty() => {
            vec![(AddressKind::Other("link-local".to_owned()), at)]
        }
        "shared" => {
            let method = (AddressKind::Other("shared".to_owned()), at);
            [method].into_iter().chain(addresses.into_iter().take(1)).collect()
        }
        _ => return None,
    })
}

/// Returns how a connection gets IPv6 addresses; `None` if NetworkManager refuses it.
fn of_ipv6(file: &KeyFile, path: &str) -> Option<Vec<(AddressKind, FileLine)>> {
    let addresses = addresses(file, "ipv6", path)?;
    if !file.has_group(&["ipv6"]) {
        return Some(Vec::new());
    }
    let method = file.get("ipv6", "method")?;
    Some(match method.string()?.as_str() {
        "dhcp" => {
            let dhcp = (AddressKind::Dhcp6, FileLine::new(path, method.line));
            [dhcp].into_iter().chain(addresses).collect()
        }
        "auto" | "shared" => addresses,
        "manual" if !addresses.is_empty() => addresses,
        "ignore" | "disabled" | "link-local" => Vec::new(),
        _ => return None,
    })
}

/// Returns whether the kernel knows names like this.
fn is_interface_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() < 16
        && !matches!(name, "." | ".." | "all" | "default" | "bonding_masters")
        && !name.contains(|c: char| {
            c == '/' || c == ':' || c.is_ascii_whitespace() || c.is_ascii_control()
        })
}

/// Returns what GLib reads as a boolean.
fn boolean(value: &str) -> Option<bool> {
    match value.trim_end() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Returns what NetworkManager reads as a priority: a number, also a hexadecimal or an octal one.
fn number(value: &str) -> Option<i32> {
    let value = value.trim();
    let (sign, digits) = match value.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, value.strip_prefix('+').unwrap_or(value)),
    };
    let (digits, radix) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(hexadecimal) => (hexadecimal, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    let is_number = digits.chars().all(|c| c.is_digit(radix));
    let number = i32::from_str_radix(digits, radix).ok().filter(|_| is_number)?;
    Some(sign * number).filter(|number| (-999..=999).contains(number))
}

fn is_uuid(word: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = word.split('-').collect();
    let is_part = |(part, length): (&&str, usize)| {
        part.len() == length && part.chars().all(|c| c.is_ascii_hexdigit())
    };
    parts.len() == lengths.len() && parts.iter().zip(lengths).all(is_part)
}
