//! The kinds of findings.

use std::fmt;

use serde::{Serialize, Serializer};

/// Declares the enum, its list and its names from one table.
macro_rules! finding_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What kind of finding it is. Programs see the name, which stays the same from
        /// one release to the next; docs/verify.md explains each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum FindingCode {
            $($(#[$doc])* $variant,)*
        }

        impl FindingCode {
            /// Every code, in the order of docs/verify.md.
            pub const ALL: &[FindingCode] = &[$(FindingCode::$variant,)*];

            /// Returns its name: lower-case words joined by hyphens.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(FindingCode::$variant => $name,)*
                }
            }
        }
    };
}

finding_codes! {
    /// Another host name.
    HostName = "host-name",
    /// /etc/hosts lacks a node, or gives it another address.
    Hosts = "hosts",
    /// The node's static address is wrong or missing.
    Address = "address",
    /// Another network back end would take the interface.
    NetworkRival = "network-rival",
    /// The node's interface gets another name at boot.
    InterfaceName = "interface-name",
    /// The profile's name servers are not used.
    Resolver = "resolver",
    /// Another machine id.
    MachineId = "machine-id",
    /// Another host key.
    HostKey = "host-key",
    /// A user's key is not the cluster's.
    ClusterKey = "cluster-key",
    /// A key that should be accepted is not.
    AuthorizedKeys = "authorized-keys",
    /// ssh does not know a node.
    KnownHosts = "known-hosts",
    /// A user's ssh knows a node by another key.
    StaleKnownHost = "stale-known-host",
    /// Another password than the profile's.
    Password = "password",
    /// A password that everybody knows, or none.
    DefaultPassword = "default-password",
    /// A user that the profile makes is not as it says.
    Account = "account",
    /// A boot file lacks the profile's settings.
    BootSettings = "boot-settings",
    /// A user has no ~/.ssh.
    SshDirectory = "ssh-directory",
    /// A user has no home directory.
    HomeDirectory = "home-directory",
    /// A file belongs to another user or group.
    Owner = "owner",
    /// A file has other permission bits.
    Mode = "mode",
    /// sshd does not use the node's host key.
    SshdConfig = "sshd-config",
    /// A setting of sshd's may keep keys from being accepted.
    SshHindrance = "ssh-hindrance",
    /// Nothing starts an ssh server, which logins by key need.
    SshServer = "ssh-server",
    /// A program would undo the card at its first boot.
    FirstBoot = "first-boot",
    /// An overlay takes what programs write to the root filesystem.
    RootOverlay = "root-overlay",
    /// cloud-init would change the card.
    CloudInit = "cloud-init",
    /// The clock begins before the cluster's keys were made.
    Clock = "clock",
    /// A part of the swarm's is not the profile's.
    Swarm = "swarm",
    /// An archive of images is missing, or another.
    SwarmImage = "swarm-image",
    /// The node recorded that it is not in the swarm as it should be.
    SwarmState = "swarm-state",
    /// One of the profile's `files` differs.
    ExtraFile = "extra-file",
    /// Another filesystem is mounted over files.
    HiddenFiles = "hidden-files",
    /// An identity is the base image's.
    ClonedFile = "cloned-file",
    /// A user's key pair is the base image's.
    ClonedUserKey = "cloned-user-key",
    /// The system lacks something that the profile needs.
    UnfitSystem = "unfit-system",
    /// A file is damaged.
    UnreadableFile = "unreadable-file",
    /// The root partition does not fill the card.
    PartitionNotGrown = "partition-not-grown",
    /// The root filesystem does not fill its partition.
    FilesystemNotGrown = "filesystem-not-grown",
    /// The root filesystem is larger than its partition.
    FilesystemCutOff = "filesystem-cut-off",
    /// The kernel found errors in the root filesystem.
    FilesystemErrors = "filesystem-errors",
    /// The root filesystem was not unmounted.
    FilesystemDirty = "filesystem-dirty",
    /// Deleted files wait to be removed.
    FilesystemOrphans = "filesystem-orphans",
    /// The second copy of a GPT is damaged.
    GptBackup = "gpt-backup",
    /// The boot loader is not the base image's.
    BootArea = "boot-area",
    /// The boot loader's settings were saved.
    BootEnvironment = "boot-environment",
    /// Two cards are the same node's.
    DuplicateNode = "duplicate-node",
    /// Two cards have one host name.
    DuplicateHostName = "duplicate-host-name",
    /// Two cards have one address.
    DuplicateAddress = "duplicate-address",
    /// Two cards have one machine id.
    DuplicateMachineId = "duplicate-machine-id",
    /// Two cards have one host key.
    DuplicateHostKey = "duplicate-host-key",
    /// Two cards have one Docker identity.
    DuplicateEngineId = "duplicate-engine-id",
    /// Two cards are one node of a swarm.
    DuplicateSwarmNode = "duplicate-swarm-node",
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for FindingCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of docs/verify.md has every code, and no other.
    #[test]
    fn the_documentation_lists_every_code() {
        let text = include_str!("../../../docs/verify.md");
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut documented: Vec<String> = Vec::new();
        for row in rows {
            let cells: Vec<&str> = row.split(" | ").collect();
            let first = cells.first().copied().unwrap_or_default();
            match first.strip_prefix("duplicate-") {
                // The second half of each code is in the third column.
                Some(_) => {
                    let kinds = cells.get(2).copied().unwrap_or_default();
                    let kinds = kinds.split(':').next().unwrap_or_default();
                    let kinds = kinds.split('`').skip(1).step_by(2);
                    documented.extend(kinds.map(|kind| format!("duplicate-{kind}")));
                }
                None => {
                    let codes = first.split('`').step_by(2).filter(|code| !code.is_empty());
                    documented.extend(codes.map(str::to_owned));
                }
            }
        }
        let known: Vec<&str> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
        for code in &known {
            assert!(
                documented.iter().any(|other| other == code),
                "{code} is not in docs/verify.md"
            );
        }
        for code in &documented {
            assert!(known.contains(&code.as_str()), "docs/verify.md has the unknown code {code}");
        }
    }

    /// Programs rely on these: they are never changed, only added to.
    #[test]
    fn the_codes_are_stable() {
        let names: Vec<&str> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(
            names.join(" "),
            "host-name hosts address network-rival interface-name resolver machine-id host-key cluster-key \
             authorized-keys known-hosts stale-known-host password default-password \
             account boot-settings ssh-directory home-directory owner mode sshd-config \
             ssh-hindrance ssh-server first-boot root-overlay cloud-init clock swarm swarm-image swarm-state \
             extra-file hidden-files cloned-file \
             cloned-user-key unfit-system unreadable-file partition-not-grown \
             filesystem-not-grown filesystem-cut-off filesystem-errors filesystem-dirty \
             filesystem-orphans gpt-backup boot-area boot-environment duplicate-node \
             duplicate-host-name duplicate-address duplicate-machine-id duplicate-host-key \
             duplicate-engine-id duplicate-swarm-node"
        );
        for code in FindingCode::ALL {
            assert_eq!(code.to_string(), code.as_str());
            let json = serde_json::to_string(code).expect("a string");
            assert_eq!(json, format!("\"{code}\""));
        }
    }
}
