//! Who gets in by key on a finished card, and keys that everyone has.

mod common;

use common::{Fixture, Memory, PROFILE, ubuntu_1604};

const SSHD_CONFIG: &str = "/etc/ssh/sshd_config";
const DROP_IN: &str = "/etc/ssh/sshd_config.d/0-nodecard.conf";

fn has_note(notes: &[String], words: &str) -> bool {
    notes.iter().any(|note| note.contains(words))
}

/// A base whose sshd includes its drop-in directory.
fn base(settings: &str) -> Memory {
    let config = format!("Include {DROP_IN_DIRECTORY}/*.conf\nUsePAM yes\n{settings}\n");
    ubuntu_1604().file(SSHD_CONFIG, config)
}

const DROP_IN_DIRECTORY: &str = "/etc/ssh/sshd_config.d";

#[test]
fn settings_that_keep_a_user_out_are_overruled_for_that_user() {
    let fixture = Fixture::new(PROFILE);
    for (settings, wanted) in [
        ("PermitRootLogin no", "Match User root\n    PermitRootLogin prohibit-password\n"),
        ("AllowUsers odroid", "Match User root\n    AllowUsers root\n"),
        (
            "AuthorizedKeysFile /etc/keys/%u",
            "Match User root\n    AuthorizedKeysFile .ssh/authorized_keys /etc/keys/root\n\
             Match User odroid\n    AuthorizedKeysFile .ssh/authorized_keys /etc/keys/odroid\n",
        ),
    ] {
        let (card, notes) = fixture.settled(&base(settings), 0);
        assert_eq!(card.text(DROP_IN), wanted, "{settings}");
        assert!(has_note(&notes, DROP_IN), "{settings}: {notes:?}");
        // A release without Include gets the blocks at the end, the last one first.
        let old = ubuntu_1604().file(SSHD_CONFIG, settings);
        let (card, _) = fixture.settled(&old, 0);
        let blocks = wanted.split_inclusive("Match").filter(|block| *block != "Match");
        let mut blocks: Vec<&str> = blocks.map(|block| block.trim_end_matches("Match")).collect();
        blocks.reverse();
        let blocks: String = blocks.iter().map(|block| format!("Match{block}")).collect();
        assert_eq!(card.text(SSHD_CONFIG), format!("{settings}\n{blocks}"));
    }
    for settings in ["PermitRootLogin yes", "AllowUsers root odroid@192.168.1.*", "Port 22"] {
        let (card, notes) = fixture.settled(&base(settings), 0);
        assert!(!card.has(DROP_IN), "{settings}: {notes:?}");
    }
}

/// Of two blocks that match, sshd takes the first.
#[test]
fn a_block_against_a_user_comes_after_one_for_the_user() {
    let fixture = Fixture::new(PROFILE);
    let block = "Match User odroid\n    PubkeyAuthentication no\n";
    let base = ubuntu_1604().file(SSHD_CONFIG, format!("Port 22\n{block}"));
    let (card, notes) = fixture.settled(&base, 0);
    let ours = "Match User odroid\n    PubkeyAuthentication yes\n";
    assert_eq!(card.text(SSHD_CONFIG), format!("Port 22\n{ours}{block}"), "{notes:?}");
    assert!(has_note(&notes, "says `pubkeyauthentication no`"), "{notes:?}");
}

#[test]
fn settings_that_cannot_be_overruled_are_refused_with_their_line() {
    let fixture = Fixture::new(PROFILE);
    let error = fixture.shared(&base("ListenAddress 10.9.9.9")).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("root cannot log in by key: "), "{text}");
    assert!(text.ends_with("(/etc/ssh/sshd_config, line 3)"), "{text}");
    assert!(error.fix().expect("a fix").contains("line 3 of /etc/ssh/sshd_config"));
}

/// What is inserted above a line, for another user, does not change which line is meant.
#[test]
fn lines_are_those_of_the_images_own_file() {
    let fixture = Fixture::new(PROFILE);
    let deny = "Match User odroid\n    DenyUsers odroid";
    for (before, line) in [("PermitRootLogin no\n", 4), ("HostKey /etc/ssh/other\n", 4)] {
        let text = format!("Port 22\n{before}{deny}\n");
        let error = fixture.shared(&ubuntu_1604().file(SSHD_CONFIG, text)).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("odroid cannot log in by key"), "{said}");
        assert!(said.ends_with(&format!("(/etc/ssh/sshd_config, line {line})")), "{said}");
        let fix = error.fix().expect("a fix");
        assert!(fix.contains(&format!("line {line} of /etc/ssh/sshd_config")), "{fix}");
    }
}

