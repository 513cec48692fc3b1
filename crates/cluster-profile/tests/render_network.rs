//! The network's files on a card, for every back end.

mod common;

use cluster_profile::{RenderError, SystemFiles as _};
use common::{Fixture, Item, Memory, PROFILE, debian_bare, debian_networkd, ubuntu_1604};

#[test]
fn a_networkd_node() {
    let fixture = Fixture::new(PROFILE);
    let (card, notes) = fixture.settled(&debian_networkd(), 0);
    assert_eq!(
        card.text("/etc/systemd/network/05-nodecard-eth0.network"),
        "# Written by nodecard.\n[Match]\nName=eth0\n\n[Network]\nDHCP=no\n\
         Address=192.168.1.80/24\nGateway=192.168.1.1\nDNS=192.168.1.1\nDNS=8.8.8.8\n\
         Domains=home.lan\n"
    );
    assert!(card.has("/etc/systemd/network/80-dhcp.network"));
    assert!(matches!(card.0["/etc/resolv.conf"], Item::Symlink(_)));
    assert_eq!(notes, Vec::<String>::new());

    // A file that would come first goes.
    let early = debian_networkd().file("/etc/systemd/network/00-x.network", "[Match]\nName=eth0\n");
    let (card, notes) = fixture.settled(&early, 0);
    assert!(!card.has("/etc/systemd/network/00-x.network"));
    assert!(notes.iter().any(|note| note.contains("00-x.network")), "{notes:?}");

    // Nobody makes resolv.conf where systemd-resolved is not enabled.
    let mut unresolved = debian_networkd();
    unresolved.0.remove("/etc/systemd/system/sysinit.target.wants/systemd-resolved.service");
    let (card, _) = fixture.settled(&unresolved, 0);
    assert_eq!(
        card.text("/etc/resolv.conf"),
        "# Written by nodecard.\nsearch home.lan\nnameserver 192.168.1.1\nnameserver 8.8.8.8\n"
    );
    assert!(!card.has("/run/systemd/resolve/stub-resolv.conf"));
}

/// Armbian's minimal images.
fn netplan() -> Memory {
    debian_bare().file("/usr/libexec/netplan/generate", "").file(
        "/etc/netplan/10-dhcp-all-interfaces.yaml",
        "network:\n  version: 2\n  renderer: networkd\n  ethernets:\n    all-eth-interfaces:\n      \
         match:\n        name: \"e*\"\n      dhcp4: yes\n",
    )
}

#[test]
fn a_netplan_node() {
    let fixture = Fixture::new(PROFILE);
    let (card, _) = fixture.settled(&netplan(), 2);
    assert_eq!(
        card.text("/etc/netplan/99-nodecard.yaml"),
        "# Written by nodecard. Of the definitions that match eth0, only the one whose\n\
         # name sorts first is used.\n\
         network:\n  version: 2\n  ethernets:\n    00-nodecard:\n      match: {name: \"eth0\"}\n      \
         renderer: networkd\n      \
         dhcp4: false\n      addresses: [\"192.168.1.82/24\"]\n      \
         routes: [{to: 0.0.0.0/0, via: 192.168.1.1}]\n      nameservers:\n        \
         addresses: [192.168.1.1, 8.8.8.8]\n        search: [\"home.lan\"]\n"
    );
    assert_eq!(card.mode("/etc/netplan/99-nodecard.yaml"), (0o600, (0, 0)));
}

/// Armbian's standard images.
fn network_manager() -> Memory {
    debian_bare().unit("NetworkManager.service")
}

#[test]
fn a_network_manager_node() {
    let fixture = Fixture::new(PROFILE);
    let path = "/etc/NetworkManager/system-connections/nodecard-eth0.nmconnection";
    let expected = format!(
        "# Written by nodecard.\n[connection]\nid=nodecard-eth0\nuuid={}\ntype=ethernet\n\
         interface-name=eth0\nautoconnect=true\nautoconnect-priority=999\n\n[ipv4]\nmethod=manual\n\
         address1=192.168.1.81/24,192.168.1.1\ndns=192.168.1.1;8.8.8.8;\ndns-search=home.lan;\n\n\
         [ipv6]\nmethod=auto\n",
        fixture.keys.uuid("network-manager-connection", "xu4-node1")
    );
    let (card, _) = fixture.settled(&network_manager(), 1);
    assert_eq!(card.text(path), expected);
    assert_eq!(card.mode(path), (0o600, (0, 0)));
    // netplan with this renderer is the same.
    let both = network_manager().file("/usr/libexec/netplan/generate", "").file(
        "/etc/netplan/armbian-default.yaml",
        "network: {version: 2, renderer: NetworkManager}\n",
    );
    let (card, _) = fixture.settled(&both, 1);
    assert_eq!(card.text(path), expected);
    assert!(!card.has("/etc/netplan/99-nodecard.yaml"));
}

