//! Images with something odd about them: what would keep a node off the network, or reject a
//! key, is fixed or noted.

mod common;

use common::{Fixture, Memory, PROFILE, debian_networkd, ubuntu_1604};

/// The card of the second node, and the notes.
fn card(base: &Memory) -> (Memory, Vec<String>) {
    Fixture::new(PROFILE).settled(base, 1)
}

fn has_note(notes: &[String], words: &str) -> bool {
    notes.iter().any(|note| note.contains(words))
}

/// No stanza is written where nothing would carry it out.
#[test]
fn links_of_removed_packages_start_nothing() {
    let wants = "/etc/systemd/system/multi-user.target.wants/NetworkManager.service";
    let base = ubuntu_1604()
        .file("/etc/network/interfaces", "auto lo\niface lo inet loopback\n")
        .link(wants, "/lib/systemd/system/NetworkManager.service");
    let (card, _) = card(&base);
    assert!(card.text("/etc/network/interfaces").contains("address 192.168.1.81"));
    assert!(!card.has("/etc/NetworkManager/system-connections"));
}

#[test]
fn ifupdown_that_does_not_start_is_not_taken() {
    let base = debian_networkd()
        .file("/sbin/ifup", "")
        .file("/usr/lib/systemd/system/networking.service", "[Unit]\n")
        .file("/etc/network/interfaces", "auto eth0\niface eth0 inet dhcp\n");
    let (card, _) = card(&base);
    assert!(card.text("/etc/systemd/network/05-nodecard-eth0.network").contains("192.168.1.81"));
    assert!(!card.text("/etc/network/interfaces").contains("192.168.1.81"));
}

#[test]
fn network_manager_that_leaves_ethernet_alone_is_not_taken() {
    let base = debian_networkd().unit("NetworkManager.service").file(
        "/etc/NetworkManager/NetworkManager.conf",
        "[keyfile]\nunmanaged-devices=type:ethernet\n",
    );
    let (card_, _) = card(&base);
    assert!(card_.text("/etc/systemd/network/05-nodecard-eth0.network").contains("192.168.1.81"));
    // Unless a later file takes that back.
    let base = base.file(
        "/etc/NetworkManager/conf.d/50-all.conf",
        "[keyfile]\nunmanaged-devices=*,except:interface-name:eth*\n",
    );
    let (card, _) = card(&base.file("/etc/systemd/network/80-dhcp.network", "[Match]\nName=x\n"));
    assert!(card.has("/etc/NetworkManager/system-connections/nodecard-eth0.nmconnection"));
}

#[test]
fn an_interface_that_the_image_does_not_know_is_noted() {
    let base =
        ubuntu_1604().file("/etc/network/interfaces", "allow-hotplug end0\niface end0 inet dhcp\n");
    let (_, notes) = card(&base);
    assert!(has_note(&notes, "the image configures end0, but not eth0"), "{notes:?}");

    // By another name of the stanza, it does.
    let logical = "auto eth0=home\niface home inet dhcp\n";
    let (_, notes) = card(&ubuntu_1604().file("/etc/network/interfaces", logical));
    assert!(!has_note(&notes, "but not eth0"), "{notes:?}");
}

#[test]
fn commands_of_the_old_stanza_are_kept() {
    let base = ubuntu_1604().file(
        "/etc/network/interfaces",
        "auto eth0\niface eth0 inet dhcp\n  mtu 9000\n  hostname x\n  post-up ethtool -s eth0 wol g\n",
    );
    let (card, _) = card(&base);
    let text = card.text("/etc/network/interfaces");
    assert!(
        text.ends_with("dns-search home.lan\n    mtu 9000\n    post-up ethtool -s eth0 wol g\n"),
        "{text}"
    );
}

