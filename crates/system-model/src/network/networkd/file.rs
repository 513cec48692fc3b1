//! One .network file with its drop-ins.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::super::{
    matching::{Fit, Matches},
    source::AddressKind,
};
use crate::{
    FileLine,
    units::{Entry, boolean},
};

/// A .network file with its drop-ins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkFile {
    /// The name.
    pub name: String,
    /// The path; that of the netplan file for one that netplan will write at boot.
    pub path: String,
    pub(super) matches: Matches,
    pub(super) sources: Vec<(AddressKind, FileLine)>,
    /// Whether networkd leaves the interface alone (`Unmanaged=yes`).
    pub unmanaged: bool,
}

impl NetworkFile {
    /// Reads a file. An interface of one of `bonds` has no addresses of its own.
    pub(super) fn parse(
        name: &str,
        path: &str,
        all: &[Entry],
        bonds: &BTreeSet<String>,
    ) -> NetworkFile {
        let mut dhcp: Option<(bool, bool, FileLine)> = None;
        // Each `Address=` of [Network] is an address; of those of one [Address], the last is.
        let mut addresses: BTreeMap<(usize, usize), (String, FileLine)> = BTreeMap::new();
        let (mut is_bonded, mut is_up, mut unmanaged) = (false, true, false);
        let mut paths = Vec::new();
        for entry in all {
            let (value, at) = (entry.value.as_str(), entry.at.clone());
            match (entry.section.as_str(), entry.key.as_str()) {
                // A value that is none is ignored.
                ("Network", "DHCP") => {
                    if let Some((v4, v6)) = families(value) {
                        dhcp = Some((v4, v6, at));
                    }
                }
                ("Network", "Address") if value.is_empty() => addresses.clear(),
                (section @ ("Network" | "Address"), "Address") if is_address(value) => {
                    let line = if section == "Network" { at.line } else { entry.begins };
                    if paths.last() != Some(&at.path) {
                        paths.push(at.path.clone());
                    }
                    addresses.insert((paths.len(), line), (value.to_owned(), at));
                }
                ("Network", "Bond") => is_bonded = bonds.contains(value),
                ("Link", "Unmanaged") => unmanaged = boolean(value).unwrap_or(unmanaged),
                ("Link", "ActivationPolicy") => match value {
                    "manual" | "always-down" | "down" => is_up = false,
                    "up" | "always-up" | "bound" => is_up = true,
                    _ => {}
                },
                _ => {}
            }
        }
        let mut sources: Vec<(AddressKind, FileLine)> = addresses
            .into_values()
            .map(|(address, at)| (AddressKind::Static(address), at))
            .collect();
        if let Some((v4, v6, at)) = dhcp {
            let kinds = [(v4, AddressKind::Dhcp4), (v6, AddressKind::Dhcp6)];
            let kinds = kinds.into_iter().filter(|(on, _)| *on);
            sources.extend(kinds.map(|(_, kind)| (kind, at.clone())));
        }
        if is_bonded || !is_up {
            sources.clear();
        }
        let matches = Matches::read(all, "Name");
        NetworkFile { name: name.to_owned(), path: path.to_owned(), matches, sources, unmanaged }
    }

    /// Returns how an interface gets addresses by this file.
    pub fn kinds(&self) -> impl Iterator<Item = &AddressKind> {
        self.sources.iter().map(|(kind, _)| kind)
    }

    /// Returns a file that another program writes at boot.
    pub(in super::super) fn generated(
        name: String,
        path: String,
        matches: Matches,
        sources: Vec<(AddressKind, FileLine)>,
    ) -> NetworkFile {
        NetworkFile { name, path, matches, sources, unmanaged: false }
    }

    /// Returns whether the file is about an interface of this name, as far as an image
    /// shows it. A name that begins with `wl` stands for Wi-Fi, all others for Ethernet.
    pub fn fits(&self, interface: &str) -> Fit {
        self.matches.fits(interface)
    }
}

/// Returns whether `DHCP=` turns it on for IPv4 and for IPv6.
fn families(value: &str) -> Option<(bool, bool)> {
    match value {
        "ipv4" | "v4" => Some((true, false)),
        "ipv6" | "v6" => Some((false, true)),
        "both" => Some((true, true)),
        "none" => Some((false, false)),
        other => boolean(other).map(|on| (on, on)),
    }
}

/// An address, with the length of its network or without.
fn is_address(value: &str) -> bool {
    let (address, length) = match value.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u8>())),
        None => (value, None),
    };
    match (address.parse::<IpAddr>(), length) {
        (Ok(_), None) => true,
        (Ok(IpAddr::V4(_)), Some(Ok(length))) => length <= 32,
        (Ok(IpAddr::V6(_)), Some(Ok(length))) => length <= 128,
        _ => false,
    }
}
