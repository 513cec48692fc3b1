//! Whether ifup gives the node's interface the profile's address, in whatever words of
//! interfaces(5) its files say so.

use std::net::Ipv4Addr;

use cluster_profile::SystemError;
use system_model::network::{Interfaces, Stanza};

use super::Subject;

/// Returns whether ifup surely brings the interface up with the profile's address, gateway and
/// name servers, and with nothing else of IPv4.
pub(super) fn is_right(subject: &Subject<'_>) -> Result<bool, SystemError> {
    let interface = &subject.cluster.network.interface;
    let Some(interfaces) = Interfaces::read(subject.system)? else { return Ok(false) };
    let mut own: Vec<&Stanza> = Vec::new();
    for up in interfaces.brought_up(interface) {
        let is_known = own.iter().any(|stanza| std::ptr::eq(*stanza, up.stanza));
        if is_known {
            continue;
        }
        match (up.stanza.family.as_str(), up.stanza.method.as_str()) {
            ("inet", "static") if up.certain => own.push(up.stanza),
            ("inet6", "auto" | "dhcp" | "manual") => {}
            _ => return Ok(false),
        }
    }
    let [stanza] = own.as_slice() else { return Ok(false) };
    let options = interfaces.options(stanza);
    let first = |name: &str| {
        let mut values = options.iter().filter(|option| option.name == name);
        values.next().map(|option| option.value.as_str())
    };
    let all = |name: &str| -> Vec<&str> {
        let named = options.iter().filter(|option| option.name == name);
        named.flat_map(|option| option.value.split_whitespace()).collect()
    };
    let network = &subject.cluster.network;
    let (address, prefix) = match first("address").map(|value| value.split_once('/')) {
        Some(Some((address, prefix))) => (address, Some(prefix)),
        _ => (first("address").unwrap_or_default(), None),
    };
    let is_address = address.parse::<Ipv4Addr>() == Ok(subject.node.address);
    // A netmask of its own outranks the length of the prefix; older versions want one of them.
    let mask = first("netmask").or(prefix).and_then(|text| {
        match (text.parse::<u32>(), text.parse::<Ipv4Addr>()) {
            (Ok(bits @ 0..=32), _) => Some(u32::MAX.checked_shl(32 - bits).unwrap_or(0)),
            (_, Ok(mask)) => Some(mask.to_bits()),
            _ => None,
        }
    });
    let is_mask = mask == Some(network.netmask().to_bits());
    let gateway = first("gateway").map(str::parse::<Ipv4Addr>);
    let is_gateway = match (gateway, network.gateway) {
        (Some(Ok(found)), Some(wanted)) => found == wanted,
        (None, None) => true,
        _ => false,
    };
    let servers: Vec<String> = network.dns.iter().map(ToString::to_string).collect();
    let has_servers = all("dns-nameservers") == servers;
    let searches = all("dns-search") == network.search;
    Ok(is_address && is_mask && is_gateway && has_servers && searches)
}
