//! What netplan writes at boot for systemd-networkd and NetworkManager.
//!
//! Sources: netplan's src/networkd.c (`append_match_section`), src/nm.c
//! (`write_nm_conf_access_point`, `netplan_state_finish_nm_write`).

use super::{
    super::{
        matching::Matches,
        network_manager::{Connection, Unmanaged},
        networkd::NetworkFile,
        source::AddressKind,
    },
    Definition, DeviceKind, Netplan, Renderer,
};
use crate::pattern::is_pattern;

impl Netplan {
    fn rendered_by(&self, renderer: Renderer) -> impl Iterator<Item = &Definition> {
        let all = self.definitions.iter().filter(|_| self.is_active());
        all.filter(move |definition| self.renderer(definition) == renderer)
    }

    /// Returns whether a definition is one of the interfaces that a bond joins.
    fn is_bonded(&self, definition: &Definition) -> bool {
        self.builders_on(&definition.id).any(|builder| builder.kind == DeviceKind::Bond)
    }

    /// Returns the .network files that netplan writes at boot (`10-netplan-ID.network`).
    pub fn networkd_files(&self) -> Vec<NetworkFile> {
        let own = self.rendered_by(Renderer::Networkd).filter(|one| !one.id.contains('/'));
        own.map(|definition| {
            NetworkFile::generated(
                format!("10-netplan-{}.network", definition.id),
                definition.at.path.clone(),
                definition.network_matches(),
                if definition.manual || self.is_bonded(definition) {
                    Vec::new()
                } else {
                    definition.sources()
                },
            )
        })
        .collect()
    }

    /// Returns the connections that netplan writes for NetworkManager at boot.
    pub(in super::super) fn connections(&self) -> Vec<Connection> {
        let own = self.rendered_by(Renderer::NetworkManager);
        own.filter(|definition| definition.kind != DeviceKind::Other)
            .map(|definition| {
                // A port of a bridge or a bond has no addresses of its own.
                let is_port = self
                    .builders_on(&definition.id)
                    .any(|one| matches!(one.kind, DeviceKind::Bond | DeviceKind::Bridge));
                definition.connection(is_port)
            })
            .collect()
    }

    /// Returns the devices that netplan has NetworkManager leave alone.
    pub(in super::super) fn unmanaged(&self) -> Vec<Unmanaged> {
        let own = self.rendered_by(Renderer::Networkd);
        own.flat_map(Definition::specifications)
            .map(|(devices, at)| Unmanaged { devices, at })
            .collect()
    }

    /// Returns whether netplan writes an empty file that replaces the one by which a package
    /// restricts NetworkManager to Wi-Fi and modems.
    pub(in super::super) fn lifts_restriction(&self) -> bool {
        self.is_active()
            && (self.renderer == Some(Renderer::NetworkManager)
                || self.rendered_by(Renderer::NetworkManager).next().is_some())
    }
}

impl Definition {
    fn is_virtual(&self) -> bool {
        !matches!(
            self.kind,
            DeviceKind::Ethernet | DeviceKind::Wifi | DeviceKind::Modem | DeviceKind::Other
        )
    }

    /// Returns the `[Match]` section. An empty one fits nothing.
    fn network_matches(&self) -> Matches {
        let mut found: Vec<(String, String)> = Vec::new();
        let by = |key: &str| self.matches.as_ref().and_then(|keys| keys.get(key));
        for (key, name) in [("driver", "Driver"), ("macaddress", "PermanentMACAddress")] {
            found.extend(by(key).map(|value| (name.to_owned(), value.clone())));
        }
        let name = match (&self.set_name, &self.matches) {
            (Some(new), _) => Some(new),
            (None, None) => Some(&self.id),
            (None, Some(_)) => by("name"),
        };
        found.extend(name.map(|name| ("Name".to_owned(), name.clone())));
        found.into_iter().collect()
    }

    fn connection(&self, is_port: bool) -> Connection {
        let name = match (&self.set_name, &self.matches) {
            (Some(new), _) => Some(new),
            (None, None) => Some(&self.id),
            (None, Some(keys)) => keys.get("name"),
        };
        let (patterns, interface) = match name {
            Some(name) if is_pattern(name) => (vec![name.clone()], None),
            name => (Vec::new(), name.cloned()),
        };
        // The section of a hardware address is that of the device's kind.
        let conditional = self.matches.as_ref().is_some_and(|keys| keys.contains_key("macaddress"));
        let [v4, _] = &self.dhcp;
        let is_6 = |address: &str| address.contains(':');
        let mut sources: Vec<(AddressKind, crate::FileLine)> = Vec::new();
        if let Some((true, at)) = v4 {
            sources.push((AddressKind::Dhcp4, at.clone()));
        } else if self.addresses.iter().all(|(address, _)| is_6(address))
            && self.kind != DeviceKind::Tunnel
        {
            let method = AddressKind::Other("link-local".to_owned());
            sources.push((method, self.at.clone()));
        }
        let fixed = self.addresses.iter();
        sources.extend(fixed.map(|(one, at)| (AddressKind::Static(one.clone()), at.clone())));
        Connection {
            path: self.at.path.clone(),
            id: format!("netplan-{}", self.id),
            uuid: None,
            kind: self.kind.connection_type().to_owned(),
            interface,
            patterns,
            autoconnect: !self.manual,
            priority: 0,
            // One that gets a name is known by it.
            conditional: conditional && self.set_name.is_none() && !self.is_virtual(),
            sources: if is_port { Vec::new() } else { sources },
        }
    }

    /// Returns the devices of a definition in NetworkManager's words.
    fn specifications(&self) -> Vec<(String, crate::FileLine)> {
        let mut found = Vec::new();
        let exact = match (&self.set_name, &self.matches) {
            (Some(new), _) => Some(new),
            (None, None) => Some(&self.id),
            _ => None,
        };
        found.extend(exact.map(|name| format!("interface-name:={name}")));
        match &self.matches {
            Some(keys) if keys.is_empty() => {
                found.push(format!("type:{}", self.kind.connection_type()));
            }
            // A driver or a hardware address: only the board decides.
            Some(keys) if keys.len() == 1 => {
                found.extend(keys.get("name").map(|name| format!("interface-name:{name}")));
            }
            _ => {}
        }
        found.into_iter().map(|devices| (devices, self.at.clone())).collect()
    }
}
