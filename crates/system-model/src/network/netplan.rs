//! netplan's definitions of Ethernet interfaces, merged.
//!
//! Sources: netplan(5); netplan's src/parse.c (`netplan_parser_load_yaml_hierarchy`,
//! `handle_addresses`, `netplan_parser_load_yaml`), src/networkd.c.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    networkd::{Fit, NetworkFile},
    source::{AddressKind, AddressSource, Backend},
};
use crate::{
    FileLine, SystemError, SystemFiles,
    pattern::fnmatch,
    yaml::{Kind, Value},
};

/// Where netplan's files are. A file outranks those of the same name before it; all are
/// read in the order of their names.
pub const NETPLAN_DIRECTORIES: [&str; 4] =
    ["/usr/lib/netplan", "/lib/netplan", "/etc/netplan", "/run/netplan"];

const GENERATORS: [&str; 4] = [
    "/usr/libexec/netplan/generate",
    "/usr/lib/netplan/generate",
    "/lib/netplan/generate",
    "/usr/lib/systemd/system-generators/netplan",
];

/// What carries a definition out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renderer {
    /// systemd-networkd, the default.
    Networkd,
    /// NetworkManager.
    NetworkManager,
    /// Something else.
    Other,
}

/// A definition of an Ethernet interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The name of the definition, which is the interface's without `match`.
    pub id: String,
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
    /// Whether it waits for somebody to bring the interface up.
    pub manual: bool,
    /// The first line that names it.
    pub at: FileLine,
}

impl Definition {
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

    fn sources(&self) -> Vec<(AddressKind, FileLine)> {
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
}

/// netplan's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Netplan {
    /// Whether netplan is there to write files at boot.
    pub installed: bool,
    /// The files in the order in which they are read.
    pub files: Vec<String>,
    /// The definitions of Ethernet interfaces.
    pub definitions: Vec<Definition>,
    /// The line that netplan cannot read: it then writes nothing at all.
    pub error: Option<FileLine>,
    renderer: Option<Renderer>,
    /// Bridges, bonds, VLANs and VRFs, each with the name of a member.
    members: Vec<(String, String)>,
}