/// An image may become any node's card, so each node counts as where a login comes from and as
/// where it leads to.
#[test]
fn what_keeps_any_node_out_is_found() {
    let fixture = Fixture::new(PROFILE);
    let nodes = &fixture.cluster.nodes;
    assert!(nodes.len() > 2, "{nodes:?}");
    for node in nodes {
        let address = node.address;
        // One address cannot be that of all nodes.
        let error = fixture.shared(&base(&format!("ListenAddress {address}"))).unwrap_err();
        assert!(error.to_string().contains("at logins from"), "{error}");
        for settings in [
            format!("DenyUsers *@{address}"),
            format!("Match Address {address}\n    PubkeyAuthentication no"),
            format!("Match LocalAddress {address}\n    PubkeyAuthentication no"),
        ] {
            match fixture.shared(&base(&settings)) {
                Ok(rendered) => {
                    let notes: Vec<String> =
                        rendered.notes.iter().map(ToString::to_string).collect();
                    let corrected = notes.iter().any(|note| note.contains("keeps root out"))
                        || notes.iter().any(|note| note.contains("root") && note.contains(DROP_IN));
                    assert!(corrected, "{settings}: {notes:?}");
                }
                Err(error) => {
                    let (text, name) = (error.to_string(), format!(" {}", node.name));
                    assert!(text.contains(&name), "{settings}: {text}");
                }
            }
        }
    }
}

/// A condition about both addresses concerns one pair of nodes, whichever it is.
#[test]
fn what_keeps_one_pair_of_nodes_apart_is_found() {
    let fixture = Fixture::new(PROFILE);
    let nodes = &fixture.cluster.nodes;
    let pairs = nodes.iter().flat_map(|from| nodes.iter().map(move |to| (from, to)));
    for (from, to) in pairs.filter(|(from, to)| from.name != to.name) {
        let settings = format!(
            "Match Address {} LocalAddress {}\n    PubkeyAuthentication no\n    \
             AuthenticationMethods password",
            from.address, to.address
        );
        let rendered = fixture.shared(&base(&settings)).unwrap_or_else(|error| panic!("{error}"));
        let notes: Vec<String> = rendered.notes.iter().map(ToString::to_string).collect();
        assert!(has_note(&notes, "corrected"), "{settings}: {notes:?}");
    }
}

#[test]
fn expired_accounts_and_missing_shells_are_corrected() {
    let fixture = Fixture::new(PROFILE);
    let passwd = ubuntu_1604().text("/etc/passwd").replace("odroid:/bin/bash", "odroid:/bin/zsh");
    let base = base("")
        .file("/etc/passwd", &passwd)
        .file("/bin/bash", "")
        .with_mode("/bin/bash", 0o755)
        .file("/etc/shadow", "root:*:17000:0:99999:7:::\nodroid:*:17000:0:99999:7::9000:\n")
        .with_mode("/etc/shadow", 0o640)
        .file("/etc/nologin", "");
    let (card, notes) = fixture.settled(&base, 0);
    assert_eq!(card.text("/etc/passwd"), passwd.replace("/bin/zsh", "/bin/bash"), "{notes:?}");
    assert!(card.text("/etc/shadow").ends_with("odroid:*:17000:0:99999:7:::\n"));
    assert!(!card.has("/etc/nologin"));
    assert!(notes.iter().filter(|note| note.contains("keeps odroid out")).count() == 3);
}

/// A password is of no use with a shell that ends every login.
#[test]
fn users_with_a_password_get_a_shell() {
    let profile = |users: &str| {
        let text = PROFILE.replace("users: [root, odroid]", "users: [root]");
        Fixture::new(&format!("{text}users: {{odroid: {{{users}}}}}\n"))
    };
    const HASH: &str = "password: '$6$abc$u5rkRGCsGpjHYBZXr8O8ZKHkNZNb1xbVZtA5Hiri2y0cCgIhzxR3TLDLA3Vqc0s3X8DKCRZ1uUjo5QFMGfxPq0'";
    let passwd = ubuntu_1604().text("/etc/passwd");
    let own = passwd.lines().find(|line| line.starts_with("odroid:")).unwrap();
    let with = |shell: &str| own.replace("/bin/bash", shell);
    let base = |shell: &str| {
        base("")
            .file("/bin/bash", "")
            .with_mode("/bin/bash", 0o755)
            .file("/usr/sbin/nologin", "")
            .with_mode("/usr/sbin/nologin", 0o755)
            .file("/etc/passwd", passwd.replace(own, &with(shell)))
    };
    for shell in ["/usr/sbin/nologin", "/bin/false", "/bin/zsh"] {
        let (card, notes) = profile(HASH).settled(&base(shell), 0);
        assert_eq!(card.text("/etc/passwd"), passwd, "{shell}: {notes:?}");
        assert!(has_note(&notes, "odroid has /bin/bash now, in /etc/passwd"), "{notes:?}");
        // Nobody is to log in, or the profile says which shell it is.
        for users in ["locked: true", &format!("{HASH}, shell: /usr/sbin/nologin")] {
            let (card, notes) = profile(users).settled(&base(shell), 0);
            let left = if users.contains("shell") { "/usr/sbin/nologin" } else { shell };
            assert!(card.text("/etc/passwd").contains(&with(left)), "{users}: {notes:?}");
        }
    }
}

