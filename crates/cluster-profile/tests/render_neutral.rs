//! From a card back to a base image: nothing of the node stays, and other nodes' cards can be
//! made from it.

mod common;

use cluster_profile::{
    Change, FileEdit, IdentityPart, KeyHalf, Purpose, part_of, render_neutral, render_node,
    render_shared,
};
use common::{Fixture, Item, Memory, NOW, PROFILE, debian_networkd, ubuntu_1604};

const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJk0fvQ4yYV8w5uGkQqDyD6kqfR1L3qf5H3nP1mWm0bX";

fn profile() -> String {
    let lines = PROFILE.replace(
        "users: [root, odroid]",
        &format!("users: [root, odroid]\n  authorized_keys: [\"ssh-ed25519 {KEY} me@desk\"]"),
    );
    format!("{lines}swarm:\n  services: [{{name: web, image: httpd}}]\n")
}

/// The base, with Docker, and things that belong to its owner.
fn bases() -> Vec<(&'static str, Memory)> {
    let mut elf = [0; 64];
    elf[..6].copy_from_slice(b"\x7fELF\x01\x01");
    elf[18] = 40;
    let with_docker = |base: Memory| base.file("/usr/bin/dockerd", "").file("/bin/sh", elf);
    let netplan = debian_networkd()
        .file("/usr/sbin/netplan", "")
        .file("/etc/netplan/50.yaml", "network:\n  ethernets:\n    eth0: {dhcp4: true}\n");
    let manager = debian_networkd()
        .unit("NetworkManager.service")
        .file("/etc/NetworkManager/NetworkManager.conf", "[main]\n")
        .file("/etc/systemd/network/80-dhcp.network", "[Match]\nName=wl*\n[Network]\nDHCP=yes\n");
    vec![
        ("ifupdown", with_docker(ubuntu_1604())),
        ("networkd", with_docker(debian_networkd())),
        ("netplan", with_docker(netplan)),
        ("NetworkManager", with_docker(manager)),
    ]
}

fn neutral(fixture: &Fixture, card: &Memory) -> (Memory, cluster_profile::Neutral) {
    let neutral = render_neutral(Some((&fixture.cluster, &fixture.keys)), card).unwrap();
    let mut system = card.clone();
    system.apply(&neutral.edits);
    (system, neutral)
}

fn contents(system: &Memory) -> impl Iterator<Item = (&String, String)> {
    system.0.iter().filter_map(|(path, item)| match item {
        Item::File { contents, .. } => Some((path, String::from_utf8_lossy(contents).into_owned())),
        _ => None,
    })
}

/// What a node's card holds that only this cluster has.
fn marks(fixture: &Fixture, node: usize) -> Vec<String> {
    let name = &fixture.cluster.nodes[node].name;
    let line = |key: &str| key.lines().nth(1).unwrap().to_owned();
    let word = |key: &str| key.split(' ').nth(1).unwrap().trim().to_owned();
    vec![
        name.clone(),
        fixture.cluster.nodes[node].address.to_string(),
        fixture.keys.machine_id(name),
        line(fixture.keys.host(name).unwrap().private()),
        word(fixture.keys.host(name).unwrap().public()),
        line(fixture.keys.cluster().private()),
        word(fixture.keys.cluster().public()),
        KEY.to_owned(),
    ]
}

#[test]
fn nothing_of_the_node_stays() {
    let fixture = Fixture::new(&profile());
    for (end, base) in bases() {
        let (card, _) = fixture.card(&base, 1).unwrap_or_else(|error| panic!("{end}: {error}"));
        let (after, neutral) = neutral(&fixture, &card);
        for mark in marks(&fixture, 1) {
            for (path, text) in contents(&after) {
                assert!(!text.contains(&mark), "{end}: {path} holds {mark}:\n{text}");
            }
        }
        for part in IdentityPart::ALL {
            let is_removed = neutral.removed.iter().any(|removed| removed.part == part);
            // Nothing made leases, seeds or an identity of Docker's on a new card.
            let is_new = matches!(
                part,
                IdentityPart::CloudSeed
                    | IdentityPart::Docker
                    | IdentityPart::Leases
                    | IdentityPart::Seeds
            );
            assert_eq!(is_removed, !is_new, "{end}: {part}");
        }
        assert_eq!(after.text("/etc/hostname"), "localhost\n");
        assert_eq!(after.text("/etc/machine-id"), "");
        assert!(!after.has("/etc/nodecard") && !after.has("/var/lib/nodecard"), "{end}");
        // The owner's own.
        assert!(after.has("/etc/passwd") && after.has("/usr/bin/dockerd"), "{end}");
        // A second time there is nothing to remove.
        let again = render_neutral(Some((&fixture.cluster, &fixture.keys)), &after).unwrap();
        assert_eq!(again.edits, [], "{end}");
    }
}

