//! The profile's `network:`.

use std::net::Ipv4Addr;

use super::fields::{Fields, Problems, Spanned, address};
use crate::{
    cluster::{Network, mask},
    names,
    problem::Place,
};

/// The network, and the place of the gateway for later conflicts.
pub(super) struct ReadNetwork {
    pub network: Network,
    pub gateway: Option<Place>,
}

pub(super) fn read(fields: &mut Fields<'_>) -> Option<ReadNetwork> {
    let problems = fields.problems;
    let example = "network: {interface: eth0, prefix: 24, gateway: 192.168.1.1}";
    let mut fields = Fields::of(fields.require("network", example)?, "`network`", problems)?;
    let interface = fields.require_scalar("interface", "interface: eth0");
    let prefix = fields.require_scalar("prefix", "prefix: 24");
    let gateway = fields.scalar("gateway").and_then(|text| address(&text, problems));
    let dns = fields
        .scalars("dns")
        .iter()
        .filter_map(|text| address(text, problems))
        .map(|at| at.value)
        .collect();
    let search = fields.scalars("search").into_iter().filter_map(|at| domain(at, problems));
    let search = search.collect();
    fields.finish();
    let interface = self::interface(interface?, problems);
    let prefix = self::prefix(&prefix?, problems)?;
    if let Some(gateway) = &gateway {
        host_address(gateway, prefix, None, "the gateway", problems);
    }
    let place = gateway.as_ref().map(|at| at.place.clone());
    let gateway = gateway.map(|at| at.value);
    let network = Network { interface: interface?, prefix, gateway, dns, search };
    Some(ReadNetwork { network, gateway: place })
}

fn domain(at: Spanned<String>, problems: &Problems) -> Option<String> {
    match names::host_name(&at.value) {
        Ok(()) => Some(at.value),
        Err(reason) => {
            problems.add(&at.place, reason, "write a domain, such as home.lan");
            None
        }
    }
}

fn interface(at: Spanned<String>, problems: &Problems) -> Option<String> {
    // The kernel allows more characters, but they have meanings in the files we write.
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name = &at.value;
    let message = if name == "lo" {
        "`lo` is the loopback interface".to_owned()
    } else if name.is_empty() || name.len() > 15 || name.starts_with(['.', '-']) {
        format!("{name:?} is not an interface name, which has 1 to 15 characters")
    } else if let Some(odd) = name.chars().find(|c| !fits(*c)) {
        format!("{name:?} is not an interface name: it contains {odd:?}")
    } else {
        return Some(at.value);
    };
    problems.add(&at.place, message, "write the name that `ip link` shows on a node, such as eth0");
    None
}

fn prefix(at: &Spanned<String>, problems: &Problems) -> Option<u8> {
    let text = at.value.trim_start_matches('/');
    if let Ok(prefix @ 1..=30) = text.parse() {
        return Some(prefix);
    }
    // A netmask is another form of the same number.
    let netmask = text.parse::<Ipv4Addr>().ok().map(Ipv4Addr::to_bits);
    let help = match netmask {
        Some(bits) if bits == mask(bits.leading_ones() as u8) => {
            format!("write {} instead of the netmask {text}", bits.leading_ones())
        }
        _ => "write the number of bits, such as 24 for 255.255.255.0".to_owned(),
    };
    let message = format!("{:?} is not a prefix length from 1 to 30", at.value);
    problems.add(&at.place, message, help);
    None
}

/// Checks that a host in the cluster's network can have an address. Messages call the host
/// `name`.
pub(super) fn host_address(
    at: &Spanned<Ipv4Addr>,
    prefix: u8,
    gateway: Option<(Ipv4Addr, &Place)>,
    name: &str,
    problems: &Problems,
) {
    let address = at.value;
    let bits = address.to_bits();
    let help = "use another address of the same network";
    if address.is_loopback() || address.is_multicast() || address.octets()[0] == 0 {
        problems.add(&at.place, format!("{address} cannot be a host's address"), help);
    } else if bits & !mask(prefix) == 0 {
        let message = format!("{address} is the address of the network {address}/{prefix}");
        problems.add(&at.place, message, help);
    } else if bits | mask(prefix) == u32::MAX {
        let message = format!("{address} is the broadcast address of its /{prefix} network");
        problems.add(&at.place, message, help);
    } else if let Some((gateway, place)) = gateway {
        if address == gateway {
            let message = format!("{name} has the address of the gateway, {address}");
            problems.conflict(&at.place, message, help, (place, "the gateway is set here"));
        } else if bits & mask(prefix) != gateway.to_bits() & mask(prefix) {
            let network = Ipv4Addr::from_bits(gateway.to_bits() & mask(prefix));
            let message = format!("{address} is outside the network {network}/{prefix}");
            let help = format!(
                "use an address that shares its first {prefix} bits with the gateway {gateway}"
            );
            problems.conflict(&at.place, message, help, (place, "the gateway is set here"));
        }
    }
}
