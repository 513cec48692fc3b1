//! What keeps a node's interface from its address, whatever is written for it: another name, and
//! lines where ifup stops.

mod common;

use cluster_profile::{RenderError, card_obstacles};
use common::{Fixture, Memory, PROFILE, debian_networkd, ubuntu_1604};

const INTERFACES: &str = "/etc/network/interfaces";

fn with_interfaces(text: &str) -> Memory {
    ubuntu_1604().file(INTERFACES, format!("auto lo\niface lo inet loopback\n{text}"))
}

/// Returns the error's text and what to do about it.
#[track_caller]
fn refused(base: &Memory) -> (String, String) {
    let error = Fixture::new(PROFILE).card(base, 0).unwrap_err();
    assert!(
        matches!(error, RenderError::InterfaceRenamed { .. } | RenderError::NotBroughtUp { .. }),
        "{error}"
    );
    (error.to_string(), error.fix().unwrap())
}

#[test]
fn an_interface_that_ifup_renames_is_refused() {
    let own = "auto eth0\niface eth0 inet dhcp\n";
    let (message, fix) = refused(&with_interfaces(&format!("rename eth0=lan0\n{own}")));
    assert_eq!(message, "the interface eth0 will be named lan0 by /etc/network/interfaces, line 3");
    assert!(fix.starts_with("set `interface: lan0` in the profile"), "{fix}");
    let (message, _) = refused(&with_interfaces(&format!("rename eth1=eth2 /eth*=lan0\n{own}")));
    assert!(message.contains("named lan0"), "{message}");
    // Another one, or the other way round.
    for line in ["rename eth1=lan0", "rename enx0011=eth0", "rename eth0=eth0"] {
        let (card, notes) =
            Fixture::new(PROFILE).settled(&with_interfaces(&format!("{line}\n{own}")), 0);
        assert!(card.text(INTERFACES).contains("address 192.168.1.80"), "{line}");
        assert!(!notes.iter().any(|note| note.contains("named")), "{line}: {notes:?}");
    }
    // ifup gives up without a new name, for all interfaces.
    let (message, fix) = refused(&with_interfaces(&format!("{own}rename eth1\n")));
    assert_eq!(
        message,
        "eth0 does not come up at boot: ifup gives up at this line, which renames an interface but \
         has no new name (/etc/network/interfaces, line 5)"
    );
    assert_eq!(fix, "correct or remove line 5 of /etc/network/interfaces in the base image");
}

#[test]
fn a_file_that_ifup_cannot_read_is_refused() {
    let own = "auto eth0\niface eth0 inet dhcp\n";
    for (text, line) in [
        (format!("{own}iface eth1 inet sttic\n  address 10.0.0.1\n"), 5),
        (format!("auto wlan0\n  address 10.0.0.1\n{own}"), 4),
        (format!("iface eth1 inet static\n  address\n{own}"), 4),
        (format!("{own}mapping eth1\n  scrpt x\n"), 6),
        (format!("{own}iface eth1 inherits nowhere\n"), 5),
    ] {
        let (message, _) = refused(&with_interfaces(&text));
        let end = format!("stops reading the file at this line ({INTERFACES}, line {line})");
        assert!(message.ends_with(&end), "{text}: {message}");
    }
    // A stanza of the interface's own is replaced, and what was hidden behind it is seen.
    let base =
        with_interfaces("auto eth0\niface eth0 inet sttic\n  address 10.0.0.1\nsource more/*\n")
            .file("/etc/network/more/eth0", "iface eth0 inet dhcp\n");
    let (card, _) = Fixture::new(PROFILE).settled(&base, 0);
    assert!(card.text(INTERFACES).contains("    address 192.168.1.80\n"));
    assert_eq!(card.text("/etc/network/more/eth0"), "");
}

#[test]
fn what_ifup_leaves_out_of_other_files_is_noted() {
    let base = with_interfaces(
        "source interfaces.d/*\nsource `ls`\nsource $HOME/x\nauto eth0\niface eth0 inet dhcp\n",
    )
    .file("/etc/network/interfaces.d/wlan", "auto wlan0\niface wlan0 inet dhpc\n");
    let (_, notes) = Fixture::new(PROFILE).settled(&base, 0);
    for expected in [
        "ifup stops reading the file at this line (/etc/network/interfaces.d/wlan, line 2)",
        "ifup skips this line, since its path is not valid (/etc/network/interfaces, line 4)",
        "ifup includes files here whose names only the running system knows \
         (/etc/network/interfaces, line 5)",
    ] {
        assert!(notes.iter().any(|note| note.starts_with(expected)), "{expected}: {notes:?}");
    }
}

