//! A validated cluster: what a profile says, checked and completed.

use std::{fmt, net::Ipv4Addr, path::PathBuf};

/// A cluster as its profile describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cluster {
    /// The profile it was read from.
    pub path: PathBuf,
    /// The cluster's name.
    pub name: String,
    /// The image that every node's card is made from.
    pub base: BaseSpec,
    /// The size of the cards in bytes; a multiple of 512.
    pub card: CardSize,
    /// What all nodes' network settings share.
    pub network: Network,
    /// The number of the root partition, from 1, where the profile picks it.
    pub root: Option<u32>,
    /// The nodes, in the profile's order.
    pub nodes: Vec<Node>,
    /// Who may log in by key.
    pub ssh: Ssh,
    /// What becomes of single users of the image, in the profile's order.
    pub users: Vec<Account>,
    /// Further lines of /etc/hosts: name and address, in the profile's order.
    pub hosts: Vec<(String, Ipv4Addr)>,
    /// Further files for every node.
    pub files: Vec<ExtraFile>,
    /// The Docker swarm that the nodes form, if they do.
    pub swarm: Option<Swarm>,
    /// The directory that holds the cluster's keys.
    pub keys: PathBuf,
}

/// The image that every node's card is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseSpec {
    /// The file, relative paths taken from the profile's directory.
    pub path: PathBuf,
    /// What the file's SHA-256 must be.
    pub sha256: Option<[u8; 32]>,
}

/// What all nodes' network settings share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The interface that gets the address, such as `eth0`.
    pub interface: String,
    /// The length of the network prefix in bits.
    pub prefix: u8,
    /// The default gateway, if there is one.
    pub gateway: Option<Ipv4Addr>,
    /// Name servers.
    pub dns: Vec<Ipv4Addr>,
    /// Domains in which names without a dot are looked up.
    pub search: Vec<String>,
}

impl Network {
    /// The prefix as a netmask.
    pub fn netmask(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(mask(self.prefix))
    }
}

/// The netmask of a prefix in bits.
pub(crate) fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32u32.saturating_sub(prefix.into())).unwrap_or(0)
}

/// One node of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// Its host name: one RFC 1123 label, in lower case.
    pub name: String,
    /// Its static address.
    pub address: Ipv4Addr,
    /// What it is in a swarm.
    pub role: Role,
    /// Further files for this node alone.
    pub files: Vec<ExtraFile>,
}

/// What a node is in a swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It decides what runs where.
    Manager,
    /// It runs what managers give it.
    Worker,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Manager => "manager",
            Role::Worker => "worker",
        })
    }
}

/// Who may log in by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// Who may go from any node to any other without a password.
    pub users: Vec<String>,
    /// Lines of authorized_keys for whoever may come in from outside.
    pub authorized_keys: Vec<String>,
}

/// What becomes of one user of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// The password; the image's own stays where this is `None`.
    pub password: Option<Password>,
    /// Lines of authorized_keys for whoever may come in from outside as this user.
    pub authorized_keys: Vec<String>,
}

/// What becomes of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// It is the one that hashes to this.
    Hash(PasswordHash),
    /// There is none, and none lets the user in.
    Locked,
}

impl Cluster {
    /// Users who are to log in by key, those of `ssh.users` first.
    pub fn key_users(&self) -> Vec<&str> {
        let mut users: Vec<&str> = self.ssh.users.iter().map(String::as_str).collect();
        let others = self.users.iter().filter(|account| !account.authorized_keys.is_empty());
        for account in others {
            if !users.contains(&account.name.as_str()) {
                users.push(&account.name);
            }
        }
        users
    }

    /// Lines of authorized_keys for whoever may come in from outside as a user.
    pub fn authorized_keys(&self, user: &str) -> Vec<&str> {
        let of_all = match self.ssh.users.iter().any(|name| name == user) {
            true => self.ssh.authorized_keys.as_slice(),
            false => &[],
        };
        let own = self.users.iter().filter(|account| account.name == user);
        let own = own.flat_map(|account| &account.authorized_keys);
        of_all.iter().chain(own).map(String::as_str).collect()
    }
}

/// A further file for a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraFile {
    /// Absolute path inside the image.
    pub path: String,
    /// What it holds.
    pub contents: Vec<u8>,
    /// Permission bits; a file that exists keeps its own where this is `None`.
    pub mode: Option<u16>,
    /// Owner; a file that exists keeps its own where this is `None`.
    pub owner: Option<Owner>,
}

/// The owner of a further file, as the profile names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// A name or a number from the image's /etc/passwd.
    pub user: OwnerId,
    /// A name or a number from the image's /etc/group; the user's own group
    /// where this is `None`.
    pub group: Option<OwnerId>,
}

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnerId {
    /// By name.
    Name(String),
    /// By number.
    Number(u32),
}

pub use crate::{passwords::PasswordHash, size::CardSize, swarm::Swarm};
