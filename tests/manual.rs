//! What the program knows about itself: the schema of profiles, completions and the manual.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::support::*;

/// Validates files by the schema in the first argument, and prints for each of them what is
/// wrong, or null.
const VALIDATE: &str = r#"
import json, sys, yaml
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
found = []
for name in sys.argv[2:]:
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(yaml.safe_load(open(name)))]
    found.append("; ".join(errors) or None)
print(json.dumps(found))
"#;

const PROFILE: &str = "\
cluster: mc1
base: base.img.xz
card: 64MiB
network: {interface: eth0, prefix: 24, gateway: 192.168.1.1, dns: [192.168.1.1]}
nodes:
  - {name: a, address: 192.168.1.80, role: manager}
  - {name: b, address: 192.168.1.81}
ssh: {users: [root]}
";

/// What the profile says of its nodes.
const NODES_OF_PROFILE: &str = "\
nodes:
  - {name: a, address: 192.168.1.80, role: manager}
  - {name: b, address: 192.168.1.81}
";

/// Changes to the profile after which it is still right. SUM stands for a checksum.
const RIGHT: [(&str, &str); 43] = [
    ("cluster: mc1", "x-worker: &worker {role: worker}\ncluster: mc1\nx-list: [1]\nx-none:"),
    ("{name: b, address: 192.168.1.81}", "{name: b, address: 192.168.1.81, x-place: shelf 2}"),
    (
        "  - {name: a, address: 192.168.1.80, role: manager}\n  - {name: b, address: 192.168.1.81}\n",
        "  - &a {name: a, address: 192.168.1.80, role: manager}\n  - {<<: *a, name: b, address: 192.168.1.81}\n",
    ),
    (NODES_OF_PROFILE, "nodes: {count: 60, name: 'n{:02}', first_address: 192.168.1.101}\n"),
    (
        NODES_OF_PROFILE,
        "nodes:\n  - {count: 2, name: 'n{}', first_address: 192.168.1.101, first_number: 0, role: worker}\n  - {name: b, address: 192.168.1.81}\n",
    ),
    (
        NODES_OF_PROFILE,
        "nodes:\n  count: \"3\"\n  name: rack{:}-a\n  first_address: 192.168.1.101\n  first_number:\n  files: [{path: /etc/motd, content: x}]\n",
    ),
    ("base: base.img.xz", "base: https://example.org/base.img.xz"),
    ("base: base.img.xz", "base: {path: https://example.org/base.img.xz, sha256: SUM}"),
    ("base: base.img.xz", "base: {path: http://example.org/base.img.xz, sha256: SUM}"),
    ("card: 64MiB", "card: 64mib"),
    ("card: 64MiB", "card: 8gb"),
    ("card: 64MiB", "card: \" 65536 kib \""),
    ("ssh: {users: [root]}", "users: {root: {locked: yes}}"),
    ("ssh: {users: [root]}", "users: {root: {locked: \"yes\"}, anna: {create: \"On\"}}"),
    (
        "ssh: {users: [root]}",
        "swarm: {services: [{name: x, image: x, mounts: [{target: /t, read_only: \"no\"}]}]}",
    ),
    ("ssh: {users: [root]}", "ssh: {users: [root], x-why: because}"),
    ("ssh: {users: [root]}", "ssh: {users: [root], image_keys: remove}\ncloud_init: keep"),
    ("ssh: {users: [root]}", "cloud_init: off"),
    ("ssh: {users: [root]}", "cloud_init: \"off\""),
    ("", ""),
    ("base: base.img.xz", "base: {path: base.img.xz}"),
    ("base: base.img.xz", "base: {path: base.img.xz, sha256: null}"),
    ("card: 64MiB", "card: 8GB"),
    ("card: 64MiB", "card: 67108864"),
    ("card: 64MiB", "card: \"64 MiB\""),
    ("prefix: 24", "prefix: \"24\""),
    ("prefix: 24", "prefix: /24"),
    ("dns: [192.168.1.1]", "dns: 192.168.1.1"),
    ("dns: [192.168.1.1]", "dns:"),
    ("dns: [192.168.1.1]", "search: home.lan"),
    ("ssh: {users: [root]}", "ssh: {users: root}"),
    ("ssh: {users: [root]}", "ssh:"),
    ("ssh: {users: [root]}", "root: 2\nkeys: mine.keys"),
    (
        "ssh: {users: [root]}",
        "users: {root: {locked: true}, anna: {create: true, sudo: nopasswd, uid: 1001}}",
    ),
    ("ssh: {users: [root]}", "users: {root: {locked: \"true\", groups: adm}}"),
    ("ssh: {users: [root]}", "hosts: {nas.lan: 192.168.1.10}"),
    (
        "ssh: {users: [root]}",
        "boot: {cmdline: {add: [quiet, \"a=1\"], remove: splash}, config: {enable_uart: 1, dtoverlay: [a, b]}}",
    ),
    ("ssh: {users: [root]}", "files: [{path: /etc/motd, content: x, mode: 0644, owner: \"0:0\"}]"),
    (
        "ssh: {users: [root]}",
        "files: [{path: \"p1:/config.txt\", content: 1, mode: \"0o600\", owner: root}]",
    ),
    ("ssh: {users: [root]}", "swarm:"),
    (
        "ssh: {users: [root]}",
        "swarm: {wait: 90s, port: 2378, services: [{name: x, image: \"a/b:1\", publish: \"80:80\"}]}",
    ),
    (
        "ssh: {users: [root]}",
        "swarm: {services: [{name: x, image: x, mode: global, env: {A: 1, B: x}, command: [a, 1], mounts: [{target: /t, type: tmpfs}]}]}",
    ),
    (
        "ssh: {users: [root]}",
        "swarm: {services: [{name: x, image: x, replicas: 2, publish: [{published: 53, target: 53, protocol: udp, mode: host}], constraints: [node.role==manager]}]}",
    ),
];

