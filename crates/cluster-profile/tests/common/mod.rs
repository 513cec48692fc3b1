//! A system in memory, and a cluster to render for it.

#![allow(dead_code, unused_imports)]

pub mod archive;
mod memory;
pub mod profiles;

use std::path::PathBuf;

use cluster_keys::ClusterKeys;
use cluster_profile::{Cluster, Note, RenderError, Rendered, render_node, render_shared};

pub use memory::{Item, Memory};

/// The article's cluster: xu4-master .80 and two nodes.
pub const PROFILE: &str = "\
cluster: mc1
base: base.img
card: 8GB
network: {interface: eth0, prefix: 24, gateway: 192.168.1.1, dns: [192.168.1.1, 8.8.8.8], search: [home.lan]}
nodes:
  - {name: xu4-master, address: 192.168.1.80, role: manager}
  - {name: xu4-node1, address: 192.168.1.81}
  - {name: xu4-node2, address: 192.168.1.82}
ssh:
  users: [root, odroid]
hosts: {nas: 192.168.1.10, nas.lan: 192.168.1.10}
";

/// A cluster and its keys, made for the test.
pub struct Fixture {
    pub cluster: Cluster,
    pub keys: ClusterKeys,
    _directory: tempfile::TempDir,
}

/// The time of the build in every test.
pub const NOW: u64 = 1_700_000_000;

impl Fixture {
    pub fn new(profile: &str) -> Self {
        let path = PathBuf::from("mc1.yaml");
        let cluster = Cluster::parse(profile, &path).unwrap_or_else(|error| panic!("{error}"));
        let directory = tempfile::tempdir().unwrap();
        let names: Vec<String> = cluster.nodes.iter().map(|node| node.name.clone()).collect();
        let path = directory.path().join("keys");
        ClusterKeys::open_or_create(&path, "mc1", &names).unwrap();
        std::fs::write(path.join("created"), "1600000000\n").unwrap();
        let keys = ClusterKeys::open(&path, &names).unwrap();
        Fixture { cluster, keys, _directory: directory }
    }

    pub fn shared(&self, system: &Memory) -> Result<Rendered, RenderError> {
        render_shared(&self.cluster, &self.keys, system, NOW)
    }

    /// The system of one node's card, and what there was to say about it.
    pub fn card(&self, base: &Memory, node: usize) -> Result<(Memory, Vec<Note>), RenderError> {
        let mut system = base.clone();
        let shared = self.shared(&system)?;
        system.apply(&shared.edits);
        let node = &self.cluster.nodes[node];
        let own = render_node(&self.cluster, node, &self.keys, &system, NOW)?;
        system.apply(&own.edits);
        Ok((system, shared.notes.into_iter().chain(own.notes).collect()))
    }

    /// [`Fixture::card`], and a check that a second run changes nothing.
    pub fn settled(&self, base: &Memory, node: usize) -> (Memory, Vec<String>) {
        let (once, notes) = self.card(base, node).unwrap_or_else(|error| panic!("{error}"));
        let (twice, _) = self.card(&once, node).unwrap_or_else(|error| panic!("{error}"));
        for (path, item) in &twice.0 {
            assert_eq!(once.0.get(path), Some(item), "{path} changes in a second run");
        }
        assert_eq!(once.0.len(), twice.0.len());
        (once, notes.iter().map(sentence).collect())
    }
}

/// A note with what to do about it.
fn sentence(note: &Note) -> String {
    note.fix().map_or_else(|| note.to_string(), |fix| format!("{note}; {fix}"))
}

/// What every Debian-like system has.
fn debian() -> Memory {
    Memory::default()
        .file(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\n\
             daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
             systemd-timesync:x:100:102::/run/systemd:/bin/false\n\
             odroid:x:1000:1001:,,,:/home/odroid:/bin/bash\n",
        )
        .file("/etc/group", "root:x:0:\nadm:x:4:odroid\nodroid:x:1001:\n")
        .file("/usr/sbin/sshd", "")
        .file("/etc/shadow", "root:$6$x:17000:0:99999:7:::\nodroid:$6$x:17000:0:99999:7:::\n")
        .with_mode("/etc/shadow", 0o640)
        .file("/etc/hostname", "xu4-master\n")
        .file("/etc/machine-id", "5a3bc1d2e4f60718293a4b5c6d7e8f90\n")
        .dir("/root")
        .dir("/home/odroid")
        .dir("/etc/systemd/system/multi-user.target.wants")
}

