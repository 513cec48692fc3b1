//! Cards with one thing wrong each: that is found, by name, place and line, and nothing
//! else is.

mod common;

use block_io::ReadAt as _;
use card_audit::{Finding, Severity};
use common::{Changed, Editor, LATER, bench};

const NODE: &str = "xu4-node2";

/// What is compared of a finding: severity, code and place.
fn brief(finding: &Finding) -> (Severity, &str, String) {
    (finding.severity, finding.code.as_str(), finding.place())
}

#[track_caller]
fn assert_finds(card: &Changed, expected: &[(Severity, &str, &str)]) -> Vec<Finding> {
    let findings = bench().findings(card);
    let found: Vec<_> = findings.iter().map(brief).collect();
    let expected: Vec<_> = expected.iter().map(|(s, c, p)| (*s, *c, (*p).to_owned())).collect();
    assert_eq!(found, expected, "{findings:#?}");
    for finding in &findings {
        assert!(!finding.what.is_empty() && !finding.fix.to_string().is_empty(), "{finding:?}");
    }
    findings
}

const ERROR: Severity = Severity::Error;
const WARNING: Severity = Severity::Warning;

/// The article's classic.
#[test]
fn a_typo_in_the_interfaces_file_is_reported_by_line() {
    let card = bench().card(NODE).replace("/etc/network/interfaces", "address", "addres");
    let findings = assert_finds(&card, &[(ERROR, "address", "/etc/network/interfaces:10")]);
    let line = card.read("/etc/network/interfaces");
    assert_eq!(line.lines().nth(9), Some("    addres 192.168.1.82"));
    assert_eq!(findings[0].found.as_deref(), Some("addres 192.168.1.82"));
    assert_eq!(findings[0].expected.as_deref(), Some("address 192.168.1.82"));
}

#[test]
fn every_line_of_the_address_counts() {
    let file = "/etc/network/interfaces";
    for (from, to, line) in [
        ("auto eth0", "auto etho", 8),
        ("inet static", "inet sttic", 9),
        ("iface eth0", "iface etho", 9),
        ("address 192.168.1.82", "address 192.168.1.28", 10),
        ("netmask 255.255.255.0", "netmask 255.255.0.0", 11),
        ("gateway 192.168.1.1\n", "gateway 192.168.1.11\n", 12),
        ("dns-nameservers 192.168.1.1\n", "dns-nameserver 192.168.1.1\n", 13),
    ] {
        let card = bench().card(NODE).replace(file, from, to);
        let findings = bench().findings(&card);
        let place = format!("{file}:{line}");
        let hit = findings.iter().find(|f| f.place() == place && f.severity == ERROR);
        assert!(
            hit.is_some_and(|f| f.expected.as_deref().is_some_and(|e| e.contains(from.trim()))),
            "{from}: {findings:#?}"
        );
        assert_eq!(findings.len(), 1, "{from}: {findings:#?}");
    }
    let card = bench().card(NODE).replace(file, "    netmask 255.255.255.0\n", "");
    let findings = assert_finds(&card, &[(ERROR, "address", file)]);
    assert_eq!(findings[0].expected.as_deref(), Some("netmask 255.255.255.0"));
    // A second stanza gives the interface two addresses.
    let more = "iface eth0 inet dhcp\n";
    let card = bench().card(NODE).edit(|f| f.write("/etc/network/interfaces.d/old", more));
    assert_finds(&card, &[(ERROR, "address", "/etc/network/interfaces.d/old:1")]);
}

/// apply removes no directory, which may hold its owner's files, so no finding recommends it.
#[test]
fn a_directory_in_the_place_of_a_file_is_left_to_its_owner() {
    let card = bench().card(NODE);
    let commands = "rm /etc/hostname\nmkdir /etc/hostname\nmkdir /etc/hostname/mine\n";
    let changed = common::cards::debugfs(&card.layer, "directory.img", commands);
    let size = changed.size();
    let findings = assert_finds(
        &Changed::over("card", changed, size),
        &[(ERROR, "host-name", "/etc/hostname")],
    );
    assert_eq!(
        findings[0].fix.to_string(),
        "on the node, move it away: mv /etc/hostname /etc/hostname.old; then verify again"
    );
}

type Edit = Box<dyn Fn(&mut Editor)>;