impl Netplan {
    /// Reads and merges all files of netplan.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(files: &dyn SystemFiles) -> Result<Self, SystemError> {
        let mut netplan = Netplan::default();
        for path in GENERATORS {
            netplan.installed |= files.exists(path)?;
        }
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for directory in NETPLAN_DIRECTORIES {
            for name in files.list(directory)?.unwrap_or_default() {
                // Hidden names are not matched by netplan's glob.
                if name.ends_with(".yaml") && !name.starts_with('.') {
                    names.insert(name.clone(), format!("{directory}/{name}"));
                }
            }
        }
        for path in names.into_values() {
            let Some(bytes) = files.read(&path)? else { continue };
            netplan.files.push(path.clone());
            let line = match std::str::from_utf8(&bytes) {
                Ok(text) if text.trim().is_empty() => continue,
                Ok(text) => match Value::parse(text) {
                    Ok(tree) => netplan.merge(&tree, &path).err(),
                    Err(error) => Some(error.place.line),
                },
                Err(_) => Some(1),
            };
            if let Some(line) = line {
                netplan.error.get_or_insert(FileLine::new(path, line));
            }
        }
        Ok(netplan)
    }

    /// Merges a file; the line of what netplan does not accept otherwise.
    fn merge(&mut self, tree: &Value, path: &str) -> Result<(), usize> {
        if matches!(tree.kind, Kind::Null) {
            return Ok(());
        }
        if !matches!(tree.kind, Kind::Map(_)) {
            return Err(1);
        }
        if let Some(key) = tree.repeated_key() {
            return Err(key.place.line);
        }
        // Any other key of the outermost mapping is an error.
        if let Some((key, _)) = tree.entries().iter().find(|(key, _)| key.name != "network") {
            return Err(key.place.line);
        }
        let Some((key, network)) = tree.entries().first() else { return Ok(()) };
        if !matches!(network.kind, Kind::Map(_) | Kind::Null) {
            return Err(key.place.line);
        }
        for (key, value) in network.entries() {
            let line = key.place.line;
            match key.name.as_str() {
                "version" if value.scalar() != Some("2") => return Err(line),
                "renderer" => self.renderer = Some(renderer(value.scalar()).ok_or(line)?),
                "ethernets" => self.ethernets(value, line, path)?,
                "bridges" | "bonds" | "vlans" | "vrfs" => self.others(value),
                _ => {}
            }
        }
        Ok(())
    }

    fn others(&mut self, value: &Value) {
        for (id, definition) in value.entries() {
            let link = definition.get("link").and_then(Value::scalar);
            let listed = definition.get("interfaces").map(Value::items).unwrap_or_default();
            for member in link.into_iter().chain(listed.iter().filter_map(Value::scalar)) {
                self.members.push((id.name.clone(), member.to_owned()));
            }
        }
    }

    fn ethernets(&mut self, value: &Value, line: usize, path: &str) -> Result<(), usize> {
        if !matches!(value.kind, Kind::Map(_) | Kind::Null) {
            return Err(line);
        }
        for (id, body) in value.entries() {
            let line = id.place.line;
            match (id.name.as_str(), &body.kind) {
                ("renderer", _) => continue,
                (_, Kind::Map(_)) => {}
                _ => return Err(line),
            }
            let index = match self.definitions.iter().position(|known| known.id == id.name) {
                Some(index) => index,
                None => {
                    self.definitions.push(Definition {
                        id: id.name.clone(),
                        renderer: None,
                        matches: None,
                        set_name: None,
                        dhcp: [None, None],
                        addresses: Vec::new(),
                        manual: false,
                        at: FileLine::new(path, line),
                    });
                    self.definitions.len() - 1
                }
            };
            let Some(definition) = self.definitions.get_mut(index) else { continue };
            for (key, value) in body.entries() {
                let at = FileLine::new(path, key.place.line);
                merge_key(definition, &key.name, value, &at)?;
            }
        }
        Ok(())
    }

    /// Returns whether netplan hands an interface to NetworkManager when the system boots.
    pub fn uses_network_manager(&self, interface: &str) -> bool {
        let mut renderers: Vec<Renderer> = self
            .definitions_of(interface)
            .into_iter()
            .map(|(definition, _)| self.renderer(definition))
            .collect();
        if renderers.is_empty() {
            renderers.extend(self.renderer);
        }
        self.is_active() && renderers.contains(&Renderer::NetworkManager)
    }

    /// Returns what carries a definition out.
    pub fn renderer(&self, definition: &Definition) -> Renderer {
        definition.renderer.or(self.renderer).unwrap_or(Renderer::Networkd)
    }

    /// Returns whether netplan writes anything at boot.
    pub fn is_active(&self) -> bool {
        self.installed && self.error.is_none() && !self.files.is_empty()
    }

    /// Returns the definitions that may be an interface's.
    pub fn definitions_of(&self, interface: &str) -> Vec<(&Definition, Fit)> {
        let all = self.definitions.iter().map(|one| (one, one.fits(interface)));
        all.filter(|(_, fit)| *fit != Fit::No).collect()
    }

    /// Returns the .network files that netplan writes at boot (`10-netplan-ID.network`).
    pub fn networkd_files(&self) -> Vec<NetworkFile> {
        if !self.is_active() {
            return Vec::new();
        }
        let own = self
            .definitions
            .iter()
            .filter(|definition| self.renderer(definition) == Renderer::Networkd);
        own.map(|definition| {
            let name = |name: &str| ("Name".to_owned(), name.to_owned());
            let matches = match (&definition.set_name, &definition.matches) {
                (Some(new), _) => vec![name(new)],
                (None, None) => vec![name(&definition.id)],
                (None, Some(keys)) if keys.is_empty() => vec![name("*")],
                (None, Some(keys)) => keys
                    .iter()
                    .map(|(key, value)| match key.as_str() {
                        "name" => name(value),
                        "macaddress" => ("PermanentMACAddress".to_owned(), value.clone()),
                        _ => ("Driver".to_owned(), value.clone()),
                    })
                    .collect(),
            };
            NetworkFile::generated(
                format!("10-netplan-{}.network", definition.id),
                definition.at.path.clone(),
                matches,
                definition.sources(),
                definition.manual,
            )
        })
        .collect()
    }

    /// Returns the addresses that netplan has NetworkManager or another program give.
    pub fn sources(&self, interface: Option<&str>) -> Vec<AddressSource> {
        if !self.is_active() {
            return Vec::new();
        }
        let mut found = Vec::new();
        for definition in &self.definitions {
            let fit = interface.map_or(Fit::Perhaps, |interface| definition.fits(interface));
            if fit == Fit::No || definition.manual {
                continue;
            }
            let named = definition.set_name.as_deref().unwrap_or(&definition.id);
            found.extend(definition.sources().into_iter().map(|(kind, at)| AddressSource {
                backend: Backend::Netplan,
                interface: interface.unwrap_or(named).to_owned(),
                kind,
                at: Some(at),
                certain: fit == Fit::Yes,
            }));
        }
        found
    }

    /// Returns whether a definition may be about an interface, or uses it.
    pub fn knows(&self, interface: &str) -> bool {
        !self.definitions_of(interface).is_empty() || !self.built_on(interface).is_empty()
    }

    /// Returns the names of the bridges, bonds, VLANs and VRFs that have an interface as a
    /// member.
    pub fn built_on(&self, interface: &str) -> Vec<&str> {
        let members = self.members.iter().filter(|(_, member)| member == interface);
        members.map(|(name, _)| name.as_str()).collect()
    }
}