/// Changes that break the profile's form: the schema has to see them.
const WRONG_FORM: [(&str, &str); 50] = [
    ("cluster: mc1", "x_list: 1\ncluster: mc1"),
    ("address: 192.168.1.81}", "address: 192.168.1.81, count: 2}"),
    (NODES_OF_PROFILE, "nodes: {name: n, address: 192.168.1.101}\n"),
    (NODES_OF_PROFILE, "nodes: {count: , name: 'n{}', first_address: 192.168.1.101}\n"),
    (NODES_OF_PROFILE, "nodes: {count: 0, name: 'n{}', first_address: 192.168.1.101}\n"),
    (NODES_OF_PROFILE, "nodes: {count: 1001, name: 'n{}', first_address: 192.168.1.101}\n"),
    (NODES_OF_PROFILE, "nodes: {count: 2, name: n, first_address: 192.168.1.101}\n"),
    (NODES_OF_PROFILE, "nodes: {count: 2, name: 'n{:2}', first_address: 192.168.1.101}\n"),
    (NODES_OF_PROFILE, "nodes: {count: 2, name: 'n{}'}\n"),
    (
        NODES_OF_PROFILE,
        "nodes: {count: 2, name: 'n{}', first_address: 192.168.1.101, first_number: one}\n",
    ),
    (NODES_OF_PROFILE, "nodes: []\n"),
    ("base: base.img.xz", "base: http://example.org/base.img.xz"),
    ("base: base.img.xz", "base: {path: http://example.org/base.img.xz}"),
    ("base: base.img.xz", "base: ftp://example.org/base.img.xz"),
    ("base: base.img.xz", "base: {path: file:///base.img.xz, sha256: SUM}"),
    ("ssh: {users: [root]}", "users: {root: {locked: \"no\"}}"),
    ("cluster: mc1", "cluster: mc_1"),
    ("cluster: mc1\n", ""),
    ("cluster: mc1", "clusterr: mc1"),
    ("base: base.img.xz", "base: {sha256: abc}"),
    ("base: base.img.xz", "base: {path: x, sha256: abc}"),
    ("base: base.img.xz", "base: [x]"),
    ("card: 64MiB", "card: 8 elephants"),
    ("card: 64MiB", "card: 512"),
    ("interface: eth0, ", ""),
    ("interface: eth0", "interface: a-name-that-is-too-long"),
    ("prefix: 24", "prefix: 31"),
    ("prefix: 24", "prefix: 255.255.255.0"),
    ("gateway: 192.168.1.1", "gateway: router"),
    ("name: b", "name: b_c"),
    ("name: b, ", ""),
    ("address: 192.168.1.81", "address: fe80::1"),
    ("address: 192.168.1.81", "address: 192.168.1.81, role: king"),
    ("address: 192.168.1.81", "address: 192.168.1.81, colour: red"),
    ("ssh: {users: [root]}", "ssh: {users: [\"a b\"]}"),
    ("ssh: {users: [root]}", "ssh: {user: root}"),
    ("ssh: {users: [root]}", "users: {root: {password: hunter2}}"),
    ("ssh: {users: [root]}", "users: {root: {locked: false}}"),
    ("ssh: {users: [root]}", "users: {root: {}}"),
    ("ssh: {users: [root]}", "users: [root]"),
    ("ssh: {users: [root]}", "users: {root: {sudo: always}}"),
    ("ssh: {users: [root]}", "hosts: {nas.lan: there}"),
    ("ssh: {users: [root]}", "boot: {cmdline: [quiet]}"),
    ("ssh: {users: [root]}", "files: [{path: etc/motd, content: x}]"),
    ("ssh: {users: [root]}", "files: [{path: /etc/motd, content: x, mode: rw}]"),
    ("ssh: {users: [root]}", "files: [{path: /etc/motd}]"),
    ("ssh: {users: [root]}", "swarm: {wait: soon}"),
    ("ssh: {users: [root]}", "swarm: {services: [{name: x}]}"),
    ("ssh: {users: [root]}", "swarm: {services: [{name: x, image: x, env: {A: }}]}"),
    ("ssh: {users: [root]}", "root: 0"),
];