#[test]
fn each_item_of_a_card_is_looked_at() {
    let bench = bench();
    let write = |path: &'static str, text: &str| -> Edit {
        let text = text.to_owned();
        Box::new(move |files| files.write(path, &text))
    };
    let remove = |path: &'static str| -> Edit { Box::new(move |files| files.remove(path)) };
    let mode = |path: &'static str, mode| -> Edit { Box::new(move |files| files.mode(path, mode)) };
    let own = |path: &'static str, uid, gid| -> Edit {
        Box::new(move |files| files.0.editor().chown(path, uid, gid).unwrap())
    };
    let other_key = bench.keys.host("xu4-node3").unwrap();
    let (private, public) = (other_key.private(), other_key.public_without_comment());
    let known = bench.card(NODE).read("/etc/ssh/ssh_known_hosts");
    let changed_known = {
        let own = bench.keys.host("xu4-master").unwrap().public_without_comment();
        known.replace(&own, &public)
    };
    let hosts = bench.card(NODE).read("/etc/hosts");
    let without_node = hosts.replace("192.168.1.81\txu4-node1\n", "");
    let with_typo = hosts.replace("192.168.1.81", "192.168.1.18");
    let sshd = bench
        .card(NODE)
        .read("/etc/ssh/sshd_config")
        .replace("HostKey /etc/ssh/ssh_host_ed25519_key", "HostKey /etc/ssh/other_key");
    let keys = bench.card(NODE).read("/root/.ssh/authorized_keys");
    let without_mine: String = keys.lines().skip(1).map(|l| format!("{l}\n")).collect();
    let restricted = keys.replacen("ssh-ed25519", "command=\"true\" ssh-ed25519", 1);
    let own_key = "/root/.ssh/id_ed25519";
    let stale = format!("# mine\nxu4-node1 {public}\n");
    // xu4-node3 had these addresses before; the second is on another network.
    let moved = format!("192.168.1.93 {public}\n10.0.0.7 {public}\n");
    let moved_known = format!("{known}192.168.1.93 {public}\n");

    let cases: Vec<(Edit, Severity, &str, &str)> = vec![
        (write("/etc/hostname", "xu4-node3\n"), ERROR, "host-name", "/etc/hostname:1"),
        (write("/etc/hostname", ""), ERROR, "host-name", "/etc/hostname"),
        (remove("/etc/hostname"), ERROR, "host-name", "/etc/hostname"),
        (write("/etc/hosts", &without_node), ERROR, "hosts", "/etc/hosts"),
        (write("/etc/hosts", &with_typo), ERROR, "hosts", "/etc/hosts:8"),
        (
            write("/etc/resolv.conf", "nameserver 8.8.8.8\n"),
            WARNING,
            "resolver",
            "/etc/resolv.conf",
        ),
        (
            write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
            ERROR,
            "machine-id",
            "/etc/machine-id:1",
        ),
        (mode("/etc/machine-id", 0o666), WARNING, "mode", "/etc/machine-id"),
        (
            write("/etc/ssh/ssh_host_ed25519_key", private),
            ERROR,
            "host-key",
            "/etc/ssh/ssh_host_ed25519_key",
        ),
        (
            mode("/etc/ssh/ssh_host_ed25519_key", 0o640),
            ERROR,
            "mode",
            "/etc/ssh/ssh_host_ed25519_key",
        ),
        (remove("/etc/ssh/ssh_known_hosts"), ERROR, "known-hosts", "/etc/ssh/ssh_known_hosts"),
        (
            write("/etc/ssh/ssh_known_hosts", &changed_known),
            ERROR,
            "known-hosts",
            "/etc/ssh/ssh_known_hosts:1",
        ),
        (mode("/etc/ssh/ssh_known_hosts", 0o600), ERROR, "mode", "/etc/ssh/ssh_known_hosts"),
        (write("/etc/ssh/sshd_config", &sshd), ERROR, "sshd-config", "/etc/ssh/sshd_config"),
        (remove(own_key), ERROR, "cluster-key", own_key),
        (write(own_key, private), ERROR, "cluster-key", own_key),
        (mode(own_key, 0o644), ERROR, "mode", own_key),
        (own(own_key, 1000, 1000), ERROR, "owner", own_key),
        (
            write("/root/.ssh/id_ed25519.pub", "ssh-ed25519 AAAA x\n"),
            WARNING,
            "cluster-key",
            "/root/.ssh/id_ed25519.pub",
        ),
        (mode("/root/.ssh/authorized_keys", 0o666), ERROR, "mode", "/root/.ssh/authorized_keys"),
        (mode("/root/.ssh/authorized_keys", 0o644), WARNING, "mode", "/root/.ssh/authorized_keys"),
        (
            own("/home/odroid/.ssh/authorized_keys", 0, 1000),
            ERROR,
            "owner",
            "/home/odroid/.ssh/authorized_keys",
        ),
        (
            own("/home/odroid/.ssh/authorized_keys", 1000, 0),
            WARNING,
            "owner",
            "/home/odroid/.ssh/authorized_keys",
        ),
        (
            write("/root/.ssh/authorized_keys", &without_mine),
            ERROR,
            "authorized-keys",
            "/root/.ssh/authorized_keys",
        ),
        (
            write("/root/.ssh/authorized_keys", &restricted),
            WARNING,
            "authorized-keys",
            "/root/.ssh/authorized_keys:1",
        ),
        (mode("/root/.ssh", 0o777), ERROR, "mode", "/root/.ssh"),
        (mode("/home/odroid", 0o775), ERROR, "mode", "/home/odroid"),
        (own("/home/odroid", 33, 33), ERROR, "owner", "/home/odroid"),
        (
            write("/root/.ssh/known_hosts", &stale),
            WARNING,
            "stale-known-host",
            "/root/.ssh/known_hosts:2",
        ),
        (
            write("/root/.ssh/known_hosts", &moved),
            WARNING,
            "stale-known-host",
            "/root/.ssh/known_hosts:1",
        ),
        (
            write("/etc/ssh/ssh_known_hosts", &moved_known),
            ERROR,
            "known-hosts",
            "/etc/ssh/ssh_known_hosts:5",
        ),
        (write("/aafirstboot", "#!/bin/sh\n"), ERROR, "first-boot", "/etc/rc.local:7"),
        (write("/.first_boot", ""), ERROR, "first-boot", "/.first_boot"),
        (write("/root/.not_logged_in_yet", ""), ERROR, "first-boot", "/root/.not_logged_in_yet"),
        (write("/etc/cloud/cloud.cfg", "x: y\n"), ERROR, "cloud-init", "/etc/cloud/cloud.cfg"),
        (
            Box::new(|files| {
                files.write("/opt/setup.sh", "#!/bin/sh\nhostnamectl set-hostname board\n");
                files.write(
                    "/lib/systemd/system/setup.service",
                    "[Service]\nExecStart=/opt/setup.sh\n",
                );
                let link = "/etc/systemd/system/multi-user.target.wants/setup.service";
                files.0.replace_with_symlink(link, "/lib/systemd/system/setup.service").unwrap();
            }),
            WARNING,
            "first-boot",
            "/opt/setup.sh:2",
        ),
        (
            write("/lib/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n"),
            ERROR,
            "ssh-server",
            "/usr/sbin/sshd",
        ),
        (write("/etc/motd", "hello\nyou\n"), WARNING, "extra-file", "/etc/motd:2"),
        (remove("/etc/motd"), WARNING, "extra-file", "/etc/motd"),
    ];
    for (index, (edit, severity, code, place)) in cases.iter().enumerate() {
        let card = bench.card(NODE).edit(edit);
        let findings = bench.findings(&card);
        let found: Vec<_> = findings.iter().map(brief).collect();
        let named = (*severity, *code, (*place).to_owned());
        assert!(found.contains(&named), "{index}: {named:?} is not among {findings:#?}");
        assert_eq!(found.len(), 1, "{index}: {findings:#?}");
    }
}

