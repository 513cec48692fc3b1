//! The output directory: which files a run may replace there, and what it adds to the records
//! of an earlier run.

use std::{fs, os::unix::fs::MetadataExt as _, process::Stdio};

use crate::support::*;

/// The base image is recognized under any name.
#[test]
fn the_base_image_is_never_overwritten() {
    let bench = Bench::new();
    let base = decoded_base(&bench);
    fs::create_dir(bench.path("out")).unwrap();
    let inside = bench.path("out/xu4-node1.img");
    fs::rename(&base, &inside).unwrap();
    std::os::unix::fs::symlink("out/xu4-node1.img", bench.path("link.img")).unwrap();
    let inode = fs::metadata(&inside).unwrap().ino();
    for name in ["out/xu4-node1.img", "link.img"] {
        let output = bench.build(&["--base", name]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("--out"), "{message}");
        assert_eq!(fs::metadata(&inside).unwrap().ino(), inode);
        assert_eq!(bench.finished(), ["xu4-node1.img"]);
    }
}

#[test]
fn files_of_others_are_not_replaced() {
    for name in ["SHA256SUMS", "manifest.json", "xu4-node1.img", "xu4-node2.img"] {
        let bench = Bench::new();
        fs::create_dir(bench.path("out")).unwrap();
        match name {
            "xu4-node2.img" => fs::create_dir(bench.path("out/xu4-node2.img")).unwrap(),
            _ => fs::write(bench.path("out").join(name), "mine\n").unwrap(),
        }
        let output = bench.build(&[]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(name) && message.contains("--out"), "{message}");
        assert_eq!(bench.finished(), [name]);
    }
}