#[test]
fn the_back_end_that_owns_the_interface_is_taken() {
    let fixture = Fixture::new(PROFILE);
    // Installed but not in use: a file with `lo` alone, and NetworkManager running.
    let lo_only = network_manager()
        .file("/sbin/ifup", "")
        .file("/etc/network/interfaces", "auto lo\niface lo inet loopback\n");
    let (card, _) = fixture.settled(&lo_only, 0);
    assert!(card.has("/etc/NetworkManager/system-connections/nodecard-eth0.nmconnection"));
    assert_eq!(card.text("/etc/network/interfaces"), "auto lo\niface lo inet loopback\n");

    // ifupdown names the interface: NetworkManager and networkd stand back.
    let named = network_manager()
        .file("/sbin/ifup", "")
        .file("/etc/network/interfaces", "source interfaces.d/*\n")
        .file("/etc/network/interfaces.d/eth0", "allow-hotplug eth0\niface eth0 inet dhcp\n")
        .unit("systemd-networkd.service")
        .file("/etc/systemd/network/eth.network", "[Match]\nName=eth*\n");
    let (card, notes) = fixture.settled(&named, 0);
    assert_eq!(card.text("/etc/network/interfaces.d/eth0"), "");
    assert_eq!(
        card.text("/etc/network/interfaces"),
        "source interfaces.d/*\n\nallow-hotplug eth0\niface eth0 inet static\n    address 192.168.1.80\n    \
         netmask 255.255.255.0\n    gateway 192.168.1.1\n    dns-nameservers 192.168.1.1 8.8.8.8\n    \
         dns-search home.lan\n"
    );
    assert_eq!(
        card.text("/etc/NetworkManager/conf.d/99-nodecard.conf").lines().last(),
        Some("unmanaged-devices+=interface-name:eth0")
    );
    assert!(
        card.text("/etc/systemd/network/05-nodecard-eth0.network").contains("\nUnmanaged=yes\n")
    );
    assert!(notes.iter().any(|note| note.contains("systemd-networkd")), "{notes:?}");

    // A masked service does not start.
    let masked = named.link("/etc/systemd/system/networking.service", "/dev/null");
    let (card, _) = fixture.settled(&masked, 0);
    assert!(card.text("/etc/systemd/network/05-nodecard-eth0.network").contains("Address="));
}

#[test]
fn an_image_that_sets_no_addresses_is_refused() {
    let fixture = Fixture::new(PROFILE);
    let error = fixture.shared(&debian_bare()).unwrap_err();
    assert!(matches!(&error, RenderError::NoNetwork { interface } if interface == "eth0"));
    assert!(error.fix().is_some_and(|fix| fix.contains("/etc/netplan")), "{error}");
    // Files without the program that reads them.
    let unread = debian_bare().file("/etc/network/interfaces", "auto eth0\niface eth0 inet dhcp\n");
    assert!(matches!(fixture.shared(&unread), Err(RenderError::NoNetwork { .. })));
}

#[test]
fn dhcpcd_is_denied_the_interface() {
    let fixture = Fixture::new(PROFILE);
    let base = ubuntu_1604()
        .file("/etc/dhcpcd.conf", "hostname\ninterface wlan0\nmetric 1")
        .unit("dhcpcd.service");
    let (card, notes) = fixture.settled(&base, 0);
    assert_eq!(
        card.text("/etc/dhcpcd.conf"),
        "denyinterfaces eth0\nhostname\ninterface wlan0\nmetric 1"
    );
    assert!(notes.iter().any(|note| note.contains("dhcpcd")), "{notes:?}");
}

