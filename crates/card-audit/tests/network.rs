//! What the card's own programs do to the node's interface: other words of interfaces(5) for the
//! same address are right, and what keeps the interface from its address is found by its line.

mod common;

use std::{fs, process::Command};

use card_audit::{Finding, Severity};
use cluster_profile::ImageKeyPolicy;
use common::{Changed, bench};

const NODE: &str = "xu4-node1";
const INTERFACES: &str = "/etc/network/interfaces";
const HEAD: &str = "auto lo\niface lo inet loopback\nsource interfaces.d/*\n";
const OPTIONS: &str = "    address 192.168.1.81\n    netmask 255.255.255.0\n    \
                       gateway 192.168.1.1\n    dns-nameservers 192.168.1.1\n";

fn with_interfaces(text: &str) -> Changed {
    let text = format!("{HEAD}{text}");
    bench().card(NODE).edit(|files| files.write(INTERFACES, &text))
}

fn brief(findings: &[Finding]) -> Vec<(Severity, &str, String)> {
    let one = |finding: &Finding| (finding.severity, finding.code.as_str(), finding.place());
    findings.iter().map(one).collect()
}

/// Returns what ifupdown itself reads of a stanza.
fn ifquery(text: &str, stanza: &str) -> String {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("interfaces");
    fs::write(&path, text).unwrap();
    let state = format!("--state-dir={}", work.path().display());
    let output = Command::new("ifquery").arg("-i").arg(&path).args([&state, stanza]).output();
    let output = output.unwrap_or_else(|error| {
        panic!("ifquery is needed ({error}): run the tests with scripts/test, which unpacks it")
    });
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn other_words_for_the_same_address_are_right() {
    let bench = bench();
    let stanza = format!("iface eth0 inet static\n{OPTIONS}");
    for (text, name) in [
        (format!("allow-auto eth0\n{stanza}"), "eth0"),
        (format!("auto eth0=eth0\n{stanza}"), "eth0"),
        (format!("auto /eth0\n{stanza}"), "eth0"),
        (format!("auto /eth*\n{stanza}"), "eth0"),
        (format!("auto /e?h[0-3]/\n{stanza}"), "eth0"),
        (format!("auto /eth0/1\n{stanza}"), "eth0"),
        (format!("allow-hotplug /eth0=eth0\n{stanza}"), "eth0"),
        (format!("{stanza}    auto\n"), "eth0"),
        (format!("{stanza}allow-hotplug\n    up true\n"), "eth0"),
        (format!("auto eth0=home\niface home inet static\n{OPTIONS}"), "home"),
        (format!("auto \\\neth0\niface eth0 \\\n inet static\n{OPTIONS}"), "eth0"),
        (format!("iface base inet static\n{OPTIONS}auto eth0\niface eth0 inherits base\n"), "eth0"),
        (stanza.replace("255.255.255.0", "24") + "auto eth0\n", "eth0"),
        (
            stanza.replace("192.168.1.81\n    netmask 255.255.255.0", "192.168.1.81/255.255.255.0")
                + "auto eth0\n",
            "eth0",
        ),
    ] {
        let card = with_interfaces(&text);
        assert_eq!(bench.findings(&card), [], "{text}");
        let read = ifquery(&text, name);
        assert!(read.contains("address: 192.168.1.81\n"), "{text}: {read}");
        assert!(
            read.contains("netmask: 255.255.255.0\n") || read.contains("netmask: 24"),
            "{read}"
        );
    }
    // A stanza in an included file.
    let card = with_interfaces("").edit(|files| {
        files.write("/etc/network/interfaces.d/eth0", &format!("auto eth0\n{stanza}"));
    });
    assert_eq!(bench.findings(&card), []);
}

#[test]
fn the_same_words_with_another_meaning_are_found() {
    let bench = bench();
    let stanza = format!("iface eth0 inet static\n{OPTIONS}");
    for (text, lines) in [
        (format!("allow-auto eth1\n{stanza}"), vec![]),
        (format!("auto /wlan*\n{stanza}"), vec![]),
        (format!("auto /eth0/2\n{stanza}"), vec![]),
        (format!("auto eth0=home\n{stanza}"), vec![4]),
        (format!("auto eth0\niface home inet static\n{OPTIONS}"), vec![]),
        (format!("auto /eth0\n{}", stanza.replace(".81", ".18")), vec![6]),
        (
            format!(
                "iface base inet static\n    address 192.168.1.82\nauto eth0\n\
                     iface eth0 inherits base\n{OPTIONS}"
            ),
            vec![],
        ),
        (stanza.replace("255.255.255.0", "16") + "auto eth0\n", vec![6]),
        // ifup does not join these with a space.
        (format!("auto\\\neth0\n{stanza}"), vec![4]),
    ] {
        let findings = bench.findings(&with_interfaces(&text));
        let errors: Vec<_> = findings.iter().filter(|one| one.code.as_str() == "address").collect();
        assert!(!errors.is_empty(), "{text}: {findings:#?}");
        for line in lines {
            assert!(errors.iter().any(|one| one.line == Some(line)), "{text}: {findings:#?}");
        }
    }
}

#[test]
fn what_keeps_the_interface_from_its_address_is_found() {
    const ERROR: Severity = Severity::Error;
    const WARNING: Severity = Severity::Warning;
    let bench = bench();
    let own = format!("auto eth0\niface eth0 inet static\n{OPTIONS}");
    let link = "/etc/systemd/network/10-lan.link";
    let rules = "/etc/udev/rules.d/70-persistent-net.rules";
    let sub = "/etc/network/interfaces.d/more";
    let file = |path: &str, text: &str| {
        let text = text.to_owned();
        bench.card(NODE).edit(|files| files.write(path, &text))
    };
    for (card, expected) in [
        (
            with_interfaces(&format!("{own}iface wlan0 inet dhpc\n")),
            (ERROR, "address", format!("{INTERFACES}:10")),
        ),
        (
            with_interfaces(&format!("{own}rename eth0=lan0\n")),
            (ERROR, "interface-name", format!("{INTERFACES}:10")),
        ),
        (
            with_interfaces(&format!("{own}rename wlan0\n")),
            (ERROR, "address", format!("{INTERFACES}:10")),
        ),
        (file(sub, "\nwrong line\n"), (WARNING, "address", format!("{sub}:2"))),
        (
            file(link, "[Match]\nOriginalName=eth*\n[Link]\nName=lan0\n"),
            (ERROR, "interface-name", format!("{link}:4")),
        ),
        (
            file(link, "[Match]\nMACAddress=00:11:22:33:44:55\n[Link]\nName=lan0\n"),
            (WARNING, "interface-name", format!("{link}:4")),
        ),
        (
            file(rules, "SUBSYSTEM==\"net\", KERNEL==\"eth0\", NAME=\"lan0\"\n"),
            (ERROR, "interface-name", format!("{rules}:1")),
        ),
        (
            with_interfaces(&format!("{own}    up ip addr add 192.168.1.99/24 dev $IFACE\n")),
            (ERROR, "network-rival", format!("{INTERFACES}:10")),
        ),
    ] {
        let findings = bench.findings(&card);
        assert_eq!(brief(&findings), [expected], "{findings:#?}");
        assert!(!findings[0].fix.to_string().is_empty());
    }
}

/// The files of TCP wrappers mean something to a server that is linked with libwrap.
#[test]
fn tcp_wrappers_that_refuse_the_nodes_are_found() {
    let bench = bench();
    let card = |deny: &str, is_linked: bool| {
        let mut status = String::new();
        if is_linked {
            status += "Package: openssh-server\nStatus: install ok installed\n\
                       Depends: libc6, libwrap0 (>= 7.6-4~)\n";
        }
        bench.card(NODE).edit(|files| {
            files.write("/etc/hosts.deny", deny);
            files.write("/var/lib/dpkg/status", &status);
        })
    };
    let deny = "# refuse everybody\nALL: ALL\n";
    // The system does not fit, for each user who is kept out.
    let mut findings = bench.findings(&card(deny, true));
    findings.retain(|finding| finding.code.as_str() != "unfit-system");
    let found = brief(&findings);
    let expected = (Severity::Error, "ssh-hindrance", "/etc/hosts.deny:2".to_owned());
    assert!(!found.is_empty() && found.iter().all(|one| *one == expected), "{findings:#?}");
    assert!(findings[0].what.contains("TCP wrappers refuse"), "{findings:#?}");
    assert_eq!(bench.findings(&card(deny, false)), []);
    assert_eq!(bench.findings(&card("ALL: ALL EXCEPT 192.168.1.0/24\n", true)), []);
    let allowed =
        card(deny, true).edit(|files| files.write("/etc/hosts.allow", "sshd: 192.168.1.\n"));
    assert_eq!(bench.findings(&allowed), []);
}

/// Each card is judged for connections from every other node, and not for those from itself.
#[test]
fn tcp_wrappers_that_refuse_some_nodes_are_found_on_the_cards_of_the_others() {
    let bench = bench();
    let status = "Package: openssh-server\nStatus: install ok installed\nDepends: libwrap0\n";
    let others = "connections from the other nodes";
    for (deny, expected) in [
        (
            "sshd: ALL EXCEPT 192.168.1.81",
            [Some(others), Some("from xu4-master, xu4-node3"), Some("from xu4-master, xu4-node2")],
        ),
        ("sshd: 192.168.1.83", [Some("from xu4-node3"), Some("from xu4-node3"), None]),
        ("sshd: xu4-node3", [Some("from xu4-node3"), Some("from xu4-node3"), None]),
        ("sshd: 192.168.1.81", [None, Some("from xu4-node1"), Some("from xu4-node1")]),
        ("sshd: 192.168.1.0/24", [Some(others); 3]),
    ] {
        for (number, expected) in (1..).zip(expected) {
            let card = bench.card(&format!("xu4-node{number}")).edit(|files| {
                files.write("/etc/hosts.deny", format!("{deny}\n").as_str());
                files.write("/var/lib/dpkg/status", status);
            });
            let findings = bench.findings(&card);
            let said = format!("{deny} on {number}: {findings:#?}");
            let Some(expected) = expected else {
                assert_eq!(findings, [], "{said}");
                continue;
            };
            let mut found = findings.iter().filter(|one| one.code.as_str() == "ssh-hindrance");
            assert!(found.clone().count() > 0, "{said}");
            assert!(found.all(|one| one.what.contains(expected)), "{said}");
        }
    }
}

/// What sshd decides by addresses is judged for logins from every other node, to the card's own
/// address.
#[test]
fn settings_of_sshd_against_some_nodes_are_found_on_the_cards_of_the_others() {
    let bench = bench();
    for (settings, expected) in [
        ("DenyUsers *@192.168.1.83", [Some("at logins from xu4-node3"); 2]),
        ("DenyUsers *@192.168.1.81", [None, Some("at logins from xu4-node1")]),
        ("ListenAddress 192.168.1.81", [None, Some("by key")]),
        (
            "Match Address 192.168.1.80,192.168.1.83\n    PubkeyAuthentication no",
            [Some("at logins from xu4-master and from xu4-node3"); 2],
        ),
        ("Match LocalAddress 192.168.1.82\n    PubkeyAuthentication no", [None, Some("by key")]),
    ] {
        for (number, expected) in (1..).zip(expected) {
            let card = bench.card(&format!("xu4-node{number}"));
            let text = card.read("/etc/ssh/sshd_config");
            let text = format!("{text}\n{settings}\n");
            let card = card.edit(|files| files.write("/etc/ssh/sshd_config", &text));
            let findings = bench.findings(&card);
            let said = format!("{settings} on {number}: {findings:#?}");
            let mut found = findings.iter().filter(|one| one.code.as_str() == "ssh-hindrance");
            match expected {
                Some(expected) => {
                    assert!(found.clone().count() > 0, "{said}");
                    assert!(found.all(|one| one.what.contains(expected)), "{said}");
                }
                None => assert_eq!(found.next(), None, "{said}"),
            }
        }
    }
}

/// What keeps a user out and cannot be corrected hides nothing else.
#[test]
fn other_findings_are_shown_beside_what_keeps_a_user_out() {
    let card = bench().card(NODE).edit(|files| {
        files.write("/etc/hosts.deny", "ALL: ALL\n");
        let status = "Package: openssh-server\nStatus: install ok installed\nDepends: libwrap0\n";
        files.write("/var/lib/dpkg/status", status);
        files.write("/root/.ssh/authorized_keys", "");
    });
    let findings = bench().findings(&card);
    for code in ["ssh-hindrance", "authorized-keys"] {
        assert!(findings.iter().any(|one| one.code.as_str() == code), "{code}: {findings:#?}");
    }
    // Each user once, with what has to change, since no card can be built from such a system.
    let kept_out = findings.iter().filter(|one| one.code.as_str() == "ssh-hindrance");
    let kept_out: Vec<_> = kept_out.map(|one| (one.what.clone(), one.fix.to_string())).collect();
    assert_eq!(kept_out.len(), 2, "{findings:#?}");
    for (what, fix) in kept_out {
        assert!(what.contains("TCP wrappers") && fix.contains("/etc/hosts.deny"), "{what}: {fix}");
    }
    assert!(findings.iter().all(|one| one.code.as_str() != "unfit-system"), "{findings:#?}");
}

/// What systemd-run-generator boots to instead of the units.
#[test]
fn a_command_of_the_kernels_arguments_is_found() {
    let bench = bench();
    let path = "/boot/cmdline.txt";
    let card = |arguments: &str| {
        let text = format!("root=/dev/mmcblk0p2 rootwait {arguments}\n");
        bench.card(NODE).edit(|files| files.write(path, &text))
    };
    assert_eq!(bench.findings(&card("quiet")), []);
    let findings = bench.findings(&card("systemd.run=/opt/setup"));
    let expected = (Severity::Warning, "first-boot", format!("{path}:1"));
    assert_eq!(brief(&findings), [expected], "{findings:#?}");
    assert!(findings[0].what.contains("systemd.run=/opt/setup"), "{findings:#?}");
    assert!(findings[0].what.contains("the ssh server"), "{findings:#?}");
}

/// The initramfs of Debian's Raspberry Pi images grows the root partition to the end of the card,
/// and its filesystem, whenever there is room (rpi-resizerootfs, with `parted resizepart 100%`).
#[test]
fn a_card_that_its_initramfs_grew_is_right() {
    let bench = bench();
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("card.img");
    fs::copy(bench.path(&format!("out/{NODE}.img")), &path).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(96 << 20).unwrap();
    let image = path.to_str().unwrap();
    common::run("fdisk", "sh", &["-c", &format!("echo ', +' | sfdisk -q -N 2 {image}")]);
    // The filesystem in the partition, which begins on a boundary of a MiB or not.
    let part = work.path().join("root.img");
    let part = part.to_str().unwrap();
    let (skip, size) = (common::ROOT / 512, (96 << 20) / 512 - common::ROOT / 512);
    let copy = |arguments: &str| common::run("coreutils", "sh", &["-c", arguments]);
    copy(&format!("dd if={image} of={part} bs=512 skip={skip} count={size} status=none"));
    common::run("e2fsprogs", "e2fsck", &["-fy", part]);
    common::run("e2fsprogs", "resize2fs", &[part]);
    common::run("e2fsprogs", "e2fsck", &["-fn", part]);
    copy(&format!("dd if={part} of={image} bs=512 seek={skip} conv=notrunc status=none"));
    let storage = std::sync::Arc::new(block_io::FileStorage::open(&path).unwrap());
    let grown = Changed::over(NODE, storage, 96 << 20);
    assert_eq!(bench.findings(&grown), []);
}

/// The keys that the profile's `ssh.image_keys` removes, where they came back for any account.
#[test]
fn keys_of_the_image_that_came_back_are_found() {
    let bench = bench();
    // A key of nobody in the profile.
    let line = bench.keys.host("xu4-node3").unwrap().public_without_comment();
    let key = line.split(' ').nth(1).unwrap().to_owned();
    let path = "/home/guest/.ssh/authorized_keys";
    let with_guest = |card: Changed| {
        card.append("/etc/passwd", "guest:x:1900:1900::/home/guest:/bin/sh\n").edit(|files| {
            files.write(path, &format!("# mine\nssh-rsa AAAAMINE me\n{line} vendor\n"));
        })
    };
    let card = with_guest(bench.card(NODE));
    let plain = bench.base_card();
    let base = Changed::over("base", std::sync::Arc::new(bench.base.storage()), 64 << 20);
    let base_with_key = with_guest(base).open().unwrap();
    let found = |policy: &ImageKeyPolicy, base: &card_audit::Card| {
        let mut cluster = bench.cluster.clone();
        cluster.ssh.image_keys = policy.clone();
        let options = card_audit::VerifyOptions {
            cluster: &cluster,
            keys: &bench.keys,
            base: card_audit::BaseReference::Card(base),
            node: None,
        };
        let report = card_audit::verify(&options, vec![(NODE.to_owned(), card.open())]);
        let findings = common::only(report).findings;
        brief(
            &findings
                .into_iter()
                .filter(|one| one.code.as_str() == "cloned-user-key")
                .collect::<Vec<_>>(),
        )
        .into_iter()
        .map(|(severity, _, place)| (severity, place))
        .collect::<Vec<_>>()
    };
    let expected = [(Severity::Error, format!("{path}:3"))];
    assert_eq!(found(&ImageKeyPolicy::These(vec![key]), &plain), expected);
    assert_eq!(found(&ImageKeyPolicy::Remove, &base_with_key)[..1], expected);
    // Keys that are the owner's, as far as the profile and the base say.
    for (policy, base) in [
        (ImageKeyPolicy::Keep, &base_with_key),
        (ImageKeyPolicy::Remove, &plain),
        (ImageKeyPolicy::These(vec!["AAAAother".to_owned()]), &plain),
    ] {
        assert_eq!(found(&policy, base), [], "{policy:?}");
    }
}
