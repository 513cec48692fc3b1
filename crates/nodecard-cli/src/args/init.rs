//! The arguments of `init`.

use std::{net::Ipv4Addr, path::PathBuf};

use clap::ValueEnum;

use super::shared::{JsonArg, card_size_text};

/// Create a profile for a new cluster
///
/// Asks a few questions and suggests answers. Looks for base images in the current
/// directory, ~/Downloads and your home directory, opens the one you choose, and
/// takes network, gateway and name servers from this computer. The result is a
/// profile with comments, which check accepts. Existing files are never
/// overwritten.
///
/// Each option answers a question; --yes accepts the suggestions for the others.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard init
  nodecard init mc1.yaml --base mrdreambot-xu4.img.xz
  nodecard init --base xu4.img.xz --nodes 4 --name xu4-node \\
    --first-address 192.168.1.80 --yes")]
pub struct InitArgs {
    /// Write the profile to this file [default: the cluster's name with .yaml]
    pub profile: Option<PathBuf>,

    /// Build the cards from this image
    #[arg(long, value_name = "FILE")]
    pub base: Option<PathBuf>,

    /// Name the cluster [default: from the names of the profile or of the nodes]
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,

    /// Set the number of nodes [default: 4]
    #[arg(long, value_name = "NUMBER", value_parser = node_count)]
    pub nodes: Option<u32>,

    /// Start node names with this: xu4-node gives xu4-node1, xu4-node2 ...
    /// [default: the cluster's name and -node]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Give the first node this address, and the others the addresses after it
    /// [default: .80 in the gateway's network, if it fits]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub first_address: Option<Ipv4Addr>,

    /// Set the network interface of the nodes [default: the image's, or eth0]
    #[arg(long, value_name = "NAME")]
    pub interface: Option<String>,

    /// Set the length of the network prefix in bits [default: this computer's in
    /// its own network, else 24]
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(1..=30))]
    pub prefix: Option<u8>,

    /// Set the default gateway [default: this computer's, or the address that
    /// ends in .1 if --first-address is in another network]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub gateway: Option<Ipv4Addr>,

    /// Set a name server; may be given several times [default: this computer's in
    /// its own network, else the gateway]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub dns: Vec<Ipv4Addr>,

    /// Set the size printed on the cards [default: the smallest that fits the
    /// image, from 8GB]
    #[arg(long, value_name = "SIZE", value_parser = card_size_text)]
    pub card: Option<String>,

    /// Let this user log in by key; may be given several times [default: root and
    /// the image's user]
    #[arg(long = "user", value_name = "NAME")]
    pub users: Vec<String>,

    /// Let the owner of this public key log in; may be given several times
    /// [default: the first in ~/.ssh]
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,

    /// Choose what happens to the passwords of the users who log in by key
    /// [default: locked]
    #[arg(long, value_enum, conflicts_with = "password_hash")]
    pub passwords: Option<PasswordsArg>,

    /// Set this password hash for all users except root, and lock root
    #[arg(long, value_name = "HASH")]
    pub password_hash: Option<String>,

    /// Have the nodes form a Docker Swarm [default: empty if the image has Docker,
    /// else no]
    #[arg(long, value_enum)]
    pub swarm: Option<SwarmArg>,

    /// Accept the suggestions for everything that no option answers
    #[arg(long)]
    pub yes: bool,

    #[command(flatten)]
    pub json: JsonArg,
}

fn node_count(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| (1..=1000).contains(count));
    count.ok_or_else(|| "write a number from 1 to 1000".to_owned())
}

fn address(text: &str) -> Result<Ipv4Addr, String> {
    text.parse().map_err(|_| "write an IPv4 address, such as 192.168.1.80".to_owned())
}

/// What becomes of the users' passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PasswordsArg {
    /// Lock them: only keys are accepted
    Locked,
    /// Ask for new ones
    Ask,
    /// Keep those of the image
    Keep,
}

/// The swarm of a new profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SwarmArg {
    /// No swarm
    No,
    /// A swarm without services
    Empty,
    /// A swarm with the services of the article "ODROID-MC1 Docker Swarm": a
    /// visualizer and a web server, for 32-bit ARM
    Article,
}
