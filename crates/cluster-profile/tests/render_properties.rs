//! What holds for any /etc/hosts and any /etc/network/interfaces.

mod common;

use std::collections::BTreeSet;

use cluster_profile::{RenderError, SystemFiles, render_node_regardless};
use common::{Fixture, Memory, NOW, PROFILE, debian_networkd, ubuntu_1604};
use proptest::prelude::*;

const OURS: [&str; 5] = ["xu4-master", "xu4-node1", "xu4-node2", "nas", "nas.lan"];
const OUR_ADDRESSES: [&str; 5] =
    ["192.168.1.80", "192.168.1.81", "192.168.1.82", "192.168.1.10", "127.0.1.1"];

fn word(from: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(from).prop_map(str::to_owned)
}

fn space() -> impl Strategy<Value = String> {
    word(&[" ", "\t", "  ", "\t\t", " \t"])
}

fn line_end() -> impl Strategy<Value = String> {
    word(&["\n", "\n", "\n", "\r\n", " \n"])
}

fn hosts_line() -> impl Strategy<Value = String> {
    let address = word(&[
        "192.168.1.80",
        "192.168.1.81",
        "192.168.1.10",
        "192.168.1.99",
        "10.0.0.1",
        "127.0.0.1",
        "127.0.1.1",
        "::1",
        "fe80::1",
        "garbage",
    ]);
    let name = word(&[
        "xu4-master",
        "XU4-Node1",
        "xu4-node1.lan",
        "nas",
        "nas.lan",
        "old",
        "old.lan",
        "registry",
        "Printer",
        "localhost",
    ]);
    let names = prop::collection::vec((space(), name), 0..4);
    let comment = prop::option::of(word(&["# x", "#", " # xu4-node1", "# \u{e9}"]));
    (address, names, comment, line_end()).prop_map(|(address, names, comment, end)| {
        let names: String = names.into_iter().map(|(space, name)| space + &name).collect();
        address + &names + &comment.unwrap_or_default() + &end
    })
}

/// Arbitrary lines of a file, the last one at times not ended.
fn file(line: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    let other = word(&["\n", "# a comment\n", "   \r\n", "#127.0.1.1 xu4-node1\n", "\tx\n"]);
    let lines = prop::collection::vec(prop_oneof![4 => line.boxed(), 1 => other.boxed()], 0..12);
    (lines, any::<bool>()).prop_map(|(lines, ended)| {
        let text = lines.concat();
        if ended { text } else { text.trim_end_matches(['\r', '\n']).to_owned() }
    })
}

fn rendered(fixture: &Fixture, base: &Memory, node: usize) -> Memory {
    let mut system = base.clone();
    let node = &fixture.cluster.nodes[node];
    let rendered =
        render_node_regardless(&fixture.cluster, node, &fixture.keys, &system, NOW).unwrap();
    system.apply(&rendered.edits);
    system
}

/// Lines that name neither a name nor an address of ours.
fn foreign(text: &str) -> Vec<&str> {
    let ours = |line: &str| {
        let mut words = line.split('#').next().unwrap_or("").split_ascii_whitespace();
        let address = words.next().unwrap_or("");
        let names: Vec<String> = words.map(str::to_ascii_lowercase).collect();
        // A line without names, or without an address, says nothing.
        if names.is_empty() || address.parse::<std::net::IpAddr>().is_err() {
            return false;
        }
        OUR_ADDRESSES.contains(&address)
            || names.iter().any(|name| OURS.contains(&name.as_str()) || name == "old")
    };
    text.split_inclusive('\n')
        .map(|line| line.trim_end_matches(['\n']))
        .filter(|line| !ours(line))
        .collect()
}

