//! What a card gets, file by file.

mod common;

use cluster_profile::{Attributes, Change, ExtraFileKind, FileEdit, Purpose};
use common::{Fixture, Item, Memory, NOW, PROFILE, debian_networkd, sample_base, ubuntu_1604};

/// A node of the article's cluster on its own image.
fn node1() -> (Fixture, Memory, Vec<String>) {
    let fixture = Fixture::new(PROFILE);
    let (card, notes) = fixture.settled(&ubuntu_1604(), 1);
    (fixture, card, notes)
}

#[test]
fn a_1604_node_has_its_name_address_and_hosts() {
    let (_, card, _) = node1();
    assert_eq!(card.text("/etc/hostname"), "xu4-node1\n");
    assert_eq!(
        card.text("/etc/hosts"),
        "127.0.0.1\tlocalhost\n\
         127.0.1.1\txu4-node1\n\
         ::1\t\tlocalhost ip6-localhost ip6-loopback\n\
         ff02::1\t\tip6-allnodes\n\
         ff02::2\t\tip6-allrouters\n\
         \n\
         192.168.1.80\txu4-master\n\
         192.168.1.81\txu4-node1\n\
         192.168.1.82\txu4-node2\n\
         192.168.1.10\tnas nas.lan\n\
         192.168.1.83\txu4-node3\n"
    );
    assert_eq!(
        card.text("/etc/network/interfaces"),
        "# interfaces(5) file used by ifup(8) and ifdown(8)\n\
         # Include files from /etc/network/interfaces.d:\n\
         source-directory /etc/network/interfaces.d\n\
         \n\
         auto lo\n\
         iface lo inet loopback\n\
         \n\
         auto eth0\n\
         iface eth0 inet static\n\
         \x20   address 192.168.1.81\n\
         \x20   netmask 255.255.255.0\n\
         \x20   gateway 192.168.1.1\n\
         \x20   dns-nameservers 192.168.1.1 8.8.8.8\n\
         \x20   dns-search home.lan\n\
         \n\
         # For a static address, comment out the dhcp line above and uncomment these\n\
         #iface eth0 inet static\n\
         #    address 192.168.1.80\n\
         #    netmask 255.255.255.0\n\
         #    gateway 192.168.1.1\n\
         #    dns-nameservers 192.168.1.1 8.8.8.8\n"
    );
    // resolvconf makes it.
    assert_eq!(
        card.0["/etc/resolv.conf"],
        Item::Symlink("../run/resolvconf/resolv.conf".to_owned())
    );
}

#[test]
fn a_1604_node_has_the_clusters_keys_and_its_own() {
    let (fixture, card, notes) = node1();
    let pair = fixture.keys.cluster();
    for (home, owner) in [("/root", (0, 0)), ("/home/odroid", (1000, 1001))] {
        let file = |name: &str| format!("{home}/.ssh/{name}");
        assert_eq!(card.mode(&format!("{home}/.ssh")), (0o700, owner));
        assert_eq!(card.text(&file("id_ed25519")), pair.private());
        assert_eq!(card.mode(&file("id_ed25519")), (0o600, owner));
        assert_eq!(card.text(&file("id_ed25519.pub")), pair.public());
        assert_eq!(card.mode(&file("id_ed25519.pub")), (0o644, owner));
        assert_eq!(card.mode(&file("authorized_keys")), (0o600, owner));
        assert!(!card.has(&file("id_rsa")) && !card.has(&file("id_rsa.pub")));
    }
    assert_eq!(
        card.text("/root/.ssh/authorized_keys"),
        format!("ssh-rsa AAAAMINE me@desk\n{}", pair.public())
    );
    assert_eq!(card.text("/home/odroid/.ssh/authorized_keys"), pair.public());
    assert_eq!(card.text("/home/odroid/.ssh/config"), "Host *\n#    IdentityFile ~/.ssh/id_rsa\n");
    assert_eq!(card.text("/root/.ssh/known_hosts"), "nas ssh-rsa NAS\n");
    assert!(
        notes.iter().any(|note| note.starts_with("removed /root/.ssh/id_rsa, the image's own key")),
        "{notes:?}"
    );

    let host = |name: &str| fixture.keys.host(name).unwrap();
    assert_eq!(card.text("/etc/ssh/ssh_host_ed25519_key"), host("xu4-node1").private());
    assert_eq!(card.mode("/etc/ssh/ssh_host_ed25519_key"), (0o600, (0, 0)));
    assert_eq!(card.text("/etc/ssh/ssh_host_ed25519_key.pub"), host("xu4-node1").public());
    assert!(!card.has("/etc/ssh/ssh_host_rsa_key") && !card.has("/etc/ssh/ssh_host_rsa_key.pub"));
    let known: String = [("xu4-master", 80), ("xu4-node1", 81), ("xu4-node2", 82)]
        .iter()
        .map(|(name, last)| {
            format!("{name},192.168.1.{last} {}\n", host(name).public_without_comment())
        })
        .collect();
    assert_eq!(card.text("/etc/ssh/ssh_known_hosts"), known);
    let sshd = card.text("/etc/ssh/sshd_config");
    assert!(sshd.contains("\n#HostKey /etc/ssh/ssh_host_rsa_key\n"), "{sshd}");
    assert!(sshd.contains("\nHostKey /etc/ssh/ssh_host_ed25519_key\n"), "{sshd}");
}

