//! Programs that configure network interfaces.

use super::{Arguments, if_any};
use crate::Effect;

/// What the names of interfaces begin with that are no network of a cluster.
const OTHERS: [&str; 12] =
    ["lo", "can", "vcan", "docker", "veth", "tun", "tap", "wg", "ppp", "dummy", "lxcbr", "virbr"];

pub(super) fn judge(name: &str, arguments: &Arguments<'_>) -> Option<Vec<Effect>> {
    let all = arguments.all;
    let first = arguments.first();
    let changes = match name {
        "netplan" => arguments.has("set"),
        "nmcli" => nmcli(all),
        "ip" => {
            let operands: Vec<&str> = arguments.operands().map(String::as_str).collect();
            ip(&operands)
        }
        "ifconfig" => {
            let is_neutral = |word: &String| {
                matches!(word.as_str(), "up" | "promisc" | "-promisc" | "multicast")
            };
            !first.is_empty()
                && !is_other(first)
                && all.len() > 1
                && !all[1..].iter().all(is_neutral)
        }
        "ifdown" => arguments.has_any(&["-a", "--all"]) || (!first.is_empty() && !is_other(first)),
        "dhclient" | "udhcpc" | "dhcpcd" | "pump" => {
            !arguments.has_any(&["-r", "-x", "-k", "--release"]) && !first.is_empty()
        }
        _ => return None,
    };
    Some(if_any(changes, Effect::Address))
}

fn is_other(interface: &str) -> bool {
    OTHERS.iter().any(|start| {
        let rest = interface.strip_prefix(start);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// ip(8), whose words may be shortened.
fn ip(operands: &[&str]) -> bool {
    let is = |word: &str, whole: &str| !word.is_empty() && whole.starts_with(word);
    let Some((object, rest)) = operands.split_first() else { return false };
    let verb = rest.first().copied().unwrap_or_default();
    let interface = || {
        let at = rest.iter().position(|word| *word == "dev");
        let behind = at.and_then(|at| rest.get(at + 1));
        behind.or_else(|| rest.get(1)).copied().unwrap_or_default()
    };
    if *object == "a" || *object == "addr" || (object.len() > 1 && is(object, "address")) {
        let verbs = ["add", "change", "replace", "flush", "delete"];
        let named = rest.iter().position(|word| *word == "dev").and_then(|at| rest.get(at + 1));
        return verbs.iter().any(|one| is(verb, one)) && !named.is_some_and(|name| is_other(name));
    }
    if is(object, "link") && is(verb, "set") {
        let changes = ["down", "name", "address", "master", "netns"];
        return rest.iter().any(|word| changes.contains(word)) && !is_other(interface());
    }
    false
}

/// nmcli(1), whose words may be shortened.
fn nmcli(all: &[String]) -> bool {
    const CONNECTION: [&str; 8] =
        ["add", "modify", "delete", "clone", "import", "edit", "up", "down"];
    const DEVICE: [&str; 6] = ["modify", "disconnect", "delete", "reapply", "connect", "set"];
    let is = |word: &str, whole: &str| !word.is_empty() && whole.starts_with(word);
    // Options may have values: the object is the first word that is one.
    for two in all.windows(2) {
        let (object, verb) = (two[0].as_str(), two[1].as_str());
        if is(object, "connection") {
            return CONNECTION.iter().any(|one| is(verb, one));
        }
        if is(object, "device") {
            return DEVICE.iter().any(|one| is(verb, one));
        }
        if is(object, "networking") {
            return is(verb, "off");
        }
    }
    false
}
