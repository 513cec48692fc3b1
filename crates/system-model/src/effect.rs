//! What a program can change of a card, and where it says so.

use std::fmt;

/// A thing of a finished card that a program may change when the system boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// The host keys of sshd or dropbear.
    HostKeys,
    /// The host name.
    HostName,
    /// `/etc/machine-id`.
    MachineId,
    /// `/etc/hosts`.
    Hosts,
    /// Passwords and their expiry.
    Passwords,
    /// The `authorized_keys` of an account.
    UserKeys,
    /// Accounts: their names, ids, shells and groups.
    Users,
    /// The configuration of network interfaces.
    Address,
    /// Sizes of partitions and filesystems.
    Sizes,
    /// The disk id of the partition table, or the UUID of a filesystem.
    DiskId,
    /// What the console shows: a login without a password, or a wizard.
    Console,
    /// Whether an ssh server runs, and whom it lets in.
    SshServer,
    /// The host keys that ssh expects of others.
    KnownHosts,
    /// The filesystems that are mounted.
    Mounts,
}

impl Effect {
    /// All effects.
    pub const ALL: [Effect; 14] = [
        Effect::HostKeys,
        Effect::HostName,
        Effect::MachineId,
        Effect::Hosts,
        Effect::Passwords,
        Effect::UserKeys,
        Effect::Users,
        Effect::Address,
        Effect::Sizes,
        Effect::DiskId,
        Effect::Console,
        Effect::SshServer,
        Effect::KnownHosts,
        Effect::Mounts,
    ];
}

impl fmt::Display for Effect {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Effect::HostKeys => "the host keys",
            Effect::HostName => "the host name",
            Effect::MachineId => "the machine id",
            Effect::Hosts => "/etc/hosts",
            Effect::Passwords => "passwords",
            Effect::UserKeys => "authorized_keys",
            Effect::Users => "users",
            Effect::Address => "the network configuration",
            Effect::Sizes => "partition and filesystem sizes",
            Effect::DiskId => "the disk id",
            Effect::Console => "the console login",
            Effect::SshServer => "the ssh server",
            Effect::KnownHosts => "known hosts",
            Effect::Mounts => "mounted filesystems",
        })
    }
}

/// A line of a file in the image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The path inside the image.
    pub path: String,
    /// The line, counted from 1; 0 stands for the whole file.
    pub line: usize,
}

impl Location {
    /// Returns the location of a line.
    pub fn new(path: impl Into<String>, line: usize) -> Self {
        Location { path: path.into(), line }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => to.write_str(&self.path),
            line => write!(to, "{}, line {line}", self.path),
        }
    }
}