/// Changes that only nodecard can find.
const WRONG_MEANING: [(&str, &str); 5] = [
    ("192.168.1.81", "192.168.1.80"),
    ("192.168.1.81", "192.168.2.81"),
    ("name: b", "name: a"),
    ("ssh: {users: [root]}", "ssh: {users: [root], authorized_keys: [missing.pub]}"),
    (
        ", role: manager}\n  - {name: b, address: 192.168.1.81}\nssh: {users: [root]}",
        "}\n  - {name: b, address: 192.168.1.81}\nswarm:",
    ),
];

#[test]
fn schema_and_loader_agree() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("home/.ssh")).unwrap();
    let key = bench.path("home/.ssh/id_ed25519");
    let arguments = ["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()];
    run("openssh-client", "ssh-keygen", &arguments);
    let schema = bench.nodecard(&["schema"]).output().unwrap().stdout;
    fs::write(bench.path("schema.json"), schema).unwrap();
    // Each profile, whether the loader has to accept it, and whether the schema has to.
    let mut corpus: Vec<(String, bool, bool)> = Vec::new();
    for (changes, loader, schema) in
        [(&RIGHT[..], true, true), (&WRONG_FORM, false, false), (&WRONG_MEANING, false, true)]
    {
        for (from, to) in changes {
            assert!(PROFILE.contains(from), "{from}");
            let name = bench.path(&format!("{}.yaml", corpus.len()));
            let to = to.replace("SUM", &"9f".repeat(32));
            fs::write(&name, PROFILE.replacen(from, &to, 1)).unwrap();
            corpus.push((name.to_str().unwrap().to_owned(), loader, schema));
        }
    }
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for directory in ["profiles", "tests/profiles"] {
        for entry in fs::read_dir(top.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                corpus.push((path.to_str().unwrap().to_owned(), true, true));
            }
        }
    }
    assert!(corpus.len() > 70);
    let schema = bench.path("schema.json");
    let mut arguments = vec!["-c", VALIDATE, schema.to_str().unwrap()];
    arguments.extend(corpus.iter().map(|(name, ..)| name.as_str()));
    let found: Value = serde_json::from_str(&judge("python3", &arguments)).unwrap();
    let mut differences = Vec::new();
    for ((name, loader, schema), found) in corpus.iter().zip(found.as_array().unwrap()) {
        let output = bench.nodecard(&["check", name]).output().unwrap();
        let text = || fs::read_to_string(name).unwrap();
        // A right profile whose base image is not there is a right profile.
        let accepts = String::from_utf8_lossy(&output.stdout).starts_with("Cluster ");
        if accepts != *loader {
            let error = String::from_utf8_lossy(&output.stderr);
            differences.push(format!("loader, wanted {loader}: {name}\n{}{error}", text()));
        }
        if found.is_null() != *schema {
            differences.push(format!("schema, wanted {schema}: {name}: {found}\n{}", text()));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// A profile that uses every key.
fn full_profile() -> Value {
    let files = serde_json::json!([
        {"path": "/etc/motd", "content": "x", "mode": "0644", "owner": "root"},
        {"path": "/etc/issue", "source": "issue"},
    ]);
    serde_json::json!({
        "cluster": "mc1",
        "base": {"path": "base.img.xz", "sha256": "9f".repeat(32)},
        "card": "64MiB",
        "network": {
            "interface": "eth0", "prefix": 24, "gateway": "192.168.1.1", "dns": ["192.168.1.1"],
            "search": ["lan"],
        },
        "nodes": [
            {"name": "a", "address": "192.168.1.80", "role": "manager", "files": files},
            {
                "count": 2, "name": "n{}", "first_address": "192.168.1.90", "first_number": 0,
                "role": "worker", "files": files,
            },
        ],
        "ssh": {"users": ["root"], "authorized_keys": ["key.pub"], "image_keys": "keep"},
        "users": {
            "anna": {
                "create": true, "groups": ["adm"], "shell": "/bin/sh", "sudo": "nopasswd",
                "uid": 1001, "password": format!("$6$salt$${}", "a".repeat(86)).replace("$$", "$"),
                "authorized_keys": ["key.pub"],
            },
            "root": {"locked": true},
        },
        "hosts": {"nas.lan": "192.168.1.10"},
        "boot": {"cmdline": {"add": ["a"], "remove": ["b"]}, "config": {"enable_uart": 1}},
        "files": files,
        "swarm": {
            "wait": "10m", "images": [], "port": 2378, "data_path": "eth1", "data_path_port": 4790,
            "services": [{
                "name": "x", "image": "x", "replicas": 2, "mode": "replicated",
                "publish": [{"published": 53, "target": 53, "protocol": "udp", "mode": "host"}],
                "constraints": ["node.role==manager"],
                "mounts": [{"source": "/a", "target": "/t", "read_only": true, "type": "bind"}],
                "env": {"A": "1"}, "command": ["a"],
            }],
        },
        "root": 2,
        "keys": "mine.keys",
        "cloud_init": "keep",
        "user_data": "user-data.yaml",
    })
}

/// Follows the references and alternatives of a schema to the mapping that has these keys.
fn mapping_schema<'a>(root: &'a Value, schema: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        let at = root.pointer(reference.trim_start_matches('#')).unwrap();
        return mapping_schema(root, at, keys);
    }
    let of = schema["properties"].as_object();
    if of.is_some_and(|of| keys.iter().all(|key| of.contains_key(*key))) {
        return Some(schema);
    }
    let alternatives = schema["anyOf"].as_array().into_iter().flatten();
    let alternatives =
        alternatives.chain(["then", "else"].iter().filter_map(|key| schema.get(key)));
    alternatives.into_iter().find_map(|schema| mapping_schema(root, schema, keys))
}