#[test]
fn a_late_network_chip_is_still_waited_for() {
    let fixture = Fixture::new(PROFILE);
    let base = ubuntu_1604()
        .file("/etc/network/interfaces", "auto lo\nsource-directory interfaces.d\n")
        .file("/etc/network/interfaces.d/eth0", "allow-hotplug eth0\niface eth0 inet dhcp\n")
        .file("/etc/network/interfaces.d/eth0.old", "auto eth0\niface eth0 inet dhcp\n");
    let (card, _) = fixture.settled(&base, 0);
    let text = card.text("/etc/network/interfaces");
    assert!(text.contains("\n\nallow-hotplug eth0\niface eth0 inet static\n"), "{text}");
    // Names with a dot are not read by ifupdown.
    assert!(card.text("/etc/network/interfaces.d/eth0.old").contains("dhcp"));
}

#[test]
fn every_stanza_of_the_interface_is_replaced() {
    let fixture = Fixture::new(PROFILE);
    let base = ubuntu_1604().file(
        "/etc/network/interfaces",
        "auto lo eth0 \\\n  eth1\niface lo inet loopback\niface eth0 inet static\n  address 10.0.0.1\n\
         # mine\n  up echo \\\n    eth0\niface eth0 inet6 static\n  address fe80::2/64\n\
         iface eth0:1 inet static\n  address 10.0.0.2\nmapping eth0\n  script /x\n\
         iface eth1 inet dhcp\niface br0 inet dhcp\n  bridge_ports eth0\n",
    );
    let (card, notes) = fixture.settled(&base, 0);
    assert_eq!(
        card.text("/etc/network/interfaces"),
        "auto lo \\\n  eth1\niface lo inet loopback\n\
         auto eth0\niface eth0 inet static\n    address 192.168.1.80\n    \
         netmask 255.255.255.0\n    gateway 192.168.1.1\n    \
         dns-nameservers 192.168.1.1 8.8.8.8\n    dns-search home.lan\n    \
         up echo eth0\n\
         # mine\niface eth1 inet dhcp\niface br0 inet dhcp\n  bridge_ports eth0\n"
    );
    assert!(notes.iter().any(|note| note.contains("static IPv6 address")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("`iface br0`")), "{notes:?}");
}

#[test]
fn name_servers_reach_whoever_makes_resolv_conf() {
    let fixture = Fixture::new(PROFILE);
    let plain =
        "# Written by nodecard.\nsearch home.lan\nnameserver 192.168.1.1\nnameserver 8.8.8.8\n";
    let mut no_resolvconf = ubuntu_1604();
    no_resolvconf.0.remove("/sbin/resolvconf");
    let (card, _) = fixture.settled(&no_resolvconf, 0);
    assert_eq!(card.text("/etc/resolv.conf"), plain);
    assert_eq!(card.text("/run/resolvconf/resolv.conf"), "nameserver 10.0.0.1\n");

    let mut dangling = no_resolvconf.clone();
    dangling.0.remove("/run/resolvconf/resolv.conf");
    let (card, _) = fixture.settled(&dangling, 0);
    assert_eq!(card.text("/etc/resolv.conf"), plain);
    assert!(!card.has("/run/resolvconf/resolv.conf"));

    let resolved = no_resolvconf.unit("systemd-resolved.service");
    let (card, _) = fixture.settled(&resolved, 0);
    assert!(matches!(card.0["/etc/resolv.conf"], Item::Symlink(_)));
    assert_eq!(
        card.text("/etc/systemd/resolved.conf.d/nodecard.conf"),
        "# Written by nodecard.\n[Resolve]\nDNS=192.168.1.1 8.8.8.8\nDomains=home.lan\n"
    );

    let without_dns =
        Fixture::new(&PROFILE.replace(", dns: [192.168.1.1, 8.8.8.8], search: [home.lan]", ""));
    let (card, _) = without_dns.settled(&ubuntu_1604(), 0);
    assert!(!card.text("/etc/network/interfaces").contains("\n    dns-"));
}