#[test]
fn every_purpose_that_names_a_part_is_taken_back_by_it() {
    let fixture = Fixture::new(&profile());
    for (end, base) in bases() {
        let mut card = base.clone();
        let shared = render_shared(&fixture.cluster, &fixture.keys, &card, NOW).unwrap();
        card.apply(&shared.edits);
        let node = &fixture.cluster.nodes[0];
        let own = render_node(&fixture.cluster, node, &fixture.keys, &card, NOW).unwrap();
        card.apply(&own.edits);
        let (_, neutral) = neutral(&fixture, &card);
        for FileEdit { path, purpose, .. } in shared.edits.iter().chain(&own.edits) {
            let Some(part) = part_of(purpose) else { continue };
            // A link to the machine id says nothing, and a user's own file of known hosts
            // only loses what it says about the nodes.
            if matches!(purpose, Purpose::DbusMachineId | Purpose::UserKnownHosts { .. }) {
                continue;
            }
            // What was only removed cannot be taken back.
            let all = shared.edits.iter().chain(&own.edits);
            let is_written = all
                .filter(|edit| edit.path == *path)
                .any(|edit| !matches!(edit.change, Change::Remove | Change::Clear));
            let is_there = card.has(path) && is_written;
            let parts = neutral.removed.iter().filter(|removed| removed.part == part);
            // A directory takes what is below it with it.
            let is_taken = parts
                .flat_map(|removed| &removed.paths)
                .any(|taken| path == taken || path.starts_with(&format!("{taken}/")));
            assert_eq!(is_taken, is_there, "{end}: {path} ({purpose:?})");
        }
    }
}

#[test]
fn cards_made_from_it_are_those_made_from_the_base() {
    let fixture = Fixture::new(&profile());
    for (end, base) in bases() {
        let (first, _) = fixture.card(&base, 0).unwrap();
        let (saved, _) = neutral(&fixture, &first);
        for node in [0, 1, 2] {
            let (expected, _) = fixture.card(&base, node).unwrap();
            let (card, _) = fixture.card(&saved, node).unwrap_or_else(|e| panic!("{end}: {e}"));
            let files: Vec<_> = contents(&expected).collect();
            for (path, text) in files {
                assert!(card.has(path), "{end}: node {node} lacks {path}");
                // Where a line was decides where it comes back.
                let sorted = |text: &str| {
                    let lines = text.lines().filter(|line| !line.is_empty());
                    let mut lines: Vec<_> = lines.map(str::to_owned).collect();
                    lines.sort();
                    lines
                };
                let (left, right) = (sorted(&card.text(path)), sorted(&text));
                assert_eq!(left, right, "{end}: {path} of node {node}");
            }
            assert_eq!(card.0.len(), expected.0.len(), "{end}: node {node}");
        }
    }
}

#[test]
fn the_owners_own_lines_and_keys_stay() {
    let fixture = Fixture::new(&profile());
    let base = bases().remove(0).1;
    let (card, _) = fixture.card(&base, 1).unwrap();
    let was = card.clone();
    let card = card
        .file(
            "/root/.ssh/authorized_keys",
            format!("{}ssh-rsa AAAABOSS boss@laptop\n", was.text("/root/.ssh/authorized_keys")),
        )
        .file("/etc/hosts", format!("{}192.168.1.50\tprinter\n", was.text("/etc/hosts")))
        .file(
            "/etc/ssh/ssh_known_hosts",
            format!("{}nas ssh-rsa NAS\n", was.text("/etc/ssh/ssh_known_hosts")),
        )
        .file("/home/odroid/.ssh/backup", "-----BEGIN RSA PRIVATE KEY-----\n")
        .file("/var/lib/docker/engine-id", "made-since")
        .file("/var/lib/docker/swarm/state.json", "{}")
        .file("/var/lib/docker/overlay2/layer", "data")
        .file("/var/lib/dhcp/dhclient.eth0.leases", "lease {}\n")
        .file("/var/lib/systemd/random-seed", "seed");
    let (after, neutral) = neutral(&fixture, &card);
    assert_eq!(
        after.text("/root/.ssh/authorized_keys"),
        "ssh-rsa AAAAMINE me@desk\nssh-rsa AAAABOSS boss@laptop\n"
    );
    assert!(after.text("/etc/hosts").contains("printer"));
    assert_eq!(after.text("/etc/ssh/ssh_known_hosts"), "nas ssh-rsa NAS\n");
    assert!(after.has("/home/odroid/.ssh/backup"));
    assert!(after.has("/var/lib/docker/overlay2/layer"));
    for gone in [
        "/var/lib/docker/engine-id",
        "/var/lib/docker/swarm/state.json",
        "/var/lib/dhcp/dhclient.eth0.leases",
        "/var/lib/systemd/random-seed",
    ] {
        assert!(!after.has(gone), "{gone}");
    }
    for part in [IdentityPart::Docker, IdentityPart::Leases, IdentityPart::Seeds] {
        assert!(neutral.removed.iter().any(|removed| removed.part == part), "{part}");
    }
}

