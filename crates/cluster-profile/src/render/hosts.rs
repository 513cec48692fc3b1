//! /etc/hosts: the lines of the cluster, among lines of others.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use super::{
    RenderError,
    context::Context,
    text::{encode, end_last_line, lines, split_comment, without_words},
};
use crate::{Attributes, Cluster, Node, Note, Purpose};

const HOSTS: &str = "/etc/hosts";
/// The address that Debian gives the host's own name.
const OWN: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);

/// Writes the file for one node.
pub(super) fn write(to: &mut Context<'_>, node: &Node) -> Result<(), RenderError> {
    let (new, _) = of_node(to, node)?;
    to.write(Purpose::Hosts, HOSTS, encode(&new), Attributes::root(0o644));
    Ok(())
}

fn of_node(from: &Context<'_>, node: &Node) -> Result<(String, Dropped), RenderError> {
    let old = from.read(HOSTS)?.unwrap_or_default();
    let hostname = from.read("/etc/hostname")?.unwrap_or_default();
    let old_name = hostname.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#'));
    Ok(render(&old, old_name, from.cluster, node))
}

/// Notes what the file loses, which is the same for every node.
pub(super) fn note_dropped(to: &mut Context<'_>) -> Result<(), RenderError> {
    let Some(node) = to.cluster.nodes.first() else { return Ok(()) };
    let (_, dropped) = of_node(to, node)?;
    for (address, aliases) in dropped {
        let (address, names) = (address.to_string(), aliases);
        to.note(Note::RemovedHosts { address, names });
    }
    Ok(())
}

/// Names that lost their address to the profile.
type Dropped = Vec<(Ipv4Addr, Vec<String>)>;

/// A line that nodecard writes.
struct Entry {
    address: Ipv4Addr,
    names: Vec<String>,
    /// Other names that the image had for the same host.
    aliases: Vec<String>,
    /// Names that the image had for the address, if it does not agree.
    strangers: Vec<String>,
    comment: String,
    /// Whether the image gave the address one of its names in the profile.
    agrees: bool,
}

impl Entry {
    fn new(address: Ipv4Addr, name: &str) -> Self {
        Entry {
            address,
            names: vec![name.to_owned()],
            aliases: Vec::new(),
            strangers: Vec::new(),
            comment: String::new(),
            agrees: false,
        }
    }

    fn line(&self) -> String {
        let names: Vec<&str> = self.names.iter().chain(&self.aliases).map(String::as_str).collect();
        let space = if self.comment.is_empty() { "" } else { " " };
        format!("{}\t{}{space}{}\n", self.address, names.join(" "), self.comment)
    }

    /// Takes over what a line of the image says about the address.
    fn take(&mut self, others: Vec<String>, agrees: bool, comment: &str) {
        self.agrees |= agrees;
        let known = |entry: &Entry, name: &str| {
            entry.aliases.iter().chain(&entry.strangers).any(|n| n.eq_ignore_ascii_case(name))
        };
        for name in others {
            if !known(self, &name) {
                self.strangers.push(name);
            }
        }
        let comment = comment.trim_ascii_end();
        if !comment.is_empty() && !self.comment.contains(comment) {
            let space = if self.comment.is_empty() { "" } else { " " };
            self.comment = format!("{}{space}{comment}", self.comment);
        }
    }

    /// Decides which of the image's names stay, and returns those that lost their address.
    fn settle(&mut self) -> Vec<String> {
        let strangers = std::mem::take(&mut self.strangers);
        if self.agrees {
            self.aliases.extend(strangers);
            return Vec::new();
        }
        self.comment.clear();
        strangers
    }
}

fn entries(cluster: &Cluster) -> Vec<Entry> {
    let nodes = cluster.nodes.iter().map(|node| (node.name.as_str(), node.address));
    let hosts = cluster.hosts.iter().map(|(name, address)| (name.as_str(), *address));
    let mut entries: Vec<Entry> = Vec::new();
    for (name, address) in nodes.chain(hosts) {
        match entries.iter_mut().find(|entry| entry.address == address) {
            Some(entry) => entry.names.push(name.to_owned()),
            None => entries.push(Entry::new(address, name)),
        }
    }
    entries
}

