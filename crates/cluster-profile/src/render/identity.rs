//! What makes one installation another than its clones.

use super::{RenderError, context::Context};
use crate::{Attributes, Change, Node};

/// What must not be the same on two machines, and is made anew by its owner.
const FILES: [&str; 9] = [
    // The engine's ids: a swarm takes engines with one id for one.
    "/etc/docker/key.json",
    "/var/lib/docker/engine-id",
    // What programs draw random numbers from.
    "/var/lib/systemd/random-seed",
    "/var/lib/urandom/random-seed",
    "/var/lib/random-seed",
    // dhcpcd's identity towards servers, and its secret for IPv6 addresses.
    "/etc/dhcpcd.duid",
    "/etc/dhcpcd.secret",
    // NetworkManager's.
    "/var/lib/NetworkManager/secret_key",
    "/var/lib/NetworkManager/secret-key",
];

/// Directories that hold nothing else than leases and a swarm's state.
const DIRECTORIES: [&str; 6] = [
    "/var/lib/docker/swarm",
    "/var/lib/dhcp",
    "/var/lib/dhcp3",
    "/var/lib/dhcpcd",
    "/var/lib/dhcpcd5",
    "/var/lib/systemd/network",
];

const MACHINE_ID: &str = "/etc/machine-id";

/// Removes what every card made from this image would have in common.
pub(super) fn forget(to: &mut Context<'_>) -> Result<(), RenderError> {
    for path in FILES {
        to.remove_if_there(path)?;
    }
    for path in DIRECTORIES {
        to.clear_if_full(path)?;
    }
    let leases = "/var/lib/NetworkManager";
    for name in to.list(leases)?.into_iter().filter(|name| name.ends_with(".lease")) {
        to.remove(format!("{leases}/{name}"));
    }
    // The key that credentials are sealed with: worthless when everybody has
    // it, but without it those that the image holds could not be opened.
    if to.list("/etc/credstore.encrypted")?.is_empty() {
        to.remove_if_there("/var/lib/systemd/credential.secret")?;
    }
    if to.system.list("/var/lib/dbus")?.is_some() {
        // Either of the two may be a symlink to the other; with both gone there
        // can be no loop.
        to.remove_if_there(MACHINE_ID)?;
        let target = MACHINE_ID.to_owned();
        to.edit("/var/lib/dbus/machine-id", Change::Symlink { target });
    }
    Ok(())
}

/// Gives a node its own machine id.
pub(super) fn give(to: &mut Context<'_>, node: &Node) {
    let id = to.keys.machine_id(&node.name);
    to.write(MACHINE_ID, id + "\n", Attributes::exactly(0o444, 0, 0));
}
