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

/// Changes to the profile after which it is still right.
const RIGHT: [(&str, &str); 27] = [
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
const WRONG_FORM: [(&str, &str); 34] = [
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
            fs::write(&name, PROFILE.replacen(from, to, 1)).unwrap();
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
        let accepts = String::from_utf8_lossy(&output.stdout).contains("profile OK");
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
    shell(&bench, "zsh", "zsh", "nodecard completions zsh > script.zsh && zsh -n script.zsh");
    for name in ["powershell", "elvish"] {
        let output = bench.nodecard(&["completions", name]).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && script.contains("COMPLETE"), "{name}: {script}");
    }
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
        let text = run("mandoc", "mandoc", &["-T", "utf8", page]);
        assert!(text.contains("Example"), "{text}");
    }
    run(
        "mandoc",
        "mandoc",
        &["-T", "lint", "-W", "error", bench.path("pages/man1/nodecard.1").to_str().unwrap()],
    );
}
