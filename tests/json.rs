//! Reports and errors as JSON, checked against docs/reports.schema.json.

use std::{fs, path::Path, process::Command};

use crate::support::*;

/// Checks that a document is valid for a definition of the schema.
#[track_caller]
fn assert_valid(name: &str, document: &str) {
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
