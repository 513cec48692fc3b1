//! The arguments of the commands about running nodes: `status`, `export`.

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;
use clap_complete::engine::ArgValueCompleter;

use super::shared::JsonArg;
use crate::complete;

/// Check over ssh whether the running nodes match the profile
///
/// Asks all nodes at once. Each must answer at its address, have its own host key,
/// host name and machine id, let the profile's users log in with the cluster's
/// key or yours, and have a root filesystem that fills the card. With a swarm,
/// each node must also be a ready member, without dead members of the same name,
/// and every service must have all its containers. Nothing is changed on the
/// nodes.
///
/// Your own ssh settings and known hosts are not used.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard status mc1.yaml
  nodecard status mc1.yaml --wait 10m
  nodecard status mc1.yaml --node xu4-node2 --json

Exit codes:
  0  all nodes as expected
  1  problems found")]
pub struct StatusArgs {
    /// The profile of the cluster
    pub profile: PathBuf,

    /// Ask only this node; may be given several times
    #[arg(long = "node", value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub nodes: Vec<String>,

    /// Ask again until all nodes are as expected, for at most this long: 90s, 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait: Option<Duration>,

    /// Ask at most this many nodes at the same time
    #[arg(long, value_name = "NUMBER", default_value = "16")]
    pub jobs: usize,

    #[command(flatten)]
    pub json: JsonArg,
}

/// Print what other tools need to know about the nodes
///
/// Prints to standard output, without private keys unless --private is given. All
/// formats except hosts and pssh need the cluster's keys, which the first build
/// or flash creates.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard export mc1.yaml ssh-config > ~/.ssh/mc1.conf
  nodecard export mc1.yaml known-hosts >> ~/.ssh/known_hosts
  nodecard export mc1.yaml ansible > mc1.inventory.yaml")]
pub struct ExportArgs {
    /// The profile of the cluster
    pub profile: PathBuf,

    /// The format
    #[arg(value_enum, value_name = "FORMAT")]
    pub form: ExportFormArg,

    /// Have tools log in as this user [default: the first user with keys, other
    /// than root]
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,

    /// Include the private keys of the cluster and of the nodes; only with json
    #[arg(long)]
    pub private: bool,

    #[command(flatten)]
    pub json: JsonArg,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormArg {
    /// For ssh: `Include` it in ~/.ssh/config, or use it with `ssh -F`
    SshConfig,
    /// known_hosts lines with the host keys of all nodes
    KnownHosts,
    /// /etc/hosts lines
    Hosts,
    /// An inventory for Ansible, in YAML
    Ansible,
    /// A host file for pssh, parallel-ssh and the like: USER@ADDRESS lines
    Pssh,
    /// Everything, for programs
    Json,
}

/// Reads a time such as `90s`, `10m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..) {
        Some("s") => Some(1),
        Some("m" | "min") => Some(60),
        Some("h") => Some(3600),
        _ => None,
    };
    let seconds = digits.parse::<u32>().ok().zip(unit).and_then(|(n, unit)| n.checked_mul(unit));
    let seconds = seconds.filter(|seconds| *seconds <= 7 * 86_400);
    let seconds = seconds.ok_or("expected a time of up to a week, such as 90s, 10m or 1h")?;
    Ok(Duration::from_secs(seconds.into()))
}