#[test]
fn a_1604_node_is_no_clone() {
    let (fixture, card, notes) = node1();
    let id = fixture.keys.machine_id("xu4-node1") + "\n";
    assert_eq!((id.len(), card.text("/etc/machine-id")), (33, id));
    assert_eq!(card.mode("/etc/machine-id").0, 0o444);
    assert_eq!(card.0["/var/lib/dbus/machine-id"], Item::Symlink("/etc/machine-id".to_owned()));
    for gone in [
        "/etc/docker/key.json",
        "/var/lib/docker/engine-id",
        "/var/lib/docker/swarm/state.json",
        "/var/lib/docker/swarm/certificates",
        "/var/lib/dhcp/dhclient.eth0.leases",
        "/var/lib/systemd/random-seed",
        "/aafirstboot",
        "/.first_boot",
    ] {
        assert!(!card.has(gone), "{gone}");
    }
    assert!(card.has("/var/lib/docker/swarm") && card.has("/var/lib/dhcp"));
    assert!(notes.iter().any(|note| note.contains("/aafirstboot")), "{notes:?}");
    for stamp in ["/var/lib/systemd/timesync/clock", "/var/lib/systemd/clock"] {
        assert_eq!(card.mtime(stamp), NOW, "{stamp}");
    }
}

#[test]
fn a_machine_id_that_links_to_dbus_makes_no_loop() {
    let fixture = Fixture::new(PROFILE);
    let base = ubuntu_1604().link("/etc/machine-id", "/var/lib/dbus/machine-id");
    let (card, _) = fixture.settled(&base, 0);
    assert_eq!(card.text("/var/lib/dbus/machine-id"), fixture.keys.machine_id("xu4-master") + "\n");
}

#[test]
fn a_debian_node_loses_the_old_name() {
    let (card, _) = Fixture::new(PROFILE).settled(&debian_networkd(), 0);
    // The old name is gone with its domain.
    assert_eq!(
        card.text("/etc/hosts"),
        "127.0.0.1\tlocalhost\n127.0.1.1\txu4-master\n::1 localhost\n\
         192.168.1.80\txu4-master\n192.168.1.81\txu4-node1\n192.168.1.82\txu4-node2\n\
         192.168.1.10\tnas nas.lan\n"
    );
    // timesyncd has not run yet.
    assert_eq!(card.mode("/var/lib/systemd/timesync"), (0o755, (100, 102)));
    assert_eq!(card.mtime("/var/lib/systemd/timesync/clock"), NOW);
}

#[test]
fn other_names_on_our_lines_stay_where_they_make_sense() {
    let fixture = Fixture::new(PROFILE);
    let base = ubuntu_1604().file(
        "/etc/hosts",
        "127.0.0.1 localhost xu4-master\r\n# kept\n192.168.1.80 xu4-master registry # the master\n\
         192.168.1.80\tgit\n10.0.0.9 xu4-node1 gateway\n192.168.1.82 printer\n10.0.0.7 nas",
    );
    let (card, notes) = fixture.settled(&base, 1);
    assert_eq!(
        card.text("/etc/hosts"),
        "127.0.0.1 localhost\r\n127.0.1.1\txu4-node1\n# kept\n\
         192.168.1.80\txu4-master registry git # the master\n\
         192.168.1.81\txu4-node1\n192.168.1.82\txu4-node2\n192.168.1.10\tnas nas.lan\n\
         10.0.0.9 gateway\n"
    );
    assert!(notes.iter().any(|note| note.starts_with("removed 192.168.1.82 printer")), "{notes:?}");
    assert_eq!(notes.iter().filter(|note| note.contains("/etc/hosts of the image")).count(), 1);
    // An image that calls itself localhost keeps its localhost.
    let base = ubuntu_1604().file("/etc/hostname", "localhost\n");
    let (card, _) = fixture.settled(&base, 1);
    assert!(card.text("/etc/hosts").starts_with("127.0.0.1\tlocalhost\n"));
}

