//! A static address, written for the program that sets addresses in the image.
//!
//! # Which back end
//!
//! An installed back end need not be in use, so two questions decide: does it start at
//! boot, and does its configuration name the interface? Of those that do both, the first
//! in this order is chosen: ifupdown, netplan, NetworkManager, systemd-networkd. ifupdown
//! comes first because it acts first at boot, and the others leave alone what its file
//! names. If none names the interface, the first that starts at boot is chosen: netplan,
//! NetworkManager (which manages every Ethernet that nothing else does), systemd-networkd,
//! ifupdown (whose file exists on every Debian, in use or not).
//!
//! netplan with the renderer NetworkManager counts as NetworkManager: the priority of a
//! keyfile decides there, where several netplan definitions would contradict each other.

mod ifupdown;
mod interfaces_file;
mod netplan;
mod network_manager;
mod networkd;
mod obstacles;
mod others;
mod resolver;
mod rivals;

pub(in crate::render) use interfaces_file::to_dhcp as interfaces_to_dhcp;
pub(in crate::render) use netplan::FILE as NETPLAN_FILE;
pub use rivals::{RivalAddress, rival_addresses};

use std::net::Ipv4Addr;

use system_model::{BootModel, FileLine, Systemd};

use super::{
    RenderError,
    context::{Context, View},
};
use crate::{Network, NetworkBackEnd, Node, Note, SystemError, SystemFiles};

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

const IF_IT_OWNS: [NetworkBackEnd; 4] = [
    NetworkBackEnd::Ifupdown,
    NetworkBackEnd::Netplan,
    NetworkBackEnd::NetworkManager,
    NetworkBackEnd::Networkd,
];
const OTHERWISE: [NetworkBackEnd; 4] = [
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
    let Some(chosen) = chosen else {
        let interface = from.interface.to_owned();
        let left_alone = network_manager::left_alone(from)?;
        return Err(match (ifupdown::kept_off(from)?, left_alone) {
            (Some(state), _) => RenderError::BackEndOff {
                interface,
                program: "ifupdown",
                unit: ifupdown::SERVICE,
                state,
            },
            (None, Some(FileLine { path, line })) => {
                RenderError::LeftAlone { is_managed: false, interface, file: path, line }
            }
            (None, None) => RenderError::NoNetwork { interface },
        });
    };
    Ok(Choice { chosen, others })
}

/// Returns the back end that sets the interface's address, if any does, and the others that
/// start at boot.
fn in_use(from: &View<'_>) -> Result<(Option<NetworkBackEnd>, Vec<NetworkBackEnd>), SystemError> {
    let mut active = Vec::new();
    for end in OTHERWISE {
        if end.is_active(from)? {
            active.push(end);
        }
    }
    let mut chosen = active.first().copied();
    for end in IF_IT_OWNS {
        if active.contains(&end) && end.owns(from)? {
            chosen = Some(end);
            break;
        }
    }
    // So it is on images whose cloud-init has not written its file yet.
    if chosen.is_none() && netplan::could_work(from)? {
        chosen = Some(NetworkBackEnd::Netplan);
    }
    active.retain(|end| Some(*end) != chosen);
    Ok((chosen, active))
}

/// Returns the name of what sets the address of an interface when a system boots:
/// `ifupdown`, `netplan`, `NetworkManager` or `systemd-networkd`.
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

/// A file that may set a static address.
pub(super) struct StaticFile {
    /// What reads it.
    pub end: NetworkBackEnd,
    pub path: String,
    pub text: String,
}

/// Returns the files in which nodecard sets static addresses: those of its own, and ifupdown's.
pub(super) fn static_files(from: &View<'_>) -> Result<Vec<StaticFile>, SystemError> {
    let mut found = Vec::new();
    for (path, text) in ifupdown::files(from)? {
        found.push(StaticFile { end: NetworkBackEnd::Ifupdown, path, text });
    }
    let own = [
        (NetworkBackEnd::Netplan, netplan::own_files(from)?),
        (NetworkBackEnd::Networkd, networkd::own_files(from)?),
        (NetworkBackEnd::NetworkManager, network_manager::own_files(from)?),
    ];
    for (end, paths) in own {
        for path in paths {
            let Some(text) = from.read(&path)? else { continue };
            found.push(StaticFile { end, path, text });
        }
    }
    Ok(found)
}

/// Keeps the other back ends off the interface, and makes all notes. Returns the chosen one.
///
/// The files in which the image's own back end names the interface stay until [`node`],
/// which has to choose the same one.
pub(super) fn shared(
    to: &mut Context<'_>,
    boot: &BootModel,
) -> Result<NetworkBackEnd, RenderError> {
    rivals::note_unknown(to, boot.systemd())?;
    let Choice { chosen, others } = choose(to)?;
    let interface = to.cluster.network.interface.clone();
    for other in &others {
        // networkd uses the first file that matches, and netplan's are among them.
        let outranked = (chosen, *other) == (NetworkBackEnd::Netplan, NetworkBackEnd::Networkd);
        if other.owns(to)? && !outranked {
            let (chosen, other) = (chosen.name(), other.name());
            to.note(Note::RivalKeptOff { interface: interface.clone(), chosen, other });
        }
    }
    match chosen {
        NetworkBackEnd::Ifupdown => ifupdown::note_stanzas(to)?,
        NetworkBackEnd::Netplan => {
            netplan::note_users(to)?;
            networkd::note_earlier(to, &netplan::networkd_file(to)?)?;
        }
        NetworkBackEnd::NetworkManager => {
            network_manager::note_kind(to);
            network_manager::prefer(to)?;
        }
        NetworkBackEnd::Networkd => networkd::note_earlier(to, &networkd::file_name(&interface))?,
    }
    others::stand_back(to, chosen, &others)?;
    resolver::write(to, chosen)?;
    Ok(chosen)
}

/// Writes the node's address. Returns what still keeps the interface from it.
pub(super) fn node(to: &mut Context<'_>, node: &Node) -> Result<Option<RenderError>, RenderError> {
    let Choice { chosen, .. } = choose(to)?;
    let address = Address { network: &to.cluster.network, address: node.address };
    match chosen {
        NetworkBackEnd::Ifupdown => ifupdown::node(to, &address)?,
        NetworkBackEnd::Netplan => netplan::node(to, &address)?,
        NetworkBackEnd::NetworkManager => network_manager::node(to, &address, &node.name)?,
        NetworkBackEnd::Networkd => networkd::node(to, &address)?,
    }
    let edited = to.edited()?;
    let systemd = Systemd::read_later_boots(&edited)?;
    let network = system_model::network::Network::read(&edited, &systemd)?;
    rivals::note_others(to, &network, node);
    obstacles::find(to, &edited, &network, chosen)
}
