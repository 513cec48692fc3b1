//! Why a card has a file: what each edit is for.

/// The thing on a card that a [`FileEdit`](crate::FileEdit) is for.
///
/// Rendering states it where it makes the edit, so that nobody has to guess it back from
/// the path. The enum is exhaustive on purpose: whoever judges cards has to say what each
/// thing means to them, and does not compile until it is said.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// /etc/hostname.
    HostName,
    /// /etc/hosts.
    Hosts,
    /// The node's static address, in the file of what sets it at boot.
    Address(NetworkBackEnd),
    /// A setting that keeps another network back end off the node's interface.
    RivalSettings,
    /// A network file that would take precedence over the node's, and is removed.
    RivalFile,
    /// /etc/resolv.conf, where no program manages it.
    Resolver,
    /// systemd-resolved's drop-in file.
    ResolvedSettings,
    /// /etc/machine-id.
    MachineId,
    /// D-Bus's symlink to the machine id.
    DbusMachineId,
    /// The node's ed25519 host key.
    HostKey(KeyHalf),
    /// The same key for dropbear, in its own format.
    DropbearHostKey,
    /// sshd's configuration: host keys that are gone become comments.
    SshdConfig,
    /// ssh's configuration, the system's or a user's: identity files that are gone become
    /// comments.
    SshConfig,
    /// /etc/ssh/ssh_known_hosts, which every user's ssh reads.
    SystemKnownHosts,
    /// A user's own known hosts: lines about nodes are removed.
    UserKnownHosts {
        /// The user's name.
        user: String,
    },
    /// A user's home directory, as sshd insists on it.
    HomeDirectory {
        /// The user's name.
        user: String,
    },
    /// A user's ~/.ssh.
    SshDirectory {
        /// The user's name.
        user: String,
    },
    /// A user's ~/.ssh/authorized_keys, and the older authorized_keys2.
    AuthorizedKeys {
        /// The user's name.
        user: String,
    },
    /// The cluster's key pair in a user's ~/.ssh.
    ClusterKey {
        /// The user's name.
        user: String,
        /// The half of the pair.
        half: KeyHalf,
    },
    /// /etc/shadow, with the profile's passwords.
    Passwords,
    /// A part of a user that the profile makes or changes.
    Account(AccountPart),
    /// A boot file.
    Boot(BootPart),
    /// What keeps a user of the profile from logging in by key: a line of /etc/passwd or
    /// /etc/shadow, or a file such as /etc/nologin.
    Login,
    /// What would undo the card at its first boot.
    FirstBoot(FirstBootPart),
    /// cloud-init's settings, and the file that turns it off.
    CloudInit,
    /// cloud-init's user-data or vendor-data, which would outrank the settings: it is emptied.
    CloudSeed,
    /// What starts an ssh server at boot, and what would keep it from starting.
    SshServer,
    /// The time stamp at which a board without a clock begins.
    ClockStamp,
    /// The directory of the stamp, which systemd-timesyncd would make as well.
    ClockDirectory,
    /// A part of what takes the node into its swarm.
    Swarm(SwarmPart),
    /// One of the profile's `files`.
    ExtraFile(ExtraFileKind),
    /// State that identifies the installation that the base image was made from. The node
    /// makes its own.
    Cloned(ClonedState),
}

/// A half of a key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyHalf {
    /// The private key.
    Private,
    /// The public key, in the `.pub` file beside it.
    Public,
}

impl KeyHalf {
    /// Returns the half that a file of this name holds, by OpenSSH's convention.
    pub(crate) fn of_file(name: &str) -> Self {
        if name.ends_with(".pub") { KeyHalf::Public } else { KeyHalf::Private }
    }
}

/// A program that sets addresses at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NetworkBackEnd {
    /// ifupdown: /etc/network/interfaces and the files it includes.
    Ifupdown,
    /// netplan with the renderer systemd-networkd.
    Netplan,
    /// NetworkManager, also as netplan's renderer.
    NetworkManager,
    /// systemd-networkd.
    Networkd,
}

impl NetworkBackEnd {
    /// Returns its name: `ifupdown`, `netplan`, `NetworkManager` or `systemd-networkd`.
    pub fn name(self) -> &'static str {
        match self {
            NetworkBackEnd::Ifupdown => "ifupdown",
            NetworkBackEnd::Netplan => "netplan",
            NetworkBackEnd::NetworkManager => "NetworkManager",
            NetworkBackEnd::Networkd => "systemd-networkd",
        }
    }
}

/// A part of a user that the profile makes or changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountPart {
    /// /etc/passwd.
    Users,
    /// /etc/group.
    Groups,
    /// /etc/gshadow, with the groups' passwords.
    GroupPasswords,
    /// A file that a new home begins with, from /etc/skel.
    Skeleton,
    /// What lets the user run everything without a password, below /etc/sudoers.d.
    Sudo,
}

/// A boot file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BootPart {
    /// A file that holds the kernel command line.
    CommandLine,
    /// The Raspberry Pi's config.txt.
    Config,
}

/// What would undo a card at its first boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FirstBootPart {
    /// A file or link that starts a resizer or a maker of host keys; it is removed.
    Program,
    /// A packaged unit that starts one; it is masked by a symlink to /dev/null.
    Unit,
    /// Armbian's settings that say what its first boot leaves alone.
    Settings,
    /// Armbian's wizard, which stops the first login with questions; it is removed.
    Wizard,
    /// A file that a first-boot program looks for and then leaves the card alone.
    Mark,
    /// A kernel command line, without the arguments that start one.
    CommandLine,
    /// A symlink that enables what a first-boot program would have enabled in the end.
    UnitLink,
}