fn renderer(name: Option<&str>) -> Option<Renderer> {
    match name? {
        "networkd" => Some(Renderer::Networkd),
        "NetworkManager" => Some(Renderer::NetworkManager),
        "sriov" => Some(Renderer::Other),
        _ => None,
    }
}

fn merge_key(
    definition: &mut Definition,
    key: &str,
    value: &Value,
    at: &FileLine,
) -> Result<(), usize> {
    match key {
        "renderer" => definition.renderer = Some(renderer(value.scalar()).ok_or(at.line)?),
        "set-name" => definition.set_name = value.scalar().map(str::to_owned),
        "dhcp4" | "dhcp6" => {
            let on = boolean(value).ok_or(at.line)?;
            let [v4, v6] = &mut definition.dhcp;
            *(if key == "dhcp4" { v4 } else { v6 }) = Some((on, at.clone()));
        }
        "match" => {
            let known = definition.matches.get_or_insert_with(BTreeMap::new);
            for (key, value) in value.entries() {
                // Several drivers: any of them.
                let all = value.items().iter().chain([value]).filter_map(Value::scalar);
                known.insert(key.name.clone(), all.collect::<Vec<_>>().join(" "));
            }
        }
        "activation-mode" => {
            definition.manual = matches!(value.scalar(), Some("manual" | "off"));
        }
        "addresses" => {
            if !matches!(value.kind, Kind::List(_)) {
                return Err(at.line);
            }
            for item in value.items() {
                let line = item.place.line;
                let address = match &item.kind {
                    Kind::Scalar(text) => text.as_str(),
                    Kind::Map(entries) => entries.first().map_or("", |(key, _)| &key.name),
                    _ => return Err(line),
                };
                if !is_address(address) {
                    return Err(line);
                }
                if definition.addresses.iter().all(|(known, _)| known != address) {
                    let at = FileLine::new(at.path.clone(), line);
                    definition.addresses.push((address.to_owned(), at));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn boolean(value: &Value) -> Option<bool> {
    match value.scalar()?.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "y" => Some(true),
        "false" | "off" | "no" | "n" => Some(false),
        _ => None,
    }
}

/// An address with the length of its network.
fn is_address(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    match (address.parse::<IpAddr>(), length.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(length)) => length <= 32,
        (Ok(IpAddr::V6(_)), Ok(length)) => length <= 128,
        _ => false,
    }
}