/// Follows the references and alternatives of a schema to what it says of items or of any value.
fn inner_schema<'a>(root: &'a Value, schema: &'a Value, key: &str) -> Option<&'a Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        let at = root.pointer(reference.trim_start_matches('#')).unwrap();
        return inner_schema(root, at, key);
    }
    if let Some(inner) = schema.get(key).filter(|inner| inner.is_object()) {
        return Some(inner);
    }
    let alternatives = schema["anyOf"].as_array().into_iter().flatten();
    let alternatives =
        alternatives.chain(["then", "else"].iter().filter_map(|key| schema.get(key)));
    alternatives.into_iter().find_map(|schema| inner_schema(root, schema, key))
}

/// Collects each mapping of a profile that has a fixed set of keys: its place in the profile, and
/// the keys that the schema lists for it.
fn mappings(
    root: &Value,
    schema: &Value,
    value: &Value,
    at: &str,
    found: &mut Vec<(String, Vec<String>)>,
) {
    if let Some(entries) = value.as_object() {
        let keys: Vec<&str> = entries.keys().map(String::as_str).collect();
        let known = mapping_schema(root, schema, &keys);
        if let Some(known) = known {
            let listed = known["properties"].as_object().unwrap().keys().cloned().collect();
            found.push((at.to_owned(), listed));
        }
        for (key, value) in entries {
            let inner = known.map(|known| &known["properties"][key]);
            let inner = inner.or_else(|| inner_schema(root, schema, "additionalProperties"));
            let inner = inner.unwrap_or_else(|| panic!("the schema knows nothing of {at}/{key}"));
            mappings(root, inner, value, &format!("{at}/{key}"), found);
        }
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        let inner = inner_schema(root, schema, "items").unwrap_or_else(|| panic!("{at} is a list"));
        mappings(root, inner, item, &format!("{at}/{number}"), found);
    }
}

