//! Cards that are right: just built, after their nodes ran, and after their owner
//! changed what is his. None of that is a finding.

mod common;

use common::{Bench, Changed, LATER, NODES, bench};

#[track_caller]
fn assert_right(bench: &Bench, card: &Changed) {
    assert_eq!(bench.findings(card), [], "with the base");
    assert_eq!(bench.findings_without_base(card), [], "without it");
}

#[test]
fn cards_just_built() {
    let bench = bench();
    let cards: Vec<Changed> = NODES.iter().map(|node| bench.card(node)).collect();
    let report = bench.verify(cards.iter().collect());
    assert!(report.matches_profile(), "{report}");
    let text = report.to_string();
    assert!(text.contains("4 cards: 4 as expected"), "{text}");
    for (node, card) in NODES.iter().zip(&cards) {
        let report = bench.audit(card);
        assert_eq!(report.node, *node);
        assert_eq!(report.known_by, ["host key", "machine id", "host name", "address"]);
        assert_right(bench, card);
    }
}

/// What a node changes by running: seeds, leases, logs, clocks, Docker's new identity, a
/// swarm, host keys that an upgrade of sshd adds, what ssh notes down.
fn booted(bench: &Bench, node: &str) -> Changed {
    let host_key = bench.keys.host("xu4-node3").unwrap().public_without_comment();
    bench.card(node).edit(|files| {
        files.write("/var/lib/systemd/random-seed", &format!("another seed of {node}"));
        files.write("/var/lib/urandom/random-seed", &format!("a seed of {node}"));
        files.write("/var/lib/dhcp/dhclient.eth0.leases", &format!("lease {{ {node} }}\n"));
        files.write("/var/lib/NetworkManager/secret_key", &format!("secret {node}"));
        files.write("/etc/docker/key.json", &format!("{{\"kid\":\"{node}\"}}"));
        files.write("/var/lib/docker/engine-id", &format!("engine of {node}"));
        files.write("/var/lib/docker/swarm/docker-state.json", "{\"LocalAddr\":\"\"}");
        let certificate = format!("certificate of {node}");
        files.write("/var/lib/docker/swarm/certificates/swarm-node.crt", &certificate);
        files.write("/var/log/journal/8e01/system.journal", "log");
        files.write("/var/log/syslog", "log\n");
        files.write("/etc/ssh/ssh_host_rsa_key", &format!("new key of {node}"));
        files.write("/etc/ssh/ssh_host_rsa_key.pub", &format!("ssh-rsa AAAA{node} new\n"));
        files.mtime("/var/lib/systemd/timesync/clock", LATER);
        files.write("/root/.ssh/known_hosts", &format!("xu4-node3,192.168.1.83 {host_key}\n"));
        files.write("/root/.bash_history", "ls\n");
        files.write("/etc/resolv.conf", "# by dhclient of wlan0\nnameserver 192.168.1.1\n");
    })
}

#[test]
fn cards_whose_nodes_ran() {
    let bench = bench();
    let cards: Vec<Changed> = NODES.iter().map(|node| booted(bench, node)).collect();
    let report = bench.verify(cards.iter().collect());
    assert!(report.matches_profile() && report.to_string().contains("4 as expected"), "{report}");
    cards.iter().for_each(|card| assert_right(bench, card));
}

#[test]
fn cards_that_their_owner_changed() {
    let bench = bench();
    let card = booted(bench, "xu4-node2");
    let hosts = card.read("/etc/hosts");
    let hosts = hosts
        .replace("192.168.1.80\txu4-master", "192.168.1.80 registry xu4-master # my registry")
        .replace("127.0.1.1\txu4-node2", "127.0.1.1 xu4-node2.home.lan xu4-node2");
    let interfaces = card.read("/etc/network/interfaces").replace(
        "    netmask",
        "    # my comment\n    hwaddress ether 02:00:00:00:00:01\n    netmask",
    );
    let card = card
        .edit(|files| {
            let more = "192.168.1.50 printer\nfd00::80 xu4-master\n";
            files.write("/etc/hosts", &format!("# mine\n{hosts}{more}"));
            let wlan = "\nauto wlan0\niface wlan0 inet dhcp\n    address 10.9.9.9\n";
            files.write("/etc/network/interfaces", &(interfaces + wlan));
            files.write("/usr/bin/htop", "a package");
            files.write("/etc/apt/sources.list.d/docker.list", "deb x\n");
            files.write("/root/.ssh/known_hosts", "github.com ssh-ed25519 AAAAB\n");
            files.write("/root/.ssh/id_rsa", "-----BEGIN RSA PRIVATE KEY-----\nmine\n");
            files.write("/root/.ssh/id_rsa.pub", "ssh-rsa AAAAMINE me@node\n");
            files.write("/root/.ssh/config", "IdentityFile ~/.ssh/id_rsa\n");
            files.mode("/root/.ssh/id_ed25519", 0o400);
            files.mode("/etc/hosts", 0o640);
        })
        .append("/root/.ssh/authorized_keys", "ssh-rsa AAAAMINE me@node\n# a comment\n")
        .append("/etc/ssh/ssh_known_hosts", "nas.lan ssh-rsa AAAAC\n")
        .append(
            "/etc/ssh/sshd_config",
            "\nPasswordAuthentication no\nHostKey /etc/ssh/ssh_host_rsa_key\n",
        );
    assert_right(bench, &card);
}

/// The comment of a key is anybody's, and so is the order of lines.
#[test]
fn the_same_in_other_words() {
    let bench = bench();
    let card = bench.card("xu4-node1");
    let known: String = card
        .read("/etc/ssh/ssh_known_hosts")
        .lines()
        .rev()
        .map(|line| format!("{line} x\n"))
        .collect();
    let keys = card.read("/root/.ssh/authorized_keys").replace("test cluster key", "my cluster");
    let card = card.edit(|files| {
        files.write("/etc/ssh/ssh_known_hosts", &known);
        files.write("/root/.ssh/authorized_keys", &keys);
        files.write("/etc/hostname", "# me\nxu4-node1");
        let lines = [
            "source-directory /etc/network/interfaces.d",
            "auto lo eth0",
            "iface lo inet loopback",
            "iface eth0 inet static",
            " gateway 192.168.1.1",
            " address 192.168.1.81/24",
            " broadcast 192.168.1.255",
            " dns-nameservers 192.168.1.1",
        ];
        files.write("/etc/network/interfaces", &lines.join("\n"));
        files.remove("/var/lib/dbus/machine-id");
        files.write(
            "/var/lib/dbus/machine-id",
            &format!("{}\n", bench.keys.machine_id("xu4-node1")),
        );
    });
    assert_right(bench, &card);
}