#[test]
fn private_keys_are_named_and_never_shown() {
    let bench = bench();
    let other = bench.keys.host("xu4-node3").unwrap();
    let card = bench.card(NODE).edit(|files| {
        files.write("/etc/ssh/ssh_host_ed25519_key", other.private());
        files
            .write("/home/odroid/.ssh/id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET\n");
    });
    let report = bench.audit(&card);
    let text = format!("{report}{}", serde_json::to_string(&report).unwrap());
    assert!(
        text.contains("xu4-node3's host key") && text.contains("another private key"),
        "{text}"
    );
    assert!(!text.contains("SECRET") && !text.contains("BEGIN"), "{text}");
    let secret = other.private().lines().nth(2).unwrap();
    assert!(!text.contains(secret));
}

/// What the base has is on every card that was copied from it.
#[test]
fn what_came_with_the_base_is_a_clone() {
    let bench = bench();
    let base = Changed::over("base", bench.base.storage(), bench.base.storage().size());
    for (path, code) in [
        ("/etc/docker/key.json", "cloned-file"),
        ("/var/lib/docker/engine-id", "cloned-file"),
        ("/var/lib/docker/swarm/certificates/swarm-node.crt", "cloned-file"),
        ("/var/lib/dhcp/dhclient.eth0.leases", "cloned-file"),
        ("/etc/ssh/ssh_host_rsa_key", "cloned-file"),
        ("/root/.ssh/id_rsa", "cloned-user-key"),
    ] {
        let text = base.read(path);
        let card = bench.card(NODE).edit(|files| files.write(path, &text));
        assert_finds(&card, &[(ERROR, code, path)]);
        // Without the base, its age shows it: nothing on the card is older than its machine id.
        assert_eq!(bench.findings_without_base(&card), [], "{path} is young");
        let card = card.edit(|files| files.mtime(path, 1_500_000_000));
        let findings = bench.findings_without_base(&card);
        assert_eq!(findings.iter().map(brief).collect::<Vec<_>>(), [(WARNING, code, path.into())]);
    }
}