/// Counts the mappings with a fixed set of keys in a schema.
fn count_mappings(schema: &Value) -> usize {
    let here = usize::from(schema["additionalProperties"] == Value::Bool(false));
    let below = schema.as_object().into_iter().flat_map(|of| of.values());
    let below = below.chain(schema.as_array().into_iter().flatten());
    here + below.map(count_mappings).sum::<usize>()
}

/// The loader lists the keys of a mapping in its message about an unknown one.
#[test]
fn schema_and_loader_know_the_same_keys() {
    let bench = Bench::new();
    let key = bench.path("key");
    let arguments = ["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()];
    run("openssh-client", "ssh-keygen", &arguments);
    fs::write(bench.path("issue"), "x").unwrap();
    fs::write(bench.path("user-data.yaml"), "#cloud-config\n").unwrap();
    let schema = bench.nodecard(&["schema"]).output().unwrap().stdout;
    let schema: Value = serde_json::from_slice(&schema).unwrap();
    let profile = full_profile();
    let check = |profile: &Value| {
        // JSON is YAML.
        fs::write(bench.path("full.yaml"), profile.to_string()).unwrap();
        let output = bench.nodecard(&["check", "full.yaml"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    let said = check(&profile);
    assert!(said.starts_with("Cluster "), "{said}");
    let mut found = Vec::new();
    mappings(&schema, &schema, &profile, "", &mut found);
    for (at, listed) in &found {
        let mut changed = profile.clone();
        let mapping = changed.pointer_mut(at).unwrap().as_object_mut().unwrap();
        mapping.insert("qqqqqqqqqqqqqqqqqq".into(), Value::Null);
        let said = check(&changed);
        let help = said.lines().find_map(|line| line.split_once("has these keys: "));
        let (_, keys) = help.unwrap_or_else(|| panic!("{at}: {said}"));
        let mut known: Vec<&str> = keys.split(", ").collect();
        known.sort_unstable();
        let mut listed: Vec<&str> = listed.iter().map(String::as_str).collect();
        listed.sort_unstable();
        assert_eq!(known, listed, "{at}");
    }
    // No mapping of the schema, and no key of one, was left out.
    let mut used: Vec<&Vec<String>> = found.iter().map(|(_, listed)| listed).collect();
    used.sort();
    used.dedup();
    assert_eq!(used.len(), count_mappings(&schema), "{found:?}");
    for (at, listed) in &found {
        let is_same = |(_, other): &&(String, Vec<String>)| other == listed;
        let has = |key: &str| {
            let places = found.iter().filter(is_same);
            places.filter_map(|(at, _)| profile.pointer(at)).any(|of| of.get(key).is_some())
        };
        let unused: Vec<&String> = listed.iter().filter(|key| !has(key)).collect();
        assert!(unused.is_empty(), "{at}: the profile of this test does not use {unused:?}");
    }
}

/// An editor finds the schema by the first line of a profile.
#[test]
fn the_shipped_profiles_name_the_schema() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let schema: Value = serde_json::from_str(
        &fs::read_to_string(top.join("crates/cluster-profile/src/profile.schema.json")).unwrap(),
    )
    .unwrap();
    let line = format!("# yaml-language-server: $schema={}", schema["$id"].as_str().unwrap());
    for entry in fs::read_dir(top.join("profiles")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text.lines().next(), Some(line.as_str()), "{}", path.display());
        }
    }
}

/// Runs a shell in the bench, with nodecard in $PATH.
#[track_caller]
fn shell(bench: &Bench, package: &str, program: &str, script: &str) -> String {
    let nodecard = bench.nodecard(&[]);
    let directory = Path::new(nodecard.get_program()).parent().unwrap();
    let output = Command::new(program)
        .args(["-c", script])
        .current_dir(bench.path(""))
        .env("HOME", bench.path("home"))
        .env("PATH", format!("{}:{}", directory.display(), std::env::var("PATH").unwrap()))
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed ({error}): package {package}"));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn bash_completes_commands_options_and_nodes() {
    let bench = Bench::new();
    // As bash calls it: the words of the line, and the number of the one at the cursor.
    let complete = |words: &str, last: &str| {
        let script = format!(
            "source <(nodecard completions bash); COMP_WORDS=({words} '{last}'); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_TYPE=9; \
             _clap_complete_nodecard nodecard '{last}' ''; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        shell(&bench, "bash", "bash", &script)
    };
    let lines = |text: String| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(complete("nodecard", "sta")), ["status"]);
    assert!(lines(complete("nodecard verify", "--n")).contains(&"--node".to_owned()));
    assert_eq!(lines(complete("nodecard verify profile.yaml --node", "xu4-n")), &NODES[1..]);
    assert_eq!(lines(complete("nodecard flash profile.yaml", "xu4-m")), ["xu4-master="]);
    assert_eq!(lines(complete("nodecard export profile.yaml", "ssh")), ["ssh-config"]);
    // bash breaks words at "=", and passes an empty word for the "=" at the cursor.
    let flash = "nodecard flash profile.yaml xu4-master";
    assert!(lines(complete(flash, "")).contains(&"profile.yaml".to_owned()));
    assert_eq!(lines(complete(&format!("{flash} ="), "pro")), ["profile.yaml"]);
    let second = format!("{flash} = /dev/sdb");
    assert_eq!(lines(complete(&second, "xu4-node1")), ["xu4-node1="]);
    // A profile with mistakes completes no nodes, and prints no errors into the line.
    fs::write(bench.path("wrong.yaml"), "cluster: [\n").unwrap();
    assert_eq!(complete("nodecard verify wrong.yaml --node", "x").trim(), "");
}

#[test]
fn fish_completes_nodes_and_the_other_scripts_parse() {
    let bench = Bench::new();
    let script = "nodecard completions fish | source; complete -C \
                  'nodecard verify profile.yaml --node xu4-n'";
    let found = shell(&bench, "fish", "fish", script);
    let found: Vec<&str> = found.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(found, &NODES[1..]);
    let script = "nodecard completions fish | source; complete -C \
                  'nodecard flash profile.yaml xu4-master=pro'";
    let found = shell(&bench, "fish", "fish", script);
    assert_eq!(found.trim(), "xu4-master=profile.yaml");
    shell(&bench, "zsh", "zsh", "nodecard completions zsh > script.zsh && zsh -n script.zsh");
    for name in ["powershell", "elvish"] {
        let output = bench.nodecard(&["completions", name]).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && script.contains("COMPLETE"), "{name}: {script}");
    }
}

