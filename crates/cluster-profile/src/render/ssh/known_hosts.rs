//! Known hosts: /etc/ssh/ssh_known_hosts, and stale lines in users' own files.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use cluster_keys::ClusterKeys;

use crate::{
    Attributes, Cluster, Purpose,
    cluster::mask,
    render::{
        RenderError,
        accounts::User,
        context::Context,
        text::{encode, end_last_line, lines},
    },
};

/// The known hosts of all users.
pub(in crate::render) const SYSTEM_KNOWN_HOSTS: &str = "/etc/ssh/ssh_known_hosts";

/// Writes the keys of all nodes for every user. Lines about other hosts survive.
pub(super) fn write_global(to: &mut Context<'_>) -> Result<(), RenderError> {
    let old = to.read(SYSTEM_KNOWN_HOSTS)?.unwrap_or_default();
    let mut new = without(&old, &Nodes::of(to.cluster, to.keys, |_| true)?);
    end_last_line(&mut new);
    for node in &to.cluster.nodes {
        let key = to.keys.host(&node.name)?.public_without_comment();
        let others = to.cluster.hosts.iter().filter(|(_, address)| *address == node.address);
        let aliases: String = others.map(|(name, _)| format!(",{name}")).collect();
        new.push_str(&format!("{}{aliases},{} {key}\n", node.name, node.address));
    }
    // Every user's ssh reads it.
    let attributes = Attributes::exactly(0o644, 0, 0);
    to.write(Purpose::SystemKnownHosts, SYSTEM_KNOWN_HOSTS, encode(&new), attributes);
    Ok(())
}

/// Removes what a user's own file says about the nodes.
///
/// Hashed lines stay: they do not show which host they are about, and they do no harm,
/// since ssh knows a host if any of its files has the key.
pub(super) fn clean_own(to: &mut Context<'_>, user: &User) -> Result<(), RenderError> {
    let path = format!("{}/.ssh/known_hosts", user.home.trim_end_matches('/'));
    if let Some(old) = to.read(&path)? {
        let new = KnownNodes::of(to.cluster, to.keys)?.remove_from(&old);
        to.rewrite(Purpose::UserKnownHosts { user: user.name.clone() }, &path, &old, &new);
    }
    Ok(())
}

/// What distinguishes lines about the nodes from others in a user's own file.
pub(in crate::render) struct KnownNodes<'a>(Nodes<Box<dyn Fn(Ipv4Addr) -> bool + 'a>>);

impl<'a> KnownNodes<'a> {
    pub fn of(cluster: &'a Cluster, keys: &ClusterKeys) -> Result<Self, RenderError> {
        let network = &cluster.network;
        let gateway = network.gateway.or(cluster.nodes.first().map(|node| node.address));
        let bits = |address: Ipv4Addr| address.to_bits() & mask(network.prefix);
        // Elsewhere, a node may have further addresses, on other networks.
        let is_near = move |address| gateway.is_some_and(|gateway| bits(gateway) == bits(address));
        let is_near: Box<dyn Fn(Ipv4Addr) -> bool + 'a> = Box::new(is_near);
        Ok(KnownNodes(Nodes::of(cluster, keys, is_near)?))
    }

    /// Returns the file without what it says about the nodes.
    pub fn remove_from(&self, text: &str) -> String {
        without(text, &self.0)
    }
}

/// What distinguishes lines about nodes from others.
struct Nodes<F> {
    /// Names and addresses of the nodes.
    hosts: BTreeSet<String>,
    /// Their keys. An address with one of them is one that the node had before.
    keys: BTreeSet<String>,
    /// Whether an address may be one that a node had before.
    may_be_old: F,
}

impl<F: Fn(Ipv4Addr) -> bool> Nodes<F> {
    fn of(cluster: &Cluster, keys: &ClusterKeys, may_be_old: F) -> Result<Self, RenderError> {
        let nodes = &cluster.nodes;
        let is_node = |address| nodes.iter().any(|node| node.address == address);
        let aliases = cluster.hosts.iter().filter(|(_, address)| is_node(*address));
        let hosts = nodes
            .iter()
            .flat_map(|node| [node.name.clone(), node.address.to_string()])
            .chain(aliases.map(|(name, _)| name.clone()))
            .collect();
        let mut public = BTreeSet::new();
        for node in nodes {
            public.insert(keys.host(&node.name)?.public_without_comment());
        }
        Ok(Nodes { hosts, keys: public, may_be_old })
    }

    /// Returns whether a name of a line with this key is a node's, or an address that a node
    /// had before: one that is beside the node's name, or has the key of a node.
    fn has(&self, name: &str, names: &str, key: &str) -> bool {
        let is_host = |name: &str| self.hosts.contains(&name.to_ascii_lowercase());
        let is_name = |name: &str| name.parse::<IpAddr>().is_err() && is_host(name);
        let is_old = |address| {
            (self.may_be_old)(address) && (self.keys.contains(key) || names.split(',').any(is_name))
        };
        is_host(name) || name.parse().is_ok_and(is_old)
    }
}

/// Returns the file without what it says about `nodes`; a line that is also about others loses
/// only that.
fn without<F: Fn(Ipv4Addr) -> bool>(text: &str, nodes: &Nodes<F>) -> String {
    let mut out = String::with_capacity(text.len());
    for line in lines(text) {
        let mut words = line.split_ascii_whitespace();
        let first = words.next().unwrap_or_default();
        let key = words.take(2).collect::<Vec<_>>().join(" ");
        // Comments, hashed names, and lines about authorities.
        if first.is_empty() || first.starts_with(['#', '|', '@']) {
            out.push_str(line);
            continue;
        }
        let others: Vec<&str> =
            first.split(',').filter(|name| !nodes.has(name, first, &key)).collect();
        if others.len() == first.split(',').count() {
            out.push_str(line);
        } else if !others.is_empty() {
            out.push_str(&line.replacen(first, &others.join(","), 1));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_hosts_go() {
        let nodes = Nodes {
            hosts: ["n1", "10.0.0.1"].map(str::to_owned).into_iter().collect(),
            keys: ["ssh-ed25519 OURS".to_owned()].into_iter().collect(),
            may_be_old: |address: Ipv4Addr| address.octets()[0] == 10,
        };
        let text = "# n1\nn1,10.0.0.1 ssh-rsa A\n|1|x|y ssh-rsa B\nnas,N1 ssh-rsa C\n\
                    @revoked n1 ssh-rsa D\n[n1]:2222 ssh-rsa E";
        assert_eq!(
            without(text, &nodes),
            "# n1\n|1|x|y ssh-rsa B\nnas ssh-rsa C\n@revoked n1 ssh-rsa D\n[n1]:2222 ssh-rsa E"
        );
        // The node had the address 10.0.0.7 before: by its key, or beside its name.
        let text = "10.0.0.7 ssh-ed25519 OURS\nn1,10.0.0.7 ssh-rsa A\nnas,10.0.0.7 ssh-ed25519 \
                    OURS\n10.0.0.7 ssh-rsa A\n192.168.1.7 ssh-ed25519 OURS\n";
        assert_eq!(
            without(text, &nodes),
            "nas ssh-ed25519 OURS\n10.0.0.7 ssh-rsa A\n192.168.1.7 ssh-ed25519 OURS\n"
        );
    }
}