fn render(old: &str, old_name: Option<&str>, cluster: &Cluster, node: &Node) -> (String, Dropped) {
    let mut entries = entries(cluster);
    // An image without a name of its own may call itself localhost.
    let old_name = old_name.filter(|name| !name.to_ascii_lowercase().starts_with("localhost"));
    let ours: BTreeSet<String> = entries
        .iter()
        .flat_map(|entry| &entry.names)
        .map(String::as_str)
        .chain(old_name)
        .map(str::to_ascii_lowercase)
        .collect();
    let is_ours = |name: &str| ours.contains(&name.to_ascii_lowercase());
    let mut own = Entry::new(OWN, &node.name);
    own.agrees = true;

    // The lines of others, and the places where ours were among them.
    let mut kept: Vec<String> = Vec::new();
    let (mut block_at, mut own_at, mut loopback_at) = (None, None, None);
    for line in lines(old) {
        let (body, comment) = split_comment(line);
        let mut words = body.split_ascii_whitespace();
        let address: Option<IpAddr> = words.next().and_then(|word| word.parse().ok());
        let names: Vec<&str> = words.collect();
        let (Some(address), false) = (address, names.is_empty()) else {
            kept.push(line.to_owned());
            continue;
        };
        let others = || names.iter().filter(|name| !is_ours(name)).map(|name| (*name).to_owned());
        if address == OWN {
            own_at.get_or_insert(kept.len());
            // The old name with a domain is removed as well.
            let of_ours = |name: &String| name.split('.').next().is_some_and(is_ours);
            own.take(others().filter(|name| !of_ours(name)).collect(), true, comment);
        } else if let Some(entry) = entries.iter_mut().find(|entry| address == entry.address) {
            block_at.get_or_insert(kept.len());
            let agrees =
                entry.names.iter().any(|n| names.iter().any(|m| m.eq_ignore_ascii_case(n)));
            entry.take(others().collect(), agrees, comment);
        } else if names.iter().any(|name| is_ours(name)) {
            if others().next().is_some() {
                kept.push(without_words(body, is_ours) + comment);
            }
        } else {
            kept.push(line.to_owned());
        }
        if address == Ipv4Addr::LOCALHOST && names.contains(&"localhost") {
            loopback_at.get_or_insert(kept.len());
        }
    }

    let settled = entries.iter_mut().map(|entry| (entry.address, entry.settle()));
    let dropped = settled.filter(|(_, names)| !names.is_empty()).collect();
    own.settle();
    let block: String = entries.iter().map(Entry::line).collect();
    let mut out = String::with_capacity(old.len() + block.len());
    if loopback_at.is_none() {
        out.push_str("127.0.0.1\tlocalhost\n");
    }
    let own_at = own_at.or(loopback_at).unwrap_or(0);
    let block_at = block_at.unwrap_or(kept.len());
    let place = |index: usize, out: &mut String| {
        if index == own_at {
            end_last_line(out);
            out.push_str(&own.line());
        }
        if index == block_at {
            end_last_line(out);
            out.push_str(&block);
        }
    };
    for (index, line) in kept.iter().enumerate() {
        place(index, &mut out);
        out.push_str(line);
    }
    place(kept.len(), &mut out);
    (out, dropped)
}

/// Returns the file without the lines of a cluster and without the host's own name, which is in
/// the text of /etc/hostname. Other names and comments stay.
pub(super) fn without_cluster(old: &str, hostname: &str, cluster: Option<&Cluster>) -> String {
    let own = hostname.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#'));
    let own = own.filter(|name| !name.to_ascii_lowercase().starts_with("localhost"));
    let entries = cluster.map(entries).unwrap_or_default();
    let is_own = |name: &str| {
        let short = name.split('.').next().unwrap_or_default();
        own.is_some_and(|own| short.eq_ignore_ascii_case(own) || name.eq_ignore_ascii_case(own))
    };
    let mut out = String::with_capacity(old.len());
    for line in lines(old) {
        let (body, comment) = split_comment(line);
        let mut words = body.split_ascii_whitespace();
        let address: Option<IpAddr> = words.next().and_then(|word| word.parse().ok());
        let Some(address) = address else {
            out.push_str(line);
            continue;
        };
        let entry = entries.iter().find(|entry| address == entry.address);
        let of_entry = |name: &str| {
            entry.is_some_and(|entry| entry.names.iter().any(|n| n.eq_ignore_ascii_case(name)))
        };
        let is_ours = |name: &str| is_own(name) || of_entry(name);
        if !words.clone().any(is_ours) {
            out.push_str(line);
        } else if words.any(|name| !is_ours(name)) {
            out.push_str(&(without_words(body, is_ours) + comment));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::without_cluster;

    #[test]
    fn only_the_cluster_and_the_own_name_go() {
        let profile = "cluster: c\nbase: b\ncard: 8GB\n\
                       network: {interface: eth0, prefix: 24}\n\
                       nodes:\n  - {name: n1, address: 10.0.0.1}\n  - {name: n2, address: 10.0.0.2}\n\
                       hosts: {nas: 10.0.0.9}\n";
        let cluster = crate::Cluster::parse(profile, "c.yaml".as_ref()).unwrap();
        let old = "127.0.0.1\tlocalhost\n127.0.1.1\tn1.lan n1\n# n1\n10.0.0.1\tn1\n\
                   10.0.0.2\tn2 printer # both\n10.0.0.9 nas\n10.0.0.7 n2\n::1 localhost N1\n";
        assert_eq!(
            without_cluster(old, "n1\n", Some(&cluster)),
            "127.0.0.1\tlocalhost\n# n1\n10.0.0.2 printer # both\n10.0.0.7 n2\n::1 localhost\n"
        );
        assert_eq!(without_cluster("127.0.1.1 pi\n10.0.0.1 n1\n", "pi\n", None), "10.0.0.1 n1\n");
        let plain = "127.0.0.1 localhost\n";
        assert_eq!(without_cluster(plain, "localhost\n", Some(&cluster)), plain);
    }
}
