//! The definitions of netplan's files.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    super::{networkd::Fit, source::AddressKind},
    schema::{self, Form},
};
use crate::{
    FileLine,
    pattern::fnmatch,
    yaml::{Kind, Value},
};

/// What carries a definition out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renderer {
    /// systemd-networkd, the default.
    Networkd,
    /// NetworkManager.
    NetworkManager,
}

impl Renderer {
    pub(super) fn parse(value: &Value) -> Option<Self> {
        match value.scalar()? {
            "networkd" => Some(Renderer::Networkd),
            "NetworkManager" => Some(Renderer::NetworkManager),
            _ => None,
        }
    }
}

/// What a definition is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// `ethernets`
    Ethernet,
    /// `wifis`
    Wifi,
    /// `modems`
    Modem,
    /// `bridges`
    Bridge,
    /// `bonds`
    Bond,
    /// `vlans`
    Vlan,
    /// `vrfs`
    Vrf,
    /// `tunnels`
    Tunnel,
    /// `dummy-devices`
    Dummy,
    /// `virtual-ethernets`
    VirtualEthernet,
    /// `nm-devices`
    Other,
}

impl DeviceKind {
    /// Returns the kind of a key of `network`, and the form of its definitions.
    pub(super) fn of_key(key: &str) -> Option<(Self, &'static Form)> {
        Some(match key {
            "ethernets" => (DeviceKind::Ethernet, &schema::ETHERNET),
            "wifis" => (DeviceKind::Wifi, &schema::WIFI),
            "modems" => (DeviceKind::Modem, &schema::MODEM),
            "bridges" => (DeviceKind::Bridge, &schema::BRIDGE),
            "bonds" => (DeviceKind::Bond, &schema::BOND),
            "vlans" => (DeviceKind::Vlan, &schema::VLAN),
            "vrfs" => (DeviceKind::Vrf, &schema::VRF),
            "tunnels" => (DeviceKind::Tunnel, &schema::TUNNEL),
            "dummy-devices" => (DeviceKind::Dummy, &schema::DUMMY),
            "virtual-ethernets" => (DeviceKind::VirtualEthernet, &schema::VETH),
            "nm-devices" => (DeviceKind::Other, &schema::ETHERNET),
            _ => return None,
        })
    }

    /// Returns NetworkManager's word for it.
    pub(super) fn connection_type(self) -> &'static str {
        match self {
            DeviceKind::Ethernet => "ethernet",
            DeviceKind::Wifi => "wifi",
            DeviceKind::Modem => "gsm",
            DeviceKind::Bridge => "bridge",
            DeviceKind::Bond => "bond",
            DeviceKind::Vlan => "vlan",
            DeviceKind::Vrf => "vrf",
            DeviceKind::Tunnel => "ip-tunnel",
            DeviceKind::Dummy => "dummy",
            DeviceKind::VirtualEthernet => "veth",
            DeviceKind::Other => "generic",
        }
    }
}

/// A definition of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The name of the definition, which is the interface's without `match`.
    pub id: String,
    /// What it is of.
    pub kind: DeviceKind,
    /// What carries it out.
    pub renderer: Option<Renderer>,
    /// The keys of `match`, if there is one.
    pub matches: Option<BTreeMap<String, String>>,
    /// The name that the interface gets.
    pub set_name: Option<String>,
    /// DHCP for IPv4 and IPv6.
    pub dhcp: [Option<(bool, FileLine)>; 2],
    /// The addresses, of all files together.
    pub addresses: Vec<(String, FileLine)>,
    /// `activation-mode`: whether it waits for somebody to bring the interface up.
    pub manual: bool,
    /// The first line that names it.
    pub at: FileLine,
    /// Other keys that have to be there, or that NetworkManager does not accept.
    pub(super) keys: BTreeMap<String, FileLine>,
}

impl Definition {
    pub(super) fn new(
        id: &str,
        kind: DeviceKind,
        renderer: Option<Renderer>,
        at: FileLine,
    ) -> Self {
        Definition {
            id: id.to_owned(),
            kind,
            renderer,
            matches: None,
            set_name: None,
            dhcp: [None, None],
            addresses: Vec::new(),
            manual: false,
            at,
            keys: BTreeMap::new(),
        }
    }

    /// Returns whether the definition is an interface's.
    pub fn fits(&self, interface: &str) -> Fit {
        if self.set_name.as_deref() == Some(interface) {
            return Fit::Yes;
        }
        let Some(matches) = &self.matches else {
            return if self.id == interface { Fit::Yes } else { Fit::No };
        };
        let mut fit = Fit::Yes;
        for (key, value) in matches {
            match key.as_str() {
                "name" if !fnmatch(value, interface) => return Fit::No,
                "name" => {}
                _ => fit = Fit::Perhaps,
            }
        }
        fit
    }

