//! dhcpcd, which asks DHCP wherever it has no static address.

use system_model::network::DHCPCD_CONF;

use super::{super::Strip, is_ipv4};
use crate::{Purpose, SystemError, render::text::lines};

pub(super) fn to_dhcp(to: &mut Strip<'_>, interface: Option<&str>) -> Result<(), SystemError> {
    let Some(old) = to.read(DHCPCD_CONF)? else { return Ok(()) };
    to.rewrite(Purpose::RivalSettings, DHCPCD_CONF, &old, &changed(&old, interface));
    Ok(())
}

/// Returns the file without static IPv4 addresses: those of one interface, or of all. What is set
/// for a network, or as a fallback, stays.
fn changed(text: &str, interface: Option<&str>) -> String {
    let mut blocks: Vec<(bool, Vec<&str>)> = vec![(true, Vec::new())];
    for line in lines(text) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_wanted = match words.as_slice() {
            ["interface", names @ ..] => {
                Some(interface.is_none_or(|interface| names == [interface].as_slice()))
            }
            ["ssid" | "profile" | "arping", _, ..] => Some(false),
            _ => None,
        };
        if let Some(is_wanted) = is_wanted {
            blocks.push((is_wanted, Vec::new()));
        }
        blocks.last_mut().into_iter().for_each(|(_, lines)| lines.push(line));
    }
    let mut new = String::new();
    for (is_wanted, lines) in blocks {
        let has_address = lines.iter().any(|line| {
            option(line).is_some_and(|(name, value)| name == "ip_address" && is_ipv4(value))
        });
        let is_dropped = |line: &str| {
            let names = ["ip_address", "routers", "domain_name_servers", "domain_search"];
            option(line).is_some_and(|(name, _)| names.contains(&name))
        };
        let kept = lines.iter().filter(|line| !(is_wanted && has_address && is_dropped(line)));
        new.extend(kept.copied());
    }
    new
}

/// Returns the name and value of `static NAME=VALUE`.
fn option(line: &str) -> Option<(&str, &str)> {
    let rest = line.trim_ascii();
    let rest = rest.strip_prefix("static").or_else(|| rest.strip_prefix("inform"))?;
    let (name, value) = rest.strip_prefix([' ', '\t'])?.trim_ascii_start().split_once('=')?;
    Some((name, value.trim_matches('"')))
}