/// Names and the addresses they have, in the order of the file.
fn answers(text: &str) -> Vec<(String, String)> {
    let mut answers = Vec::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or("").split_ascii_whitespace();
        let address = words.next().unwrap_or("").to_owned();
        if address.parse::<std::net::IpAddr>().is_ok() {
            answers.extend(words.map(|name| (name.to_ascii_lowercase(), address.clone())));
        }
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn hosts_are_right_and_settle_at_once(text in file(hosts_line())) {
        thread_local!(static FIXTURE: Fixture = Fixture::new(PROFILE));
        FIXTURE.with(|fixture| {
            let base = ubuntu_1604().file("/etc/hosts", &text).file("/etc/hostname", "old\n");
            let once = rendered(fixture, &base, 1);
            let hosts = once.text("/etc/hosts");
            prop_assert_eq!(&rendered(fixture, &once, 1).text("/etc/hosts"), &hosts);

            // Every name of ours has its one address, and nobody else has it.
            let answers = answers(&hosts);
            for (name, address) in [
                ("xu4-master", "192.168.1.80"),
                ("xu4-node2", "192.168.1.82"),
                ("nas", "192.168.1.10"),
                ("nas.lan", "192.168.1.10"),
            ] {
                let found: Vec<&str> =
                    answers.iter().filter(|(n, _)| n == name).map(|(_, a)| a.as_str()).collect();
                prop_assert_eq!(found, [address]);
            }
            let own: Vec<&str> = answers.iter().filter(|(n, _)| n == "xu4-node1").map(|(_, a)| a.as_str()).collect();
            let own: BTreeSet<&str> = own.into_iter().collect();
            prop_assert_eq!(own, BTreeSet::from(["127.0.1.1", "192.168.1.81"]));
            prop_assert!(!answers.iter().any(|(name, _)| name == "old"));
            prop_assert!(answers.contains(&("localhost".to_owned(), "127.0.0.1".to_owned())));

            // Foreign lines are there as they were, in their order.
            let after = foreign(&hosts);
            let mut rest = after.iter();
            for line in foreign(&text) {
                prop_assert!(rest.any(|other| *other == line), "{:?} is gone from {:?}", line, hosts);
            }
            Ok(())
        })?;
    }

    #[test]
    fn interfaces_are_right_and_settle_at_once(text in file(interfaces_line())) {
        thread_local!(static FIXTURE: Fixture = Fixture::new(PROFILE));
        FIXTURE.with(|fixture| {
            let base = ubuntu_1604().file("/etc/network/interfaces", &text);
            let once = rendered(fixture, &base, 1);
            let new = once.text("/etc/network/interfaces");
            prop_assert_eq!(&rendered(fixture, &once, 1).text("/etc/network/interfaces"), &new);

            let stanzas = |text: &str, of: &str| stanzas(text).into_iter().filter(|s| s[1] == of).collect::<Vec<_>>();
            let ours = stanzas(&new, "eth0");
            let of_ipv4: Vec<_> = ours.iter().filter(|s| s[2] == "inet").collect();
            prop_assert_eq!(of_ipv4.len(), 1);
            let stanza = of_ipv4[0].join(" ");
            let options = stanza.strip_prefix(
                "iface eth0 inet static address 192.168.1.81 netmask 255.255.255.0 \
                 gateway 192.168.1.1 dns-nameservers 192.168.1.1 8.8.8.8 dns-search home.lan",
            );
            // The image's own commands may follow, and nothing else.
            let commands = ["", "up", "post-up", "pre-up", "down", "post-down", "pre-down", "mtu"];
            let first = options.map(|options| options.trim().split(' ').next().unwrap());
            prop_assert!(first.is_some_and(|first| commands.contains(&first)), "{}", stanza);
            prop_assert!(stanzas(&new, "eth0:1").is_empty());
            for other in ["eth1", "eth00", "lo"] {
                prop_assert_eq!(stanzas(&new, other), stanzas(&text, other));
            }
            let comments = |text: &str| text.lines().filter(|l| l.trim_start().starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(comments(&new), comments(&text));
            let auto = |text: &str, name: &str| text.lines().any(|line| {
                line.starts_with("auto") && line.split_ascii_whitespace().skip(1).any(|w| w == name)
            });
            prop_assert!(!auto(&new, "eth0:1"));
            prop_assert!(new.contains("auto eth0\niface eth0 ") || new.contains("allow-hotplug eth0\niface eth0 "));
            prop_assert_eq!(auto(&new, "eth1"), auto(&text, "eth1"));
            Ok(())
        })?;
    }

    #[test]
    fn no_bytes_make_any_back_end_panic(
        bytes in prop::collection::vec(prop_oneof![3 => Just(b'\n'), 3 => Just(b'['), 20 => any::<u8>()], 0..200),
        which in 0..11usize,
    ) {
        thread_local!(static FIXTURE: Fixture = Fixture::new(PROFILE));
        let paths = [
            "/etc/netplan/1.yaml", "/etc/systemd/network/1.network", "/etc/passwd", "/etc/group",
            "/etc/NetworkManager/system-connections/x", "/etc/shadow", "/root/.ssh/id_rsa.pub",
            "/etc/NetworkManager/conf.d/10-globally-managed-devices.conf", "/root/.ssh/config",
            "/etc/default/armbian-firstrun", "/etc/resolv.conf",
        ];
        FIXTURE.with(|fixture| {
            let base = debian_networkd()
                .file("/usr/libexec/netplan/generate", "")
                .file("/root/.ssh/id_rsa", "")
                .file("/usr/lib/systemd/system/NetworkManager.service", "[Unit]\n")
                .link(
                    "/etc/systemd/system/multi-user.target.wants/NetworkManager.service",
                    "/lib/systemd/system/NetworkManager.service",
                )
                .file(paths[which], &bytes);
            // Users may be missing then; whatever is rendered settles at once.
            if let Ok((once, _)) = fixture.card(&base, 1) {
                prop_assert_eq!(&fixture.card(&once, 1).unwrap().0, &once);
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), which in 0..7usize) {
        thread_local!(static FIXTURE: Fixture = Fixture::new(PROFILE));
        let paths = [
            "/etc/hosts", "/etc/network/interfaces", "/etc/hostname", "/etc/ssh/sshd_config",
            "/root/.ssh/authorized_keys", "/root/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts",
        ];
        FIXTURE.with(|fixture| {
            let base = ubuntu_1604().file(paths[which], &bytes);
            let (once, twice) = match fixture.card(&base, 1) {
                Ok((once, _)) => {
                    let twice = fixture.card(&once, 1).unwrap().0;
                    (once, twice)
                }
                // What is written still settles.
                Err(RenderError::NotBroughtUp { .. }) => {
                    let once = rendered(fixture, &base, 1);
                    let twice = rendered(fixture, &once, 1);
                    (once, twice)
                }
                Err(error) => panic!("{error}"),
            };
            for path in paths {
                prop_assert_eq!(once.read(path).unwrap(), twice.read(path).unwrap(), "{}", path);
            }
            Ok(())
        })?;
    }
}

/// Each `iface` stanza as its words, as ifupdown reads them.
fn stanzas(text: &str) -> Vec<Vec<String>> {
    let mut stanzas: Vec<Vec<String>> = Vec::new();
    let mut inside = false;
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let words: Vec<String> = line.split_ascii_whitespace().map(str::to_owned).collect();
        let Some(first) = words.first() else { continue };
        match first.as_str() {
            "iface" => {
                inside = true;
                stanzas.push(words);
            }
            "auto" | "allow-hotplug" | "mapping" | "source" => inside = false,
            _ if inside => stanzas.last_mut().unwrap().extend(words),
            _ => {}
        }
    }
    stanzas
}

fn interfaces_line() -> impl Strategy<Value = String> {
    let line = word(&[
        "auto lo",
        "auto eth0",
        "auto eth0 eth1",
        "auto lo eth0:1",
        "allow-hotplug eth0",
        "allow-hotplug eth1",
        "iface lo inet loopback",
        "iface eth0 inet dhcp",
        "iface eth0 inet static",
        "iface eth0 inet6 auto",
        "iface eth0:1 inet static",
        "iface eth1 inet dhcp",
        "iface eth00 inet static",
        "    address 10.0.0.1",
        "\taddress 192.168.1.80",
        "    up ip route add default dev eth0",
        "#iface eth0 inet static",
        "    # a comment",
        "mapping eth0",
        "mapping eth1",
        "    script /x",
    ]);
    (line, line_end()).prop_map(|(line, end)| line + &end)
}