    /// Returns how the interface gets addresses.
    pub(super) fn sources(&self) -> Vec<(AddressKind, FileLine)> {
        let mut found: Vec<_> = self
            .addresses
            .iter()
            .map(|(address, at)| (AddressKind::Static(address.clone()), at.clone()))
            .collect();
        for (dhcp, kind) in self.dhcp.iter().zip([AddressKind::Dhcp4, AddressKind::Dhcp6]) {
            if let Some((true, at)) = dhcp {
                found.push((kind, at.clone()));
            }
        }
        found
    }

    /// Adds what a file says, whose form has been checked.
    pub(super) fn merge(&mut self, body: &Value, path: &str) -> Result<(), usize> {
        for (key, value) in body.entries() {
            let at = FileLine::new(path, key.place.line);
            self.merge_key(&key.name, value, &at)?;
            self.keys.entry(key.name.clone()).or_insert(at);
        }
        self.check()
    }

    fn merge_key(&mut self, key: &str, value: &Value, at: &FileLine) -> Result<(), usize> {
        match key {
            "renderer" => self.renderer = Renderer::parse(value),
            "set-name" => self.set_name = value.scalar().map(str::to_owned),
            "dhcp4" | "dhcp6" => {
                let on = value.scalar().and_then(schema::flag).unwrap_or(false);
                let [v4, v6] = &mut self.dhcp;
                *(if key == "dhcp4" { v4 } else { v6 }) = Some((on, at.clone()));
            }
            "match" => {
                let known = self.matches.get_or_insert_with(BTreeMap::new);
                for (key, value) in value.entries() {
                    // Several drivers: any of them.
                    let all = value.items().iter().chain([value]).filter_map(Value::scalar);
                    known.insert(key.name.clone(), all.collect::<Vec<_>>().join(" "));
                }
            }
            "activation-mode" => self.manual = true,
            "addresses" => {
                for item in value.items() {
                    self.add_address(item, at)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add_address(&mut self, item: &Value, at: &FileLine) -> Result<(), usize> {
        let line = item.place.line;
        let (address, options) = match &item.kind {
            Kind::Scalar(text) => (text.as_str(), None),
            Kind::Map(entries) => {
                let (key, options) = entries.first().ok_or(line)?;
                (key.name.as_str(), Some(options))
            }
            _ => return Err(line),
        };
        if !is_address(address) {
            return Err(line);
        }
        let at = FileLine::new(at.path.clone(), line);
        if let Some(options) = options {
            schema::ADDRESS_OPTIONS.check(options)?;
            self.keys.insert("address-options".to_owned(), at.clone());
        }
        let address = address.trim_ascii();
        if self.addresses.iter().all(|(known, _)| known != address) {
            self.addresses.push((address.to_owned(), at));
        }
        Ok(())
    }

    /// What netplan asks of a definition when a file has been added to it (src/validation.c,
    /// `validate_netdef_grammar`).
    fn check(&self) -> Result<(), usize> {
        let has = |key: &str| self.keys.contains_key(key);
        let complete = match self.kind {
            DeviceKind::Wifi => has("access-points"),
            DeviceKind::Vlan => has("id") && has("link"),
            DeviceKind::Vrf => has("table"),
            DeviceKind::Tunnel => has("mode"),
            DeviceKind::VirtualEthernet => has("peer"),
            _ => true,
        };
        if complete && (self.set_name.is_none() || self.matches.is_some()) {
            Ok(())
        } else {
            Err(self.at.line)
        }
    }

    /// Returns the line that its program cannot carry out, which makes netplan write nothing
    /// (src/nm.c, `netplan_netdef_write_nm`; src/networkd.c, `netplan_netdef_write_networkd`).
    pub(super) fn unsupported(&self, renderer: Renderer) -> Option<&FileLine> {
        let by_driver = self.matches.as_ref().is_some_and(|keys| keys.contains_key("driver"));
        match renderer {
            Renderer::Networkd if self.kind == DeviceKind::Modem => Some(&self.at),
            Renderer::Networkd => None,
            Renderer::NetworkManager if by_driver && self.set_name.is_none() => Some(&self.at),
            Renderer::NetworkManager => self.keys.get("address-options"),
        }
    }
}

/// An address with the length of its network.
fn is_address(text: &str) -> bool {
    let Some((address, length)) = text.rsplit_once('/') else { return false };
    // As strtoull reads it: what follows the number is ignored.
    let length = length.trim_start_matches([' ', '\t', '+']);
    let digits = length.find(|c: char| !c.is_ascii_digit()).unwrap_or(length.len());
    let length = length.get(..digits).and_then(|digits| digits.parse::<u8>().ok());
    match (address.parse::<IpAddr>(), length) {
        (Ok(IpAddr::V4(_)), Some(length)) => (1..=32).contains(&length),
        (Ok(IpAddr::V6(_)), Some(length)) => (1..=128).contains(&length),
        _ => false,
    }
}
