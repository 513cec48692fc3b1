//! Static IPv4 addresses become a question to DHCP, in the files that set them.
//!
//! nodecard's own files stay, with DHCP in them: a card made from the image is rendered for the
//! same program then, and only one program asks for an address. Files that were written by hand are
//! changed as little as possible; what cannot be changed with certainty stays, and is listed.

mod dhcpcd;
mod keyfile;
mod netplan;
mod networkd;

use std::{collections::BTreeSet, net::IpAddr};

use system_model::{
    FileLine, Systemd,
    network::{AddressKind, AddressSource, Interfaces, Network},
};

use super::Strip;
use crate::{
    NetworkBackEnd, Purpose, SystemError,
    render::{
        RenderError,
        edited::Edited,
        network::{self, StaticFile},
        text::lines,
    },
};

/// A fixed address that stays in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAddress {
    /// The address as written: with a prefix length or without.
    pub address: String,
    /// The interface as the configuration names it: a name, or a pattern.
    pub interface: String,
    /// The line that sets it.
    pub at: Option<FileLine>,
}

pub(super) fn to_dhcp(to: &mut Strip<'_>) -> Result<(), SystemError> {
    let interface = to.owner.map(|(cluster, _)| cluster.network.interface.as_str());
    own_files(to, interface)?;
    netplan::to_dhcp(to, interface)?;
    networkd::to_dhcp(to, interface)?;
    keyfile::to_dhcp(to, interface)?;
    dhcpcd::to_dhcp(to, interface)
}

/// Changes nodecard's own files, and ifupdown's.
fn own_files(to: &mut Strip<'_>, interface: Option<&str>) -> Result<(), SystemError> {
    let interfaces = Interfaces::read(to.system)?.unwrap_or_default();
    // `auto eth0=home` gives the interface the stanza of another name.
    let wanted = interface.map(|interface| {
        let up = interfaces.brought_up(interface).into_iter().map(|up| up.stanza.name.as_str());
        up.chain([interface]).collect::<BTreeSet<&str>>()
    });
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted.contains(name));
    let view = to.view(interface.unwrap_or_default());
    for StaticFile { end, path, text } in network::static_files(&view)? {
        let new = match end {
            NetworkBackEnd::Ifupdown => network::interfaces_to_dhcp(&text, &is_wanted),
            NetworkBackEnd::Netplan => {
                let dropped = ["addresses:", "routes:", "nameservers:", "search:"];
                replace(&text, &dropped, "dhcp4: false", "dhcp4: true")
            }
            NetworkBackEnd::Networkd => {
                let dropped = ["Address=", "Gateway=", "DNS=", "Domains="];
                replace(&text, &dropped, "DHCP=no", "DHCP=yes")
            }
            NetworkBackEnd::NetworkManager => {
                // Without one, NetworkManager derives a uuid from the file's name.
                let dropped = ["address1=", "dns=", "dns-search=", "uuid="];
                replace(&text, &dropped, "method=manual", "method=auto")
            }
        };
        to.rewrite(Purpose::Address(end), &path, &text, &new);
    }
    Ok(())
}

/// Returns a file that nodecard wrote without the lines of its address, and with DHCP.
fn replace(text: &str, dropped: &[&str], fixed: &str, dhcp: &str) -> String {
    if !text.contains(fixed) {
        return text.to_owned();
    }
    let kept =
        |line: &&str| !dropped.iter().any(|start| line.trim_ascii_start().starts_with(start));
    let lines = lines(text).into_iter().filter(kept);
    lines.map(|line| line.replace(fixed, dhcp)).collect()
}

/// Returns the fixed addresses that some interface still gets when a system boots.
pub(super) fn kept(to: &Strip<'_>) -> Result<Vec<KeptAddress>, RenderError> {
    let mut edited = Edited::new(to.system);
    edited.apply(&to.neutral.edits)?;
    let sources = Network::read(&edited, &Systemd::read_later_boots(&edited)?)?.fixed_addresses();
    let (mut kept, mut seen) = (Vec::new(), BTreeSet::new());
    for AddressSource { interface, kind, at, .. } in sources {
        let AddressKind::Static(address) = kind else { continue };
        let found = KeptAddress { address, interface, at };
        let at = found.at.as_ref().map(|at| (at.path.clone(), at.line));
        let is_new = seen.insert((found.address.clone(), found.interface.clone(), at));
        if is_of_one_node(&found.address) && is_new {
            kept.push(found);
        }
    }
    Ok(kept)
}

/// Returns whether an address, with or without a prefix length, is an IPv4 address.
fn is_ipv4(address: &str) -> bool {
    matches!(plain(address), Some(IpAddr::V4(_)))
}

/// Returns whether no other node of a network can have an address.
fn is_of_one_node(address: &str) -> bool {
    match plain(address) {
        Some(IpAddr::V4(address)) => !(address.is_loopback() || address.is_link_local()),
        Some(IpAddr::V6(address)) => !(address.is_loopback() || address.is_unicast_link_local()),
        None => true,
    }
}

fn plain(address: &str) -> Option<IpAddr> {
    address.split('/').next().unwrap_or_default().trim_ascii().parse().ok()
}
