//! Valid profiles, and the problems that are reported in invalid ones.

mod common;

use std::{fs, path::Path};

use cluster_profile::{Cluster, Diagnostics, OwnerId, ProfileError, Role};
use common::profiles::{diagnostics, parse, profile, summary};

fn good() -> String {
    profile(&[
        "{name: xu4-node1, address: 192.168.1.81}",
        "{name: xu4-node2, address: 192.168.1.82}",
    ])
}

/// Returns the problems of the good profile with the first `from` replaced by `to`.
fn problems(from: &str, to: &str) -> Diagnostics {
    let good = good();
    assert!(good.contains(from), "{from}");
    match parse(&good.replacen(from, to, 1)) {
        Ok(cluster) => panic!("{to:?} is accepted: {cluster:?}"),
        Err(problems) => problems,
    }
}

#[test]
fn a_good_profile_is_read() {
    let cluster = Cluster::parse(&good(), Path::new("profiles/mc1.yaml")).unwrap();
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
fn unknown_keys_are_reported_with_the_nearest_one() {
    assert_eq!(
        problems("card:", "crad: 4GB\ncard:").to_string(),
        "error: unknown key `crad`\n \
         --> mc1.yaml:3:1\n  \
           |\n\
         3 | crad: 4GB\n  \
           | ^^^^\n  \
           |\n  \
           = help: did you mean `card`?"
    );
    assert_eq!(
        problems("prefix: 24", "prefix: 24, gatewya: 1.2.3.4").to_string(),
        "error: unknown key `gatewya`\n \
         --> mc1.yaml:4:40\n  \
           |\n\
         4 | network: {interface: eth0, prefix: 24, gatewya: 1.2.3.4, gateway: 192.168.1.1}\n  \
           |                                        ^^^^^^^\n  \
           |\n  \
           = help: did you mean `gateway`?"
    );
    let far = problems("card:", "quux: 1\ncard:").to_string();
    assert!(far.contains("the profile has these keys: cluster, base, card, network,"), "{far}");
}

/// The list of nodes in the article names three nodes alike.
#[test]
fn nodes_with_one_name_or_address_are_reported_with_both_places() {
    assert_eq!(
        problems("xu4-node2", "XU4-node1").to_string(),
        "error: two nodes are named xu4-node1\n \
         --> mc1.yaml:7:12\n  \
           |\n\
         6 |   - {name: xu4-node1, address: 192.168.1.81}\n  \
           |            --------- first used here\n\
         7 |   - {name: XU4-node1, address: 192.168.1.82}\n  \
           |            ^^^^^^^^^\n  \
           |\n  \
           = help: give each node its own name"
    );
    assert_eq!(
        problems("192.168.1.82", "192.168.1.81").to_string(),
        "error: two nodes have the address 192.168.1.81\n \
         --> mc1.yaml:7:32\n  \
           |\n\
         6 |   - {name: xu4-node1, address: 192.168.1.81}\n  \
           |                                ------------ first used here\n\
         7 |   - {name: xu4-node2, address: 192.168.1.81}\n  \
           |                                ^^^^^^^^^^^^\n  \
           |\n  \
           = help: give each node its own address"
    );
}

#[test]
fn places_that_are_far_apart_are_in_one_snippet() {
    let nodes: Vec<String> = (2..202u8)
        .map(|n| format!("{{name: n{n}, address: 192.168.1.{}}}", if n == 201 { 2 } else { n }))
        .collect();
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    assert_eq!(
        parse(&profile(&nodes)).unwrap_err().to_string(),
        "error: two nodes have the address 192.168.1.2\n   \
         --> mc1.yaml:205:27\n    \
             |\n  \
           6 |   - {name: n2, address: 192.168.1.2}\n    \
             |                         ----------- first used here\n\
         ...\n\
         205 |   - {name: n201, address: 192.168.1.2}\n    \
             |                           ^^^^^^^^^^^\n    \
             |\n    \
             = help: give each node its own address"
    );
}

#[test]
fn styled_problems_are_the_plain_ones_in_color() {
    let problems = problems("192.168.1.82", "192.168.1.81");
    let styled = problems.to_styled_string();
    assert!(styled.starts_with("\x1b["), "{styled:?}");
    let plain: String = styled
        .split("\x1b[")
        .map(|part| part.split_once('m').map_or(part, |(_, text)| text))
        .collect();
    assert_eq!(plain, problems.to_string());
}

#[test]
fn names_outside_rfc_1123_are_reported() {
    let too_long = "a".repeat(64);
    for (name, message) in [
        ("xu4_node", "\"xu4_node\" must not contain '_'"),
        ("-a", "\"-a\" must not start or end with a hyphen"),
        ("a-", "\"a-\" must not start or end with a hyphen"),
        ("a.b", "\"a.b\" must not contain dots, as it names a node"),
        ("\"\"", "a name, or a part of it between dots, is empty"),
        ("nö", "\"nö\" must not contain 'ö'"),
        ("\"12\"", "\"12\" would be read as a number, and so as an address"),
        ("0x10", "\"0x10\" would be read as a number, and so as an address"),
        ("localhost", "`localhost` cannot be the name of a node"),
        (too_long.as_str(), "has 64 characters, which is more than 63"),
    ] {
        let problems = problems("xu4-node2", name);
        let summary = summary(&problems);
        assert!(summary.starts_with("7:12: ") && summary.ends_with(message), "{problems}");
        let help = problems.problems[0].help.as_deref();
        assert_eq!(
            help,
            Some("use letters, digits and hyphens, at most 63, with no hyphen at either end")
        );
    }
}

#[test]
fn addresses_that_no_node_can_have_are_reported() {
    assert_eq!(
        problems("192.168.1.82", "192.168.2.82").to_string(),
        "error: 192.168.2.82 is outside the network 192.168.1.0/24\n \
         --> mc1.yaml:7:32\n  \
           |\n\
         4 | network: {interface: eth0, prefix: 24, gateway: 192.168.1.1}\n  \
           |                                                 ----------- the gateway is set here\n\
         ...\n\
         7 |   - {name: xu4-node2, address: 192.168.2.82}\n  \
           |                                ^^^^^^^^^^^^\n  \
           |\n  \
           = help: use an address that shares its first 24 bits with the gateway 192.168.1.1"
    );
    for (address, message) in [
        ("192.168.1.1", "xu4-node2 has the address of the gateway, 192.168.1.1"),
        ("192.168.1.0", "192.168.1.0 is the address of the network 192.168.1.0/24"),
        ("192.168.1.255", "192.168.1.255 is the broadcast address of its /24 network"),
        ("127.0.0.1", "127.0.0.1 cannot be a host's address"),
        ("224.0.0.1", "224.0.0.1 cannot be a host's address"),
        ("192.168.1.82/24", "192.168.1.82/24 is not an address"),
        ("192.168.1.256", "192.168.1.256 is not an IPv4 address"),
        ("\"fe80::1\"", "fe80::1 is an IPv6 address"),
        ("xu4", "xu4 is not an IPv4 address"),
    ] {
        let problems = problems("192.168.1.82", address);
        assert_eq!(summary(&problems), format!("7:32: {message}"));
        assert!(problems.problems[0].help.is_some(), "{problems}");
    }
    // Without a gateway, the network is the one of the first node.
    let without = good().replace(", gateway: 192.168.1.1", "");
    assert!(parse(&without).is_ok());
    let other = parse(&without.replace("1.82", "2.82")).unwrap_err();
    assert_eq!(summary(&other), "7:32: 192.168.2.82 is outside the network of xu4-node1");
    // The gateway itself.
    let gateway = problems("gateway: 192.168.1.1", "gateway: 192.168.1.255");
    assert!(summary(&gateway).starts_with("4:49: 192.168.1.255 is the broadcast address"));
}

#[test]
fn invalid_networks_are_reported() {
    for (from, to, message) in [
        ("prefix: 24", "prefix: 31", "4:36: \"31\" is not a prefix length"),
        ("prefix: 24", "prefix: 0", "4:36: \"0\" is not a prefix length"),
        ("eth0", "lo", "4:22: `lo` is the loopback interface"),
        ("eth0", "\"eth 0\"", "4:22: \"eth 0\" is not an interface name: it contains ' '"),
        ("eth0", "a-name-of-16-by.", "4:22: \"a-name-of-16-by.\" is not an interface name"),
    ] {
        let problems = problems(from, to);
        assert!(summary(&problems).starts_with(message), "{problems}");
    }
    let netmask = problems("prefix: 24", "prefix: 255.255.255.0");
    let help = netmask.problems[0].help.as_deref();
    assert_eq!(help, Some("write 24 instead of the netmask 255.255.255.0"));
}

#[test]
fn key_files_are_read_and_their_problems_reported() {
    let ssh = |key: &str| format!("ssh: {{users: [root], authorized_keys: [{key}]}}\nnodes:");
    assert_eq!(
        problems("nodes:", &ssh("none.pub")).to_string(),
        "error: there is no file none.pub\n \
         --> mc1.yaml:5:40\n  \
           |\n\
         5 | ssh: {users: [root], authorized_keys: [none.pub]}\n  \
           |                                        ^^^^^^^^\n  \
           |\n  \
           = help: give the path of your public key; `ssh-keygen -t ed25519` makes a key if you \
         have none"
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mc1.yaml");
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti me";
    fs::write(directory.path().join("good.pub"), format!("# mine\n\n{key}\n")).unwrap();
    fs::write(directory.path().join("private"), "-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET\n")
        .unwrap();
    fs::write(directory.path().join("empty.pub"), "\n").unwrap();
    fs::write(directory.path().join("bad.pub"), "hello\n").unwrap();
    let load = |name: &str| {
        fs::write(&path, good().replace("nodes:", &ssh(name))).unwrap();
        Cluster::load(&path).map_err(|error| error.to_string())
    };
    assert_eq!(load("good.pub").unwrap().ssh.authorized_keys, [key]);
    assert_eq!(load(key).unwrap().ssh.authorized_keys, [key]);
    let private = load("private").unwrap_err();
    assert!(private.contains("error: private is a private key\n"), "{private}");
    assert!(private.contains("mc1.yaml:5:40\n"), "{private}");
    assert!(
        private.ends_with("beside it: private.pub") && !private.contains("SECRET"),
        "{private}"
    );
    assert!(load("empty.pub").unwrap_err().contains("empty.pub does not contain a key"));
    assert!(load("bad.pub").unwrap_err().contains("bad.pub is not a public key"));
    assert!(load(".").unwrap_err().contains("not a regular file"));
    let nobody = problems("nodes:", "ssh: {authorized_keys: [none.pub]}\nnodes:").to_string();
    assert!(nobody.contains("`authorized_keys` needs `users`"), "{nobody}");
    let twice = problems("nodes:", "ssh: {users: [root, anna, root]}\nnodes:");
    assert_eq!(summary(&twice), "5:27: root appears twice");
    assert_eq!(twice.problems[0].related[0].place.column, 15);
}

#[test]
fn invalid_yaml_is_reported_with_its_place() {
    assert_eq!(
        problems("{name: xu4-node2", "{name: xu4: node2").to_string(),
        "error: while parsing a flow mapping, did not find expected ',' or '}'\n \
         --> mc1.yaml:7:15\n  \
           |\n\
         7 |   - {name: xu4: node2, address: 192.168.1.82}\n  \
           |               ^"
    );
    let tab = problems("nodes:", "\tnodes:");
    assert_eq!((tab.problems[0].place.line, tab.problems[0].place.column), (5, 1));
    assert!(tab.to_string().contains("\n5 |  nodes:\n  | ^"), "{tab}");
    let empty = parse("").unwrap_err().to_string();
    assert!(empty.contains("the profile is empty"), "{empty}");
    assert!(parse("- a\n").is_err());
}

#[test]
fn repeated_keys_are_reported_with_both_places() {
    assert_eq!(
        problems("nodes:", "card: 4GB\nnodes:").to_string(),
        "error: the key `card` appears twice\n \
         --> mc1.yaml:5:1\n  \
           |\n\
         3 | card: 8GB\n  \
           | ---- first used here\n\
         4 | network: {interface: eth0, prefix: 24, gateway: 192.168.1.1}\n\
         5 | card: 4GB\n  \
           | ^^^^\n  \
           |\n  \
           = help: keep one of them"
    );
    for (line, message) in [
        ("hosts: {nas: 1.2.3.4, nas: 1.2.3.5}", "5:23: the key `nas` appears twice"),
        ("hosts: {nas: 1.2.3.4, NAS: 1.2.3.5}", "5:23: two hosts are named nas"),
    ] {
        let problems = problems("nodes:", &format!("{line}\nnodes:"));
        assert_eq!(summary(&problems), message);
        assert_eq!(problems.problems[0].related[0].place.column, 9);
        assert_eq!(problems.problems.len(), 1);
    }
}

#[test]
fn all_problems_are_reported_at_once_in_order() {
    let text = good().replace("8GB", "8 cards").replace("eth0", "lo").replace("xu4-node2", "a_b");
    let problems = parse(&text).unwrap_err();
    let lines: Vec<usize> = problems.problems.iter().map(|problem| problem.place.line).collect();
    assert_eq!(lines, [3, 4, 7]);
    assert_eq!(problems.to_string().matches("\n\nerror: ").count(), 2);
    let none = parse("{}").unwrap_err();
    let messages: Vec<&str> = none.problems.iter().map(|p| p.message.as_str()).collect();
    for key in ["cluster", "base", "network", "nodes"] {
        let message = format!("the profile has no `{key}`");
        assert!(messages.contains(&message.as_str()), "{messages:?}");
    }
}

#[test]
fn hosts_and_files_are_read_and_their_problems_reported() {
    let text = good()
        + "hosts: {NAS.lan: 192.168.1.10}\n\
           files:\n  - {path: /etc/motd, content: hi, mode: 0640, owner: \"odroid:4\"}\n";
    let cluster = parse(&text).unwrap();
    assert_eq!(cluster.hosts, [("nas.lan".to_owned(), "192.168.1.10".parse().unwrap())]);
    let file = &cluster.files[0];
    assert_eq!((file.path.as_str(), file.mode), ("/etc/motd", Some(0o640)));
    let owner = file.owner.as_ref().unwrap();
    assert_eq!(owner.user, OwnerId::Name("odroid".to_owned()));
    assert_eq!(owner.group, Some(OwnerId::Number(4)));

    for (line, message) in [
        ("hosts: {xu4-node1: 1.2.3.4}", "5:9: xu4-node1 is a node of the cluster"),
        ("hosts: {a: 127.0.0.1}", "5:12: 127.0.0.1 cannot be the address of another host"),
        ("hosts: {a_b: 1.2.3.4}", "5:9: \"a_b\" must not contain '_'"),
        ("files: [{path: etc/x, content: x}]", "5:16: \"etc/x\" is not absolute"),
        ("files: [{path: /a/../b, content: x}]", "5:16: \"/a/../b\" contains `.` or `..`"),
        ("files: [{path: /tmp/x, content: x}]", "5:16: /tmp/x would be lost"),
        (
            "files: [{path: /etc/hosts, content: x}]",
            "5:16: /etc/hosts is written by nodecard itself",
        ),
        ("files: [{path: /a, content: x, mode: 9}]", "5:38: \"9\" is not a file mode"),
        ("files: [{path: /a, content: x, owner: \"a b\"}]", "5:39: \"a b\" is not an owner"),
        ("files: [{path: /a, source: none}]", "5:28: there is no file none"),
        ("files: [{path: /a, source: b, content: c}]", "5:28: a file cannot have both"),
        ("files: [{path: /a, content: b}, {path: /a, content: c}]", "5:40: /a appears twice"),
    ] {
        let problems = problems("nodes:", &format!("{line}\nnodes:"));
        assert!(summary(&problems).starts_with(message), "{problems}");
    }
}

#[test]
fn the_profiles_in_the_repository_are_valid() {
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles");
    let demo = Cluster::load(&profiles.join("demo.yaml")).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(demo.nodes.len(), 4);
    assert!(demo.base.path.is_file(), "{}", demo.base.path.display());
    assert_eq!(demo.card.map(|card| card.bytes()), Some(64 << 20));
    // The other one names a key of the user, which may not exist here.
    let text = fs::read_to_string(profiles.join("mc1.yaml")).unwrap();
    let without_key = text.replace("authorized_keys: [~/.ssh/id_ed25519.pub]", "");
    assert_ne!(text, without_key);
    let mc1 = Cluster::parse(&without_key, &profiles.join("mc1.yaml")).unwrap();
    assert_eq!(mc1.nodes, demo.nodes);
    assert_eq!(mc1.ssh.users, ["root", "odroid"]);
}

#[test]
fn unreadable_profiles_are_reported_with_the_cause_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.yaml");
    let cause = |path: &Path| {
        let error = Cluster::load(path).unwrap_err();
        assert!(matches!(error, ProfileError::Unreadable { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("cannot read the profile {}", path.display()));
        assert!(error.fix().is_some());
        std::error::Error::source(&error).unwrap().to_string()
    };
    let missing = Cluster::load(&path).unwrap_err();
    assert!(matches!(missing, ProfileError::NotFound { .. }), "{missing:?}");
    let found = Cluster::load(directory.path()).unwrap_err();
    assert!(matches!(found, ProfileError::Directory { .. }), "{found:?}");
    // Neither waits for the other end of a pipe, nor reads from a device.
    let pipe = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for odd in [pipe.as_path(), Path::new("/dev/zero")] {
        assert_eq!(cause(odd), "not a regular file", "{}", odd.display());
    }
    let inputs = [
        "ssh: {users: [root], authorized_keys: [PATH]}",
        "files: [{path: /etc/x, source: PATH}]",
        "swarm: {images: [PATH]}",
    ];
    for input in inputs {
        for odd in [".", "pipe", "/dev/zero"] {
            let text = format!("{}{}\n", good(), input.replace("PATH", odd));
            let shown = Cluster::parse(&text, &path).unwrap_err().to_string();
            let odd_name = shown.contains("cannot be the name of a file");
            assert!(shown.contains("not a regular file") || odd_name, "{input}, {odd}: {shown}");
        }
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(cause(&path).contains("utf-8"));
    fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert_eq!(cause(&path), "larger than 1.0 MiB");
    fs::write(&path, "a: [\n").unwrap();
    let invalid = Cluster::load(&path).unwrap_err();
    assert!(invalid.fix().is_none() && std::error::Error::source(&invalid).is_none());
    assert_eq!(diagnostics(invalid).problems.len(), 1);
}

/// What nodes share is written once, under a key of the user's own.
#[test]
fn anchors_and_merge_keys_share_settings() {
    let text = good()
        .replace("nodes:", "x-common: &common {role: manager, x-note: mine}\nx-list: [1]\nnodes:");
    let text = text.replace("{name: xu4-node1,", "{<<: *common, name: xu4-node1,");
    let text = text.replace("{name: xu4-node2,", "{<<: [*common], role: worker, name: xu4-node2,");
    let cluster = parse(&text).unwrap();
    let roles: Vec<_> = cluster.nodes.iter().map(|node| node.role).collect();
    assert_eq!(roles, [Role::Manager, Role::Worker]);
    // A mistake in what is shared is shown where it is written.
    let text = text.replace("role: manager,", "rolle: manager,");
    let shown = parse(&text).unwrap_err().to_string();
    assert!(shown.contains("x-common: &common {rolle"), "{shown}");
}

#[test]
fn a_group_of_nodes_is_counted_out() {
    let nodes = "nodes: {count: 60, name: 'n{:02}', first_address: 192.168.1.101}\n";
    let start = good().find("nodes:").unwrap();
    let with = |nodes: &str| format!("{}{nodes}", &good()[..start]);
    let cluster = parse(&with(nodes)).unwrap();
    assert_eq!(cluster.nodes.len(), 60);
    let node = |index: usize| {
        (cluster.nodes[index].name.as_str(), cluster.nodes[index].address.to_string())
    };
    assert_eq!(node(0), ("n01", "192.168.1.101".to_owned()));
    assert_eq!(node(59), ("n60", "192.168.1.160".to_owned()));

    // Groups and single nodes in one list; block style needs no quotes.
    let list = "nodes:\n  - {name: head, address: 192.168.1.10, role: manager}\n  \
                - count: 2\n    name: n{}\n    first_number: 0\n    first_address: 192.168.1.20\n";
    let cluster = parse(&with(list)).unwrap();
    let names: Vec<_> = cluster.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["head", "n0", "n1"]);

    for (wrong, message) in [
        (nodes.replace("1.101", "1.250"), "192.168.1.255 is the broadcast address"),
        (nodes.replace("'n{:02}'", "node"), "no place for the node's number"),
        (nodes.replace("count: 60", "count: 0"), "not a number of nodes"),
        (nodes.replace("count: 60", "count: 100000"), "not a number of nodes"),
        (nodes.replace("'n{:02}'", "n{:02}"), "needs quotes"),
        (nodes.replace("first_address", "first_adress"), "unknown key `first_adress`"),
        (nodes.replace("192.168.1.101", "255.255.255.250"), "255.255.255"),
    ] {
        let problems = parse(&with(&wrong)).unwrap_err();
        let shown = problems.to_string();
        assert!(shown.contains(message), "{message}: {shown}");
        assert!(problems.problems.len() <= 2, "one mistake, many problems: {shown}");
    }
}

#[test]
fn common_spellings_are_understood_or_answered() {
    let cluster = parse(&good().replace("card: 8GB", "card: 8gb")).unwrap();
    assert_eq!(cluster.card, "8GB".parse().ok());
    let shown = problems("card: 8GB", "card: 8G").to_string();
    assert!(shown.contains("8GB") && shown.contains("8GiB"), "{shown}");
    let users = "users: {root: {locked: yes}, ana: {create: Yes, uid: 1001}}\n";
    let cluster = parse(&(good() + users)).unwrap();
    assert!(cluster.users.iter().any(|user| user.create));
    for (from, to, message) in [
        ("name: xu4-node1", "name xu4-node1", "the colon after `name` is missing"),
        ("card: 8GB", "card:8GB", "the space after `card` is missing"),
        ("card: 8GB", "card 8GB", "the colon after `card` is missing"),
        ("{interface: eth0", "{{interface: eth0", "is never closed"),
        ("gateway: 192.168.1.1}", "gateway: 192.168.1.1", "this `{` is never closed"),
        ("nodes:", "\tnodes:", "tabs are not allowed"),
    ] {
        let shown = problems(from, to).to_string();
        assert!(shown.contains(message), "{message}: {shown}");
    }
    let shown = problems("card: 8GB", "card: 8GB\ncard: 16GB").to_string();
    assert!(shown.contains("first used here"), "{shown}");
}