/// A block map beside it does not make an image nodecard's, and images of another cluster are not
/// this one's. What an interrupted run made is.
#[test]
fn only_images_of_this_cluster_are_replaced() {
    let bench = Bench::new();
    let refused = |parts: &[&str]| {
        let output = bench.build(&["--node", "xu4-node1"]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        for part in parts {
            assert!(message.contains(part), "{part} is missing from {message}");
        }
    };
    fs::create_dir(bench.path("out")).unwrap();
    for name in ["out/xu4-node1.img.bmap", "out/xu4-node1.img"] {
        fs::write(bench.path(name), "mine").unwrap();
        refused(&["manifest.json does not list it", "move it away", "--out"]);
        assert_eq!(fs::read(bench.path(name)).unwrap(), b"mine");
    }
    fs::remove_dir_all(bench.path("out")).unwrap();

    // A run was killed while it named its files, and so was the next one while it decoded.
    bench.built(&["--node", "xu4-node1"]);
    let at = |name: &str| bench.path("out").join(name);
    fs::rename(at("manifest.json"), at(".manifest.json.nodecard-partial")).unwrap();
    fs::remove_file(at("SHA256SUMS")).unwrap();
    assert!(!bench.build(&["--node", "xu4-node2", "--base", "none.img"]).status.success());
    bench.built(&["--node", "xu4-node2"]);
    let names = ["SHA256SUMS", "manifest.json", "xu4-node1.img", "xu4-node1.img.bmap"];
    assert_eq!(bench.finished()[..4], names);
    bench.built(&["--node", "xu4-node1"]);

    // Cards of another size: the images of other nodes stay nodecard's.
    bench.built(&["--node", "xu4-node3", "--card", "80MiB"]);
    bench.built(&["--node", "xu4-node2", "--card", "80MiB"]);
    let manifest = || fs::read_to_string(at("manifest.json")).unwrap();
    assert!(manifest().contains("\"earlier\""), "{}", manifest());

    let profile = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    fs::write(bench.path("profile.yaml"), profile.replace("cluster: test", "cluster: other"))
        .unwrap();
    refused(&["is an image of the cluster test", "--out"]);
    fs::write(bench.path("profile.yaml"), profile).unwrap();
    bench.built(&["--card", "80MiB"]);
    assert!(!manifest().contains("\"earlier\""), "{}", manifest());
}

/// Building one node again leaves the records of the other nodes as they are.
#[test]
fn rebuilding_one_node_keeps_the_records_of_the_others() {
    let bench = Bench::new();
    bench.built(&["--sums"]);
    let all = fs::read_to_string(bench.path("out/SHA256SUMS")).unwrap();
    let manifest = fs::read_to_string(bench.path("out/manifest.json")).unwrap();
    bench.built(&["--node", "xu4-node2", "--sums"]);
    let sums = || {
        let text = fs::read_to_string(bench.path("out/SHA256SUMS")).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let mut expected: Vec<_> = all.lines().map(str::to_owned).collect();
    expected.sort();
    assert_eq!(sums(), expected);
    assert_eq!(fs::read_to_string(bench.path("out/manifest.json")).unwrap(), manifest);

    // An image in another format replaces the old one.
    bench.built(&["--node", "xu4-node2", "--format", "zst"]);
    assert!(!bench.path("out/xu4-node2.img").exists());
    assert_eq!(sums().len(), 9);
    assert!(sums().iter().any(|line| line.ends_with("  xu4-node2.img.zst")));

    // Cards of another size start new records, and a note says so.
    let report = bench.built(&["--node", "xu4-node2", "--card", "80MiB"]);
    assert!(report.contains("earlier build"), "{report}");
    assert_eq!(sums().len(), 2);
}

/// The report names what this run made, and what is left over and why. It never recommends a
/// stale image.
#[test]
fn images_of_earlier_runs_are_told_from_those_of_this_one() {
    let bench = Bench::new();
    bench.built(&[]);
    let report = bench.built(&["--node", "xu4-node3"]);
    assert!(report.contains("Left from earlier runs:\n"), "{report}");
    assert!(report.contains("out/xu4-node2.img   still current\n"), "{report}");
    let next = "nodecard flash profile.yaml xu4-node3=/dev/sdX\n";
    assert!(report.contains(next), "{report}");
    assert!(report.contains("bmaptool copy out/xu4-node3.img /dev/sdX"), "{report}");

    // A node was renamed, another one got a new address.
    let profile = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    let profile = profile
        .replace("xu4-master, address: 192.168.1.80", "head, address: 192.168.1.70")
        .replace("192.168.1.81", "192.168.1.91");
    fs::write(bench.path("profile.yaml"), profile).unwrap();
    let report = bench.built(&["--node", "xu4-node3"]);
    assert!(report.contains("created host keys for head in profile.keys. Keep them"), "{report}");
    let lines = |report: &str| {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        report.lines().map(words).collect::<Vec<_>>()
    };
    for line in [
        "xu4-master 192.168.1.80 out/xu4-master.img stale: no longer in the profile",
        "xu4-node1 192.168.1.81 out/xu4-node1.img stale: the profile has another address",
        "xu4-node2 192.168.1.82 out/xu4-node2.img stale: older than the profile",
    ] {
        assert!(lines(&report).contains(&line.to_owned()), "{line} is missing from {report}");
    }
    assert!(report.contains(next), "{report}");
    assert!(report.contains("bmaptool copy out/xu4-node3.img /dev/sdX"), "{report}");

    let report = bench.built(&["--json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["made"], serde_json::json!(["head", "xu4-node1", "xu4-node2", "xu4-node3"]));
    assert_eq!(report["left_over"][0]["state"], "not-in-profile");
    assert_eq!(report["manifest"]["images"][4]["node"], "xu4-master");
    assert!(report["new_keys"].is_null(), "the keys of the renamed node are a run old: {report}");
}

/// Messages that cannot be printed on stderr are not a reason to fail.
#[test]
fn a_full_stderr_does_not_fail_a_build() {
    let bench = Bench::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = bench.command(&[]).stderr(Stdio::from(full)).status().unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn commands_to_paste_are_quoted() {
    let bench = Bench::new();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_nodecard"))
        .args(["build", "profile.yaml", "--out", "my cards", "--node", "xu4-node1"])
        .current_dir(bench.path(""))
        .env("XDG_CACHE_HOME", bench.path("cache"))
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(report.contains("bmaptool copy 'my cards/xu4-node1.img' /dev/sdX"), "{report}");
}

/// A dump of a whole card fits on a card of the same size.
#[test]
fn a_card_of_the_size_of_the_base_is_accepted() {
    let bench = Bench::new();
    let base = decoded_base(&bench);
    let size = fs::metadata(&base).unwrap().len().to_string();
    bench.built(&["--card", &size, "--node", "xu4-node1"]);
    let image = bench.path("out/xu4-node1.img");
    e2fsck(&image);
    run("fdisk", "sfdisk", &["--verify", image.to_str().unwrap()]);
    assert_eq!(cat(&image, "/etc/hostname"), "xu4-node1\n");
}

/// A directory that a failed run made goes with it. Keys stay, because another run may use them by
/// now, and the message says so.
#[test]
fn a_failed_run_leaves_no_empty_directories_and_names_its_keys() {
    let bench = Bench::new();
    let run = |arguments: &[&str]| {
        let output = bench.nodecard(arguments).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{message}");
        message
    };
    let build = ["build", "profile.yaml", "--out", "new/out", "--card", "20MiB"];
    let note = "note: created the cluster's keys in profile.keys; the next run uses them";
    let message = run(&build);
    assert!(message.contains(note), "{message}");
    assert!(!bench.path("new").exists());
    assert!(bench.path("profile.keys/seed").exists());
    let message = run(&build);
    assert!(!message.contains("created"), "{message}");

    // So does a card that is not confirmed. A directory that was there stays.
    fs::remove_dir_all(bench.path("profile.keys")).unwrap();
    fs::create_dir(bench.path("new")).unwrap();
    used_card(&bench.path("a.card"), 64 * MIB);
    for target in [["xu4-node1=a.card"].as_slice(), &["--one-reader", "a.card"]] {
        let message = run(&[&["flash", "profile.yaml"], target].concat());
        assert_eq!(message.matches(note).count(), 1, "{message}");
        fs::remove_dir_all(bench.path("profile.keys")).unwrap();
    }
    run(&build);
    assert!(fs::read_dir(bench.path("new")).unwrap().next().is_none());

    // No keys could be written.
    fs::remove_dir_all(bench.path("profile.keys")).unwrap();
    let output = bench.with_file_limit(0, "build profile.yaml --out new/out");
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{message}");
    assert!(message.contains("profile.keys") && !message.contains("created"), "{message}");
    assert!(!bench.path("profile.keys").exists());
}
