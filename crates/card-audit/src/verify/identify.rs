//! Which node a card is.

use cluster_keys::ClusterKeys;
use cluster_profile::{Cluster, Node};

use crate::Facts;

/// What speaks for a node; the weight decides where as many things speak for two.
const VOTES: [(&str, u32); 4] =
    [("host key", 8), ("machine id", 4), ("host name", 2), ("address", 1)];

/// What a node's card says of itself.
pub(super) struct Identity {
    pub machine_id: String,
    /// Algorithm and key; `None` if the cluster's keys lack it.
    pub host_key: Option<String>,
}

impl Identity {
    pub fn of(keys: &ClusterKeys, node: &Node) -> Self {
        let host_key = keys.host(&node.name).ok().map(|pair| pair.public_without_comment());
        Identity { machine_id: keys.machine_id(&node.name), host_key }
    }
}

/// The node that most of a card's facts speak for, and which ones those are. `None` if
/// none speaks for any.
pub(super) fn identify<'a>(
    cluster: &'a Cluster,
    keys: &ClusterKeys,
    facts: &Facts,
) -> Option<(&'a Node, Vec<&'static str>)> {
    let scored = cluster.nodes.iter().map(|node| {
        let by = speaking(keys, facts, node);
        let weight = VOTES.iter().filter(|(name, _)| by.contains(name)).map(|(_, w)| w);
        (by.len() as u32 * 16 + weight.sum::<u32>(), node, by)
    });
    // Of equals the first one.
    let best = scored.rev().max_by_key(|(score, ..)| *score)?;
    (best.0 > 0).then_some((best.1, best.2))
}

/// Which of a card's facts speak for a node.
pub(super) fn speaking(keys: &ClusterKeys, facts: &Facts, node: &Node) -> Vec<&'static str> {
    let Identity { machine_id, host_key } = Identity::of(keys, node);
    let names = |name: &String| name.eq_ignore_ascii_case(&node.name);
    let said = [
        host_key.is_some() && host_key == facts.host_key,
        facts.machine_id.as_ref() == Some(&machine_id),
        facts.hostname.as_ref().is_some_and(names),
        facts.addresses.contains(&node.address),
    ];
    let named = VOTES.iter().zip(said).filter(|(_, said)| *said);
    named.map(|((name, _), _)| *name).collect()
}

/// What a card that is none of the cluster's says of itself, in words.
pub(super) fn stranger(facts: &Facts) -> String {
    let or_none = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "none".into());
    let addresses: Vec<String> = facts.addresses.iter().map(ToString::to_string).collect();
    let addresses = if addresses.is_empty() { "none".to_owned() } else { addresses.join(", ") };
    crate::text::printable(&format!(
        "its host name is {}, its static address {addresses}, its machine id {}, and neither is \
         any node's, nor is its host key",
        or_none(&facts.hostname),
        or_none(&facts.machine_id)
    ))
}