/// ifupdown joins lines without a space, and words may go on in the next one.
#[test]
fn lines_that_go_on_are_read_as_ifup_reads_them() {
    let base = with_interfaces(
        "auto et\\\nh0 wlan0\nallow-hotplug \\\neth1 eth0\niface eth0 inet st\\\natic\n  addr\\\n\
         ess 10.0.0.1\n  up echo a\\\nb\niface wlan0 inet dhcp\n",
    );
    let (card, _) = Fixture::new(PROFILE).settled(&base, 0);
    assert_eq!(
        card.text(INTERFACES),
        "auto lo\niface lo inet loopback\nauto wlan0\nallow-hotplug \\\neth1\n\
         auto eth0\niface eth0 inet static\n    address 192.168.1.80\n    \
         netmask 255.255.255.0\n    gateway 192.168.1.1\n    \
         dns-nameservers 192.168.1.1 8.8.8.8\n    dns-search home.lan\n    up echo ab\n\
         iface wlan0 inet dhcp\n"
    );
    // Without the words of its second line the first one is not continued any more.
    let base =
        with_interfaces("auto wlan0 \\\n  eth0\niface wlan0 inet dhcp\niface eth0 inet dhcp\n");
    let (card, _) = Fixture::new(PROFILE).settled(&base, 0);
    assert!(card.text(INTERFACES).contains("\nauto wlan0\niface wlan0 inet dhcp\nauto eth0\n"));
    // A line feed alone ends a continued line, not the two characters of other systems.
    let base = with_interfaces("auto eth0 \\\r\niface eth0 inet dhcp\r\n");
    let (card, _) = Fixture::new(PROFILE).settled(&base, 0);
    assert!(card.text(INTERFACES).contains("address 192.168.1.80"));
}

#[test]
fn names_that_systemd_and_udev_give_are_refused_for_every_back_end() {
    let link = "[Match]\nOriginalName=eth0\n[Link]\nName=lan0\n";
    let path = "/etc/systemd/network/10-lan.link";
    for base in [debian_networkd(), ubuntu_1604(), debian_networkd().unit("NetworkManager.service")]
    {
        let (message, fix) = refused(&base.clone().file(path, link));
        assert_eq!(message, format!("the interface eth0 will be named lan0 by {path}, line 4"));
        assert!(fix.contains("interface: lan0"), "{fix}");
        let rules = "/etc/udev/rules.d/70-persistent-net.rules";
        let rule = "SUBSYSTEM==\"net\", ACTION==\"add\", KERNEL==\"eth0\", NAME=\"lan0\"\n";
        let (message, _) = refused(&base.clone().file(rules, rule));
        assert!(message.ends_with(&format!("{rules}, line 1")), "{message}");
        // The hardware decides.
        let may = link.replace("OriginalName=eth0", "MACAddress=00:11:22:33:44:55");
        let (_, notes) = Fixture::new(PROFILE).settled(&base.clone().file(path, &may), 0);
        let expected = format!("eth0 may be named lan0 at boot ({path}, line 4);");
        assert!(notes.iter().any(|note| note.starts_with(&expected)), "{notes:?}");
        let policy = link.replace("Name=lan0", "NamePolicy=path");
        let base = base.file(path, &policy);
        let (_, notes) = Fixture::new(PROFILE).settled(&base, 0);
        assert!(notes.iter().any(|note| note.contains("may be named differently")), "{notes:?}");
        let off = base.file("/boot/firmware/cmdline.txt", "root=/dev/sda2 net.ifnames=0\n");
        let (_, notes) = Fixture::new(PROFILE).settled(&off, 0);
        assert!(!notes.iter().any(|note| note.contains("named")), "{notes:?}");
    }
}

/// A profile that uses the name which the image gives is right, and the name is known.
#[test]
fn a_name_that_the_image_gives_is_known() {
    let fixture = Fixture::new(&PROFILE.replace("interface: eth0", "interface: lan0"));
    let link = "[Match]\nMACAddress=00:11:22:33:44:55\n[Link]\nName=lan0\n";
    let base = debian_networkd().file("/etc/systemd/network/10-lan.link", link);
    let (card, notes) = fixture.settled(&base, 0);
    assert!(card.has("/etc/systemd/network/05-nodecard-lan0.network"));
    assert!(!notes.iter().any(|note| note.contains("lan0")), "{notes:?}");
}

