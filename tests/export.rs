//! `nodecard export`, judged by the programs that read its output.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::Value;

use crate::support::*;

/// A bench whose owner has a key of their own, with further names for the nodes and a swarm.
fn bench() -> Bench {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("home/.ssh")).unwrap();
    let key = bench.path("home/.ssh/mine");
    let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", key.to_str().unwrap()];
    run("openssh-client", "ssh-keygen", &arguments);
    let profile = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    let profile = profile.replace(
        "ssh:\n  users: [root, odroid]\n",
        "ssh: {users: [root, odroid], authorized_keys: [~/.ssh/mine.pub]}\n\
         hosts: {nas.lan: 192.168.1.10, www.lan: 192.168.1.81}\nswarm: {}\n",
    );
    let profile = profile.replace("1.80}", "1.80, role: manager}");
    fs::write(bench.path("profile.yaml"), profile).unwrap();
    bench
}

/// Makes the keys, by building a card without a swarm: the sample has no Docker.
fn make_keys(bench: &Bench) {
    let profile = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    let plain = profile.replace("swarm: {}\n", "keys: profile.keys\n");
    fs::write(bench.path("plain.yaml"), plain).unwrap();
    let mut command = bench.nodecard(&["build", "plain.yaml", "--out", "out"]);
    let output = command.args(["--node", "xu4-node1"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Writes an export to a file that is named as its form, and returns it.
#[track_caller]
fn export(bench: &Bench, form: &str, more: &[&str]) -> String {
    let arguments = [&["export", "profile.yaml", form], more].concat();
    let output = bench.nodecard(&arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    fs::write(bench.path(form), &text).unwrap();
    text
}

#[test]
fn ssh_reads_the_configuration() {
    let bench = bench();
    make_keys(&bench);
    export(&bench, "ssh-config", &[]);
    let file = bench.path("ssh-config");
    let shown =
        |host: &str| run("openssh-client", "ssh", &["-F", file.to_str().unwrap(), "-G", host]);
    let key = bench.path("profile.keys/hosts/xu4-node1/ssh_host_ed25519_key.pub");
    let key = fs::read_to_string(key).unwrap();
    let key = key.split(' ').nth(1).unwrap();
    let cluster_key = fs::canonicalize(bench.path("profile.keys/id_ed25519")).unwrap();
    for host in ["xu4-node1", "www.lan", "192.168.1.81"] {
        let options = shown(host);
        for line in [
            "hostname 192.168.1.81".to_owned(),
            "user odroid".to_owned(),
            "hostkeyalias xu4-node1".to_owned(),
            "stricthostkeychecking true".to_owned(),
            format!("knownhostscommand /bin/echo xu4-node1 ssh-ed25519 {key}"),
            format!("identityfile {}", bench.path("home/.ssh/mine").display()),
        ] {
            assert!(options.lines().any(|found| found == line), "{line}: {options}");
        }
        let mut identities = options.lines().filter_map(|line| line.strip_prefix("identityfile "));
        assert!(identities.any(|file| fs::canonicalize(file).unwrap() == cluster_key), "{options}");
    }
    assert!(!shown("example.org").contains("hostkeyalias"));
    let root = export(&bench, "ssh-config", &["--user", "root"]);
    assert!(root.contains("User root"), "{root}");
}

#[test]
fn ssh_keygen_finds_every_node_in_known_hosts() {
    let bench = bench();
    make_keys(&bench);
    let text = export(&bench, "known-hosts", &[]);
    assert_eq!(text.lines().count(), NODES.len());
    let file = bench.path("known-hosts");
    for host in ["xu4-master", "192.168.1.80", "xu4-node1", "www.lan", "192.168.1.83"] {
        let found =
            run("openssh-client", "ssh-keygen", &["-F", host, "-f", file.to_str().unwrap()]);
        assert!(found.contains("ssh-ed25519 "), "{host}: {found}");
    }
}

#[test]
fn hosts_and_pssh_need_no_keys() {
    let bench = bench();
    let hosts = export(&bench, "hosts", &[]);
    assert_eq!(
        hosts,
        "# The nodes of test\n192.168.1.80\txu4-master\n192.168.1.81\txu4-node1 www.lan\n\
         192.168.1.82\txu4-node2\n192.168.1.83\txu4-node3\n192.168.1.10\tnas.lan\n"
    );
    let pssh = export(&bench, "pssh", &["--user", "root"]);
    assert_eq!(pssh.lines().next(), Some("root@192.168.1.80"));
    assert_eq!(pssh.lines().count(), NODES.len());
    assert!(!bench.path("profile.keys").exists(), "an export makes no keys");
    let output = bench.nodecard(&["export", "profile.yaml", "known-hosts"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn ansible_reads_the_inventory() {
    let bench = bench();
    make_keys(&bench);
    export(&bench, "ansible", &[]);
    let file = bench.path("ansible");
    let listed = judge("ansible-inventory", &["-i", file.to_str().unwrap(), "--list"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let vars = &listed["_meta"]["hostvars"]["xu4-node1"];
    assert_eq!(vars["ansible_host"], "192.168.1.81");
    assert_eq!(vars["ansible_user"], "odroid");
    let key = vars["ansible_ssh_private_key_file"].as_str().unwrap();
    assert_eq!(key, bench.path("home/.ssh/mine").to_str().unwrap());
    let arguments = vars["ansible_ssh_common_args"].as_str().unwrap();
    assert!(arguments.contains("-o 'HostKeyAlias=xu4-node1'"), "{arguments}");
    let group = |name: &str| listed[name]["hosts"].as_array().unwrap().len();
    assert_eq!((group("test_managers"), group("test_workers")), (1, 3));
    assert_eq!(listed["_meta"]["hostvars"].as_object().unwrap().len(), NODES.len());
}

#[test]
fn private_keys_are_only_in_what_asks_for_them() {
    let bench = bench();
    make_keys(&bench);
    for form in ["ssh-config", "known-hosts", "hosts", "ansible", "pssh", "json"] {
        assert!(!export(&bench, form, &[]).contains("PRIVATE KEY"), "{form}");
    }
    let json: Value = serde_json::from_str(&export(&bench, "json", &["--private"])).unwrap();
    let mut keys = vec![(json["cluster_key"].clone(), "id_ed25519".to_owned())];
    for node in json["nodes"].as_array().unwrap() {
        let name = node["name"].as_str().unwrap();
        keys.push((node["host_key"].clone(), format!("hosts/{name}/ssh_host_ed25519_key")));
    }
    assert_eq!(keys.len(), 5);
    for (key, path) in keys {
        // ssh-keygen derives the public key from the exported private one.
        let file = bench.path("exported");
        fs::write(&file, key["private"].as_str().unwrap()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let public = run("openssh-client", "ssh-keygen", &["-yf", file.to_str().unwrap()]);
        let stored = bench.path("profile.keys").join(format!("{path}.pub"));
        let stored = fs::read_to_string(stored).unwrap();
        assert_eq!(public.split(' ').nth(1), stored.split(' ').nth(1), "{path}");
        assert_eq!(key["public"].as_str(), Some(stored.trim()));
    }
    let output =
        bench.nodecard(&["export", "profile.yaml", "ansible", "--private"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
