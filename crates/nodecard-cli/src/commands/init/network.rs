//! The network, and the names and addresses of the nodes.

use std::net::Ipv4Addr;

use nodecard::{BaseFacts, LocalNetwork, NewProfile, numbered_nodes};

use super::{checked, usage};
use crate::{args::InitArgs, ask::Asker, error::CommandError};

/// What an address is, for whoever typed something else.
const ADDRESS: &str = "an IPv4 address, such as 192.168.1.80";

/// What the length of a prefix is.
const PREFIX: &str = "a number from 1 to 30; 24 is 255.255.255.0";

/// What a number of nodes is.
const COUNT: &str = "a number from 1 to 1000";

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
    let is_gateway = |gateway: &Ipv4Addr| {
        NewProfile::try_answer(|profile| {
            profile.gateway = Some(*gateway);
            // The length of the prefix may be the next question.
            profile.prefix = args.prefix.unwrap_or(8);
            let hosts = u32::MAX >> profile.prefix;
            let other = if gateway.to_bits() & hosts == 1 { 2 } else { 1 };
            let node = Ipv4Addr::from_bits(gateway.to_bits() & !hosts | other);
            profile.nodes.iter_mut().for_each(|(_, address)| *address = node);
        })
    };
    let gateway = match args.gateway {
        Some(gateway) => Some(checked("--gateway", &gateway, is_gateway)?),
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
            asker.value("Gateway (your router)", proposal, ADDRESS, is_gateway)?
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
                _ => Err(format!("write {PREFIX}")),
            };
            asker.value("Network prefix length in bits", Some(proposal), PREFIX, fits)?
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
                .map(|word| word.parse().map_err(|_| format!("{word} is not an IPv4 address")))
                .collect()
        };
        let proposal = Some(text.join(" "));
        let are_addresses = |text: &String| read(text).map(drop);
        let answer = asker.value("Name servers", proposal, "IPv4 addresses", are_addresses)?;
        read(&answer.unwrap_or_default()).unwrap_or_default()
    };
    let is_interface =
        |name: &String| NewProfile::try_answer(|profile| profile.interface.clone_from(name));
    let interface = match &args.interface {
        Some(interface) => checked("--interface", interface, is_interface)?,
        None => {
            let proposal = Some(facts.interface.clone().unwrap_or_else(|| "eth0".to_owned()));
            let question = "Network interface of the nodes";
            let answer = asker.value(question, proposal, "a name", is_interface)?;
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
        None => asker.value("Number of nodes", Some(4), COUNT, |count: &u32| match count {
            1..=1000 => Ok(()),
            _ => Err(format!("write {COUNT}")),
        })?,
    };
    let count = count.unwrap_or(4);
    let is_name = |name: &String| {
        // The last name is the longest.
        let last = format!("{name}{count}");
        NewProfile::try_answer(|profile| {
            profile.nodes.iter_mut().for_each(|node| node.0.clone_from(&last));
        })
    };
    let name = match &args.name {
        Some(name) => Some(checked("--name", name, is_name)?),
        None => {
            let stem = cluster.split('.').next().unwrap_or(cluster);
            let proposal = Some(format!("{stem}-node"));
            asker.value("Node names, without the number", proposal, "a name", is_name)?
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
            let outside = network
                .gateway
                .filter(|gateway| gateway.to_bits() & !hosts != address.to_bits() & !hosts);
            let what = if let Some(gateway) = outside {
                format!("is outside the network of the gateway {gateway}/{}", network.prefix)
            } else if host == 0 {
                "is the address of the network itself".to_owned()
            } else if host == hosts {
                "is the broadcast address of the network".to_owned()
            } else if Some(address) == network.gateway {
                "is the gateway".to_owned()
            } else {
                continue;
            };
            let whose = if address == *first { "it" } else { "the address of a later node, " };
            let address = if address == *first { String::new() } else { format!("{address},") };
            return Err(format!("{whose}{address} {what}; choose another for the first node"));
        }
        Ok(())
    };
    let first = match args.first_address {
        Some(first) => Some(checked("--first-address", &first, fits)?),
        None => {
            let known = network.local.as_ref();
            let numbers = [80, 32, 16, 2];
            let in_local = numbers.iter().filter_map(|number| known?.host(*number));
            let near = network
                .gateway
                .map(|gateway| Ipv4Addr::from_bits(gateway.to_bits() & !hosts | 80 & hosts));
            let proposal = in_local.chain(near).find(|first| fits(first).is_ok());
            asker.value("Address of the first node", proposal, ADDRESS, fits)?
        }
    };
    let first = first.ok_or_else(|| {
        usage("there is no network to derive addresses from", "give --first-address")
    })?;
    numbered_nodes(&name, first, count).ok_or_else(|| {
        usage("there are not enough addresses for the nodes", "give another --first-address")
    })
}