#[test]
fn the_sample_base() {
    let fixture = Fixture::new(PROFILE);
    let (card, _) = fixture.settled(&sample_base(), 2);
    assert_eq!(card.text("/etc/hostname"), "xu4-node2\n");
    assert!(card.text("/etc/network/interfaces").contains("\n    address 192.168.1.82\n"));
    // It has no resolvconf to fill the link.
    assert!(card.text("/etc/resolv.conf").contains("nameserver 192.168.1.1\n"));
    for gone in ["/aafirstboot", "/.first_boot", "/root/.ssh/id_rsa", "/home/odroid/.ssh/id_rsa"] {
        assert!(!card.has(gone), "{gone}");
    }
    let key = fixture.keys.cluster().public();
    assert_eq!(card.text("/root/.ssh/authorized_keys"), key);
    assert_eq!(card.text("/home/odroid/.ssh/authorized_keys"), key);
    let host_keys: Vec<&String> =
        card.0.keys().filter(|path| path.starts_with("/etc/ssh/ssh_host_")).collect();
    assert_eq!(host_keys, ["/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_ed25519_key.pub"]);
}

#[test]
fn users_come_from_the_image() {
    let fixture = Fixture::new(&PROFILE.replace("[root, odroid]", "[pi]"));
    let error = fixture.shared(&ubuntu_1604()).unwrap_err();
    let said = error.to_string();
    assert!(said.starts_with("`ssh.users` in the profile ("), "{said}");
    assert!(said.ends_with(") names pi, but the image has no such user"), "{said}");
    assert_eq!(
        error.fix().expect("a fix"),
        "name one of these users in `ssh.users`: root, odroid; or create the user on the cards \
         with `users: {pi: {create: true}}`"
    );
    let fixture = Fixture::new(&PROFILE.replace("[root, odroid]", "[]"));
    let (card, _) = fixture.settled(&ubuntu_1604(), 0);
    // Everyone with the image has root's and odroid's own keys.
    assert_eq!(card.text("/root/.ssh/authorized_keys"), "ssh-rsa AAAAMINE me@desk\n");
    assert!(!card.has("/root/.ssh/id_ed25519") && card.has("/root/.ssh/id_rsa"));
    assert!(card.has("/etc/ssh/ssh_known_hosts"));
    let without_passwd = Memory::default().file("/sbin/ifup", "");
    assert!(fixture.shared(&without_passwd).is_err());
}

#[test]
fn what_keeps_keys_out_is_noted() {
    let fixture = Fixture::new(PROFILE);
    let base = ubuntu_1604()
        .file("/etc/ssh/sshd_config", "Include sshd_config.d/*.conf\nUsePAM yes\n")
        .file(
            "/etc/ssh/sshd_config.d/10-x.conf",
            "PermitRootLogin no\nMatch User git\nPubkeyAuthentication no\n",
        )
        .file("/etc/shadow", "root:x:0:0:99999:7:::\nodroid:x:17000:0:::::\n");
    let (_, notes) = fixture.settled(&base, 0);
    assert!(notes.iter().any(|note| note.contains("`permitrootlogin no`")), "{notes:?}");
    assert!(!notes.iter().any(|note| note.contains("pubkeyauthentication")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("new password for root")), "{notes:?}");
    assert!(!notes.iter().any(|note| note.contains("new password for odroid")), "{notes:?}");
}

