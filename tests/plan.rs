//! Plans: they show the diff of every file, and write nothing.

use std::fs;

use crate::support::*;

fn plan(bench: &Bench, arguments: &[&str]) -> (Option<i32>, String, String) {
    let all = [&["plan", "profile.yaml"], arguments].concat();
    let output = bench.nodecard(&all).output().expect("nodecard runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_plan_shows_what_building_changes() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1"]);
    let (code, out, error) = plan(&bench, &[]);
    assert_eq!(code, Some(0), "{error}");
    for part in [
        "grows from 32.0 MiB to 53.5 MiB",
        "=== all 4 nodes",
        "=== xu4-node3\n",
        "+    address 192.168.1.83\n",
        "--- before/etc/hostname\n+++ xu4-node3/etc/hostname\n@@ -1 +1 @@\n",
    ] {
        assert!(out.contains(part), "{part} is missing: {out}");
    }
    assert!(!out.contains("PRIVATE KEY"), "{out}");
    assert_eq!(bench.finished().len(), 4, "only what was built before");
    let (code, out, error) = plan(&bench, &["--card", "1GiB", "--node", "xu4-node1", "--json"]);
    assert_eq!(code, Some(0), "{error}");
    let plan: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(plan["nodes"][0]["node"], "xu4-node1");
    assert!(plan["card"].to_string().contains("cards of 1.1 GB"), "{out}");
}

/// Before the first build there are no keys; those of a plan exist in memory only.
#[test]
fn a_plan_before_the_first_build_writes_nothing() {
    let bench = Bench::new();
    let names = |bench: &Bench| {
        let entries = fs::read_dir(bench.path(".")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names(&bench);
    let (code, out, error) = plan(&bench, &[]);
    assert_eq!(code, Some(0), "{error}");
    let note = "profile.keys yet and were made only for this plan";
    assert!(out.contains("=== xu4-node3\n") && out.contains(note), "{out}");
    let mut after = names(&bench);
    after.retain(|name| name != "cache");
    assert_eq!(after, before.into_iter().filter(|name| name != "cache").collect::<Vec<_>>());

    // A node that was added since has no key yet either; the others keep theirs.
    bench.built(&["--node", "xu4-node1"]);
    let (_, out, _) = plan(&bench, &[]);
    assert!(!out.contains(note), "{out}");
    let key = bench.path("profile.keys/hosts/xu4-node3");
    fs::remove_dir_all(&key).unwrap();
    let (code, out, error) = plan(&bench, &["--against", "out/xu4-node1.img", "--node", NODES[1]]);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains(note) && !out.contains("ssh_host_ed25519_key"), "{out}");
    assert!(!key.exists());
}

/// A reader that went away, such as `head`, ends it as SIGPIPE ends other programs.
#[test]
fn a_closed_pipe_ends_a_plan_quietly() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1"]);
    let mut command = bench.nodecard(&["plan", "profile.yaml"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(141), "{error}");
    assert!(!error.contains("error"), "{error}");
}

#[test]
fn a_plan_against_a_card_shows_what_correcting_changes() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1", "--node", "xu4-node2"]);
    let image = "out/xu4-node1.img";
    let before = fs::read(bench.path(image)).unwrap();
    let (code, out, error) = plan(&bench, &["--against", image, "--node", "xu4-node1"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("no file changes"), "{out}");
    let (code, out, error) = plan(&bench, &["--against", image, "--node", "xu4-node2"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("-xu4-node1\n+xu4-node2\n"), "{out}");
    assert!(fs::read(bench.path(image)).unwrap() == before, "the target was written to");
    let (code, _, error) = plan(&bench, &["--against", image]);
    assert_eq!(code, Some(2), "{error}");
    let (code, _, error) = plan(&bench, &["--against", "nowhere", "--node", "xu4-node1"]);
    assert_eq!(code, Some(4), "{error}");
}
