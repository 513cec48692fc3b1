//! The parts of a node's identity.

use std::fmt;

use crate::{ClonedState, ExtraFileKind, Purpose};

/// A part of what makes a system one node of one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IdentityPart {
    /// The cluster's lines in /etc/hosts, and the node's own.
    Hosts,
    /// The host name.
    HostName,
    /// The static address: the interface asks DHCP again.
    Address,
    /// The machine id: the system makes a new one.
    MachineId,
    /// The host keys of ssh servers.
    HostKeys,
    /// The cluster's key pair in users' homes.
    ClusterKeys,
    /// Lines of authorized_keys that the profile put there.
    AuthorizedKeys,
    /// Lines of known hosts about the nodes.
    KnownHosts,
    /// What takes the node into its swarm, and its record of that.
    Swarm,
    /// The node's seed for cloud-init.
    CloudSeed,
    /// Docker's identity, and the state of the swarm that it is a member of.
    Docker,
    /// DHCP leases and identities.
    Leases,
    /// Seeds of random numbers, and secrets that programs generate for an installation.
    Seeds,
}

impl IdentityPart {
    /// All parts, in the order in which they are removed.
    pub const ALL: [IdentityPart; 13] = [
        IdentityPart::Hosts,
        IdentityPart::HostName,
        IdentityPart::Address,
        IdentityPart::MachineId,
        IdentityPart::HostKeys,
        IdentityPart::ClusterKeys,
        IdentityPart::AuthorizedKeys,
        IdentityPart::KnownHosts,
        IdentityPart::Swarm,
        IdentityPart::CloudSeed,
        IdentityPart::Docker,
        IdentityPart::Leases,
        IdentityPart::Seeds,
    ];

    /// Returns its code in reports, which stays the same in later versions.
    pub fn code(self) -> &'static str {
        match self {
            IdentityPart::Hosts => "hosts",
            IdentityPart::HostName => "host-name",
            IdentityPart::Address => "address",
            IdentityPart::MachineId => "machine-id",
            IdentityPart::HostKeys => "host-keys",
            IdentityPart::ClusterKeys => "cluster-keys",
            IdentityPart::AuthorizedKeys => "authorized-keys",
            IdentityPart::KnownHosts => "known-hosts",
            IdentityPart::Swarm => "swarm",
            IdentityPart::CloudSeed => "cloud-seed",
            IdentityPart::Docker => "docker",
            IdentityPart::Leases => "leases",
            IdentityPart::Seeds => "seeds",
        }
    }
}

impl fmt::Display for IdentityPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IdentityPart::Hosts => "the cluster's hosts",
            IdentityPart::HostName => "the host name",
            IdentityPart::Address => "the static address",
            IdentityPart::MachineId => "the machine id",
            IdentityPart::HostKeys => "host keys",
            IdentityPart::ClusterKeys => "the cluster's keys",
            IdentityPart::AuthorizedKeys => "authorized keys",
            IdentityPart::KnownHosts => "known hosts",
            IdentityPart::Swarm => "the swarm's files",
            IdentityPart::CloudSeed => "cloud-init's seed",
            IdentityPart::Docker => "Docker's identity",
            IdentityPart::Leases => "DHCP leases",
            IdentityPart::Seeds => "random seeds",
        })
    }
}

/// A part of the identity that was removed, or reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedPart {
    /// The part.
    pub part: IdentityPart,
    /// The files that were removed or changed.
    pub paths: Vec<String>,
}

/// Returns the part of the identity that takes away what an edit puts on a card; `None` if a
/// base image keeps it.
pub fn part_of(purpose: &Purpose) -> Option<IdentityPart> {
    match purpose {
        Purpose::HostName => Some(IdentityPart::HostName),
        Purpose::Hosts => Some(IdentityPart::Hosts),
        Purpose::Address(_) => Some(IdentityPart::Address),
        Purpose::MachineId | Purpose::DbusMachineId => Some(IdentityPart::MachineId),
        Purpose::HostKey(_) | Purpose::DropbearHostKey => Some(IdentityPart::HostKeys),
        Purpose::SystemKnownHosts | Purpose::UserKnownHosts { .. } => {
            Some(IdentityPart::KnownHosts)
        }
        Purpose::AuthorizedKeys { .. } => Some(IdentityPart::AuthorizedKeys),
        Purpose::ClusterKey { .. } => Some(IdentityPart::ClusterKeys),
        Purpose::Swarm(_) => Some(IdentityPart::Swarm),
        Purpose::CloudSeed => Some(IdentityPart::CloudSeed),
        Purpose::ExtraFile(ExtraFileKind::HostKey) => Some(IdentityPart::HostKeys),
        Purpose::Cloned(state) => match state {
            ClonedState::DockerIdentity | ClonedState::DockerSwarm => Some(IdentityPart::Docker),
            ClonedState::SwarmRecord => Some(IdentityPart::Swarm),
            ClonedState::RandomSeed
            | ClonedState::NetworkManagerSecret
            | ClonedState::CredentialSecret => Some(IdentityPart::Seeds),
            ClonedState::Dhcp => Some(IdentityPart::Leases),
            ClonedState::HostKey(_) => Some(IdentityPart::HostKeys),
            // An owner's own pair: it is listed as a secret that stays.
            ClonedState::UserKey(_) => None,
        },
        // The same on every node, and what a card made from the image needs again: other
        // network programs stay off the interface, and resizers stay disarmed.
        Purpose::RivalSettings
        | Purpose::RivalFile
        | Purpose::Resolver
        | Purpose::ResolvedSettings
        | Purpose::SshdConfig
        | Purpose::SshConfig
        | Purpose::HomeDirectory { .. }
        | Purpose::SshDirectory { .. }
        | Purpose::Account(_)
        | Purpose::Boot(_)
        | Purpose::Login
        | Purpose::FirstBoot(_)
        | Purpose::CloudInit
        | Purpose::SshServer
        | Purpose::ClockStamp
        | Purpose::ClockDirectory => None,
        // Hashes are listed as secrets that stay.
        Purpose::Passwords => None,
        // Removing one could leave the system without a file that it needs.
        Purpose::ExtraFile(
            ExtraFileKind::Plain
            | ExtraFileKind::PasswordDatabase
            | ExtraFileKind::Ssh
            | ExtraFileKind::NetworkManager,
        ) => None,
    }
}
