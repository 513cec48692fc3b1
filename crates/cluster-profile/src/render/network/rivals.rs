//! What else gives the node's interface an address, decided on the finished system as its
//! network programs decide it.

use std::net::Ipv4Addr;

use system_model::{
    FileLine, Systemd,
    network::{AddressKind, AddressSource, Backend, Network},
};

use crate::{
    Node, Note,
    render::{RenderError, context::Context},
};

/// An IPv4 address that the node's interface surely gets beside the profile's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RivalAddress {
    /// What gives it, in words: `DHCP by ifupdown`, `192.168.0.9/24 by dhcpcd`.
    pub what: String,
    /// The line that says so; `None` for a program's default.
    pub at: Option<FileLine>,
}

/// Returns the IPv4 addresses that an interface surely gets at boot beside `own`.
pub fn rival_addresses(network: &Network, interface: &str, own: Ipv4Addr) -> Vec<RivalAddress> {
    let mut found: Vec<RivalAddress> = Vec::new();
    for source in network.sources(interface).iter().filter(|source| source.certain) {
        let rival = rival(source, own);
        found.extend(rival.filter(|rival| !found.contains(rival)));
    }
    found
}

fn rival(source: &AddressSource, own: Ipv4Addr) -> Option<RivalAddress> {
    let address = match &source.kind {
        AddressKind::Dhcp4 => "DHCP".to_owned(),
        AddressKind::Static(address) => {
            let plain = address.split('/').next().unwrap_or_default();
            let other = plain.parse::<Ipv4Addr>().is_ok_and(|plain| plain != own);
            other.then(|| address.clone())?
        }
        _ => return None,
    };
    let what = format!("{address} by {}", name(source.backend));
    Some(RivalAddress { what, at: source.at.clone() })
}

fn name(backend: Backend) -> &'static str {
    match backend {
        Backend::Ifupdown => "ifupdown",
        Backend::Networkd => "systemd-networkd",
        Backend::Netplan => "netplan",
        Backend::NetworkManager => "NetworkManager",
        Backend::Dhcpcd => "dhcpcd",
    }
}

/// Notes an interface that no program of the image names: the profile may have another name
/// for it than the kernel.
pub(super) fn note_unknown(to: &mut Context<'_>, systemd: &Systemd) -> Result<(), RenderError> {
    let interface = to.interface;
    let network = Network::read(to.system, systemd)?;
    // ifupdown's own note lists the interfaces that it configures.
    let configured = |interfaces: &system_model::network::Interfaces| {
        interfaces.stanzas.iter().any(|stanza| stanza.name != "lo")
    };
    if network.knows(interface) || network.interfaces.as_ref().is_some_and(configured) {
        return Ok(());
    }
    to.note(Note::UnknownInterface { interface: interface.to_owned() });
    Ok(())
}

/// Notes what would give the interface another address beside the node's.
pub(super) fn note_others(to: &mut Context<'_>, network: &Network, node: &Node) {
    let interface = to.interface;
    for rival in rival_addresses(network, interface, node.address) {
        let at = rival.at.map(|at| (at.path, at.line));
        let interface = interface.to_owned();
        to.note(Note::OtherAddress { interface, what: rival.what.to_string(), at });
    }
}
