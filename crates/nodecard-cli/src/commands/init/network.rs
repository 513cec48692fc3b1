//! The network, and the names and addresses of the nodes.

use std::net::Ipv4Addr;

use nodecard::{BaseFacts, LocalNetwork, NewProfile, numbered_nodes};

use super::usage;
use crate::{args::InitArgs, ask::Asker, error::CommandError};

/// The network of the nodes.
pub(super) struct Network {
    pub interface: String,
    pub prefix: u8,
    pub gateway: Option<Ipv4Addr>,
    pub dns: Vec<Ipv4Addr>,
    /// What this computer has.
    local: Option<LocalNetwork>,
}

/// Chooses the network, by default the one that this computer is in.
pub(super) fn choose_network(
    args: &InitArgs,
    asker: Asker,
    facts: &BaseFacts,
) -> Result<Network, CommandError> {
    let local = LocalNetwork::detect();
    let gateway = match args.gateway {
        Some(gateway) => Some(gateway),
        None => {
            // Without a network to look at, the address of the nodes says more than nothing.
            let of_nodes = args
                .first_address
                .map(|first| Ipv4Addr::from_bits(first.to_bits() & 0xffff_ff00 | 1));
            let is_near = |local: &&LocalNetwork| match args.first_address {
                Some(first) => {
                    let hosts = u32::MAX.checked_shr(local.prefix.into()).unwrap_or(0);
                    first.to_bits() & !hosts == local.gateway.to_bits() & !hosts
                }
                None => true,
            };
            let proposal = local.as_ref().filter(is_near).map(|local| local.gateway).or(of_nodes);
            asker.value("Gateway (your router)", proposal, |_| Ok(()))?
        }
    };
    // This computer's other values fit only if the cluster is in its network.
    let same = local.filter(|local| Some(local.gateway) == gateway);
    let prefix = match args.prefix {
        Some(prefix) => Some(prefix),
        None => {
            let proposal = same.as_ref().map_or(24, |local| local.prefix);
            let fits = |bits: &u8| match bits {
                1..=30 => Ok(()),
                _ => Err("write a number from 1 to 30; 24 is 255.255.255.0".to_owned()),
            };
            asker.value("Network prefix length in bits", Some(proposal), fits)?
        }
    };
    let dns = if !args.dns.is_empty() {
        args.dns.clone()
    } else {
        let proposal = match &same {
            Some(local) => local.dns.clone(),
            None => gateway.into_iter().collect(),
        };
        let text: Vec<String> = proposal.iter().map(ToString::to_string).collect();
        let read = |text: &str| -> Result<Vec<Ipv4Addr>, String> {
            let words = text.split([' ', ',']).filter(|word| !word.is_empty());
            words
                .map(|word| word.parse().map_err(|_| format!("{word} is not an address")))
                .collect()
        };
        let answer = asker
            .value("Name servers", Some(text.join(" ")), |text: &String| read(text).map(drop))?;
        read(&answer.unwrap_or_default()).unwrap_or_default()
    };
    let interface = match &args.interface {
        Some(interface) => interface.clone(),
        None => {
            let proposal = facts.interface.clone().unwrap_or_else(|| "eth0".to_owned());
            let answer = asker.value(
                "Network interface of the nodes",
                Some(proposal),
                |name: &String| {
                    NewProfile::try_answer(|profile| profile.interface.clone_from(name))
                },
            )?;
            answer.ok_or(CommandError::Interrupted)?
        }
    };
    Ok(Network { interface, prefix: prefix.unwrap_or(24), gateway, dns, local: same })
}

/// Names the nodes and gives them addresses.
pub(super) fn choose_nodes(
    args: &InitArgs,
    asker: Asker,
    cluster: &str,
    network: &Network,
) -> Result<Vec<(String, Ipv4Addr)>, CommandError> {
    let count = match args.nodes {
        Some(count) => Some(count),
        None => asker.value("Number of nodes", Some(4), |count: &u32| match count {
            1..=1000 => Ok(()),
            _ => Err("write a number from 1 to 1000".to_owned()),
        })?,
    };
    let count = count.unwrap_or(4);
    let name = match &args.name {
        Some(name) => Some(name.clone()),
        None => {
            let stem = cluster.split('.').next().unwrap_or(cluster);
            asker.value(
                "Node names, without the number",
                Some(format!("{stem}-node")),
                |name: &String| {
                    // The last name is the longest.
                    let last = format!("{name}{count}");
                    NewProfile::try_answer(|profile| {
                        profile.nodes.iter_mut().for_each(|node| node.0.clone_from(&last));
                    })
                },
            )?
        }
    };
    let name = name.unwrap_or_default();
    let hosts = u32::MAX.checked_shr(network.prefix.into()).unwrap_or(0);
    let fits = |first: &Ipv4Addr| {
        let Some(nodes) = numbered_nodes(&name, *first, count) else {
            return Err("there are not enough addresses after it".to_owned());
        };
        for (_, address) in nodes {
            let host = address.to_bits() & hosts;
            let is_outside = network
                .gateway
                .is_some_and(|gateway| gateway.to_bits() & !hosts != address.to_bits() & !hosts);
            if is_outside || host == 0 || host == hosts || Some(address) == network.gateway {
                return Err(format!("{address} is not an address for a node of this network"));
            }
        }
        Ok(())
    };
    let first = match args.first_address {
        Some(first) => Some(first),
        None => {
            let known = network.local.as_ref();
            let numbers = [80, 32, 16, 2];
            let in_local = numbers.iter().filter_map(|number| known?.host(*number));
            let near = network
                .gateway
                .map(|gateway| Ipv4Addr::from_bits(gateway.to_bits() & !hosts | 80 & hosts));
            let proposal = in_local.chain(near).find(|first| fits(first).is_ok());
            asker.value("Address of the first node", proposal, fits)?
        }
    };
    let first = first.ok_or_else(|| {
        usage("there is no network to derive addresses from", "give --first-address")
    })?;
    numbered_nodes(&name, first, count).ok_or_else(|| {
        usage("there are not enough addresses for the nodes", "give another --first-address")
    })
}
