//! What makes one installation another than its clones.

use super::{RenderError, context::Context, swarm};
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
const DIRECTORIES: [&str; 7] = [
    swarm::STATE,
    "/var/lib/docker/swarm",
    "/var/lib/dhcp",
    "/var/lib/dhcp3",
    "/var/lib/dhcpcd",
    "/var/lib/dhcpcd5",
    "/var/lib/systemd/network",
];

/// NetworkManager's leases are among its other state.
const LEASES: &str = "/var/lib/NetworkManager";

/// The key that credentials are sealed with.
const CREDENTIAL_SECRET: &str = "/var/lib/systemd/credential.secret";

/// Whether a card's own system makes the file or directory at this path again after it
/// was removed, so that it is right for it to be there, as long as it is no clone's.
pub fn made_anew(path: &str) -> bool {
    let host_key = path.strip_prefix("/etc/ssh/ssh_host_").is_some_and(|rest| !rest.contains('/'));
    let lease = path.starts_with(LEASES) && path.ends_with(".lease");
    FILES.contains(&path)
        || DIRECTORIES.contains(&path)
        || lease
        || host_key
        || path == CREDENTIAL_SECRET
}

const MACHINE_ID: &str = "/etc/machine-id";

/// Removes what every card made from this image would have in common.
pub(super) fn forget(to: &mut Context<'_>) -> Result<(), RenderError> {
    for path in FILES {
        to.remove_if_there(path)?;
    }
    for path in DIRECTORIES {
        to.clear_if_full(path)?;
    }
    for name in to.list(LEASES)?.into_iter().filter(|name| name.ends_with(".lease")) {
        to.remove(format!("{LEASES}/{name}"));
    }
    // Worthless when everybody has it, but without it credentials that the image
    // holds could not be opened.
    if to.list("/etc/credstore.encrypted")?.is_empty() {
        to.remove_if_there(CREDENTIAL_SECRET)?;
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