/// ifup got an address from DHCP by this line, beside a static stanza that nothing used.
#[test]
fn extended_patterns_that_give_the_interface_another_stanza_are_removed() {
    for word in ["/@(eth0|eth1)=home", "/!(lo)=home", "/eth+([0-9])=home"] {
        let base = with_interfaces(&format!("auto wlan0 {word}\niface home inet dhcp\n"));
        let (card, notes) = Fixture::new(PROFILE).settled(&base, 0);
        let text = card.text(INTERFACES);
        assert!(text.contains("\nauto wlan0\n") && !text.contains(word), "{text}");
        assert!(text.contains("iface eth0 inet static"), "{text}");
        assert!(notes.iter().any(|note| note.contains(word)), "{notes:?}");
    }
}

/// A file of thousands of rules, as a program may have written on a board.
#[test]
fn of_many_rules_a_few_are_noted_and_a_certain_name_is_seen() {
    let rule = |n: u32| {
        format!(
            "SUBSYSTEM==\"net\", ATTR{{address}}==\"02:00:00:00:00:{n:02x}\", NAME=\"lan{n}\"\n"
        )
    };
    let rules: String = (0..5000).map(rule).collect();
    let path = "/etc/udev/rules.d/70-names.rules";
    let own = "auto eth0\niface eth0 inet dhcp\n";
    let base = with_interfaces(own).file(path, &rules);
    let (_, notes) = Fixture::new(PROFILE).settled(&base, 0);
    assert_eq!(notes.iter().filter(|note| note.contains("may be named lan")).count(), 20);
    let base = with_interfaces(&format!("rename eth0=lan0\n{own}")).file(path, &rules);
    let (message, _) = refused(&base);
    assert_eq!(message, "the interface eth0 will be named lan0 by /etc/network/interfaces, line 3");
}

/// Each reason once, with the nodes that it is about, those of all nodes first.
#[test]
fn all_reasons_of_all_nodes_are_found_at_once() {
    let profile = PROFILE
        .replace("users: [root, odroid]", "users: [root, nobody-here, odroid, made, taken]")
        + "\
users:
  odroid: {groups: [none], shell: /bin/zsh}
  ghost: {locked: true}
  made: {create: true, groups: [nogroup-here], shell: /bin/fish, locked: true}
  taken: {create: true, uid: 1000, locked: true}
boot: {config: {arm_64bit: 1}}
files:
  - {path: /etc/a, content: a, owner: \"nobody-here:root\"}
  - {path: p7:/b, content: b}
  - {path: /etc/c, content: c, owner: \"root:nothing\"}
";
    let file = "files: [{path: /etc/d, content: d, owner: \"other:root\"}]";
    let profile = profile.replace(
        "xu4-node1, address: 192.168.1.81",
        &format!("xu4-node1, address: 192.168.1.81, {file}"),
    );
    let profile = profile.replace(
        "xu4-node2, address: 192.168.1.82",
        &format!("xu4-node2, address: 192.168.1.82, {file}"),
    );
    let fixture = Fixture::new(&profile);
    let base = with_interfaces("rename eth0=lan0\nauto eth0\niface eth0 inet dhcp\n");
    let nodes: Vec<_> = fixture.cluster.nodes.iter().collect();
    let found =
        card_obstacles(&fixture.cluster, &nodes, &fixture.keys, &base, common::NOW).unwrap();
    let found: Vec<String> =
        found.iter().map(|one| format!("{} [{}]", one.reason, one.nodes.join(" "))).collect();
    let expected = [
        "`users` in the profile gives odroid the shell /bin/zsh, which the image does not have []",
        "`users` in the profile puts odroid in the group none, which the image does not have []",
        "`users` in the profile gives made the shell /bin/fish, which the image does not have []",
        "`users` in the profile puts made in the group nogroup-here, which the image does not have []",
        "the profile gives taken the user ID 1000, which belongs to odroid in the image []",
        "the image has no config.txt, which the profile's `boot.config` changes []",
        "`ssh.users` in the profile (mc1.yaml:10) names nobody-here, but the image has no such user []",
        "`users` in the profile names ghost, but the image has no such user []",
        "`files` in the profile gives /etc/a to the user nobody-here, which the image does not have []",
        "`files` in the profile names p7:/b, but the image has no FAT partition for it []",
        "`files` in the profile gives /etc/c to the group nothing, which the image does not have []",
        "the interface eth0 will be named lan0 by /etc/network/interfaces, line 3 []",
        "`files` in the profile gives /etc/d to the user other, which the image does not have [xu4-node1 xu4-node2]",
    ];
    assert_eq!(found, expected, "{found:#?}");
    // The first of them ends a rendering that cannot go on without what it is about.
    let error = fixture.shared(&base).unwrap_err();
    assert!(found[0].starts_with(&error.to_string()), "{error}");
}