#[test]
fn a_link_that_nobody_fills_is_no_resolver() {
    let card = bench().card(NODE).edit(|files| {
        files.write("/run/resolvconf/resolv.conf", "nameserver 192.168.1.1\n");
        files.0.replace_with_symlink("/etc/resolv.conf", "../run/resolvconf/resolv.conf").unwrap();
    });
    assert_finds(&card, &[(WARNING, "resolver", "/etc/resolv.conf")]);
}

#[test]
fn something_else_in_a_files_place() {
    let card = bench().card(NODE).edit(|files| {
        files.remove("/etc/hostname");
        files.0.create_dir("/etc/hostname/x", 0o755).unwrap();
        files.remove("/root/.ssh/authorized_keys");
        files.0.replace_with_symlink("/root/.ssh/authorized_keys", "authorized_keys").unwrap();
    });
    let findings = bench().findings(&card);
    let named = |path: &str| {
        findings.iter().any(|f| f.path.as_deref() == Some(path) && f.severity == ERROR)
    };
    assert!(named("/etc/hostname") && named("/root/.ssh/authorized_keys"), "{findings:#?}");
}

#[test]
fn a_system_that_lost_a_user_is_reported() {
    let card = bench().card(NODE);
    let passwd = card.read("/etc/passwd").replace("odroid:x:1000", "pi:x:1000");
    let findings = bench().findings(&card.edit(|files| files.write("/etc/passwd", &passwd)));
    // `ssh.users` and `users` both name the user.
    assert_eq!(findings.len(), 2, "{findings:#?}");
    for finding in &findings {
        assert_eq!(finding.code.as_str(), "unfit-system");
        assert!(finding.what.contains("odroid"), "{}", finding.what);
    }
}

/// A clock that has gone on is right; one from before the cluster was made is not.
#[test]
fn an_old_clock_is_a_note() {
    let stamp = "/var/lib/systemd/timesync/clock";
    let card = bench().card(NODE).edit(|files| files.mtime(stamp, 1_000_000_000));
    assert_finds(&card, &[(Severity::Note, "clock", stamp)]);
    assert!(bench().audit(&card).matches_profile(), "notes are no differences");
    let card = card.edit(|files| files.mtime(stamp, LATER));
    assert_finds(&card, &[]);
}

#[test]
fn settings_that_keep_keys_out_are_errors_of_each_user() {
    let text =
        "PubkeyAuthentication no\n".to_owned() + &bench().card(NODE).read("/etc/ssh/sshd_config");
    let card = bench().card(NODE).edit(|files| files.write("/etc/ssh/sshd_config", &text));
    let findings = bench().findings(&card);
    for user in ["root", "odroid"] {
        let what = format!("{user} cannot log in by key: logins by key are switched off");
        let found = findings.iter().find(|finding| finding.what == what).expect("a finding");
        assert_eq!((found.severity, found.code.as_str()), (Severity::Error, "ssh-hindrance"));
        assert_eq!(found.place(), "/etc/ssh/sshd_config:1");
    }
}