/// Takes bold and underlined letters for letters: a letter or a line, a backspace, and the letter.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars() {
        match letter {
            '\u{8}' => drop(plain.pop()),
            _ => plain.push(letter),
        }
    }
    plain
}

#[test]
fn every_command_has_a_page_that_mandoc_accepts() {
    let bench = Bench::new();
    let output = bench.nodecard(&["man", "pages/man1"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let help = String::from_utf8(bench.nodecard(&["--help"]).output().unwrap().stdout).unwrap();
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() >= 14, "{commands:?}");
    for command in commands {
        let page = bench.path(&format!("pages/man1/nodecard-{command}.1"));
        let page = page.to_str().unwrap();
        run("mandoc", "mandoc", &["-T", "lint", "-W", "error", page]);
        let text = plain(&run("mandoc", "mandoc", &["-T", "utf8", page]));
        assert!(text.contains("EXAMPLES") && text.contains("General Commands Manual"), "{text}");
    }
    // The synopsis has the values of options.
    let page = bench.path("pages/man1/nodecard-flash.1");
    let text = run("mandoc", "mandoc", &["-T", "ascii", "-c", page.to_str().unwrap()]);
    let plain = one_line(&plain(&text));
    let second_form = "nodecard flash [OPTIONS] --image FILE DEVICE";
    for part in ["[--one-reader DEVICE]", "[--yes]", "PROFILE [NODE=TARGET]...", second_form] {
        assert!(plain.contains(part), "{part}: {plain}");
    }
    run(
        "mandoc",
        "mandoc",
        &["-T", "lint", "-W", "error", bench.path("pages/man1/nodecard.1").to_str().unwrap()],
    );
}

#[test]
fn help_has_a_help() {
    let bench = Bench::new();
    let help = |arguments: &[&str]| {
        let output = bench.nodecard(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(help(&["help", "--help"]), help(&["help"]));
}
