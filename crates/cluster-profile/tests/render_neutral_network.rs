//! Static addresses that were set by hand go back to DHCP when a card is saved as a base image.
//! netplan and ifupdown judge what is written.

mod common;

use std::{fs, path::Path, process::Command};

use cluster_profile::{KeptAddress, Neutral, render_neutral};
use common::{Fixture, Memory, PROFILE, debian_networkd, ubuntu_1604};

/// Returns the system without the identity: of a node of the profile, which uses eth0, or of any.
fn neutral(system: &Memory, with_profile: bool) -> (Memory, Neutral) {
    let fixture = Fixture::new(PROFILE);
    let owner = with_profile.then_some((&fixture.cluster, &fixture.keys));
    let neutral = render_neutral(owner, system).unwrap();
    let mut after = system.clone();
    after.apply(&neutral.edits);
    let again = render_neutral(owner, &after).unwrap();
    assert_eq!(again.edits, [], "a second run changes something");
    assert_eq!(again.kept, neutral.kept);
    (after, neutral)
}

fn kept(neutral: &Neutral) -> Vec<String> {
    let one = |kept: &KeptAddress| {
        let at = kept.at.as_ref().map(|at| format!("{}:{}", at.path, at.line));
        format!("{} {} {}", kept.interface, kept.address, at.unwrap_or_default())
    };
    neutral.kept.iter().map(one).collect()
}

/// Runs a program of those that scripts/lib/judges.sh unpacks.
fn judge(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{program} is needed ({error}): run the tests with scripts/test, which unpacks it")
    });
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}{errors}");
    said
}

