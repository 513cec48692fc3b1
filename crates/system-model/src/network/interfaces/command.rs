//! Commands in stanzas that give an interface an address.

use std::net::IpAddr;

/// Returns the address that a command adds, and the interface: `own` where the command says
/// `$IFACE`. Aliases (`eth0:1`) are their interface's.
pub(super) fn added<'a>(command: &'a str, own: &'a str) -> Option<(&'a str, &'a str)> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let (first, rest) = words.split_first()?;
    let (address, device) = match (first.rsplit('/').next()?, rest) {
        ("ip", rest) => {
            let rest = rest.strip_prefix(&["-4"]).or(rest.strip_prefix(&["-6"])).unwrap_or(rest);
            let ["a" | "addr" | "address", "add" | "a" | "replace" | "change", rest @ ..] = rest
            else {
                return None;
            };
            let device = rest.iter().position(|word| *word == "dev")?;
            let address = match rest {
                ["local", address, ..] | [address, ..] => *address,
                [] => return None,
            };
            (address, *rest.get(device + 1)?)
        }
        ("ifconfig", [device, "add", address, ..] | [device, address, ..]) => (*address, *device),
        _ => return None,
    };
    address.split('/').next()?.parse::<IpAddr>().ok()?;
    let device = device.trim_matches(['"', '\'', ';']);
    let device = device.split(':').next()?;
    let is_own = matches!(device, "$IFACE" | "${IFACE}" | "--all");
    Some((address, if is_own { own } else { device }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_add_addresses() {
        for (command, expected) in [
            ("ip addr add 10.0.0.9/24 dev eth0", Some(("10.0.0.9/24", "eth0"))),
            (
                "/sbin/ip -4 a add 10.0.0.9/24 dev $IFACE label $IFACE:1",
                Some(("10.0.0.9/24", "own")),
            ),
            ("ip address replace 10.0.0.9 brd + dev \"$IFACE\" || true", Some(("10.0.0.9", "own"))),
            ("ifconfig eth1:0 10.0.0.9 netmask 255.0.0.0 up", Some(("10.0.0.9", "eth1"))),
            ("ifconfig eth1 add fd00::9/64", Some(("fd00::9/64", "eth1"))),
            ("ifconfig eth1 up", None),
            ("ip addr flush dev eth0", None),
            ("ip addr add $MINE dev eth0", None),
            ("ip route add 10.0.0.0/8 dev eth0", None),
            ("echo ip addr add 10.0.0.9/24 dev eth0", None),
            ("", None),
        ] {
            assert_eq!(added(command, "own"), expected, "{command}");
        }
    }
}