/// A unit that does not start is named; a leftover link of the init script starts nothing
/// behind a native unit.
#[test]
fn ifupdown_that_does_not_start_is_an_error_of_its_own() {
    let fixture = Fixture::new(PROFILE);
    let unit = "/lib/systemd/system/networking.service";
    let interfaces = "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n";
    let base = || {
        ubuntu_1604()
            .file("/etc/network/interfaces", interfaces)
            .file(
                unit,
                "[Unit]\n[Service]\nExecStart=/sbin/ifup -a\n[Install]\nWantedBy=x.target\n",
            )
            .file("/etc/init.d/networking", "#!/bin/sh\n")
            .link("/etc/rcS.d/S05networking", "../init.d/networking")
    };
    let refused = |system: &Memory| {
        let error = fixture.card(system, 0).unwrap_err();
        (error.to_string(), error.fix().unwrap())
    };
    let (message, fix) = refused(&base());
    let start = "nothing sets the address of eth0 at boot: ifupdown is installed, but";
    assert_eq!(message, format!("{start} networking.service is disabled"));
    assert_eq!(fix, "run `systemctl enable networking.service` in the base image");
    let masked = base().link("/etc/systemd/system/networking.service", "/dev/null");
    let (message, fix) = refused(&masked);
    assert_eq!(message, format!("{start} networking.service is masked"));
    assert!(fix.contains("unmask"), "{fix}");

    let wants = "/etc/systemd/system/multi-user.target.wants/networking.service";
    let (card, _) = fixture.settled(&base().link(wants, unit), 0);
    assert!(card.text("/etc/network/interfaces").contains("address 192.168.1.80"));
    // Without a native unit, systemd makes one of the script and its link.
    let mut script = base();
    script.0.remove(unit);
    let (card, _) = fixture.settled(&script, 0);
    assert!(card.text("/etc/network/interfaces").contains("address 192.168.1.80"));
}

/// A package's file comes back with its next release, so a link masks it.
#[test]
fn a_packages_file_that_sorts_first_is_masked() {
    let fixture = Fixture::new(PROFILE);
    for directory in ["/usr/lib/systemd/network", "/usr/local/lib/systemd/network"] {
        let file = format!("{directory}/00-wired.network");
        let text = "[Match]\nName=e*\n[Network]\nDHCP=yes\n";
        let base = debian_networkd().file(&file, text);
        let masks = Item::Symlink("/dev/null".to_owned());
        let in_etc = "/etc/systemd/network/00-wired.network";
        let (card, notes) = fixture.settled(&base, 0);
        assert_eq!((card.text(&file).as_str(), &card.0[in_etc]), (text, &masks));
        assert!(notes.iter().any(|note| note.contains(&format!("masked {file}"))), "{notes:?}");
        assert!(!notes.iter().any(|note| note.contains("also gets an address")), "{notes:?}");
        // One in /etc that stands before it is replaced by the link.
        let (card, _) = fixture.settled(&base.file(in_etc, "[Match]\nType=ether\n"), 0);
        assert_eq!(card.0[in_etc], masks);
    }
    let negated = "[Match]\nName=!eth*\n[Network]\nDHCP=yes\n";
    let base = debian_networkd().file("/usr/lib/systemd/network/00-others.network", negated);
    assert!(!fixture.settled(&base, 0).0.has("/etc/systemd/network/00-others.network"));
}

const CONNECTION: &str = "nodecard-eth0.nmconnection";

/// The settings may name another directory for connections, or none.
#[test]
fn a_connection_goes_where_network_manager_reads_it() {
    let fixture = Fixture::new(PROFILE);
    let usual = "/etc/NetworkManager/system-connections";
    let packages = "/usr/lib/NetworkManager/system-connections";
    for (path, directory) in [
        ("/srv//profiles/", "/srv/profiles"),
        ("relative", usual),
        ("", packages),
        ("/run/NetworkManager/system-connections", packages),
        ("/run/elsewhere", packages),
    ] {
        let settings = format!("[keyfile]\npath={path}\n");
        let base = network_manager().file("/etc/NetworkManager/NetworkManager.conf", settings);
        let (card, _) = fixture.settled(&base, 1);
        let file = format!("{directory}/{CONNECTION}");
        assert!(card.text(&file).contains("address1=192.168.1.81/24"), "{path}");
        assert_eq!(card.mode(&file), (0o600, (0, 0)), "{path}");
    }
}