/// Returns the .network files that netplan itself makes of /etc/netplan, one after the other.
fn netplan_generate(system: &Memory) -> String {
    let work = tempfile::tempdir().unwrap();
    for (path, item) in &system.0 {
        if let common::Item::File { contents, .. } = item
            && path.starts_with("/etc/netplan/")
        {
            let whole = work.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(whole.parent().unwrap()).unwrap();
            fs::write(whole, contents).unwrap();
        }
    }
    fs::create_dir_all(work.path().join("run")).unwrap();
    let program = if Path::new("/usr/libexec/netplan/generate").exists() {
        "/usr/libexec/netplan/generate"
    } else {
        "generate"
    };
    judge(program, &["-r", work.path().to_str().unwrap()]);
    let directory = work.path().join("run/systemd/network");
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

fn with_netplan(text: &str) -> Memory {
    debian_networkd()
        .file("/usr/sbin/netplan", "")
        .file("/usr/libexec/netplan/generate", "")
        .file("/etc/netplan/01-own.yaml", text)
}

const BLOCK: &str = "\
# The rack in the cellar.
network:
  version: 2
  renderer: networkd
  ethernets:
    eth0:
      # by hand
      dhcp4: no
      addresses:
        - 192.168.1.81/24   # node 1
        - \"10.1.1.81/16\":
            label: \"eth0:x\"
      gateway4: 192.168.1.1
      nameservers:
        search: [home.lan]
        addresses: [192.168.1.1]
      optional: true
    eth1:
      addresses: [10.0.0.5/8]
";

#[test]
fn netplan_asks_dhcp_and_keeps_what_is_not_the_address() {
    let card = with_netplan(BLOCK);
    let (after, neutral_) = neutral(&card, true);
    let expected = "\
# The rack in the cellar.
network:
  version: 2
  renderer: networkd
  ethernets:
    eth0:
      # by hand
      dhcp4: true
      optional: true
    eth1:
      addresses: [10.0.0.5/8]
";
    assert_eq!(after.text("/etc/netplan/01-own.yaml"), expected);
    assert_eq!(kept(&neutral_), ["eth1 10.0.0.5/8 /etc/netplan/01-own.yaml:11"]);
    // Without a profile, every interface is this node's own.
    let (all, neutral_) = neutral(&card, false);
    assert_eq!(kept(&neutral_), [""; 0]);
    let before = netplan_generate(&card);
    assert!(before.contains("Address=192.168.1.81/24") && before.contains("Gateway"), "{before}");
    let after = netplan_generate(&all);
    assert_eq!(after.matches("DHCP=ipv4").count(), 2, "{after}");
    for gone in ["Address=", "Gateway", "DNS=", "Domains="] {
        assert!(!after.contains(gone), "{gone}: {after}");
    }
}

#[test]
fn netplan_keeps_ipv6_other_routes_and_settings_in_braces() {
    let card = with_netplan(
        "network:\n  version: 2\n  ethernets:\n    eth0:\n      addresses: [192.168.1.81/24, \
         'fd00::81/64']\n      routes:\n        - to: default\n          via: 192.168.1.1\n        \
         - {to: 10.0.0.0/8, via: 192.168.1.7}\n    second: {match: {name: 'eth1*'}, \
         addresses: [10.0.0.5/8], mtu: 9000}\n  bridges:\n    br0:\n      interfaces: [eth0]\n      \
         addresses:\n      - 192.168.9.4/24\n      parameters: {stp: false}\n",
    );
    let (after, neutral_) = neutral(&card, false);
    let text = after.text("/etc/netplan/01-own.yaml");
    let expected = "network:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n      \
                    addresses: [\"fd00::81/64\"]\n      routes: [{to: 10.0.0.0/8, via: 192.168.1.7}]\n    \
                    second: {match: {name: \"eth1*\"}, dhcp4: true, mtu: 9000}\n  bridges:\n    br0:\n      \
                    interfaces: [eth0]\n      dhcp4: true\n      parameters: {stp: false}\n";
    assert_eq!(text, expected);
    assert_eq!(kept(&neutral_), ["eth0 fd00::81/64 /etc/netplan/01-own.yaml:6"]);
    let made = netplan_generate(&after);
    assert_eq!(made.matches("DHCP=ipv4").count(), 3, "{made}");
    assert_eq!(made.matches("Address=").count(), 1, "{made}");
    assert!(made.contains("Address=fd00::81/64") && made.contains("10.0.0.0/8"), "{made}");
}

#[test]
fn netplan_joins_files_and_what_is_too_unusual_is_listed() {
    let first = "network:\n  ethernets:\n    eth0:\n      addresses: [192.168.1.81/24]\n";
    let card = with_netplan(first).file(
        "/etc/netplan/90-later.yaml",
        "network:\n  ethernets:\n    eth0:\n      dhcp4: false\n      gateway4: 192.168.1.1\n",
    );
    let (after, neutral_) = neutral(&card, true);
    assert_eq!(kept(&neutral_), [""; 0]);
    let made = netplan_generate(&after);
    assert!(made.contains("DHCP=ipv4") && !made.contains("192.168"), "{made}");

    // Two keys in one line, which no line can be taken out of.
    let odd = "network: {ethernets: {eth0: {addresses: [192.168.1.81/24]}}}\n";
    let (after, neutral_) = neutral(&with_netplan(odd), true);
    assert_eq!(after.text("/etc/netplan/01-own.yaml"), odd);
    assert_eq!(kept(&neutral_), ["eth0 192.168.1.81/24 /etc/netplan/01-own.yaml:1"]);
    // What netplan does not read at all is nobody's address.
    let (after, neutral_) = neutral(&with_netplan("network:\n  oops: [\n"), true);
    assert_eq!(after.text("/etc/netplan/01-own.yaml"), "network:\n  oops: [\n");
    assert_eq!(kept(&neutral_), [""; 0]);
}

#[test]
fn networkd_asks_dhcp() {
    let path = "/etc/systemd/network/10-lan.network";
    let card = debian_networkd()
        .file(
            path,
            "# mine\n[Match]\nName=eth0\n\n[Network]\nDescription=LAN\nAddress=192.168.1.81/24\n\
             Address=fd00::81/64\nGateway=192.168.1.1\nDNS=192.168.1.1\n\n[Address]\n\
             Address=10.1.1.1/16\nLabel=x\n\n[Route]\nGateway=10.1.1.9\n\n[Route]\n\
             Gateway=192.168.1.7\nDestination=10.0.0.0/8\n\n[Link]\nMTUBytes=9000\n",
        )
        .file("/etc/systemd/network/20-b.network", "[Match]\nName=eth1\n[Network]\nDHCP=no\n")
        .file(
            "/etc/systemd/network/20-b.network.d/address.conf",
            "[Address]\nAddress=10.9.9.9/24\n",
        );
    let (after, neutral_) = neutral(&card, false);
    assert_eq!(
        after.text(path),
        "# mine\n[Match]\nName=eth0\n\n[Network]\nDescription=LAN\nAddress=fd00::81/64\nDHCP=ipv4\n\n\
         [Route]\nGateway=192.168.1.7\nDestination=10.0.0.0/8\n\n[Link]\nMTUBytes=9000\n"
    );
    assert_eq!(
        after.text("/etc/systemd/network/20-b.network"),
        "[Match]\nName=eth1\n[Network]\nDHCP=ipv4\n"
    );
    assert!(after.text("/etc/systemd/network/20-b.network.d/address.conf").contains("DHCP=ipv4"));
    assert_eq!(kept(&neutral_), [format!("eth0 fd00::81/64 {path}:7")]);
    // The profile's interface only.
    let (after, neutral_) = neutral(&card, true);
    assert!(!after.text(path).contains("192.168.1.81"));
    let other = "eth1 10.9.9.9/24 /etc/systemd/network/20-b.network.d/address.conf:2".to_owned();
    assert_eq!(kept(&neutral_), [format!("eth0 fd00::81/64 {path}:7"), other]);
}

#[test]
fn network_manager_asks_dhcp() {
    let path = "/etc/NetworkManager/system-connections/lan.nmconnection";
    let card = debian_networkd()
        .unit("NetworkManager.service")
        .file(
            path,
            "[connection]\nid=lan\nuuid=0f9a5a8e-6d0c-4f0e-8f0f-3c1f0a2b4c5d\ntype=ethernet\ninterface-name=eth0\n\n[ipv4]\n\
             address1=192.168.1.81/24,192.168.1.1\naddress2=10.1.1.1/8\ndns=192.168.1.1;\n\
             dns-search=home.lan;\nroute1=10.0.0.0/8,192.168.1.7\nmethod=manual\nmay-fail=false\n\n\
             [ipv6]\naddress1=fd00::81/64\nmethod=manual\n",
        )
        .with_mode(path, 0o600);
    let (after, neutral_) = neutral(&card, true);
    assert_eq!(
        after.text(path),
        "[connection]\nid=lan\nuuid=0f9a5a8e-6d0c-4f0e-8f0f-3c1f0a2b4c5d\ntype=ethernet\ninterface-name=eth0\n\n[ipv4]\n\
         route1=10.0.0.0/8,192.168.1.7\nmethod=auto\nmay-fail=false\n\n\
         [ipv6]\naddress1=fd00::81/64\nmethod=manual\n"
    );
    // NetworkManager ignores a file that others can read.
    let common::Item::File { mode, .. } = after.0.get(path).unwrap() else { panic!("{path}") };
    assert_eq!(*mode, 0o600);
    assert_eq!(kept(&neutral_), [format!("eth0 fd00::81/64 {path}:13")]);
}

#[test]
fn dhcpcd_asks_dhcp() {
    let card = debian_networkd().unit("dhcpcd.service").file(
        "/etc/dhcpcd.conf",
        "hostname\ninterface eth0\nstatic ip_address=192.168.1.81/24\nstatic routers=192.168.1.1\n\
         static ip6_address=fd00::81/64\nmetric 5\nprofile fallback\nstatic ip_address=10.0.0.1/8\n\
         interface eth1\nstatic ip_address=10.5.5.5/8\n",
    );
    let (after, neutral_) = neutral(&card, true);
    assert_eq!(
        after.text("/etc/dhcpcd.conf"),
        "hostname\ninterface eth0\nstatic ip6_address=fd00::81/64\nmetric 5\nprofile fallback\n\
         static ip_address=10.0.0.1/8\ninterface eth1\nstatic ip_address=10.5.5.5/8\n"
    );
    assert_eq!(kept(&neutral_), ["eth1 10.5.5.5/8 /etc/dhcpcd.conf:8"]);
}

#[test]
fn ifupdown_asks_dhcp_by_whatever_stanza() {
    let file = "auto lo\niface lo inet loopback\nallow-hotplug eth0=home\niface home inet static\n  \
                address 192.168.1.81/24\n  gateway 192.168.1.1\n  dns-nameservers 192.168.1.1\n  \
                up ethtool -s eth0 wol g\niface home inet6 static\n  address fd00::81/64\n\
                auto eth0:1\niface eth0:1 inet static\n  address 10.1.1.1/8\n";
    let card = ubuntu_1604().unit("networking.service").file("/etc/network/interfaces", file);
    let (after, neutral_) = neutral(&card, true);
    let text = after.text("/etc/network/interfaces");
    assert_eq!(
        text,
        "auto lo\niface lo inet loopback\nallow-hotplug eth0=home\niface home inet dhcp\n  \
         up ethtool -s eth0 wol g\niface home inet6 static\n  address fd00::81/64\n\
         auto eth0:1\niface eth0:1 inet static\n  address 10.1.1.1/8\n"
    );
    let kept = kept(&neutral_).join("\n");
    assert!(kept.contains("fd00::81/64") && kept.contains("10.1.1.1/8"), "{kept}");
    assert_eq!(neutral_.kept.len(), 2);

    let work = tempfile::tempdir().unwrap();
    let query = |text: &str| {
        let path = work.path().join("interfaces");
        fs::write(&path, text).unwrap();
        let state = format!("--state-dir={}", work.path().display());
        judge("ifquery", &["-i", path.to_str().unwrap(), &state, "home"])
    };
    let (before, after) = (query(file), query(&text));
    assert!(before.contains("address: 192.168.1.81") && before.contains("gateway"), "{before}");
    assert!(after.contains("up: ethtool") && after.contains("address: fd00::81"), "{after}");
    assert!(!after.contains("192.168"), "{after}");
}

/// NetworkManager reads neither of them, but they say what the card's address was.
#[test]
fn keyfiles_that_network_manager_ignores_ask_dhcp_too() {
    let directory = "/etc/NetworkManager/system-connections";
    let text = |head: &str| {
        format!("[connection]\n{head}\n[ipv4]\naddress1=192.168.1.81/24\nmethod=manual\n")
    };
    let card = debian_networkd()
        .unit("NetworkManager.service")
        .file(&format!("{directory}/readable"), text("type=ethernet\ninterface-name=eth0"))
        .file(&format!("{directory}/broken"), text("uuid=1\ninterface-name=eth0"))
        .with_mode(&format!("{directory}/broken"), 0o600)
        .file(&format!("{directory}/other"), text("uuid=1\ninterface-name=eth1"))
        .with_mode(&format!("{directory}/other"), 0o600);
    let (after, _) = neutral(&card, true);
    for (name, stays) in [("readable", false), ("broken", false), ("other", true)] {
        let text = after.text(&format!("{directory}/{name}"));
        assert_eq!(text.contains("192.168.1.81"), stays, "{name}: {text}");
    }
}

/// What has nothing to do with the profile's interface, or is no address of a node's.
#[test]
fn other_connections_of_network_manager_stay() {
    let directory = "/etc/NetworkManager/system-connections";
    let connection =
        |head: &str, ipv4: &str| format!("[connection]\nid=x\n{head}\n\n[ipv4]\n{ipv4}");
    let fixed = "address1=192.168.1.81/24,192.168.1.1\ndns=192.168.1.1;\nmethod=manual\n";
    let texts = [
        ("wifi", connection("type=wifi\n\n[wifi]\nssid=x", fixed), "192.168.1.81/24 "),
        ("other", connection("type=ethernet\ninterface-name=eth1", fixed), "192.168.1.81/24 "),
        (
            "shared",
            connection(
                "type=ethernet\ninterface-name=eth0",
                "address1=10.42.0.1/24\nmethod=shared\n",
            ),
            "10.42.0.1/24 ",
        ),
    ];
    let mut card = debian_networkd().unit("NetworkManager.service");
    for (name, text, _) in &texts {
        let path = format!("{directory}/{name}.nmconnection");
        card = card.file(&path, text).with_mode(&path, 0o600);
    }
    let path = format!("{directory}/lan.nmconnection");
    let own = connection(
        "type=ethernet",
        "address1=192.168.1.82/24,192.168.1.1\ndns=9.9.9.9;\nignore-auto-dns=true\nmethod=manual\n",
    );
    let card = card.file(&path, own).with_mode(&path, 0o600);
    let (after, neutral_) = neutral(&card, true);
    for (name, text, address) in &texts {
        let path = format!("{directory}/{name}.nmconnection");
        assert_eq!(after.text(&path), *text, "{name}");
        let listed = kept(&neutral_);
        assert!(
            listed.iter().any(|line| line.contains(address) && line.contains(&path)),
            "{name}: {listed:?}"
        );
    }
    // Without its name servers, this one would have none.
    assert_eq!(
        after.text(&path),
        connection("type=ethernet", "dns=9.9.9.9;\nignore-auto-dns=true\nmethod=auto\n")
    );
    // Without a profile every connection is this node's own.
    let (after, _) = neutral(&card, false);
    assert!(!after.text(&format!("{directory}/wifi.nmconnection")).contains("192.168.1.81"));
}

#[test]
fn tunnels_and_commands_that_add_addresses_are_listed() {
    let file = "auto lo eth0 tun0\niface lo inet loopback\niface eth0 inet static\n  \
                address 192.168.1.81/24\n  up ip addr add 192.168.1.91/24 dev eth0\n  \
                post-up ip addr add 192.168.2.91/24 dev $IFACE\niface tun0 inet tunnel\n  mode gre\n  \
                address 10.9.0.1\n  endpoint 192.168.1.7\n";
    let card = ubuntu_1604().unit("networking.service").file("/etc/network/interfaces", file);
    let (after, neutral_) = neutral(&card, true);
    assert!(!after.text("/etc/network/interfaces").contains("192.168.1.81"));
    let mut listed = kept(&neutral_);
    listed.sort();
    let at = |line: usize| format!("/etc/network/interfaces:{line}");
    assert_eq!(
        listed,
        [
            format!("eth0 192.168.1.91/24 {}", at(4)),
            format!("eth0 192.168.2.91/24 {}", at(5)),
            format!("tun0 10.9.0.1 {}", at(8)),
        ]
    );
}

#[test]
fn tens_of_thousands_of_stanzas_take_no_time() {
    let head = "auto lo eth0=home\niface lo inet loopback\niface home inet ";
    let stanzas = |count| -> String {
        (0..count).map(|number| format!("iface x{number} inet manual\n")).collect()
    };
    let file = format!("{head}static\n  address 192.168.1.81/24\n{}", stanzas(60_000));
    let card = ubuntu_1604().unit("networking.service").file("/etc/network/interfaces", file);
    let started = std::time::Instant::now();
    let (after, _) = neutral(&card, true);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    assert_eq!(after.text("/etc/network/interfaces"), format!("{head}dhcp\n{}", stanzas(60_000)));
}