#[test]
fn keys_of_the_image_open_no_account() {
    const PUBLIC: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7 old";
    let fixture = Fixture::new(&PROFILE.replace("[root, odroid]", "[odroid]"));
    let base = ubuntu_1604()
        .file("/home/odroid/.ssh/id_rsa", "-----BEGIN RSA PRIVATE KEY-----\nx\n")
        .file("/home/odroid/.ssh/id_rsa.pub", PUBLIC)
        .file("/root/.ssh/authorized_keys", format!("ssh-rsa AAAAMINE me@desk\n{PUBLIC}\n"))
        .file("/root/.ssh/authorized_keys2", format!("# two\n{PUBLIC}\n"));
    let (card, notes) = fixture.settled(&base, 0);
    assert_eq!(card.text("/root/.ssh/authorized_keys"), "ssh-rsa AAAAMINE me@desk\n");
    assert_eq!(card.text("/root/.ssh/authorized_keys2"), "# two\n");
    assert!(has_note(&notes, "could log in as root"), "{notes:?}");
}

#[test]
fn docker_identity_goes_wherever_dockerd_keeps_it() {
    let fixture = Fixture::new(PROFILE);
    let base = ubuntu_1604()
        .file("/etc/docker/daemon.json", "{\"data-root\": \"/data/docker\"}")
        .file("/data/docker/engine-id", "clone")
        .file("/data/docker/swarm/state.json", "{}");
    let (card, _) = fixture.settled(&base, 0);
    for path in
        ["/data/docker/engine-id", "/data/docker/swarm/state.json", "/var/lib/docker/engine-id"]
    {
        assert!(!card.has(path), "{path}");
    }
}

#[test]
fn stanzas_that_leave_dhcp_beside_the_address_go() {
    let fixture = Fixture::new(PROFILE);
    let lo = "auto lo\niface lo inet loopback\n";
    let dhcp = "auto eth0\niface eth0 inet dhcp\n";
    let (main, sub) = ("/etc/network/interfaces", "/etc/network/sub/x");
    for (text, others) in [
        ("auto eth0=home eth1\niface home inet dhcp\niface eth1 inet manual\n", vec![]),
        ("auto eth0\nmapping eth*\n    script /map\niface home inet dhcp\n", vec![]),
        ("source /etc/network/s*/x\n", vec![(sub, dhcp)]),
        ("source /etc/network/none /etc/network/sub/x\n", vec![(sub, dhcp)]),
        ("source-directory /etc/network/su?\n", vec![(sub, dhcp)]),
        ("auto eth0\niface eth0 inet dhcp\n    auto\n    mtu 1400\n", vec![]),
    ] {
        let mut base = ubuntu_1604().file(main, format!("{lo}{text}"));
        for (path, text) in others {
            base = base.file(path, text);
        }
        let (card, notes) = fixture.settled(&base, 0);
        let all = card.text(main) + if card.has(sub) { "" } else { "\n" };
        assert_eq!(all.matches("iface eth0 inet static").count(), 1, "{text}: {all}");
        let units = system_model::Systemd::read_later_boots(&card).unwrap();
        let network = system_model::network::Network::read(&card, &units).unwrap();
        let address = fixture.cluster.nodes[0].address;
        let rivals = cluster_profile::rival_addresses(&network, "eth0", address);
        assert_eq!(rivals, [], "{text}");
        assert!(!all.contains("eth0=home") && !all.contains("mapping"), "{text}: {all}");
        assert!(!has_note(&notes, "also gets an address"), "{text}: {notes:?}");
    }
}

#[test]
fn an_interface_that_nothing_names_is_noted() {
    let fixture = Fixture::new(PROFILE);
    let bare = ubuntu_1604().file("/etc/network/interfaces", "auto lo\niface lo inet loopback\n");
    let (_, notes) = fixture.settled(&bare, 0);
    assert!(has_note(&notes, "correct `interface` in the profile"), "{notes:?}");
    let (_, notes) = fixture.settled(&ubuntu_1604(), 0);
    assert!(!has_note(&notes, "correct `interface`"), "{notes:?}");
}