/// The system will not see the card's files, however right they are.
#[test]
fn files_that_a_mount_hides_are_reported() {
    let fstab = "LABEL=more /etc/ssh ext4 nofail 0 2\nLABEL=home /home ext4 defaults 0 2\n";
    let card = bench().card(NODE).edit(|files| files.write("/etc/fstab", fstab));
    let findings = bench().findings(&card);
    let hidden = findings.iter().filter(|finding| finding.code.as_str() == "hidden-files");
    let hidden: Vec<_> = hidden.map(|one| (one.severity, one.place(), one.what.as_str())).collect();
    let on_ssh = (WARNING, "/etc/fstab".to_owned(), true);
    let is_on_ssh = |what: &str| {
        what.starts_with("another filesystem is mounted on /etc/ssh at boot (/etc/fstab, line 1)")
    };
    let mut hidden = hidden.into_iter().map(|(s, place, what)| (s, place, is_on_ssh(what)));
    assert!(hidden.any(|one| one == on_ssh), "{findings:#?}");
    let kept_out = findings.iter().find(|one| one.what.starts_with("odroid cannot log in"));
    let kept_out = kept_out.expect("a finding");
    assert_eq!((kept_out.severity, kept_out.place().as_str()), (ERROR, "/etc/fstab:2"));
    let fix = kept_out.fix.to_string();
    assert!(fix.starts_with("remove the mount (/etc/fstab, line 2), or put the files"), "{fix}");
}

#[test]
fn many_different_lines_are_counted() {
    let text: String = (0..50).map(|n| format!("line {n}\n")).collect();
    let card = bench().card(NODE).edit(|files| files.write("/etc/motd", &text));
    let findings = bench().findings(&card);
    assert_eq!(findings.len(), 11);
    assert!(findings[10].what.contains("40 lines more differ"), "{:?}", findings[10]);
}

/// A card on which dropbear is installed, with this as its host key.
fn with_dropbear(node: &str, key: Option<&[u8]>) -> Changed {
    bench().card(node).edit(|files| {
        files.write("/usr/sbin/dropbear", "");
        files.mode("/usr/sbin/dropbear", 0o755);
        files.write("/etc/init.d/dropbear", "#!/bin/sh\n");
        files.mode("/etc/init.d/dropbear", 0o755);
        files.0.replace_with_symlink("/etc/rc2.d/S01dropbear", "../init.d/dropbear").unwrap();
        if let Some(key) = key {
            files.0.create(DROPBEAR_KEY, 0o600).unwrap();
            files.0.editor().write(DROPBEAR_KEY, key).unwrap();
        }
    })
}

const DROPBEAR_KEY: &str = "/etc/dropbear/dropbear_ed25519_host_key";

#[test]
fn dropbears_host_key_has_to_be_the_nodes() {
    let key = |node: &str| bench().keys.host(node).unwrap().dropbear().unwrap();
    // The sample has no shells, which dropbear asks for.
    let found = |card: &Changed| -> Vec<Finding> {
        let all = bench().findings(card).into_iter();
        all.filter(|one| one.code.as_str() != "ssh-hindrance").collect()
    };
    assert_eq!(found(&with_dropbear(NODE, Some(&key(NODE)))), []);
    let image = b"\0\0\0\x0bssh-ed25519\0\0\0@of the image";
    let secret = with_dropbear(NODE, Some(image));
    for (card, says) in [
        (&with_dropbear(NODE, None), None),
        (&with_dropbear(NODE, Some(&key("xu4-node1"))), Some("xu4-node1's host key")),
        (&secret, Some("another key, which is not in the cluster's known hosts")),
    ] {
        let findings = found(card);
        let places: Vec<_> = findings.iter().map(brief).collect();
        assert_eq!(places, [(ERROR, "host-key", DROPBEAR_KEY.to_owned())], "{findings:#?}");
        assert_eq!(findings[0].found.as_deref(), says);
        assert!(!format!("{findings:?}").contains("of the image"), "{findings:?}");
    }
    // The same one on two cards.
    let second = with_dropbear("xu4-node1", Some(image));
    let report = bench().verify(vec![&secret, &second]);
    for outcome in report.cards {
        let card_audit::CardOutcome::Audited(card) = outcome else { panic!("refused") };
        let codes: Vec<&str> = card.findings.iter().map(|one| one.code.as_str()).collect();
        assert!(codes.contains(&"duplicate-host-key"), "{:#?}", card.findings);
    }
}

