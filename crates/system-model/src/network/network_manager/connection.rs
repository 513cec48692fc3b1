//! Connections of keyfiles.

use super::keyfile::{self, is_true};
use crate::{FileLine, network::source::AddressKind};

/// A connection of a keyfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The file.
    pub path: String,
    /// The name.
    pub id: String,
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
    pub(in super::super) sources: Vec<(AddressKind, FileLine)>,
}

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

    /// Reads a keyfile; `None` if it is no connection.
    pub(super) fn parse(text: &str, path: &str) -> Option<Self> {
        let mut one = Connection {
            path: path.to_owned(),
            id: String::new(),
            kind: String::new(),
            interface: None,
            patterns: Vec::new(),
            autoconnect: true,
            priority: 0,
            conditional: false,
            sources: Vec::new(),
        };
        let mut is_port = false;
        let mut methods: [Option<(String, FileLine)>; 2] = [None, None];
        let mut addresses: [Vec<(AddressKind, FileLine)>; 2] = [Vec::new(), Vec::new()];
        for (section, key, value, line) in keyfile::assignments(text) {
            let at = FileLine::new(path, line);
            let [v4, v6] = &mut methods;
            let [addresses4, addresses6] = &mut addresses;
            match (section, key) {
                ("connection", "id") => one.id = value.to_owned(),
                ("connection", "type") => {
                    one.kind = match value {
                        "802-3-ethernet" => "ethernet".to_owned(),
                        "802-11-wireless" => "wifi".to_owned(),
                        other => other.to_owned(),
                    };
                }
                ("connection", "interface-name") if !value.is_empty() => {
                    one.interface = Some(value.to_owned());
                }
                ("connection", "autoconnect") => one.autoconnect = is_true(value),
                ("connection", "autoconnect-priority") => one.priority = value.parse().unwrap_or(0),
                ("connection", "permissions") if !value.is_empty() => one.autoconnect = false,
                ("match", "interface-name") => {
                    let all = value.split([';', ',']).filter(|one| !one.is_empty());
                    one.patterns = all.map(|one| one.trim_ascii().to_owned()).collect();
                }
                ("connection", "slave-type" | "port-type") => {
                    // What belongs to a bridge or a bond has no addresses of its own.
                    is_port = !matches!(value, "" | "vrf");
                }
                ("ethernet" | "802-3-ethernet", "mac-address" | "mac-address-blacklist")
                | ("match", _) => one.conditional = true,
                ("ipv4", "method") => *v4 = Some((value.to_owned(), at)),
                ("ipv6", "method") => *v6 = Some((value.to_owned(), at)),
                ("ipv4" | "ipv6", key) => {
                    let number = key.strip_prefix("addresses").or(key.strip_prefix("address"));
                    if number.is_some_and(|n| n.chars().all(|c| c.is_ascii_digit())) {
                        // `ADDRESS/PREFIX,GATEWAY`
                        let address =
                            value.split([',', ';']).next().unwrap_or_default().trim_ascii();
                        let list = if section == "ipv4" { addresses4 } else { addresses6 };
                        list.push((AddressKind::Static(address.to_owned()), at));
                    }
                }
                _ => {}
            }
        }
        if one.kind.is_empty() {
            return None;
        }
        if is_port {
            return Some(one);
        }
        let dhcp = [AddressKind::Dhcp4, AddressKind::Dhcp6];
        for ((method, addresses), dhcp) in methods.into_iter().zip(addresses).zip(dhcp) {
            let Some((method, at)) = method else { continue };
            match method.as_str() {
                "auto" if dhcp == AddressKind::Dhcp4 => {
                    one.sources.push((dhcp, at));
                    one.sources.extend(addresses);
                }
                "auto" | "manual" => one.sources.extend(addresses),
                "dhcp" => one.sources.push((dhcp, at)),
                "shared" => {
                    one.sources.push((AddressKind::Other(method), at));
                    one.sources.extend(addresses);
                }
                "link-local" => one.sources.push((AddressKind::Other(method), at)),
                _ => {}
            }
        }
        Some(one)
    }
}
