//! Which node a card is.

use std::fmt;

use cluster_keys::ClusterKeys;
use cluster_profile::{Cluster, Node};
use plain_text::printable;

use crate::Facts;

/// The facts that identify a node. The weight decides where as many identify two.
const VOTES: [(&str, u32); 4] =
    [("host key", 8), ("machine id", 4), ("host name", 2), ("address", 1)];

/// Whose card a card looks like that is to become a node's and does not look like it.
///
/// Its text is a clause: `the card belongs to xu4-node2, by its host key`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtherIdentity {
    /// That of another node of the cluster.
    Node {
        /// The node's name.
        node: String,
        /// What identified it, as in [`CardReport::known_by`](crate::CardReport::known_by).
        by: Vec<&'static str>,
    },
    /// That of no node of the cluster.
    Stranger {
        /// What identifies the card, as a clause.
        found: String,
    },
}

impl fmt::Display for OtherIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OtherIdentity::Node { node, by } => {
                write!(f, "the card belongs to {node}, by its {}", by.join(", "))
            }
            OtherIdentity::Stranger { found } => {
                write!(f, "the card does not belong to the cluster: {found}")
            }
        }
    }
}

/// Returns the node that most of a card's facts identify, and which facts those are; `None`
/// if they identify no node.
pub(super) fn identify<'a>(
    cluster: &'a Cluster,
    keys: &ClusterKeys,
    facts: &Facts,
) -> Option<(&'a Node, Vec<&'static str>)> {
    let scored = cluster.nodes.iter().map(|node| {
        let by = matching(keys, facts, node);
        let weight = VOTES.iter().filter(|(name, _)| by.contains(name)).map(|(_, w)| w);
        (by.len() as u32 * 16 + weight.sum::<u32>(), node, by)
    });
    // Of equals the first one.
    let best = scored.rev().max_by_key(|(score, ..)| *score)?;
    (best.0 > 0).then_some((best.1, best.2))
}

/// Returns which of a card's facts are a node's.
pub(super) fn matching(keys: &ClusterKeys, facts: &Facts, node: &Node) -> Vec<&'static str> {
    let machine_id = keys.machine_id(&node.name);
    // Algorithm and key; `None` if the cluster's keys lack it.
    let host_key = keys.host(&node.name).ok().map(|pair| pair.public_without_comment());
    let is_name = |name: &String| name.eq_ignore_ascii_case(&node.name);
    let matches = [
        host_key.is_some() && host_key == facts.host_key,
        facts.machine_id.as_ref() == Some(&machine_id),
        facts.hostname.as_ref().is_some_and(is_name),
        facts.addresses.contains(&node.address),
    ];
    let named = VOTES.iter().zip(matches).filter(|(_, matches)| *matches);
    named.map(|((name, _), _)| *name).collect()
}

/// Describes a card that no fact identifies as a node of the cluster.
pub(super) fn describe(facts: &Facts) -> String {
    let or_none = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "none".into());
    let addresses: Vec<String> = facts.addresses.iter().map(ToString::to_string).collect();
    let addresses = if addresses.is_empty() { "none".to_owned() } else { addresses.join(", ") };
    printable(&format!(
        "no node has its host name ({}), static address ({addresses}), machine id ({}) or host key",
        or_none(&facts.hostname),
        or_none(&facts.machine_id)
    ))
}