/// A part of what takes a node into its swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SwarmPart {
    /// A script.
    Program,
    /// The systemd unit that starts the script.
    Unit,
    /// The symlink that enables the unit.
    UnitLink,
    /// The script's configuration.
    Configuration,
    /// The key of the node's role, with which it asks managers for a token.
    Key,
    /// The directory of services, or of their environments.
    Directory,
    /// The arguments of a service, which may hold passwords.
    Service,
    /// The environment of a service's containers, which may hold passwords.
    Environment,
    /// An archive of images.
    Archive,
    /// The list of archives.
    ArchiveList,
    /// What an earlier profile left: it is removed.
    Leftover,
}

/// What one of the profile's `files` is to the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExtraFileKind {
    /// Nothing that nodecard knows.
    Plain,
    /// A password database, such as /etc/shadow, or a backup of one.
    PasswordDatabase,
    /// A private host key.
    HostKey,
    /// A file of sshd's and ssh's that they reject where others can write to it.
    Ssh,
    /// A connection profile of NetworkManager's, which ignores one that others can read.
    NetworkManager,
}

/// A kind of state that identifies an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClonedState {
    /// Docker's key and engine id.
    DockerIdentity,
    /// The state of a swarm that Docker is a node of.
    DockerSwarm,
    /// The node's own record of its way into the swarm.
    SwarmRecord,
    /// A seed of random numbers.
    RandomSeed,
    /// DHCP leases, and a client's identity towards servers.
    Dhcp,
    /// NetworkManager's secret.
    NetworkManagerSecret,
    /// The key that systemd seals credentials with.
    CredentialSecret,
    /// A host key other than the node's.
    HostKey(KeyHalf),
    /// A user's key pair that the image ships.
    UserKey(KeyHalf),
}

impl Purpose {
    /// Returns whether the file's contents must never be shown: they are, or may hold,
    /// private keys, password hashes, passwords or identities.
    pub fn is_secret(&self) -> bool {
        match self {
            Purpose::HostKey(half) | Purpose::ClusterKey { half, .. } => *half == KeyHalf::Private,
            Purpose::Swarm(part) => {
                matches!(part, SwarmPart::Key | SwarmPart::Service | SwarmPart::Environment)
            }
            Purpose::ExtraFile(kind) => {
                matches!(kind, ExtraFileKind::PasswordDatabase | ExtraFileKind::HostKey)
            }
            Purpose::Cloned(state) => !matches!(
                state,
                ClonedState::HostKey(KeyHalf::Public) | ClonedState::UserKey(KeyHalf::Public)
            ),
            // User-data may hold passwords.
            Purpose::DropbearHostKey
            | Purpose::Passwords
            | Purpose::Login
            | Purpose::Account(AccountPart::GroupPasswords)
            | Purpose::CloudSeed => true,
            Purpose::HostName
            | Purpose::Hosts
            | Purpose::Address(_)
            | Purpose::RivalSettings
            | Purpose::RivalFile
            | Purpose::Resolver
            | Purpose::ResolvedSettings
            | Purpose::MachineId
            | Purpose::DbusMachineId
            | Purpose::SshdConfig
            | Purpose::SshConfig
            | Purpose::SystemKnownHosts
            | Purpose::UserKnownHosts { .. }
            | Purpose::HomeDirectory { .. }
            | Purpose::SshDirectory { .. }
            | Purpose::AuthorizedKeys { .. }
            | Purpose::Account(_)
            | Purpose::Boot(_)
            | Purpose::FirstBoot(_)
            | Purpose::CloudInit
            | Purpose::SshServer
            | Purpose::ClockStamp
            | Purpose::ClockDirectory => false,
        }
    }

    /// Returns which half of a key pair the file holds, if it is one of a pair.
    pub fn key_half(&self) -> Option<KeyHalf> {
        match self {
            Purpose::HostKey(half)
            | Purpose::ClusterKey { half, .. }
            | Purpose::Cloned(ClonedState::HostKey(half) | ClonedState::UserKey(half)) => {
                Some(*half)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_keys_hashes_and_environments_are_secret() {
        let user = || "root".to_owned();
        for purpose in [
            Purpose::HostKey(KeyHalf::Private),
            Purpose::DropbearHostKey,
            Purpose::ClusterKey { user: user(), half: KeyHalf::Private },
            Purpose::Passwords,
            Purpose::Login,
            Purpose::Swarm(SwarmPart::Key),
            Purpose::Swarm(SwarmPart::Service),
            Purpose::Swarm(SwarmPart::Environment),
            Purpose::ExtraFile(ExtraFileKind::PasswordDatabase),
            Purpose::ExtraFile(ExtraFileKind::HostKey),
            Purpose::Cloned(ClonedState::UserKey(KeyHalf::Private)),
            Purpose::Cloned(ClonedState::RandomSeed),
        ] {
            assert!(purpose.is_secret(), "{purpose:?}");
        }
        for purpose in [
            Purpose::HostKey(KeyHalf::Public),
            Purpose::ClusterKey { user: user(), half: KeyHalf::Public },
            Purpose::AuthorizedKeys { user: user() },
            Purpose::Swarm(SwarmPart::Configuration),
            Purpose::ExtraFile(ExtraFileKind::Plain),
        ] {
            assert!(!purpose.is_secret(), "{purpose:?}");
        }
    }
}