/// What is listed as removed is removed, also where a symlink has its name.
#[test]
fn what_symlinks_lead_to_goes_too() {
    let fixture = Fixture::new(&profile());
    let base = bases().remove(0).1;
    let (card, _) = fixture.card(&base, 1).unwrap();
    let moved = [
        ("/etc/ssh/ssh_host_ed25519_key", "/data/host"),
        ("/root/.ssh/id_ed25519", "/data/cluster"),
        ("/etc/ssh/ssh_known_hosts", "/data/known"),
        ("/etc/nodecard/swarm_key", "/data/nodecard/swarm_key"),
        ("/etc/nodecard/swarm.conf", "/data/nodecard/swarm.conf"),
    ];
    let mut linked = card.clone();
    for (path, target) in moved {
        linked = linked.file(target, card.text(path));
        if !path.starts_with("/etc/nodecard/") {
            linked = linked.link(path, target);
        }
    }
    linked.0.retain(|path, _| !path.starts_with("/etc/nodecard"));
    let linked = linked
        .link("/etc/nodecard", "/data/nodecard")
        .file("/data/swarm/state.json", "{}")
        .dir("/var/lib/docker")
        .link("/var/lib/docker/swarm", "/data/swarm")
        // A name says little about what a symlink leads to.
        .link("/etc/ssh/ssh_host_rsa_key", "/etc/passwd");
    let (after, neutral) = neutral(&fixture, &linked);
    for gone in ["/data/host", "/data/cluster", "/data/nodecard/swarm_key", "/etc/nodecard"] {
        assert!(!after.has(gone), "{gone}");
    }
    assert!(!after.has("/data/swarm/state.json") && after.has("/etc/passwd"));
    assert!(!after.has("/etc/ssh/ssh_host_rsa_key"));
    for mark in marks(&fixture, 1) {
        for (path, text) in contents(&after).filter(|(path, _)| !path.ends_with("swarm.conf")) {
            assert!(!text.contains(&mark), "{path} holds {mark}:\n{text}");
        }
    }
    let removed = neutral.removed.iter().flat_map(|removed| &removed.paths);
    assert_eq!(removed.filter(|path| *path == "/data/host").count(), 1);
}

#[test]
fn without_a_profile_what_every_installation_has_is_removed() {
    let fixture = Fixture::new(PROFILE);
    let (card, _) = fixture.card(&ubuntu_1604(), 1).unwrap();
    let neutral = render_neutral(None, &card).unwrap();
    let mut after = card.clone();
    after.apply(&neutral.edits);
    assert_eq!(after.text("/etc/hostname"), "localhost\n");
    assert!(!after.has("/etc/ssh/ssh_host_ed25519_key"));
    assert!(after.text("/etc/network/interfaces").contains("iface eth0 inet dhcp"));
    let hosts = after.text("/etc/hosts");
    assert!(!hosts.contains("127.0.1.1") && hosts.contains("192.168.1.80"), "{hosts}");
    // Whose key this is, only the profile's keys tell.
    assert!(after.has("/root/.ssh/id_ed25519"));
    let kept = part_of(&Purpose::ClusterKey { user: "root".to_owned(), half: KeyHalf::Private });
    assert_eq!(kept, Some(IdentityPart::ClusterKeys));
}

/// Host keys are part of the identity wherever the settings of the servers say that they are.
#[test]
fn host_keys_that_settings_name_go_wherever_they_are() {
    let fixture = Fixture::new(PROFILE);
    let key = fixture.keys.host(&fixture.cluster.nodes[0].name).unwrap();
    let (base, _) = fixture.card(&ubuntu_1604(), 1).unwrap();
    let card = base
        .file(
            "/etc/ssh/sshd_config",
            "Include /etc/ssh/sshd_config.d/*.conf\nHostKey /etc/keys/own\n",
        )
        .file(
            "/etc/ssh/sshd_config.d/a.conf",
            "hostkey \"/data/second key\"\nHostCertificate /data/cert.pub\nHostKey /etc/motd\n",
        )
        .file("/etc/motd", "welcome\n")
        .file("/data/cert.pub", "ssh-ed25519-cert-v01@openssh.com AAAA root@x\n")
        .file("/etc/default/dropbear", "DROPBEAR_EXTRA_ARGS=\"-r /data/dropbear\"\n")
        .file("/data/dropbear", key.dropbear().unwrap())
        .file("/etc/keys/own", key.private())
        .file("/etc/keys/own.pub", key.public())
        .file("/data/second key", key.private());
    let (after, neutral) = neutral(&fixture, &card);
    let removed = neutral.removed.iter().find(|removed| removed.part == IdentityPart::HostKeys);
    let paths = &removed.unwrap().paths;
    for path in [
        "/etc/keys/own",
        "/etc/keys/own.pub",
        "/data/second key",
        "/data/cert.pub",
        "/data/dropbear",
    ] {
        assert!(!after.has(path), "{path} is left");
        assert!(paths.iter().any(|known| known == path), "{path} is missing from {paths:?}");
    }
    assert!(after.has("/etc/motd"), "it is not a key");
}
