//! The profile's `nodes:` and `hosts:`.

use std::net::Ipv4Addr;

use super::{
    fields::{At, Fields, Problems, address, scalar},
    files,
    inputs::Inputs,
    network::{ReadNetwork, host_address},
};
use crate::{
    cluster::{Node, Role, mask},
    names,
    problem::Place,
    yaml::{Kind, Value},
};

/// A swarm of more is another tool's job, and a typing error's likely result.
const MOST_NODES: usize = 1000;

/// A node, and where its name and address are.
pub(super) struct ReadNode {
    pub node: Node,
    name: Place,
    address: Place,
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
    let Kind::List(items) = value.kind else {
        let message = format!("`nodes` is a list, not {}", value.kind.describe());
        problems.add(&place, message, format!("such as `{example}`"));
        return Vec::new();
    };
    if items.is_empty() || items.len() > MOST_NODES {
        let message = format!("a cluster has 1 to {MOST_NODES} nodes, not {}", items.len());
        problems.add(&place, message, format!("such as `{example}`"));
        return Vec::new();
    }
    let mut nodes: Vec<ReadNode> = Vec::new();
    for item in items {
        let Some(node) = read_one(item, inputs, problems) else { continue };
        clash_with_earlier(&node, &nodes, problems);
        check_address(&node, network, nodes.first(), problems);
        nodes.push(node);
    }
    nodes
}

fn read_one(value: Value, inputs: &Inputs, problems: &Problems) -> Option<ReadNode> {
    let mut fields = Fields::of(value, "a node", problems)?;
    let name = fields.require_scalar("name", "name: node1");
    let address = fields
        .require_scalar("address", "address: 192.168.1.81")
        .and_then(|a| address(&a, problems));
    let role = fields.scalar("role").map(|role| self::role(&role, problems));
    let files = files::read(&mut fields, inputs);
    fields.finish();
    let name = name?;
    if let Err(reason) = names::node_name(&name.value) {
        let help = "a node's name is one word of letters, digits and inner hyphens, at most 63 \
                    characters (RFC 1123)";
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

fn role(at: &At<String>, problems: &Problems) -> Role {
    match at.value.as_str() {
        "manager" => Role::Manager,
        "worker" => Role::Worker,
        other => {
            let message = format!("{other:?} is no role");
            problems.add(&at.place, message, "a node is a `manager` or a `worker`");
            Role::Worker
        }
    }
}

fn clash_with_earlier(node: &ReadNode, earlier: &[ReadNode], problems: &Problems) {
    let name = &node.node.name;
    if let Some(first) = earlier.iter().find(|other| other.node.name == *name) {
        problems.clash(
            &node.name,
            format!("two nodes are called {name}"),
            "give one of them another name",
            (&first.name, "the first one"),
        );
    }
    let address = node.node.address;
    if let Some(first) = earlier.iter().find(|other| other.node.address == address) {
        problems.clash(
            &node.address,
            format!("two nodes have the address {address}"),
            "give one of them another address",
            (&first.address, first.node.name.as_str()),
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
    let at = At { value: node.node.address, place: node.address.clone() };
    let gateway = network.gateway.zip(gateway.as_ref());
    host_address(&at, network.prefix, gateway, &node.node.name, problems);
    // Without a gateway, the first node says which network it is.
    if let (None, Some(first)) = (gateway, first) {
        let bits = mask(network.prefix);
        if first.node.address.to_bits() & bits != at.value.to_bits() & bits {
            problems.clash(
                &node.address,
                format!("{} is not in the network of {}", at.value, first.node.name),
                format!("every node shares the first {} bits of its address", network.prefix),
                (&first.address, first.node.name.as_str()),
            );
        }
    }
}

/// The profile's `hosts:`, checked against the nodes.
pub(super) fn read_hosts(fields: &mut Fields<'_>, nodes: &[ReadNode]) -> Vec<(String, Ipv4Addr)> {
    let problems = fields.problems;
    let Some(value) = fields.take("hosts") else { return Vec::new() };
    let place = value.place.clone();
    let Kind::Map(entries) = value.kind else {
        let message =
            format!("`hosts` maps names to addresses and is not {}", value.kind.describe());
        problems.add(&place, message, "such as `hosts: {nas.lan: 192.168.1.10}`");
        return Vec::new();
    };
    let mut hosts: Vec<(String, Ipv4Addr)> = Vec::new();
    for (key, value) in entries {
        let name = key.name.to_ascii_lowercase();
        if let Err(reason) = names::host_name(&key.name) {
            problems.add(&key.place, reason, "a host's name is written as nas or nas.lan");
        }
        if let Some(node) = nodes.iter().find(|node| node.node.name == name) {
            problems.clash(
                &key.place,
                format!("{name} is a node of the cluster"),
                "nodes are in /etc/hosts anyway: remove this line",
                (&node.name, "the node"),
            );
        }
        if hosts.iter().any(|(other, _)| *other == name) {
            problems.add(&key.place, format!("two hosts are called {name}"), "remove one of them");
        }
        let value = scalar(value, "hosts", problems).and_then(|text| address(&text, problems));
        let Some(At { value, place }) = value else { continue };
        // At a node's address it is one more name of the node.
        if value.is_loopback() || value.is_unspecified() || value.is_multicast() {
            let help = "write the address that other hosts reach it by";
            problems.add(&place, format!("{value} is no other host's address"), help);
        }
        hosts.push((name, value));
    }
    hosts
}