/// The article's image: Ubuntu 16.04 with ifupdown and DHCP.
pub fn ubuntu_1604() -> Memory {
    debian()
        .file("/etc/hosts", include_bytes!("../../../../scripts/sample-base/rootfs/etc/hosts"))
        .file(
            "/etc/network/interfaces",
            include_bytes!("../../../../scripts/sample-base/rootfs/etc/network/interfaces"),
        )
        .dir("/etc/network/interfaces.d")
        .file("/sbin/ifup", "")
        .file("/sbin/resolvconf", "")
        .link("/etc/resolv.conf", "../run/resolvconf/resolv.conf")
        .file("/run/resolvconf/resolv.conf", "nameserver 10.0.0.1\n")
        .file(
            "/etc/ssh/sshd_config",
            include_bytes!("../../../../scripts/sample-base/rootfs/etc/ssh/sshd_config"),
        )
        .file("/etc/ssh/ssh_host_rsa_key", "clone")
        .file("/etc/ssh/ssh_host_rsa_key.pub", "clone")
        .file("/etc/ssh/ssh_host_ed25519_key", "clone")
        .file("/etc/ssh/ssh_host_ed25519_key.pub", "clone")
        .file("/aafirstboot", "#!/bin/sh\n")
        .file("/.first_boot", "")
        .file("/var/lib/dbus/machine-id", "5a3bc1d2e4f60718293a4b5c6d7e8f90\n")
        .file("/etc/docker/key.json", "{}")
        .file("/var/lib/docker/engine-id", "clone")
        .file("/var/lib/docker/swarm/state.json", "{}")
        .file("/var/lib/docker/swarm/certificates/swarm-node.key", "clone")
        .file("/var/lib/dhcp/dhclient.eth0.leases", "lease {}\n")
        .file("/var/lib/systemd/random-seed", "clone")
        .file("/var/lib/systemd/timesync/clock", "")
        .file("/var/lib/systemd/clock", "")
        .file("/root/.ssh/id_rsa", "-----BEGIN RSA PRIVATE KEY-----\n")
        .file("/root/.ssh/id_rsa.pub", "ssh-rsa AAAAROOT root@xu4-master\n")
        .file(
            "/root/.ssh/authorized_keys",
            "ssh-rsa AAAAROOT root@xu4-master\nssh-rsa AAAAMINE me@desk\nssh-rsa AAAAODROID x\n",
        )
        .file("/root/.ssh/known_hosts", "xu4-node1 ssh-rsa OLD\nnas ssh-rsa NAS\n")
        .file("/home/odroid/.ssh/id_rsa", "-----BEGIN RSA PRIVATE KEY-----\n")
        .file("/home/odroid/.ssh/id_rsa.pub", "ssh-rsa AAAAODROID odroid@xu4-master\n")
        .file("/home/odroid/.ssh/config", "Host *\n    IdentityFile ~/.ssh/id_rsa\n")
}

/// Debian 12 or 13 with systemd-networkd and systemd-resolved.
pub fn debian_networkd() -> Memory {
    debian()
        .file("/etc/hosts", "127.0.0.1\tlocalhost\n127.0.1.1\todroid.lan\todroid\n::1 localhost\n")
        .file("/etc/hostname", "odroid\n")
        .file("/usr/lib/systemd/system/systemd-networkd.service", "[Unit]\n")
        .file("/usr/lib/systemd/system/systemd-resolved.service", "[Unit]\n")
        .link("/lib", "usr/lib")
        .file("/usr/lib/systemd/systemd-timesyncd", "")
        .link(
            "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
            "/lib/systemd/system/systemd-networkd.service",
        )
        .link(
            "/etc/systemd/system/sysinit.target.wants/systemd-resolved.service",
            "/lib/systemd/system/systemd-resolved.service",
        )
        .link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
        .file("/etc/systemd/network/80-dhcp.network", "[Match]\nName=e*\n[Network]\nDHCP=yes\n")
        .file("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n")
}

/// Debian with none of the back ends.
pub fn debian_bare() -> Memory {
    debian().file("/etc/hosts", "127.0.0.1 localhost\n")
}

/// The sample base, from the manifest it is made by.
pub fn sample_base() -> Memory {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scripts/sample-base");
    let manifest = std::fs::read_to_string(source.join("manifest")).unwrap();
    let mut system = Memory::default();
    for line in manifest.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        system = match words.as_slice() {
            ["d", _, _, path] => system.dir(path),
            ["f", _, _, path] => {
                system.file(path, std::fs::read(source.join("rootfs").join(&path[1..])).unwrap())
            }
            ["l", path, target] => system.link(path, target),
            _ => system,
        };
    }
    assert!(system.has("/etc/hosts"));
    system
}
