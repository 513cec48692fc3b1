//! The profile's `nodes:` and `hosts:`.

use std::{collections::HashMap, net::Ipv4Addr};

use super::{
    fields::{Fields, Problems, Spanned, address, scalar},
    files,
    inputs::Inputs,
    network::{ReadNetwork, host_address},
    node_groups,
};
use crate::{
    cluster::{Node, Role, mask},
    names,
    problem::Place,
    yaml::{Kind, Value},
};

/// A larger cluster is likely a typing error.
pub(super) const MOST_NODES: usize = 1000;

/// A node, and the places of its name and address.
pub(super) struct ReadNode {
    pub node: Node,
    pub name: Place,
    pub address: Place,
}

pub(super) fn read(
    fields: &mut Fields<'_>,
    network: Option<&ReadNetwork>,
    inputs: &Inputs,
) -> Vec<ReadNode> {
    let problems = fields.problems;
    let example = "nodes: [{name: node1, address: 192.168.1.81}]";
    let Some(value) = fields.require("nodes", example) else { return Vec::new() };
    let place = value.place.clone();
    let items = match value.kind {
        Kind::List(items) => items,
        kind if is_group(&kind) => vec![Value { kind, place: place.clone() }],
        other => {
            let message = format!("`nodes` must be a list, not {}", other.describe());
            problems.add(&place, message, format!("for example: `{example}`"));
            return Vec::new();
        }
    };
    let mut groups: Vec<Vec<ReadNode>> = Vec::new();
    let mut has_left_out = false;
    for item in items {
        let group = match Fields::of(item, "a node", problems) {
            Some(fields) if fields.has("count") => node_groups::read(fields, inputs),
            Some(fields) => read_one(fields, inputs).map(|node| vec![node]),
            None => None,
        };
        has_left_out |= group.is_none();
        groups.extend(group);
    }
    let number: usize = groups.iter().map(Vec::len).sum();
    if number == 0 && !has_left_out || number > MOST_NODES {
        let message = format!("a cluster has 1 to {MOST_NODES} nodes, not {number}");
        problems.add(&place, message, format!("for example: `{example}`"));
        return Vec::new();
    }
    let mut nodes: Vec<ReadNode> = Vec::new();
    for group in groups {
        // One problem is enough for nodes that share their places.
        let before = problems.len();
        for node in group {
            if problems.len() == before {
                check_unique(&node, &nodes, problems);
                check_address(&node, network, nodes.first(), problems);
            }
            nodes.push(node);
        }
    }
    nodes
}

/// Returns whether a value describes several nodes at once.
fn is_group(kind: &Kind) -> bool {
    matches!(kind, Kind::Map(entries) if entries.iter().any(|(key, _)| key.name == "count"))
}

fn read_one(mut fields: Fields<'_>, inputs: &Inputs) -> Option<ReadNode> {
    let problems = fields.problems;
    let name = fields.require_scalar("name", "name: node1");
    let address = fields
        .require_scalar("address", "address: 192.168.1.81")
        .and_then(|a| address(&a, problems));
    let role = fields.scalar("role").map(|role| self::role(&role, problems));
    let files = files::read(&mut fields, inputs);
    fields.finish();
    let name = name?;
    if let Err(reason) = names::node_name(&name.value) {
        let help = "use letters, digits and hyphens, at most 63, with no hyphen at either end";
        problems.add(&name.place, reason, help);
        return None;
    }
    let address = address?;
    Some(ReadNode {
        node: Node {
            name: name.value.to_ascii_lowercase(),
            address: address.value,
            role: role.unwrap_or(Role::Worker),
            files,
        },
        name: name.place,
        address: address.place,
    })
}

pub(super) fn role(at: &Spanned<String>, problems: &Problems) -> Role {
    match at.value.as_str() {
        "manager" => Role::Manager,
        "worker" => Role::Worker,
        other => {
            let message = format!("{other:?} is not a role");
            problems.add(&at.place, message, "write `manager` or `worker`");
            Role::Worker
        }
    }
}

/// Reports a name or an address that an earlier node has too.
fn check_unique(node: &ReadNode, earlier: &[ReadNode], problems: &Problems) {
    let name = &node.node.name;
    if let Some(first) = earlier.iter().find(|other| other.node.name == *name) {
        problems.conflict(
            &node.name,
            format!("two nodes are named {name}"),
            "give each node its own name",
            (&first.name, "first used here"),
        );
    }
    let address = node.node.address;
    if let Some(first) = earlier.iter().find(|other| other.node.address == address) {
        problems.conflict(
            &node.address,
            format!("two nodes have the address {address}"),
            "give each node its own address",
            (&first.address, "first used here"),
        );
    }
}

fn check_address(
    node: &ReadNode,
    network: Option<&ReadNetwork>,
    first: Option<&ReadNode>,
    problems: &Problems,
) {
    let Some(ReadNetwork { network, gateway }) = network else { return };
    let at = Spanned { value: node.node.address, place: node.address.clone() };
    let gateway = network.gateway.zip(gateway.as_ref());
    host_address(&at, network.prefix, gateway, &node.node.name, problems);
    // Without a gateway, the network is the one of the first node.
    if let (None, Some(first)) = (gateway, first) {
        let bits = mask(network.prefix);
        if first.node.address.to_bits() & bits != at.value.to_bits() & bits {
            problems.conflict(
                &node.address,
                format!("{} is outside the network of {}", at.value, first.node.name),
                format!("use an address that shares its first {} bits", network.prefix),
                (&first.address, "the first node"),
            );
        }
    }
}

/// Reads the profile's `hosts:`, and checks them against the nodes.
pub(super) fn read_hosts(fields: &mut Fields<'_>, nodes: &[ReadNode]) -> Vec<(String, Ipv4Addr)> {
    let problems = fields.problems;
    let Some(value) = fields.take("hosts") else { return Vec::new() };
    let place = value.place.clone();
    let Kind::Map(entries) = value.kind else {
        let kind = value.kind.describe();
        let message = format!("`hosts` must be a mapping of names to addresses, not {kind}");
        problems.add(&place, message, "for example: `hosts: {nas.lan: 192.168.1.10}`");
        return Vec::new();
    };
    let mut hosts: Vec<(String, Ipv4Addr)> = Vec::new();
    let mut places: HashMap<String, Place> = HashMap::new();
    for (key, value) in entries {
        let name = key.name.to_ascii_lowercase();
        if let Err(reason) = names::host_name(&key.name) {
            problems.add(&key.place, reason, "write a host name, such as nas or nas.lan");
        }
        if let Some(node) = nodes.iter().find(|node| node.node.name == name) {
            problems.conflict(
                &key.place,
                format!("{name} is a node of the cluster"),
                "remove this line: nodes are always in /etc/hosts",
                (&node.name, "the node is here"),
            );
        }
        if let Some(first) = places.get(&name) {
            let message = format!("two hosts are named {name}");
            let other = (first, "first used here");
            problems.conflict(&key.place, message, "keep one of them", other);
        } else {
            places.insert(name.clone(), key.place.clone());
        }
        let value = scalar(value, "hosts", problems).and_then(|text| address(&text, problems));
        let Some(Spanned { value, place }) = value else { continue };
        // The address of a node is allowed: it gives the node a second name.
        if value.is_loopback() || value.is_unspecified() || value.is_multicast() {
            let help = "write the address at which other hosts reach it";
            problems.add(&place, format!("{value} cannot be the address of another host"), help);
        }
        hosts.push((name, value));
    }
    hosts
}
