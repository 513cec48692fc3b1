//! Reports and errors as JSON, checked against docs/reports.schema.json.

use std::{fs, path::Path, process::Command};

use crate::support::*;

/// Checks that a document is valid for a definition of the schema.
#[track_caller]
pub fn assert_valid(name: &str, document: &str) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reports.schema.json");
    let script = "import json, sys, jsonschema\n\
        schema = json.load(open(sys.argv[1]))\n\
        schema = {'$defs': schema['$defs'], '$ref': '#/$defs/' + sys.argv[2]}\n\
        jsonschema.Draft202012Validator.check_schema(schema)\n\
        jsonschema.Draft202012Validator(schema).validate(json.loads(sys.argv[3]))\n";
    let output = Command::new("python3")
        .args(["-c", script, schema.to_str().unwrap(), name, document])
        .output()
        .expect("python3 is needed: install the Debian package python3");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "install python3-jsonschema? {error}\n{document}");
}

/// Runs a command with `--json`, checks its exit code and its document, and returns both.
#[track_caller]
fn document(bench: &Bench, name: &str, code: i32, arguments: &[&str]) -> serde_json::Value {
    let output = bench.nodecard(&[arguments, &["--json"]].concat()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_valid(name, &text);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_command_prints_what_the_schema_says() {
    let bench = Bench::new();
    document(&bench, "check", 0, &["check", "profile.yaml"]);
    document(&bench, "build", 0, &["build", "profile.yaml", "--out", "out"]);
    document(&bench, "plan", 0, &["plan", "profile.yaml"]);
    used_card(&bench.path("a.card"), 64 * MIB);
    let flash = ["flash", "profile.yaml", "xu4-node1=a.card", "--yes"];
    document(&bench, "flash", 0, &flash);
    let report = document(&bench, "verify", 0, &["verify", "profile.yaml", "a.card"]);
    assert_eq!(report["cards"][0]["node"], "xu4-node1");
    let apply = ["apply", "profile.yaml", "xu4-node1=a.card", "--yes"];
    let report = document(&bench, "apply", 0, &apply);
    assert_eq!(report["changed"], false);
    document(&bench, "inspect", 0, &["inspect", "a.card"]);
    let report =
        document(&bench, "save", 0, &["save", "a.card", "a.img", "--profile", "profile.yaml"]);
    assert_eq!(report["base"], true);
    document(&bench, "devices", 0, &["devices"]);

    // Another node's address: differences, and a card to correct.
    let profile = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    fs::write(bench.path("profile.yaml"), profile.replace("192.168.1.81", "192.168.1.91")).unwrap();
    document(&bench, "verify", 1, &["verify", "profile.yaml", "a.card"]);
    let report = document(&bench, "apply", 0, &apply);
    assert_eq!(report["changed"], true);
    document(&bench, "verify", 4, &["verify", "profile.yaml", "missing.card"]);
}

/// Returns the commands that the help lists.
fn commands(bench: &Bench) -> Vec<String> {
    let help = String::from_utf8(bench.nodecard(&["--help"]).output().unwrap().stdout).unwrap();
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split(' ').nth(2));
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Editors show a mistake at its place, without reading the text for people.
#[test]
fn mistakes_in_a_profile_have_their_places() {
    let bench = Bench::new();
    let profile = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    fs::write(bench.path("profile.yaml"), profile.replace("192.168.1.81", "192.168.1.80")).unwrap();
    for command in ["check", "build"] {
        let report = document(&bench, "error", 2, &[command, "profile.yaml"]);
        let error = &report["error"];
        let expected = serde_json::json!([{
            "message": "two nodes have the address 192.168.1.80",
            "file": "profile.yaml",
            "line": 7,
            "column": 32,
            "help": "give each node its own address",
            "related": [{"message": "first used here", "line": 6, "column": 33}],
        }]);
        assert_eq!(error["problems"], expected, "{report}");
        assert!(error["message"].as_str().unwrap().starts_with("error: two nodes"), "{report}");
    }
}

#[test]
fn every_command_has_a_report_and_an_error_as_json() {
    let bench = Bench::new();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reports.schema.json");
    let schema: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let listed: Vec<&str> = schema["anyOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["$ref"].as_str().unwrap())
        .collect();
    let commands = commands(&bench);
    assert!(commands.len() >= 15, "{commands:?}");
    let expected: Vec<String> = std::iter::once("error".to_owned())
        .chain(commands.iter().cloned())
        .map(|name| format!("#/$defs/{name}"))
        .collect();
    assert_eq!(sorted(listed), sorted(expected.iter().map(String::as_str).collect()));
    for command in &commands {
        let error = document(&bench, "error", 2, &[command, "--frobnicate"]);
        assert_eq!(error["error"]["exit_code"], 2, "{command}");
    }
}

fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}

#[test]
fn what_other_programs_read_comes_as_json_too() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1"]);
    let init = ["init", "p.yaml", "--base", "out/xu4-node1.img", "--first-address", "10.0.0.2"];
    let report = document(&bench, "init", 0, &[&init[..], &["--yes", "--nodes", "2"]].concat());
    assert_eq!(report["nodes"][1]["address"], "10.0.0.3");
    document(&bench, "error", 2, &[&init[..], &["--yes"]].concat());
    let full = document(&bench, "export", 0, &["export", "profile.yaml", "json"]);
    assert_eq!(full["nodes"][1]["name"], "xu4-node1");
    let private = document(&bench, "export", 0, &["export", "profile.yaml", "json", "--private"]);
    assert!(private["cluster_key"]["private"].as_str().unwrap().contains("PRIVATE KEY"));
    for form in ["ssh-config", "known-hosts", "hosts", "ansible", "pssh"] {
        let report = document(&bench, "export", 0, &["export", "profile.yaml", form]);
        let plain = bench.nodecard(&["export", "profile.yaml", form]).output().unwrap();
        assert_eq!(report["text"], String::from_utf8(plain.stdout).unwrap());
        assert_eq!(report["form"], form);
    }
    document(&bench, "error", 2, &["export", "profile.yaml", "hosts", "--private"]);
    document(&bench, "schema", 0, &["schema"]);
    let report = document(&bench, "completions", 0, &["completions", "bash"]);
    assert!(report["script"].as_str().unwrap().contains("complete "));
    let report = document(&bench, "man", 0, &["man", "pages"]);
    assert!(report["pages"].as_array().unwrap().len() >= 15, "{report}");
    fs::write(bench.path("a-file"), "").unwrap();
    document(&bench, "error", 5, &["man", "a-file"]);

    let mut password = bench.nodecard(&["password", "--json"]);
    fs::write(bench.path("secret"), "correct horse battery\n").unwrap();
    let output = password.stdin(fs::File::open(bench.path("secret")).unwrap()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_valid("password", &text);
    assert!(text.contains("$6$rounds=100000$") && !text.contains("horse"), "{text}");
    document(&bench, "error", 2, &["password"]);

    // Nodes that nobody answers for.
    let profile = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    fs::write(bench.path("profile.yaml"), profile.replace("192.168.1.", "127.99.1.")).unwrap();
    document(&bench, "error", 2, &["status", "profile.yaml", "--node", "xu4-node9"]);
}

/// A quiet run leaves out what is for people, but not what was asked for.
#[test]
fn quiet_commands_print_only_what_other_programs_read() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1"]);
    let said = |arguments: &[&str]| {
        let output = bench.nodecard(&[arguments, &["-q"]].concat()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    };
    let init = ["init", "p.yaml", "--base", "out/xu4-node1.img", "--first-address", "10.0.0.2"];
    assert_eq!(said(&[&init[..], &["--yes"]].concat()), (String::new(), String::new()));
    for arguments in
        [&["export", "profile.yaml", "hosts"][..], &["schema"], &["completions", "bash"]]
    {
        let (out, error) = said(arguments);
        assert!(!out.is_empty() && error.is_empty(), "{arguments:?}: {error}");
    }
}

#[test]
fn errors_are_documents_too() {
    let bench = Bench::new();
    let error = |code, arguments: &[&str]| {
        let document = document(&bench, "error", code, arguments);
        assert_eq!(document["error"]["exit_code"], code);
        document["error"].clone()
    };
    error(2, &["verify", "profile.yaml", "out/xu4-node1.img"]);
    error(2, &["build"]);
    error(2, &["frobnicate"]);
    error(2, &["check", "missing.yaml"]);
    error(2, &["flash", "profile.yaml"]);
    let refused = error(4, &["flash", "profile.yaml", "xu4-node1=missing.card", "--yes"]);
    assert_eq!(refused["refusals"][0]["node"], "xu4-node1");
    assert_eq!(refused["nothing_written"], true);
    error(3, &["build", "profile.yaml", "--base", "missing.img"]);
}

#[test]
fn quiet_runs_print_nothing_and_verbose_ones_say_how_long_it_took() {
    let bench = Bench::new();
    let output = bench.command(&["-q"]).output().unwrap();
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr),
        ""
    );
    let output = bench.command(&["-v"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("writing images: ") && said.contains(" s\n"), "{said}");
}

#[test]
fn colours_are_forced_and_forbidden_by_variables() {
    let bench = Bench::new();
    fs::write(bench.path("wrong.yaml"), "cluster: [\n").unwrap();
    for arguments in [&["check", "wrong.yaml"][..], &["flash", "profile.yaml"]] {
        let said = |variables: &[(&str, &str)]| {
            let mut command = bench.nodecard(arguments);
            let output = command.envs(variables.iter().copied()).output().unwrap();
            String::from_utf8(output.stderr).unwrap()
        };
        assert!(!said(&[]).contains('\x1b'));
        assert!(said(&[("CLICOLOR_FORCE", "1")]).contains('\x1b'), "{arguments:?}");
        assert!(!said(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\x1b'));
    }
}