#[test]
fn netplan_without_a_file_yet_and_bridges_over_the_interface() {
    let none = debian_networkd();
    let mut bare = none.clone();
    bare.0.retain(|path, _| !path.ends_with("wants/systemd-networkd.service"));
    let bare = bare.file("/usr/libexec/netplan/generate", "");
    let (card_, _) = card(&bare);
    assert!(card_.text("/etc/netplan/99-nodecard.yaml").contains("192.168.1.81/24"));

    let bridged = bare.file(
        "/etc/netplan/10-br.yaml",
        "network: {ethernets: {eth0: {}}, bridges: {br0: {interfaces: [eth0]}}, \
         vlans: {v10: {link: eth0, id: 10}}}\n",
    );
    let (_, notes) = card(&bridged);
    assert!(has_note(&notes, "netplan in the image builds br0, v10 on eth0"), "{notes:?}");
}

#[test]
fn homes_are_made_and_guarded() {
    let mut missing = ubuntu_1604();
    missing.0.retain(|path, _| !path.starts_with("/home/odroid"));
    let (card_, _) = card(&missing);
    assert_eq!(card_.mode("/home/odroid"), (0o755, (1000, 1001)));

    let (card, notes) = card(&ubuntu_1604().with_mode("/home/odroid", 0o777));
    assert_eq!(card.mode("/home/odroid"), (0o755, (1000, 1001)));
    assert!(has_note(&notes, "removed write access for others from /home/odroid"), "{notes:?}");
}

#[test]
fn homes_have_the_names_that_passwd_gives_them() {
    let base = ubuntu_1604();
    let passwd = base.text("/etc/passwd").replace("/home/odroid", "/home/jörg");
    let (card, _) = card(&base.dir("/home/jörg").file("/etc/passwd", passwd));
    assert!(card.has("/home/jörg/.ssh/id_ed25519"));
}

#[test]
fn a_key_whose_lines_cannot_be_told_is_noted() {
    let base =
        ubuntu_1604().file("/home/odroid/.ssh/id_rsa", "-----BEGIN RSA PRIVATE KEY-----\nx\n");
    let mut base = base;
    base.0.remove("/home/odroid/.ssh/id_rsa.pub");
    let (card, notes) = card(&base);
    assert!(!card.has("/home/odroid/.ssh/id_rsa"));
    assert!(has_note(&notes, "could not detect which line authorizes"), "{notes:?}");
}

#[test]
fn settings_that_keep_keys_out_are_noted() {
    for setting in [
        "PermitRootLogin No",
        "PubkeyAuthentication NO",
        "PermitRootLogin no # safer",
        "PermitRootLogin forced-commands-only",
        "AllowUsers odroid",
        "DenyUsers o*",
        "AllowGroups wheel",
        "AuthenticationMethods password",
        "PubkeyAcceptedAlgorithms rsa-sha2-512",
        "Port 2222",
    ] {
        let (_, notes) = card(&ubuntu_1604().file("/etc/ssh/sshd_config", setting));
        assert!(has_note(&notes, "/etc/ssh/sshd_config in the image says"), "{setting}: {notes:?}");
    }
    for setting in ["AllowUsers root odroid@192.168.1.*", "Port 22", "PermitRootLogin yes"] {
        let (_, notes) = card(&ubuntu_1604().file("/etc/ssh/sshd_config", setting));
        assert!(
            !has_note(&notes, "/etc/ssh/sshd_config in the image says"),
            "{setting}: {notes:?}"
        );
    }
}

#[test]
fn the_ssh_client_for_all_users_uses_the_clusters_key_too() {
    let base = ubuntu_1604().file(
        "/etc/ssh/ssh_config",
        "Host *\n    IdentityFile ~/.ssh/id_rsa\n    GlobalKnownHostsFile /dev/null\n",
    );
    let (card, notes) = card(&base);
    let text = card.text("/etc/ssh/ssh_config");
    assert!(text.starts_with("Host *\n#    IdentityFile ~/.ssh/id_rsa\n"), "{text}");
    assert!(has_note(&notes, "GlobalKnownHostsFile /dev/null"), "{notes:?}");
}

#[test]
fn a_node_may_have_more_names() {
    let profile = PROFILE.replace("nas: 192.168.1.10,", "n1.home.lan: 192.168.1.81,");
    let (card, _) = Fixture::new(&profile).settled(&ubuntu_1604(), 0);
    let hosts = card.text("/etc/hosts");
    assert!(hosts.contains("192.168.1.81\txu4-node1 n1.home.lan\n"), "{hosts}");
    let known = card.text("/etc/ssh/ssh_known_hosts");
    assert!(known.contains("\nxu4-node1,n1.home.lan,192.168.1.81 ssh-ed25519 "), "{known}");
}

