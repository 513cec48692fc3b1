//! A validated cluster: a profile, checked and completed.

use std::{fmt, net::Ipv4Addr, path::PathBuf};

use system_model::CloudValue;

/// A cluster as its profile describes it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Cluster {
    /// The profile it was read from.
    pub path: PathBuf,
    /// The cluster's name.
    pub name: String,
    /// The image that every node's card is built from.
    pub base: BaseSpec,
    /// The size of the cards, if the profile sets it. Only images need it: a card has a size of its
    /// own.
    pub card: Option<CardSize>,
    /// The network settings that all nodes share.
    pub network: Network,
    /// The number of the root partition, from 1, if the profile sets it.
    pub root: Option<u32>,
    /// The nodes, in the order of the profile.
    pub nodes: Vec<Node>,
    /// The users that can log in by key.
    pub ssh: Ssh,
    /// Settings of single users of the image, in the order of the profile.
    pub users: Vec<Account>,
    /// Additional lines of /etc/hosts, as name and address, in the order of the profile.
    pub hosts: Vec<(String, Ipv4Addr)>,
    /// Changes to boot files.
    pub boot: Boot,
    /// Whether cloud-init stays on.
    pub cloud_init: CloudInitChoice,
    /// Extra files for every node.
    pub files: Vec<ExtraFile>,
    /// The Docker swarm that the nodes form, if any.
    pub swarm: Option<Swarm>,
    /// The directory that holds the cluster's keys.
    pub keys: PathBuf,
}

/// The image that every node's card is built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseSpec {
    /// The file. Relative paths in the profile start at its directory. For an image on the
    /// web, where it is kept once it was downloaded, or its address if that is not decided.
    pub path: PathBuf,
    /// The address that it is downloaded from, if it is on the web.
    pub url: Option<String>,
    /// The SHA-256 sum that the file must have.
    pub sha256: Option<[u8; 32]>,
}

/// The network settings that all nodes share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The interface that gets the address, such as `eth0`.
    pub interface: String,
    /// The length of the network prefix in bits.
    pub prefix: u8,
    /// The default gateway, if any.
    pub gateway: Option<Ipv4Addr>,
    /// Name servers.
    pub dns: Vec<Ipv4Addr>,
    /// Domains in which names without a dot are looked up.
    pub search: Vec<String>,
}

impl Network {
    /// Returns the prefix as a netmask.
    pub fn netmask(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(mask(self.prefix))
    }
}

/// Returns the netmask of a prefix in bits.
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
    /// Its role in a swarm.
    pub role: Role,
    /// Extra files for this node alone.
    pub files: Vec<ExtraFile>,
}

/// The role of a node in a swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Decides which node runs which container, and runs containers itself.
    Manager,
    /// Runs the containers that managers assign to it.
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

/// Changes to boot files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Boot {
    /// Arguments that the kernel command line gets.
    pub add: Vec<String>,
    /// Arguments that it loses: whole ones, or keys with any value.
    pub remove: Vec<String>,
    /// Settings of the Raspberry Pi's config.txt, with all values of a key.
    pub config: Vec<(String, Vec<String>)>,
}

/// What becomes of the image's cloud-init.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum CloudInitChoice {
    /// It is turned off where it would change something of a card.
    #[default]
    Off,
    /// It stays on, with a seed that leaves each card as the profile describes it.
    Keep {
        /// The owner's user-data.
        user_data: Option<UserData>,
    },
}

/// The owner's user-data for cloud-init.
#[derive(Debug, Clone, PartialEq)]
pub struct UserData {
    /// The file as the profile names it.
    pub path: String,
    /// Its text, for finding lines in it.
    pub text: String,
    /// A mapping of cloud-init's keys.
    pub config: CloudValue,
}

/// Which public keys that came with the image are removed from authorized_keys, besides those
/// whose private half is in the image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ImageKeyPolicy {
    /// None.
    #[default]
    Keep,
    /// All that the profile does not name.
    Remove,
    /// These, in base64.
    These(Vec<String>),
}

/// The users that can log in by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// Users that can log in from any node to any other without a password.
    pub users: Vec<String>,
    /// The line of the profile, from 1, that names each of them.
    pub user_lines: Vec<usize>,
    /// Lines of authorized_keys for logins from outside the cluster.
    pub authorized_keys: Vec<String>,
    /// What becomes of public keys that came with the image.
    pub image_keys: ImageKeyPolicy,
}

/// The settings of one user: of the image, or one that the profile makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// Whether the user is made if the image has none of this name.
    pub create: bool,
    /// Groups of the image that the user joins.
    pub groups: Vec<String>,
    /// The login shell. `None` keeps the one of the image.
    pub shell: Option<String>,
    /// Whether sudo asks the user for no password.
    pub sudo: bool,
    /// The number of a user that is made. `None` is the next that is free.
    pub uid: Option<u32>,
    /// The password. `None` keeps the one of the image.
    pub password: Option<Password>,
    /// Lines of authorized_keys for logins from outside the cluster as this user.
    pub authorized_keys: Vec<String>,
}

/// A user's password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// The password with this hash.
    Hash(PasswordHash),
    /// No password is accepted.
    Locked,
}

impl Cluster {
    /// Returns the users that can log in by key, those of `ssh.users` first.
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

    /// Returns the lines of authorized_keys for logins from outside the cluster as `user`.
    pub fn authorized_keys(&self, user: &str) -> Vec<&str> {
        let is_ssh_user = self.ssh.users.iter().any(|name| name == user);
        let shared: &[String] = if is_ssh_user { &self.ssh.authorized_keys } else { &[] };
        let accounts = self.users.iter().filter(|account| account.name == user);
        let own = accounts.flat_map(|account| &account.authorized_keys);
        shared.iter().chain(own).map(String::as_str).collect()
    }
}

/// An extra file for a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraFile {
    /// Absolute path inside the image.
    pub path: String,
    /// Its contents.
    pub contents: Vec<u8>,
    /// Permission bits. `None` keeps those of a file that exists.
    pub mode: Option<u16>,
    /// The owner. `None` keeps the one of a file that exists.
    pub owner: Option<Owner>,
}

/// The owner of an extra file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// A user in the image's /etc/passwd.
    pub user: OwnerId,
    /// A group in the image's /etc/group. `None` is the user's own group.
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