/// Of two connections of one priority NetworkManager may pick either.
#[test]
fn another_connection_of_the_highest_priority_gets_a_lower_one() {
    let fixture = Fixture::new(PROFILE);
    let path = "/etc/NetworkManager/system-connections/home.nmconnection";
    let text = |priority: &str| {
        format!(
            "[connection]\nid=home\ntype=ethernet\nautoconnect-priority = {priority}\n\n\
             [ipv4]\nmethod=auto\n[ipv6]\nmethod=auto\n"
        )
    };
    for (priority, lowered) in [("999", true), ("0x3e7", true), ("998", false), ("1000", false)] {
        let base = network_manager().file(path, text(priority)).with_mode(path, 0o600);
        let (card, notes) = fixture.settled(&base, 1);
        let expected = if lowered {
            text(priority).replace(&format!("priority = {priority}"), "priority=998")
        } else {
            text(priority)
        };
        assert_eq!(card.text(path), expected);
        assert_eq!(card.mode(path).0, 0o600);
        let is_noted = notes.iter().any(|note| note.starts_with("lowered the priority"));
        assert_eq!(is_noted, lowered, "{notes:?}");
    }
    // One of another interface stays.
    let other = text("999").replace("id=home", "id=home\ninterface-name=eth1");
    let base = network_manager().file(path, &other).with_mode(path, 0o600);
    let (card, _) = fixture.settled(&base, 1);
    assert_eq!(card.text(path), other);
}

#[test]
fn connections_that_a_section_does_not_allow_are_allowed() {
    let fixture = Fixture::new(PROFILE);
    let settings = "[device-lab]\nmatch-device=interface-name:eth*\nallowed-connections=id:lab\n";
    let own = "/etc/NetworkManager/conf.d/99-nodecard.conf";
    let base = network_manager().file("/etc/NetworkManager/conf.d/50-lab.conf", settings);
    let (card, _) = fixture.settled(&base, 1);
    assert!(card.text(own).contains("allowed-connections=id:nodecard-eth0\n"));
    // A section that fits everything, or another interface.
    for settings in [
        settings.replace("id:lab", "*"),
        settings.replace("id:lab", "except:id:lab"),
        settings.replace("eth*", "eth1"),
    ] {
        let base = network_manager().file("/etc/NetworkManager/conf.d/50-lab.conf", &settings);
        let (card, _) = fixture.settled(&base, 1);
        assert!(!card.has(own), "{settings}");
    }
    // A file that comes after nodecard's decides.
    let base = network_manager().file("/etc/NetworkManager/conf.d/zz.conf", settings);
    let error = fixture.card(&base, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "NetworkManager may not use nodecard's connection for eth0 \
         (/etc/NetworkManager/conf.d/zz.conf, line 3)"
    );
}

#[test]
fn why_an_interface_is_left_alone_is_said_with_the_line() {
    let fixture = Fixture::new(PROFILE);
    let path = "/etc/NetworkManager/conf.d/10-off.conf";
    for (settings, line) in [
        ("# x\n[keyfile]\nunmanaged-devices=interface-name:eth0\n", 3),
        ("[device-x]\nmatch-device=interface-name:e*\nmanaged=0\n", 3),
    ] {
        let error = fixture.card(&network_manager().file(path, settings), 1).unwrap_err();
        let said = format!("NetworkManager leaves eth0 alone ({path}, line {line})");
        assert_eq!(error.to_string(), said);
        assert!(error.fix().unwrap().contains(&format!("line {line} of {path}")));
    }
}

#[test]
fn name_servers_are_written_where_network_manager_does_not() {
    let fixture = Fixture::new(PROFILE);
    let expected =
        "# Written by nodecard.\nsearch home.lan\nnameserver 192.168.1.1\nnameserver 8.8.8.8\n";
    for settings in ["dns=none", "rc-manager=unmanaged"] {
        let settings = format!("[main]\n{settings}\n");
        let base = network_manager()
            .file("/etc/NetworkManager/conf.d/dns.conf", &settings)
            .file("/etc/resolv.conf", "nameserver 9.9.9.9\n");
        let (card, _) = fixture.settled(&base, 1);
        assert_eq!(card.text("/etc/resolv.conf"), expected, "{settings}");
        // systemd-resolved still gets them.
        let mut resolved = base.clone().unit("systemd-resolved.service");
        resolved.0.remove("/etc/resolv.conf");
        let resolved = resolved.link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf");
        let (card, _) = fixture.settled(&resolved, 1);
        assert!(card.read_link("/etc/resolv.conf").unwrap().is_some(), "{settings}");
        let off = settings.replace("[main]\n", "[main]\nsystemd-resolved=false\n");
        let off = resolved.file("/etc/NetworkManager/conf.d/dns.conf", off);
        let (card, _) = fixture.settled(&off, 1);
        assert_eq!(card.text("/etc/resolv.conf"), expected, "{settings}");
    }
}