/// An old base must not make a fresh swarm's certificates look not yet valid.
#[test]
fn the_clock_is_not_behind_the_keys() {
    let profile = Fixture::new(PROFILE);
    let directory = profile.keys.directory();
    std::fs::write(directory.join("created"), "1790000000\n").unwrap();
    let names: Vec<_> = profile.cluster.nodes.iter().map(|node| node.name.clone()).collect();
    let keys = cluster_keys::ClusterKeys::open(directory, &names).unwrap();
    assert_eq!(keys.created(), 1_790_000_000);
    let base = ubuntu_1604().file("/var/lib/systemd/timesync/clock", "");
    let rendered =
        cluster_profile::render_shared(&profile.cluster, &keys, &base, 1_500_000_000).unwrap();
    let mut card = base;
    card.apply(&rendered.edits);
    assert_eq!(card.mtime("/var/lib/systemd/timesync/clock"), 1_790_000_000);
}

#[test]
fn armbians_autologin_goes_with_its_wizard() {
    let path = "/etc/systemd/system/getty@.service.d/override.conf";
    let base = ubuntu_1604()
        .file("/root/.not_logged_in_yet", "")
        .file(path, "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root %I\n");
    let (card, notes) = card(&base);
    assert!(!card.has(path) && has_note(&notes, path), "{notes:?}");
}

#[test]
fn further_files_in_surprising_places_are_noted() {
    let profile = PROFILE.to_owned()
        + "files:\n  - {path: /boot/x.ini, content: x}\n  \
           - {path: /root/.ssh/authorized_keys, content: mine}\n";
    let base = ubuntu_1604().file("/etc/fstab", "UUID=1 / ext4 defaults 0 1\nUUID=2 /boot vfat\n");
    let (_, notes) = Fixture::new(&profile).card(&base, 0).unwrap();
    let notes: Vec<_> = notes.iter().map(ToString::to_string).collect();
    assert!(
        has_note(&notes, "mounted on /boot at boot (/etc/fstab, line 2), which hides /boot/x.ini"),
        "{notes:?}"
    );
    assert!(has_note(&notes, "which nodecard would write itself"), "{notes:?}");
}

/// What an image says is shown, not carried out by the terminal.
#[test]
fn control_characters_of_an_image_are_escaped() {
    let base = ubuntu_1604().file("/etc/ssh/sshd_config", "Port \u{1b}[2Jevil\n");
    let (_, notes) = card(&base);
    assert!(notes.iter().all(|note| !note.contains('\u{1b}')), "{notes:?}");
    let profile = PROFILE.replace("[root, odroid]", "[nobody-here]");
    let passwd = ubuntu_1604().text("/etc/passwd") + "ev\u{1b}[2Jil:x:1001:1001::/home/e:/bin/sh\n";
    let base = ubuntu_1604().file("/etc/passwd", passwd);
    let error = Fixture::new(&profile).card(&base, 0).unwrap_err();
    let error = format!("{error}: {}", error.fix().unwrap_or_default());
    assert!(!error.contains('\u{1b}') && error.contains("nobody-here"), "{error:?}");
}

/// Names that are UTF-8 are shown as they are, and every byte of the file survives.
#[test]
fn notes_show_names_of_other_languages() {
    let hosts =
        b"127.0.0.1 localhost\n192.168.1.81 k\xc3\xbcche k\xfcche\n# \xc3\xa4\xe4 caf\xe9\n";
    let base = ubuntu_1604().file("/etc/hosts", hosts);
    let (card, notes) = card(&base);
    assert!(has_note(&notes, "192.168.1.81 küche k\u{fffd}che"), "{notes:?}");
    let common::Item::File { contents, .. } = &card.0["/etc/hosts"] else { panic!("no file") };
    let line = b"# \xc3\xa4\xe4 caf\xe9\n";
    assert!(contents.windows(line.len()).any(|bytes| bytes == line), "{}", card.text("/etc/hosts"));
}
