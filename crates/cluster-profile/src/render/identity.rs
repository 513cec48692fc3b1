//! What distinguishes one installation from its clones.

use system_model::docker::{self, DockerData};

use super::{RenderError, context::Context, swarm};
use crate::{Attributes, Change, ClonedState, Node, Purpose, SystemError, SystemFiles};

/// Files that must not be the same on two machines, and that their owners make again.
const FILES: [(&str, ClonedState); 8] = [
    // A swarm takes two engines with one id for the same engine.
    ("/etc/docker/key.json", ClonedState::DockerIdentity),
    ("/var/lib/systemd/random-seed", ClonedState::RandomSeed),
    ("/var/lib/urandom/random-seed", ClonedState::RandomSeed),
    ("/var/lib/random-seed", ClonedState::RandomSeed),
    // dhcpcd's identity towards servers, and its secret for IPv6 addresses.
    ("/etc/dhcpcd.duid", ClonedState::Dhcp),
    ("/etc/dhcpcd.secret", ClonedState::Dhcp),
    ("/var/lib/NetworkManager/secret_key", ClonedState::NetworkManagerSecret),
    ("/var/lib/NetworkManager/secret-key", ClonedState::NetworkManagerSecret),
];

/// Directories that hold nothing but leases, or a swarm's state.
const DIRECTORIES: [(&str, ClonedState); 6] = [
    (swarm::STATE, ClonedState::SwarmRecord),
    ("/var/lib/dhcp", ClonedState::Dhcp),
    ("/var/lib/dhcp3", ClonedState::Dhcp),
    ("/var/lib/dhcpcd", ClonedState::Dhcp),
    ("/var/lib/dhcpcd5", ClonedState::Dhcp),
    ("/var/lib/systemd/network", ClonedState::Dhcp),
];

/// NetworkManager keeps its leases among other state.
const LEASES: &str = "/var/lib/NetworkManager";

/// The key that systemd seals credentials with.
const CREDENTIAL_SECRET: &str = "/var/lib/systemd/credential.secret";

pub(super) const MACHINE_ID: &str = "/etc/machine-id";

/// State of a system that identifies its installation.
pub(super) struct Cloned {
    pub path: String,
    pub state: ClonedState,
    /// How it is removed.
    pub change: Change,
}

/// Returns the state that identifies an installation, as far as a system has any.
pub(super) fn cloned(system: &dyn SystemFiles) -> Result<Vec<Cloned>, SystemError> {
    let names = |path: &str| system.list(path).map(Option::unwrap_or_default);
    let mut found = Vec::new();
    let add = |found: &mut Vec<Cloned>, path: &str, state, change: Change| {
        let there = match change {
            Change::Clear => !names(path)?.is_empty(),
            _ => system.exists(path)?,
        };
        if there {
            found.push(Cloned { path: path.to_owned(), state, change });
        }
        Ok::<(), SystemError>(())
    };
    for DockerData { path, .. } in docker::data_roots(system)? {
        let (id, swarm) = (format!("{path}/engine-id"), format!("{path}/swarm"));
        add(&mut found, &id, ClonedState::DockerIdentity, Change::Remove)?;
        add(&mut found, &swarm, ClonedState::DockerSwarm, Change::Clear)?;
    }
    for (path, state) in FILES {
        add(&mut found, path, state, Change::Remove)?;
    }
    for (path, state) in DIRECTORIES {
        add(&mut found, path, state, Change::Clear)?;
    }
    for name in names(LEASES)?.into_iter().filter(|name| name.ends_with(".lease")) {
        let (path, state) = (format!("{LEASES}/{name}"), ClonedState::Dhcp);
        found.push(Cloned { path, state, change: Change::Remove });
    }
    // Everybody who has the image has this key, so it protects nothing; but credentials
    // that the image holds could not be opened without it.
    if names("/etc/credstore.encrypted")?.is_empty() {
        add(&mut found, CREDENTIAL_SECRET, ClonedState::CredentialSecret, Change::Remove)?;
    }
    Ok(found)
}

/// Removes what every card made from this image would have in common.
pub(super) fn forget(to: &mut Context<'_>) -> Result<(), RenderError> {
    for Cloned { path, state, change } in cloned(to.system)? {
        to.edit(Purpose::Cloned(state), path, change);
    }
    if to.system.list("/var/lib/dbus")?.is_some() {
        // Either of the two may be a symlink to the other. With both removed first there
        // can be no loop.
        to.remove_if_there(Purpose::MachineId, MACHINE_ID)?;
        let target = MACHINE_ID.to_owned();
        to.edit(Purpose::DbusMachineId, "/var/lib/dbus/machine-id", Change::Symlink { target });
    }
    Ok(())
}

/// Gives a node its own machine id.
pub(super) fn give(to: &mut Context<'_>, node: &Node) {
    let id = to.keys.machine_id(&node.name);
    to.write(Purpose::MachineId, MACHINE_ID, id + "\n", Attributes::exactly(0o444, 0, 0));
}
