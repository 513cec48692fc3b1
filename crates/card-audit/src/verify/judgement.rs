//! How a thing on a card is judged: the vocabulary of the rules.

use cluster_profile::ClonedState;

use crate::{FindingCode, Severity};

/// How a thing of a card is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    /// The code of findings about it.
    pub code: FindingCode,
    /// How bad it is if it differs.
    pub severity: Severity,
    /// How it is compared.
    pub comparison: Comparison,
    /// Who changes it on a running node, which is no finding.
    pub changed_by: ChangedBy,
    /// Who rejects it for its owner or mode.
    pub guard: Guard,
}

/// How a thing of a card is compared with what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Byte for byte, reported line by line; as a whole if it is secret.
    Exact,
    /// A private key: byte for byte, reported by whose it is.
    PrivateKey(Key),
    /// A private host key in dropbear's format: byte for byte, reported by whose it is.
    DropbearKey,
    /// Algorithm and key.
    PublicKey,
    /// The first line with a name.
    HostName,
    /// The first line with an id.
    MachineId,
    /// A symlink to the machine id, or a copy of it.
    MachineIdLink,
    /// Names of addresses.
    Hosts,
    /// Keys of hosts.
    KnownHosts,
    /// Keys of hosts; only a node's key that is wrong counts.
    OwnKnownHosts,
    /// Lines whose keys are accepted.
    AuthorizedKeys,
    /// Name servers.
    Resolver,
    /// The passwords of the profile's users.
    Passwords,
    /// Lines of /etc/passwd, and members of /etc/group.
    AccountLines,
    /// As a whole, without showing it; what it does to users is reported instead.
    Login,
    /// Stanzas of interfaces(5) and their options.
    Interfaces,
    /// Settings in sections.
    Settings,
    /// The size and both ends of a large file.
    Archive,
    /// It has to be a directory.
    Directory,
    /// A symlink that masks a unit.
    MaskedUnit,
    /// A symlink that enables a unit, or what would keep the unit from starting.
    EnabledUnit,
    /// It must not be there.
    Absent(Intruder),
    /// It may be there unless it is the base's.
    NotFromBase(ClonedState),
    /// Its time may be later, not earlier.
    TimeStamp,
    /// Not at all: another finding reports it.
    Elsewhere,
}

/// Whose private key belongs in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Host,
    Cluster,
    Swarm,
}

/// What must not be on a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intruder {
    /// A network file that takes precedence over the node's.
    NetworkFile,
    /// A program that undoes the card at the next boot.
    FirstBootProgram,
    /// A part of another swarm, or of another place in it.
    SwarmLeftover,
}

/// Who changes a thing on a running node, rightly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangedBy {
    /// Nobody: every difference is a finding.
    Nobody,
    /// The owner, by adding to it: what nodecard put there has to stay.
    Owner,
    /// The node, which makes it again.
    Node,
}

/// Who rejects a file that belongs to others, or is open to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// ssh and sshd, for private keys.
    PrivateKey,
    /// sshd (StrictModes).
    Ssh,
    /// NetworkManager, for its profiles.
    NetworkManager,
    /// Nobody.
    Nobody,
}

impl Rule {
    /// Returns a rule for what nobody may change, whatever its owner and mode.
    pub const fn new(code: FindingCode, severity: Severity, comparison: Comparison) -> Self {
        Rule { code, severity, comparison, changed_by: ChangedBy::Nobody, guard: Guard::Nobody }
    }

    pub const fn changed_by(self, changed_by: ChangedBy) -> Self {
        Rule { changed_by, ..self }
    }

    pub const fn guarded_by(self, guard: Guard) -> Self {
        Rule { guard, ..self }
    }
}