/// A home on a filesystem of its own, on which nodecard has put nothing.
#[test]
fn keys_that_a_mount_hides_are_refused() {
    let fixture = Fixture::new(PROFILE);
    let mount = |line: &str| base("").file("/etc/fstab", format!("# home\n{line}\n"));
    let error = fixture.shared(&mount("LABEL=home /home ext4 defaults 0 2")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "odroid cannot log in by key: another filesystem is mounted on /home at boot, which hides \
         /home/odroid/.ssh/authorized_keys (/etc/fstab, line 2)"
    );
    // The system boots without it too.
    let (_, notes) = fixture.settled(&mount("LABEL=home /home ext4 nofail 0 2"), 0);
    assert!(has_note(&notes, "is mounted on /home at boot (/etc/fstab, line 2), which hides"));
    let about = notes.iter().filter(|note| note.contains("/etc/fstab, line 2"));
    assert_eq!(about.count(), 1, "{notes:?}");
    // No user of the profile's lives there.
    let root = Fixture::new(&PROFILE.replace("[root, odroid]", "[root]"));
    let (_, notes) = root.settled(&mount("LABEL=home /home ext4 defaults 0 2"), 0);
    assert!(!has_note(&notes, "which hides"), "{notes:?}");
}

/// A base whose sshd gets these arguments.
fn started_with(options: &str) -> Memory {
    let unit = "/lib/systemd/system/ssh.service";
    base("")
        .file("/usr/sbin/sshd", "")
        .with_mode("/usr/sbin/sshd", 0o755)
        .file(
            unit,
            "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n",
        )
        .link("/etc/systemd/system/multi-user.target.wants/ssh.service", unit)
        .file("/etc/default/ssh", format!("# by hand\nSSHD_OPTS=\"{options}\"\n"))
}

#[test]
fn what_sshd_is_started_with_outranks_its_configuration() {
    let fixture = Fixture::new(PROFILE);
    let (place, fix) =
        ("(/etc/default/ssh, line 2)", "correct line 2 of /etc/default/ssh in the base image");
    for (options, what) in [
        ("-p 2222", "sshd does not listen on port 22 of the node's address"),
        ("-oHostKeyAlgorithms=ssh-rsa", "HostKeyAlgorithms leaves out ssh-ed25519"),
        ("-f /etc/ssh/none", "/etc/ssh/none is missing"),
    ] {
        let error = fixture.shared(&started_with(options)).unwrap_err();
        assert_eq!(error.to_string(), format!("root cannot log in by key: {what} {place}"));
        assert_eq!(error.fix().unwrap(), fix, "{options}");
    }
    // A block for a user outranks an argument, and another port is one more.
    let (card, _) = fixture.settled(&started_with("-o PermitRootLogin=no -o Port=2222"), 0);
    assert_eq!(card.text(DROP_IN), "Match User root\n    PermitRootLogin prohibit-password\n");
    assert!(card.text(SSHD_CONFIG).starts_with("Port 22\n"), "{}", card.text(SSHD_CONFIG));
}

#[test]
fn another_configuration_is_the_one_that_is_changed() {
    let fixture = Fixture::new(PROFILE);
    let path = "/etc/ssh/other";
    let base = started_with("-f /etc/ssh/other").file(path, "Port 22\nPermitRootLogin no\n");
    let before = base.text(SSHD_CONFIG);
    let (card, notes) = fixture.settled(&base, 0);
    assert!(card.text(path).ends_with("Match User root\n    PermitRootLogin prohibit-password\n"));
    assert_eq!(card.text(SSHD_CONFIG), before);
    assert!(has_note(&notes, "corrected in /etc/ssh/other"), "{notes:?}");
}

#[test]
fn sockets_decide_where_sshd_is_reached() {
    let fixture = Fixture::new(PROFILE);
    let unit = "/lib/systemd/system/ssh.socket";
    let drop_in = "/etc/systemd/system/ssh.socket.d/port.conf";
    let base = |text: &str| {
        base("Port 2222")
            .file("/usr/sbin/sshd", "")
            .with_mode("/usr/sbin/sshd", 0o755)
            .file("/lib/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n")
            .file(unit, "[Socket]\nListenStream=22\nAccept=no\n")
            .link("/etc/systemd/system/sockets.target.wants/ssh.socket", unit)
            .file(drop_in, format!("[Socket]\n{text}"))
    };
    // What the configuration says of ports does not count.
    fixture.settled(&base("ListenStream=2222\n"), 0);
    let error = fixture.shared(&base("ListenStream=\nListenStream=2222\n")).unwrap_err();
    let text = error.to_string();
    assert!(
        text.ends_with(&format!("port 22 of the node's address ({drop_in}, line 3)")),
        "{text}"
    );
}