/// The sample base has Docker, whose data would be gone after each reboot.
#[test]
fn an_overlay_over_the_root_filesystem_is_an_error() {
    let conf = "/etc/overlayroot.conf";
    let card = bench().card(NODE).edit(|f| f.write(conf, "# on\noverlayroot=\"tmpfs\"\n"));
    let findings = assert_finds(&card, &[(ERROR, "root-overlay", "/etc/overlayroot.conf:2")]);
    assert!(findings[0].what.ends_with("loses Docker's data in /var/lib/docker"), "{findings:?}");
    // Nothing is lost, but something may be hidden.
    let card = bench().card(NODE).edit(|f| f.write(conf, "overlayroot=/dev/sda1\n"));
    assert_finds(&card, &[(WARNING, "root-overlay", "/etc/overlayroot.conf:1")]);
    let card = bench().card(NODE).edit(|f| f.write(conf, "overlayroot=\"\"\n"));
    assert_finds(&card, &[]);
}

/// A known program that is armed is an error, also if it only concerns the console.
#[test]
fn an_armed_program_of_the_console_is_an_error() {
    let stage = "/boot/dietpi/.install_stage";
    let card = bench().card(NODE).edit(|files| {
        files.write("/boot/dietpi/dietpi-login", "#!/bin/bash\n");
        files.write(stage, "0\n");
    });
    let findings = assert_finds(&card, &[(ERROR, "first-boot", "/boot/dietpi/.install_stage:1")]);
    assert!(findings[0].what.contains("at the first login"), "{findings:?}");
}

/// Building enables no server that the kernel's command line keeps off, so the finding names it.
#[test]
fn what_keeps_the_ssh_server_off_is_named() {
    let conf = "/boot/extlinux/extlinux.conf";
    let unit = "/etc/systemd/system/ssh.service";
    for (argument, why) in [
        ("systemd.mask=ssh.service", "ssh.service is masked by `systemd.mask=ssh.service`"),
        ("single", "ssh.service is not a part of rescue.target, to which `single` boots"),
    ] {
        let card = bench().card(NODE).edit(|files| {
            files.write(unit, "[Service]\nExecStart=/usr/sbin/sshd -D\n");
            files.write(conf, &format!("label l\n  append root=/dev/x {argument}\n"));
        });
        let findings = bench().findings(&card);
        let found = findings.iter().find(|finding| finding.code.as_str() == "ssh-server");
        let found = found.unwrap_or_else(|| panic!("{findings:#?}"));
        assert_eq!(brief(found), (ERROR, "ssh-server", format!("{conf}:2")));
        assert!(found.what.starts_with(&format!("nothing starts the ssh server at boot: {why}")));
        assert!(found.fix.to_string().contains(argument), "{found:?}");
        let servers = findings.iter().filter(|finding| finding.what.contains("ssh server"));
        assert_eq!(servers.count(), 1, "{findings:#?}");
    }
}

/// Only an interface that comes up has its address: DietPi's wlan0 has one that waits.
#[test]
fn addresses_of_interfaces_that_stay_down_are_no_duplicates() {
    let bench = bench();
    let with = |node: &str, more: &str| {
        bench.card(node).append("/etc/network/interfaces", &format!("\n{more}"))
    };
    let waiting = "iface wlan0 inet static\n    address 192.168.0.100\n    netmask 255.255.255.0\n";
    for (more, duplicates) in [(waiting.to_owned(), 0), (format!("auto wlan0\n{waiting}"), 2)] {
        let cards = [with("xu4-node1", &more), with("xu4-node2", &more)];
        let report = bench.verify(cards.iter().collect());
        let text = report.to_string();
        let found: usize = report
            .cards
            .iter()
            .map(|card| match card {
                card_audit::CardOutcome::Audited(report) => report
                    .findings
                    .iter()
                    .filter(|finding| finding.code.as_str() == "duplicate-address")
                    .count(),
                card_audit::CardOutcome::Refused { .. } => panic!("{text}"),
            })
            .sum();
        assert_eq!(found > 0, duplicates > 0, "{more}: {text}");
    }
}
