//! The arguments of the commands about running nodes: `status`, `export`.

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;
use clap_complete::engine::ArgValueCompleter;

use super::shared::JsonArg;
use crate::complete;

/// Ask the running nodes whether they are as the profile says
///
/// Checks over ssh, on all nodes at once, whether each answers at its address,
/// has its own host key, lets the users of the profile log in with the cluster's
/// key or yours, and has its own host name and machine id; how long it has been
/// running, and whether its root filesystem fills the card. With a swarm, also
/// how far each node has come, which nodes are ready, dead members of the same
/// name, and the containers of the services. Nothing is changed on the nodes.
///
/// ssh uses the cluster's keys, and no settings or known hosts of your own.
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

    /// Ask again until all nodes are as expected, for at most this time: 90s, 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait: Option<Duration>,

    /// Ask at most this number of nodes at the same time
    #[arg(long, value_name = "NUMBER", default_value = "16")]
    pub jobs: usize,

    #[command(flatten)]
    pub json: JsonArg,
}

/// Print what other tools need to know about the nodes
///
/// The output goes to standard output and contains no private key, unless
/// --private asks for them. All forms but hosts and pssh need the cluster's keys,
/// which the first build or flash makes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard export mc1.yaml ssh-config > ~/.ssh/mc1.conf
  nodecard export mc1.yaml known-hosts >> ~/.ssh/known_hosts
  nodecard export mc1.yaml ansible > mc1.inventory.yaml")]
pub struct ExportArgs {
    /// The profile of the cluster
    pub profile: PathBuf,

    /// The form
    #[arg(value_enum)]
    pub form: ExportFormArg,

    /// Have tools log in as this user [default: the first one with keys who is not
    /// root]
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
    /// Lines of known_hosts with the host keys of all nodes
    KnownHosts,
    /// Lines of /etc/hosts
    Hosts,
    /// An inventory for Ansible, in YAML
    Ansible,
    /// A file of hosts for pssh, parallel-ssh and the like: USER@ADDRESS lines
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
