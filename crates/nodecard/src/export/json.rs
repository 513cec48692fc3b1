//! For programs.

use std::{net::Ipv4Addr, path::PathBuf};

use cluster_keys::KeyPair;
use serde::Serialize;

use crate::{
    Error, Project,
    access::{identity_files, names},
};

#[derive(Serialize)]
struct Export<'a> {
    cluster: &'a str,
    network: Network<'a>,
    /// The user whom tools log in as.
    user: Option<&'a str>,
    /// The users who can log in by key.
    users: Vec<&'a str>,
    /// The private keys on this computer that `user` accepts.
    identity_files: Vec<PathBuf>,
    cluster_key: Key<'a>,
    nodes: Vec<Node<'a>>,
    hosts: Vec<Host<'a>>,
}

#[derive(Serialize)]
struct Network<'a> {
    interface: &'a str,
    prefix: u8,
    gateway: Option<Ipv4Addr>,
    dns: &'a [Ipv4Addr],
    search: &'a [String],
}

#[derive(Serialize)]
struct Node<'a> {
    name: &'a str,
    aliases: Vec<&'a str>,
    address: Ipv4Addr,
    /// Its role, if the nodes form a swarm.
    role: Option<String>,
    machine_id: String,
    host_key: Key<'a>,
}

#[derive(Serialize)]
struct Key<'a> {
    public: &'a str,
    fingerprint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    private: Option<&'a str>,
}

#[derive(Serialize)]
struct Host<'a> {
    name: &'a str,
    address: Ipv4Addr,
}

/// Returns everything as JSON.
pub(super) fn export(
    project: &Project,
    user: Option<&str>,
    private_keys: bool,
) -> Result<String, Error> {
    let (cluster, keys) = (project.cluster(), project.keys()?);
    let mut nodes = Vec::new();
    for node in &cluster.nodes {
        nodes.push(Node {
            name: &node.name,
            aliases: names(cluster, node).split_off(1),
            address: node.address,
            role: cluster.swarm.as_ref().map(|_| node.role.to_string()),
            machine_id: keys.machine_id(&node.name),
            host_key: Key::of(keys.host(&node.name)?, private_keys),
        });
    }
    let export = Export {
        cluster: &cluster.name,
        network: Network {
            interface: &cluster.network.interface,
            prefix: cluster.network.prefix,
            gateway: cluster.network.gateway,
            dns: &cluster.network.dns,
            search: &cluster.network.search,
        },
        user,
        users: cluster.key_users(),
        identity_files: match user {
            Some(user) => identity_files(project, user)?,
            None => Vec::new(),
        },
        cluster_key: Key::of(keys.cluster(), private_keys),
        nodes,
        hosts: cluster
            .hosts
            .iter()
            .map(|(name, address)| Host { name, address: *address })
            .collect(),
    };
    // Nothing in it can fail to be written as JSON.
    Ok(serde_json::to_string_pretty(&export).unwrap_or_default() + "\n")
}

impl<'a> Key<'a> {
    fn of(pair: &'a KeyPair, with_private: bool) -> Self {
        Key {
            public: pair.public().trim_end(),
            fingerprint: pair.fingerprint(),
            private: with_private.then(|| pair.private()),
        }
    }
}
