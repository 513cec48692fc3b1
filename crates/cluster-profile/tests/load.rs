//! What a profile may say, and what is told of one that may not.

use std::{fs, path::Path};

use cluster_profile::{Cluster, OwnerId, Role};

const GOOD: &str = "\
cluster: mc1
base: base.img
card: 8GB
network: {interface: eth0, prefix: 24, gateway: 192.168.1.1}
nodes:
  - {name: xu4-node1, address: 192.168.1.81}
  - {name: xu4-node2, address: 192.168.1.82}
";

/// What is told of [`GOOD`] with the first `from` replaced by `to`.
fn told(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    let text = GOOD.replacen(from, to, 1);
    match Cluster::parse(&text, Path::new("mc1.yaml")) {
        Ok(cluster) => panic!("{to:?} passes: {cluster:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_good_profile_is_read() {
    let cluster = Cluster::parse(GOOD, Path::new("profiles/mc1.yaml")).unwrap();
    assert_eq!(cluster.name, "mc1");
    assert_eq!(cluster.base.path, Path::new("profiles/base.img"));
    assert_eq!(cluster.keys, Path::new("profiles/mc1.keys"));
    assert_eq!(cluster.network.netmask().to_string(), "255.255.255.0");
    let names: Vec<_> = cluster.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["xu4-node1", "xu4-node2"]);
    assert!(cluster.nodes.iter().all(|node| node.role == Role::Worker));
    assert!(cluster.ssh.users.is_empty() && cluster.hosts.is_empty() && cluster.files.is_empty());
}

#[test]
fn unknown_keys_are_told_with_the_nearest_one() {
    assert_eq!(
        told("card:", "crad: 4GB\ncard:"),
        "mc1.yaml:3:1: unknown key `crad`\n  \
         3 | crad: 4GB\n    \
           | ^^^^\n  \
         help: did you mean `card`?"
    );
    assert_eq!(
        told("prefix: 24", "prefix: 24, gatewya: 1.2.3.4"),
        "mc1.yaml:4:40: unknown key `gatewya`\n  \
         4 | network: {interface: eth0, prefix: 24, gatewya: 1.2.3.4, gateway: 192.168.1.1}\n    \
           |                                        ^^^^^^^\n  \
         help: did you mean `gateway`?"
    );
    let far = told("card:", "quux: 1\ncard:");
    assert!(far.contains("the profile knows these keys: cluster, base, card, network,"), "{far}");
}

/// The article's own list gives three nodes one name.
#[test]
fn two_nodes_of_one_name_or_address_are_told_with_both_places() {
    assert_eq!(
        told("xu4-node2", "XU4-node1"),
        "mc1.yaml:7:12: two nodes are called xu4-node1\n  \
         7 |   - {name: XU4-node1, address: 192.168.1.82}\n    \
           |            ^^^^^^^^^\n\
         mc1.yaml:6:12: the first one\n  \
         6 |   - {name: xu4-node1, address: 192.168.1.81}\n    \
           |            ^^^^^^^^^\n  \
         help: give one of them another name"
    );
    assert_eq!(
        told("192.168.1.82", "192.168.1.81"),
        "mc1.yaml:7:32: two nodes have the address 192.168.1.81\n  \
         7 |   - {name: xu4-node2, address: 192.168.1.81}\n    \
           |                                ^^^^^^^^^^^^\n\
         mc1.yaml:6:32: xu4-node1\n  \
         6 |   - {name: xu4-node1, address: 192.168.1.81}\n    \
           |                                ^^^^^^^^^^^^\n  \
         help: give one of them another address"
    );
}

#[test]
fn names_outside_rfc_1123_are_told() {
    let too_long = "a".repeat(64);
    for (name, message) in [
        ("xu4_node", "\"xu4_node\" holds '_'"),
        ("-a", "\"-a\" begins or ends with a hyphen"),
        ("a-", "\"a-\" begins or ends with a hyphen"),
        ("a.b", "a node's name is one label, without dots, not \"a.b\""),
        ("\"\"", "a name, or a part of one between dots, is empty"),
        ("nö", "\"nö\" holds 'ö'"),
        ("\"12\"", "\"12\" reads as a number, and so as an address"),
        ("0x10", "\"0x10\" reads as a number, and so as an address"),
        ("localhost", "localhost is every system's own name and cannot be a node's"),
        (too_long.as_str(), "has 64 characters; a name has at most 63"),
    ] {
        let told = told("xu4-node2", name);
        let first = told.lines().next().unwrap();
        assert!(first.starts_with("mc1.yaml:7:12: ") && first.ends_with(message), "{told}");
        assert!(told.ends_with("at most 63 characters (RFC 1123)"), "{told}");
    }
}

#[test]
fn addresses_that_no_node_can_have_are_told() {
    assert_eq!(
        told("192.168.1.82", "192.168.2.82"),
        "mc1.yaml:7:32: 192.168.2.82 is outside the network 192.168.1.0/24\n  \
         7 |   - {name: xu4-node2, address: 192.168.2.82}\n    \
           |                                ^^^^^^^^^^^^\n\
         mc1.yaml:4:49: the gateway\n  \
         4 | network: {interface: eth0, prefix: 24, gateway: 192.168.1.1}\n    \
           |                                                 ^^^^^^^^^^^\n  \
         help: the gateway 192.168.1.1 and every node share the first 24 bits"
    );
    for (address, message) in [
        ("192.168.1.1", "xu4-node2 has the gateway's address 192.168.1.1"),
        ("192.168.1.0", "192.168.1.0 is the address of the network 192.168.1.0/24 itself"),
        ("192.168.1.255", "192.168.1.255 is the broadcast address of its /24 network"),
        ("127.0.0.1", "127.0.0.1 can be no host's address"),
        ("224.0.0.1", "224.0.0.1 can be no host's address"),
        ("192.168.1.82/24", "192.168.1.82/24 is not an address"),
        ("192.168.1.256", "192.168.1.256 is not an IPv4 address"),
        ("\"fe80::1\"", "fe80::1 is an IPv6 address"),
        ("xu4", "xu4 is not an IPv4 address"),
    ] {
        let told = told("192.168.1.82", address);
        assert_eq!(told.lines().next(), Some(format!("mc1.yaml:7:32: {message}").as_str()));
        assert!(told.contains("\n  help: "), "{told}");
    }
    // Without a gateway, the first node says which network it is.
    let without = GOOD.replace(", gateway: 192.168.1.1", "");
    assert!(Cluster::parse(&without, Path::new("mc1.yaml")).is_ok());
    let other = without.replace("1.82", "2.82");
    let error = Cluster::parse(&other, Path::new("mc1.yaml")).unwrap_err().to_string();
    assert!(error.starts_with("mc1.yaml:7:32: 192.168.2.82 is not in the network of xu4-node1\n"));
    // The gateway itself.
    let told = told("gateway: 192.168.1.1", "gateway: 192.168.1.255");
    assert!(told.starts_with("mc1.yaml:4:49: 192.168.1.255 is the broadcast address"), "{told}");
}

#[test]
fn networks_that_cannot_be_are_told() {
    for (from, to, message) in [
        ("prefix: 24", "prefix: 31", "mc1.yaml:4:36: \"31\" is no prefix"),
        ("prefix: 24", "prefix: 0", "mc1.yaml:4:36: \"0\" is no prefix"),
        ("eth0", "lo", "mc1.yaml:4:22: lo is the loopback interface"),
        ("eth0", "\"eth 0\"", "mc1.yaml:4:22: \"eth 0\" is no interface's name: it holds ' '"),
        ("eth0", "a-name-of-16-by.", "mc1.yaml:4:22: \"a-name-of-16-by.\" is no interface's name"),
    ] {
        let told = told(from, to);
        assert!(told.starts_with(message), "{told}");
    }
    let netmask = told("prefix: 24", "prefix: 255.255.255.0");
    assert!(netmask.ends_with("help: the prefix of the netmask 255.255.255.0 is 24"), "{netmask}");
}

#[test]
fn key_files_are_read_and_told() {
    let ssh = |key: &str| format!("ssh: {{users: [root], authorized_keys: [{key}]}}\nnodes:");
    assert_eq!(
        told("nodes:", &ssh("none.pub")),
        "mc1.yaml:5:40: cannot read none.pub: No such file or directory (os error 2)\n  \
         5 | ssh: {users: [root], authorized_keys: [none.pub]}\n    \
           |                                        ^^^^^^^^\n  \
         help: relative paths are taken from the profile's own directory"
    );
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("mc1.yaml");
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti me";
    fs::write(directory.path().join("good.pub"), format!("# mine\n\n{key}\n")).unwrap();
    fs::write(directory.path().join("private"), "-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET\n")
        .unwrap();
    fs::write(directory.path().join("empty.pub"), "\n").unwrap();
    fs::write(directory.path().join("bad.pub"), "hello\n").unwrap();
    let load = |name: &str| {
        fs::write(&profile, GOOD.replace("nodes:", &ssh(name))).unwrap();
        Cluster::load(&profile).map_err(|error| error.to_string())
    };
    assert_eq!(load("good.pub").unwrap().ssh.authorized_keys, [key]);
    assert_eq!(load(key).unwrap().ssh.authorized_keys, [key]);
    let private = load("private").unwrap_err();
    assert!(private.contains(":5:40: private is a private key\n"), "{private}");
    assert!(
        private.ends_with("beside it: private.pub") && !private.contains("SECRET"),
        "{private}"
    );
    assert!(load("empty.pub").unwrap_err().contains("empty.pub holds no key"));
    assert!(load("bad.pub").unwrap_err().contains("bad.pub is no public key"));
    assert!(load(".").unwrap_err().contains("it is no regular file"));
    let nobody = told("nodes:", "ssh: {authorized_keys: [none.pub]}\nnodes:");
    assert!(nobody.contains("there are authorized keys but no `users`"), "{nobody}");
}

#[test]
fn yaml_that_is_none_is_told_with_its_place() {
    assert_eq!(
        told("{name: xu4-node2", "{name: xu4: node2"),
        "mc1.yaml:7:15: while parsing a flow mapping, did not find expected ',' or '}'\n  \
         7 |   - {name: xu4: node2, address: 192.168.1.82}\n    \
           |               ^"
    );
    let tab = told("nodes:", "\tnodes:");
    assert!(tab.starts_with("mc1.yaml:5:2: ") && tab.ends_with("\n    | \t^"), "{tab}");
    let twice = told("nodes:", "card: 4GB\nnodes:");
    assert!(twice.starts_with("mc1.yaml:5:1: duplicate mapping key `card`"), "{twice}");
    let empty = Cluster::parse("", Path::new("mc1.yaml")).unwrap_err().to_string();
    assert!(empty.contains("the profile is empty"), "{empty}");
    assert!(Cluster::parse("- a\n", Path::new("mc1.yaml")).is_err());
}

#[test]
fn all_that_is_wrong_is_told_at_once_in_order() {
    let text = GOOD.replace("8GB", "8 cards").replace("eth0", "lo").replace("xu4-node2", "a_b");
    let error = Cluster::parse(&text, Path::new("mc1.yaml")).unwrap_err();
    let lines: Vec<usize> = error.problems.iter().map(|problem| problem.place.line).collect();
    assert_eq!(lines, [3, 4, 7]);
    let none = Cluster::parse("{}", Path::new("mc1.yaml")).unwrap_err();
    let messages: Vec<&str> = none.problems.iter().map(|p| p.message.as_str()).collect();
    for key in ["cluster", "base", "card", "network", "nodes"] {
        let message = format!("the profile has no `{key}`");
        assert!(messages.contains(&message.as_str()), "{messages:?}");
    }
}

#[test]
fn hosts_and_files_are_read_and_told() {
    let text = GOOD.to_owned()
        + "hosts: {NAS.lan: 192.168.1.10}\n\
           files:\n  - {path: /etc/motd, content: hi, mode: 0640, owner: \"odroid:4\"}\n";
    let cluster = Cluster::parse(&text, Path::new("mc1.yaml")).unwrap();
    assert_eq!(cluster.hosts, [("nas.lan".to_owned(), "192.168.1.10".parse().unwrap())]);
    let file = &cluster.files[0];
    assert_eq!((file.path.as_str(), file.mode), ("/etc/motd", Some(0o640)));
    let owner = file.owner.as_ref().unwrap();
    assert_eq!(owner.user, OwnerId::Name("odroid".to_owned()));
    assert_eq!(owner.group, Some(OwnerId::Number(4)));

    for (line, message) in [
        ("hosts: {xu4-node1: 1.2.3.4}", "5:9: xu4-node1 is a node of the cluster"),
        ("hosts: {a: 127.0.0.1}", "5:12: 127.0.0.1 is no other host's address"),
        ("hosts: {a_b: 1.2.3.4}", "5:9: \"a_b\" holds '_'"),
        ("files: [{path: etc/x, content: x}]", "5:16: \"etc/x\" is not absolute"),
        ("files: [{path: /a/../b, content: x}]", "5:16: \"/a/../b\" holds `.` or `..`"),
        ("files: [{path: /etc/hosts, content: x}]", "5:16: nodecard itself writes /etc/hosts"),
        ("files: [{path: /a, content: x, mode: 9}]", "5:38: \"9\" is no mode"),
        ("files: [{path: /a, content: x, owner: \"a b\"}]", "5:39: \"a b\" is no owner"),
        ("files: [{path: /a, source: none}]", "5:28: cannot read none: No such file"),
        ("files: [{path: /a, source: b, content: c}]", "5:28: a file has either"),
        ("files: [{path: /a, content: b}, {path: /a, content: c}]", "5:40: /a is there twice"),
    ] {
        let told = told("nodes:", &format!("{line}\nnodes:"));
        assert!(told.starts_with(&format!("mc1.yaml:{message}")), "{told}");
    }
}

#[test]
fn the_profiles_of_the_repository_are_good() {
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles");
    let demo = Cluster::load(&profiles.join("demo.yaml")).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(demo.nodes.len(), 4);
    assert!(demo.base.path.is_file(), "{}", demo.base.path.display());
    assert_eq!(demo.card.bytes(), 64 << 20);
    // The other names a key of whoever uses it.
    let text = fs::read_to_string(profiles.join("mc1.yaml")).unwrap();
    let without_key = text.replace("authorized_keys: [~/.ssh/id_ed25519.pub]", "");
    assert_ne!(text, without_key);
    let mc1 = Cluster::parse(&without_key, &profiles.join("mc1.yaml")).unwrap();
    assert_eq!(mc1.nodes, demo.nodes);
    assert_eq!(mc1.ssh.users, ["root", "odroid"]);
}

#[test]
fn a_profile_that_cannot_be_read_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.yaml");
    let missing = Cluster::load(&path).unwrap_err().to_string();
    assert!(missing.contains("cannot read the profile: No such file"), "{missing}");
    fs::write(&path, [0xff, 0xfe]).unwrap();
    let binary = Cluster::load(&path).unwrap_err().to_string();
    assert!(binary.contains("the profile is not UTF-8 text"), "{binary}");
}
