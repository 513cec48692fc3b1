//! What netplan accepts: the keys of each mapping and the forms of their values.
//!
//! Source: netplan's src/parse.c (`mapping_entry_handler` tables), version 1.2. Older versions
//! know fewer keys; what no version knows makes netplan refuse all files.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::yaml::{Kind, Value};

/// What a value has to be.
pub(super) enum Form {
    Text,
    Flag,
    Number,
    Address4,
    Address6,
    Address,
    /// An address, with the length of its network or without.
    Network,
    /// The same, or `default`.
    Destination,
    HardwareAddress,
    OneOf(&'static [&'static str]),
    List(&'static Form),
    /// A mapping with names of one's own.
    Map(&'static Form),
    /// A mapping with these keys.
    Keys(&'static [&'static [Entry]]),
    /// A word, or several as a list.
    Words,
    Anything,
}

type Entry = (&'static str, Form);

use Form::{
    Address, Address4, Address6, Anything, Destination, Flag, HardwareAddress, Keys, List, Map,
    Network, Number, OneOf, Text, Words,
};

/// The keys of a file.
pub(super) const FILE: Form = Keys(&[&[("network", Keys(&[NETWORK]))]]);

const NETWORK: &[Entry] = &[
    ("bonds", Map(&Anything)),
    ("bridges", Map(&Anything)),
    ("dummy-devices", Map(&Anything)),
    ("ethernets", Map(&Anything)),
    ("modems", Map(&Anything)),
    ("nm-devices", Map(&Anything)),
    ("openvswitch", Map(&Anything)),
    ("renderer", RENDERER),
    ("tunnels", Map(&Anything)),
    ("version", Text),
    ("virtual-ethernets", Map(&Anything)),
    ("vlans", Map(&Anything)),
    ("vrfs", Map(&Anything)),
    ("wifis", Map(&Anything)),
];

pub(super) const RENDERER: Form = OneOf(&["networkd", "NetworkManager"]);

/// The keys of every definition.
const COMMON: &[Entry] = &[
    ("accept-ra", Flag),
    ("activation-mode", OneOf(&["manual", "off"])),
    ("addresses", List(&Anything)),
    ("critical", Flag),
    ("ignore-carrier", Flag),
    ("dhcp4", Flag),
    ("dhcp6", Flag),
    ("dhcp-identifier", OneOf(&["duid", "mac"])),
    ("dhcp4-overrides", Keys(&[OVERRIDES])),
    ("dhcp6-overrides", Keys(&[OVERRIDES])),
    ("ra-overrides", Keys(&[RA_OVERRIDES])),
    ("gateway4", Address4),
    ("gateway6", Address6),
    ("ipv6-address-generation", OneOf(&["eui64", "stable-privacy"])),
    ("ipv6-address-token", Address6),
    ("ipv6-mtu", Number),
    ("ipv6-privacy", Flag),
    ("link-local", List(&OneOf(&["ipv4", "ipv6"]))),
    ("macaddress", Text),
    ("mtu", Number),
    ("nameservers", Keys(&[NAMESERVERS])),
    ("optional", Flag),
    ("optional-addresses", List(&Text)),
    ("renderer", RENDERER),
    ("routes", List(&Keys(&[ROUTES]))),
    ("routing-policy", List(&Keys(&[RULES]))),
    ("hairpin", Flag),
    ("port-mac-learning", Flag),
    ("neigh-suppress", Flag),
    ("networkmanager", Keys(&[NETWORK_MANAGER])),
    ("openvswitch", Map(&Anything)),
];

/// The further keys of those for devices that exist.
const PHYSICAL: &[Entry] = &[
    ("match", Keys(&[MATCH])),
    ("set-name", Text),
    ("wakeonlan", Flag),
    ("wakeonwlan", List(&Text)),
    ("emit-lldp", Flag),
    ("receive-checksum-offload", Flag),
    ("transmit-checksum-offload", Flag),
    ("tcp-segmentation-offload", Flag),
    ("tcp6-segmentation-offload", Flag),
    ("generic-segmentation-offload", Flag),
    ("generic-receive-offload", Flag),
    ("large-receive-offload", Flag),
];

pub(super) const ETHERNET: Form = Keys(&[COMMON, PHYSICAL, ETHERNETS]);
pub(super) const WIFI: Form = Keys(&[COMMON, PHYSICAL, WIFIS]);
pub(super) const MODEM: Form = Keys(&[COMMON, PHYSICAL, MODEMS]);
pub(super) const BRIDGE: Form = Keys(&[COMMON, BRIDGES]);
pub(super) const BOND: Form = Keys(&[COMMON, BONDS]);
pub(super) const VLAN: Form = Keys(&[COMMON, &[("id", Number), ("link", Text)]]);
pub(super) const VRF: Form = Keys(&[COMMON, &[("interfaces", List(&Text)), ("table", Number)]]);
pub(super) const DUMMY: Form = Keys(&[COMMON]);
pub(super) const VETH: Form = Keys(&[COMMON, &[("peer", Text)]]);
pub(super) const TUNNEL: Form = Keys(&[COMMON, TUNNELS]);
/// An address with options.
pub(super) const ADDRESS_OPTIONS: Form =
    Keys(&[&[("label", Text), ("lifetime", OneOf(&["0", "forever"]))]]);

const ETHERNETS: &[Entry] = &[
    ("auth", Map(&Anything)),
    ("link", Text),
    ("virtual-function-count", Number),
    ("embedded-switch-mode", OneOf(&["switchdev", "legacy"])),
    ("delay-virtual-functions-rebind", Flag),
    ("infiniband-mode", OneOf(&["datagram", "connected"])),
];

const WIFIS: &[Entry] = &[
    ("access-points", Map(&Keys(&[ACCESS_POINT]))),
    ("auth", Map(&Anything)),
    ("regulatory-domain", Text),
];

const ACCESS_POINT: &[Entry] = &[
    ("band", OneOf(&["2.4GHz", "2.4G", "5GHz", "5G"])),
    ("bssid", HardwareAddress),
    ("hidden", Flag),
    ("channel", Number),
    ("mode", OneOf(&["infrastructure", "ap", "adhoc"])),
    ("password", Text),
    ("auth", Map(&Anything)),
    ("networkmanager", Keys(&[NETWORK_MANAGER])),
];

const MODEMS: &[Entry] = &[
    ("apn", Text),
    ("auto-config", Flag),
    ("device-id", Text),
    ("network-id", Text),
    ("number", Text),
    ("password", Text),
    ("pin", Text),
    ("sim-id", Text),
    ("sim-operator-id", Text),
    ("username", Text),
];

const BRIDGES: &[Entry] =
    &[("interfaces", List(&Text)), ("parameters", Keys(&[BRIDGE_PARAMETERS]))];

const BRIDGE_PARAMETERS: &[Entry] = &[
    ("ageing-time", Text),
    ("aging-time", Text),
    ("forward-delay", Text),
    ("hello-time", Text),
    ("max-age", Text),
    ("path-cost", Map(&Number)),
    ("port-priority", Map(&Number)),
    ("priority", Number),
    ("stp", Flag),
];

const BONDS: &[Entry] = &[("interfaces", List(&Text)), ("parameters", Keys(&[BOND_PARAMETERS]))];

const BOND_PARAMETERS: &[Entry] = &[
    ("mode", Text),
    ("lacp-rate", OneOf(&["slow", "fast"])),
    ("mii-monitor-interval", Text),
    ("min-links", Number),
    ("transmit-hash-policy", Text),
    ("ad-select", Text),
    ("all-slaves-active", Flag),
    ("all-members-active", Flag),
    ("arp-interval", Text),
    ("arp-ip-targets", List(&Address4)),
    ("arp-validate", Text),
    ("arp-all-targets", Text),
    ("up-delay", Text),
    ("down-delay", Text),
    ("fail-over-mac-policy", Text),
    ("gratuitous-arp", Number),
    ("gratuitious-arp", Number),
    ("packets-per-slave", Number),
    ("packets-per-member", Number),
    ("primary-reselect-policy", Text),
    ("resend-igmp", Number),
    ("learn-packet-interval", Text),
    ("primary", Text),
];

const TUNNELS: &[Entry] = &[
    ("mode", Text),
    ("local", Address),
    ("remote", Address),
    ("ttl", Number),
    ("key", Anything),
    ("keys", Anything),
    ("mark", Number),
    ("port", Number),
    ("peers", List(&Anything)),
    ("link", Text),
    ("ageing", Number),
    ("aging", Number),
    ("id", Number),
    ("limit", Number),
    ("type-of-service", Number),
    ("flow-label", Number),
    ("do-not-fragment", Flag),
    ("short-circuit", Flag),
    ("arp-proxy", Flag),
    ("mac-learning", Flag),
    ("notifications", List(&Text)),
    ("checksums", List(&Text)),
    ("extensions", List(&Text)),
    ("port-range", List(&Text)),
];

const MATCH: &[Entry] = &[("driver", Words), ("macaddress", HardwareAddress), ("name", Text)];

const NAMESERVERS: &[Entry] = &[("search", List(&Text)), ("addresses", List(&Address))];

const OVERRIDES: &[Entry] = &[
    ("hostname", Text),
    ("route-metric", Number),
    ("send-hostname", Flag),
    ("use-dns", Flag),
    ("use-domains", Text),
    ("use-hostname", Flag),
    ("use-mtu", Flag),
    ("use-ntp", Flag),
    ("use-routes", Flag),
];

const RA_OVERRIDES: &[Entry] = &[("use-dns", Flag), ("use-domains", Text), ("table", Number)];

const ROUTES: &[Entry] = &[
    ("from", Network),
    ("on-link", Flag),
    ("scope", Text),
    ("table", Number),
    ("to", Destination),
    ("type", Text),
    ("via", Address),
    ("metric", Number),
    ("mtu", Number),
    ("congestion-window", Number),
    ("advertised-receive-window", Number),
    ("advertised-mss", Number),
];

const RULES: &[Entry] = &[
    ("from", Network),
    ("mark", Number),
    ("priority", Number),
    ("table", Number),
    ("to", Network),
    ("type-of-service", Number),
];

const NETWORK_MANAGER: &[Entry] = &[
    ("name", Text),
    ("uuid", Text),
    ("stable-id", Text),
    ("device", Text),
    ("passthrough", Map(&Anything)),
];

impl Form {
    /// Checks a value.
    ///
    /// # Errors
    /// The line that netplan does not accept.
    pub(super) fn check(&self, value: &Value) -> Result<(), usize> {
        let refused = Err(value.place.line);
        match (self, &value.kind) {
            (Anything, _) => Ok(()),
            (Map(form), Kind::Map(entries)) => {
                entries.iter().try_for_each(|(_, value)| form.check(value))
            }
            (Keys(tables), Kind::Map(entries)) => entries.iter().try_for_each(|(key, value)| {
                let known = tables.iter().flat_map(|table| table.iter());
                match known.into_iter().find(|(name, _)| *name == key.name) {
                    Some((_, form)) => form.check(value),
                    None => Err(key.place.line),
                }
            }),
            (List(form), Kind::List(items)) => items.iter().try_for_each(|item| form.check(item)),
            (Words, Kind::List(items)) if !items.is_empty() => {
                items.iter().try_for_each(|item| Words.check(item))
            }
            (Map(_) | Keys(_) | List(_), _) | (_, Kind::Map(_) | Kind::List(_)) => refused,
            // netplan takes `null` for a word.
            (form, Kind::Null) => {
                if matches!(form, Text) {
                    Ok(())
                } else {
                    refused
                }
            }
            (form, Kind::Scalar(text)) => {
                if form.accepts(text) {
                    Ok(())
                } else {
                    refused
                }
            }
        }
    }

    fn accepts(&self, text: &str) -> bool {
        let is_4 = || text.parse::<Ipv4Addr>().is_ok();
        let is_6 = || text.parse::<Ipv6Addr>().is_ok();
        match self {
            Flag => flag(text).is_some(),
            Number => text.parse::<u32>().is_ok(),
            Address4 => is_4(),
            Address6 => is_6(),
            Address => is_4() || is_6(),
            Network => is_network(text),
            Destination => text == "default" || is_network(text),
            HardwareAddress => is_hardware_address(text),
            OneOf(words) => words.contains(&text),
            Words => !text.contains(' '),
            Text | Anything => true,
            List(_) | Map(_) | Keys(_) => false,
        }
    }
}

/// Returns what netplan takes for true or false.
pub(super) fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "y" => Some(true),
        "false" | "off" | "no" | "n" => Some(false),
        _ => None,
    }
}

/// netplan does not look at the length.
fn is_network(text: &str) -> bool {
    text.split('/').next().is_some_and(|address| address.parse::<IpAddr>().is_ok())
}

/// Six or twenty bytes.
fn is_hardware_address(text: &str) -> bool {
    let bytes: Vec<&str> = text.split(':').collect();
    let is_byte = |byte: &&str| byte.len() == 2 && byte.chars().all(|c| c.is_ascii_hexdigit());
    matches!(bytes.len(), 6 | 20) && bytes.iter().all(is_byte)
}