#[test]
fn first_boot_programs_are_disarmed() {
    let fixture = Fixture::new(PROFILE);
    let wants = "/etc/systemd/system/multi-user.target.wants";
    let base = ubuntu_1604()
        .file("/lib/systemd/system/armbian-resize-filesystem.service", "[Unit]\n")
        .file("/lib/systemd/system/armbian-firstrun.service", "[Unit]\n")
        .link(
            &format!("{wants}/armbian-firstrun.service"),
            "/lib/systemd/system/armbian-firstrun.service",
        )
        .link(
            &format!("{wants}/armbian-resize-filesystem.service"),
            "/lib/systemd/system/armbian-resize-filesystem.service",
        )
        .file("/etc/default/armbian-firstrun", "# x\nOPENSSHD_REGENERATE_HOST_KEYS=true\nA=b\n")
        .file("/root/.not_logged_in_yet", "")
        .file("/lib/systemd/system/firstboot.service", "[Service]\nExecStart=/root/firstboot.sh\n")
        .link(&format!("{wants}/firstboot.service"), "/lib/systemd/system/firstboot.service")
        .file("/lib/systemd/system/regenerate_ssh_host_keys.service", "[Unit]\n")
        .link(
            &format!("{wants}/regenerate_ssh_host_keys.service"),
            "/lib/systemd/system/regenerate_ssh_host_keys.service",
        )
        .file("/lib/systemd/system/resize2fs.service", "[Service]\nExecStart=/sbin/resize2fs /x\n")
        .link(
            "/lib/systemd/system/multi-user.target.wants/resize2fs.service",
            "../resize2fs.service",
        )
        .file("/etc/init.d/resize2fs_once", "#!/bin/sh\nresize2fs /dev/mmcblk0p2\n")
        .with_mode("/etc/init.d/resize2fs_once", 0o755)
        .link("/etc/rc3.d/S01resize2fs_once", "../init.d/resize2fs_once")
        .file("/etc/cloud/cloud.cfg", "");
    let (card, notes) = fixture.settled(&base, 0);
    for gone in [
        format!("{wants}/armbian-resize-filesystem.service"),
        format!("{wants}/firstboot.service"),
        format!("{wants}/regenerate_ssh_host_keys.service"),
        "/etc/rc3.d/S01resize2fs_once".to_owned(),
        "/root/.not_logged_in_yet".to_owned(),
    ] {
        assert!(!card.has(&gone), "{gone}");
    }
    assert!(card.has("/root/.no_rootfs_resize"));
    assert_eq!(card.0["/etc/systemd/system/resize2fs.service"], Item::Symlink("/dev/null".into()));
    assert_eq!(
        card.text("/etc/default/armbian-firstrun"),
        "# x\nOPENSSHD_REGENERATE_HOST_KEYS=false\nA=b\n"
    );
    assert!(
        card.text("/etc/cloud/cloud.cfg.d/99-nodecard.cfg").contains("preserve_hostname: true")
    );
    assert!(card.has("/etc/cloud/cloud-init.disabled"));
    for what in
        ["/aafirstboot", "armbian-resize", "firstboot.service", "regenerate_ssh", "cloud-init"]
    {
        assert!(notes.iter().any(|note| note.contains(what)), "{what}: {notes:?}");
    }

    // A unit of the same name that is somebody's own stays.
    let own = ubuntu_1604()
        .file("/etc/systemd/system/firstboot.service", "ExecStart=/opt/mine\n")
        .link(&format!("{wants}/firstboot.service"), "../firstboot.service");
    let (card, _) = fixture.settled(&own, 0);
    assert!(card.has(&format!("{wants}/firstboot.service")));
}

#[test]
fn further_files_have_owners_from_the_image() {
    let files = "\
files:
  - {path: /etc/motd, content: hello}
  - {path: /opt/a, content: a, mode: 0750, owner: odroid}
  - {path: /opt/b, content: b, owner: \"1000\"}
  - {path: /opt/c, content: c, mode: 4755, owner: \"odroid:adm\"}
";
    let fixture = Fixture::new(&format!("{PROFILE}{files}"));
    let base = ubuntu_1604().file("/opt/c", "old");
    let (card, _) = fixture.settled(&base, 0);
    assert_eq!(card.text("/etc/motd"), "hello");
    assert_eq!(card.mode("/etc/motd"), (0o644, (0, 0)));
    assert_eq!(card.mode("/opt/a"), (0o750, (1000, 1001)));
    assert_eq!(card.mode("/opt/b"), (0o644, (1000, 1001)));
    assert_eq!(card.mode("/opt/c"), (0o4755, (1000, 4)));
    for (owner, named) in [("nobody", "user nobody"), ("odroid:x", "group x"), ("77", "user 77")] {
        let files = format!("files: [{{path: /x, content: x, owner: \"{owner}\"}}]\n");
        let error = Fixture::new(&format!("{PROFILE}{files}")).shared(&ubuntu_1604()).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn the_same_again_is_the_same() {
    let fixture = Fixture::new(PROFILE);
    assert_eq!(fixture.shared(&ubuntu_1604()).unwrap(), fixture.shared(&ubuntu_1604()).unwrap());
    let (a, _) = fixture.card(&ubuntu_1604(), 1).unwrap();
    let (b, _) = fixture.card(&ubuntu_1604(), 1).unwrap();
    assert_eq!(a, b);
}

#[test]
fn files_that_exist_keep_owner_and_mode() {
    let fixture = Fixture::new(PROFILE);
    let mut base = ubuntu_1604();
    let attributes = Attributes { mode: 0o664, uid: 7, gid: 8, enforce: true };
    for path in ["/etc/hosts", "/etc/network/interfaces", "/etc/hostname", "/etc/ssh/sshd_config"] {
        let contents = base.text(path).into_bytes();
        let change = Change::Write { contents, attributes };
        let purpose = Purpose::ExtraFile(ExtraFileKind::Plain);
        base.apply(&[FileEdit { path: path.to_owned(), change, purpose }]);
    }
    let (card, _) = fixture.settled(&base, 1);
    for path in ["/etc/hosts", "/etc/network/interfaces", "/etc/hostname", "/etc/ssh/sshd_config"] {
        assert_eq!(card.mode(path), (0o664, (7, 8)), "{path}");
    }
}
