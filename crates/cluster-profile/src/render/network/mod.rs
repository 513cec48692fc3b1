//! A static address, set by whatever sets addresses in the image.
//!
//! # Which back end
//!
//! Installed is not in use, so each is asked two things: does it start at boot,
//! and does its configuration speak of the interface? Of those that do both, the
//! first one of this order is taken: ifupdown, netplan, NetworkManager,
//! systemd-networkd. ifupdown comes first because it acts first at boot, and the
//! others stand back from what its file names. If none speaks of the interface,
//! the first that starts at boot is taken: netplan, NetworkManager (which takes
//! every Ethernet that nobody else wants), systemd-networkd, ifupdown (whose file
//! is there in every Debian, in use or not).
//!
//! netplan with the renderer NetworkManager counts as NetworkManager: a keyfile's
//! priority settles there what several netplan definitions would not.

mod ifupdown;
mod interfaces_file;
mod netplan;
mod network_manager;
mod networkd;
mod others;
mod resolver;

use std::net::Ipv4Addr;

use super::{
    RenderError,
    context::{Context, View},
};
use crate::{Network, NetworkBackEnd, Node, SystemError, SystemFiles};

impl NetworkBackEnd {
    fn is_active(self, from: &View<'_>) -> Result<bool, SystemError> {
        match self {
            NetworkBackEnd::Ifupdown => ifupdown::is_active(from),
            NetworkBackEnd::Netplan => netplan::is_active(from),
            NetworkBackEnd::NetworkManager => network_manager::is_active(from),
            NetworkBackEnd::Networkd => networkd::is_active(from),
        }
    }

    fn owns(self, from: &View<'_>) -> Result<bool, SystemError> {
        match self {
            NetworkBackEnd::Ifupdown => ifupdown::owns(from),
            NetworkBackEnd::Netplan => netplan::owns(from),
            NetworkBackEnd::NetworkManager => network_manager::owns(from),
            NetworkBackEnd::Networkd => networkd::owns(from),
        }
    }
}

const OWNERS_FIRST: [NetworkBackEnd; 4] = [
    NetworkBackEnd::Ifupdown,
    NetworkBackEnd::Netplan,
    NetworkBackEnd::NetworkManager,
    NetworkBackEnd::Networkd,
];
const ELSE: [NetworkBackEnd; 4] = [
    NetworkBackEnd::Netplan,
    NetworkBackEnd::NetworkManager,
    NetworkBackEnd::Networkd,
    NetworkBackEnd::Ifupdown,
];

/// The back end to write for, and the others that run beside it.
struct Choice {
    chosen: NetworkBackEnd,
    others: Vec<NetworkBackEnd>,
}

fn choose(from: &View<'_>) -> Result<Choice, RenderError> {
    let (chosen, others) = in_use(from)?;
    let interface = || from.interface.to_owned();
    let chosen = chosen.ok_or_else(|| RenderError::NoNetwork { interface: interface() })?;
    Ok(Choice { chosen, others })
}

/// The back end that sets the interface's address, if any does, and the others that
/// start at boot.
fn in_use(from: &View<'_>) -> Result<(Option<NetworkBackEnd>, Vec<NetworkBackEnd>), SystemError> {
    let mut active = Vec::new();
    for end in ELSE {
        if end.is_active(from)? {
            active.push(end);
        }
    }
    let mut chosen = active.first().copied();
    for end in OWNERS_FIRST {
        if active.contains(&end) && end.owns(from)? {
            chosen = Some(end);
            break;
        }
    }
    // As on images whose cloud-init has not written its file yet.
    if chosen.is_none() && netplan::could_work(from)? {
        chosen = Some(NetworkBackEnd::Netplan);
    }
    active.retain(|end| Some(*end) != chosen);
    Ok((chosen, active))
}

/// What sets the address of an interface when a system boots, by its name: `ifupdown`,
/// `netplan`, `NetworkManager` or `systemd-networkd`.
///
/// # Errors
/// [`SystemError`] if the system cannot be read.
pub fn network_back_end(
    system: &dyn SystemFiles,
    interface: &str,
) -> Result<Option<&'static str>, SystemError> {
    let (chosen, _) = in_use(&View { system, interface })?;
    Ok(chosen.map(NetworkBackEnd::name))
}

/// A node's address in its network.
struct Address<'a> {
    network: &'a Network,
    address: Ipv4Addr,
}

/// What keeps everything else off the interface, and all notes.
///
/// The files by which the image's own back end speaks of the interface stay until
/// [`node`], which has to choose the same one.
pub(super) fn shared(to: &mut Context<'_>) -> Result<(), RenderError> {
    let Choice { chosen, others } = choose(to)?;
    let interface = to.cluster.network.interface.clone();
    for other in &others {
        // Of networkd's files only the first that matches counts, netplan's too.
        let outranked = (chosen, *other) == (NetworkBackEnd::Netplan, NetworkBackEnd::Networkd);
        if other.owns(to)? && !outranked {
            to.note(format!(
                "{interface} gets its address from {}; {}, which the image configures for it \
                 too, was told to leave it alone",
                chosen.name(),
                other.name()
            ));
        }
    }
    match chosen {
        NetworkBackEnd::Ifupdown => ifupdown::note_stanzas(to)?,
        NetworkBackEnd::Netplan => {
            netplan::note_users(to)?;
            networkd::note_earlier(to, netplan::NETWORKD_FILE)?;
        }
        NetworkBackEnd::NetworkManager => network_manager::note_kind(to),
        NetworkBackEnd::Networkd => networkd::note_earlier(to, &networkd::file_name(&interface))?,
    }
    others::stand_back(to, chosen, &others)?;
    resolver::write(to, chosen)?;
    Ok(())
}

/// The node's address.
pub(super) fn node(to: &mut Context<'_>, node: &Node) -> Result<(), RenderError> {
    let Choice { chosen, .. } = choose(to)?;
    let address = Address { network: &to.cluster.network, address: node.address };
    match chosen {
        NetworkBackEnd::Ifupdown => ifupdown::node(to, &address)?,
        NetworkBackEnd::Netplan => netplan::node(to, &address)?,
        NetworkBackEnd::NetworkManager => network_manager::node(to, &address, &node.name),
        NetworkBackEnd::Networkd => networkd::node(to, &address)?,
    }
    Ok(())
}
