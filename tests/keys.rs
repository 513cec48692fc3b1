//! The cluster's keys: read-only, from an archive, new and lost.

use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _};

use crate::support::*;

/// Makes the keys, and returns what `manifest.json` says about the nodes.
fn identities(bench: &Bench) -> Vec<(String, String)> {
    let text = fs::read_to_string(bench.path("out/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let text = |image: &serde_json::Value, key: &str| image[key].as_str().unwrap().to_owned();
    let images = manifest["images"].as_array().unwrap();
    images.iter().map(|image| (text(image, "machine_id"), text(image, "host_key"))).collect()
}

#[test]
fn keys_from_a_directory_or_an_archive_are_only_read() {
    let bench = Bench::new();
    let report = bench.built(&[]);
    assert!(
        report.contains("note: created the cluster's keys in profile.keys. Keep them"),
        "{report}"
    );
    assert!(!bench.built(&[]).contains("created the cluster's keys"));
    let expected = identities(&bench);
    fs::rename(bench.path("profile.keys"), bench.path("vault")).unwrap();
    let (directory, archive) = (bench.path(""), bench.path("keys.tar.gz"));
    let (directory, file) = (directory.to_str().unwrap(), archive.to_str().unwrap());
    run("tar", "tar", &["-C", directory, "-czf", file, "vault"]);
    fs::set_permissions(&archive, fs::Permissions::from_mode(0o400)).unwrap();
    for keys in ["vault", "keys.tar.gz"] {
        fs::remove_dir_all(bench.path("out")).unwrap();
        bench.built(&["--keys", keys]);
        assert_eq!(identities(&bench), expected);
        used_card(&bench.path("a.card"), 64 * MIB);
        bench.flashed(&["xu4-node1=a.card", "--keys", keys]);
        let arguments = ["verify", "profile.yaml", "a.card", "out/xu4-node2.img", "--keys", keys];
        let output = bench.nodecard(&arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert!(!bench.path("profile.keys").exists(), "keys were made");

    // Nothing is made where a key is missing.
    fs::remove_dir_all(bench.path("vault/hosts/xu4-node3")).unwrap();
    let output = bench.build(&["--keys", "vault"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{message}");
    assert!(message.contains("hosts/xu4-node3"), "{message}");
    assert!(!bench.path("vault/hosts/xu4-node3").exists());
}

/// The kernel refuses every change, also to root.
#[test]
fn keys_on_a_read_only_filesystem_are_enough() {
    if !loops() {
        return;
    }
    let bench = Bench::new();
    bench.built(&[]);
    let keys = bench.path("profile.keys");
    let shown = keys.to_str().unwrap();
    fs::remove_file(keys.join(".lock")).unwrap();
    let mounted = Mounted::new(&["--bind", shown], keys.clone());
    run("mount", "mount", &["-o", "remount,bind,ro", shown]);
    assert!(fs::write(keys.join("x"), "").is_err(), "it can be written to");
    let expected = identities(&bench);
    bench.built(&[]);
    assert_eq!(identities(&bench), expected);
    used_card(&bench.path("a.card"), 64 * MIB);
    bench.flashed(&["xu4-node1=a.card"]);
    let output = bench.nodecard(&["verify", "profile.yaml", "a.card"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    drop(mounted);
}

/// Finished cards are noted in the cache then, and the next run continues after them.
#[test]
fn one_reader_continues_with_keys_that_are_only_read() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1"]);
    fs::rename(bench.path("profile.keys"), bench.path("vault")).unwrap();
    fs::set_permissions(bench.path("vault"), fs::Permissions::from_mode(0o500)).unwrap();
    let before = fs::read_dir(bench.path("vault")).unwrap().count();
    used_card(&bench.path("reader.img"), 64 * MIB);
    let arguments = ["--one-reader", "reader.img", "--keys", "vault"];
    // The same card twice is not accepted, so the run waits; Ctrl-C ends it.
    let run = |more: &[&str]| {
        let arguments = [&["flash", "profile.yaml"], &arguments[..], more].concat();
        let stdin = std::process::Stdio::piped();
        let mut child = bench.nodecard(&arguments).stdin(stdin).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"reader.img\n").unwrap();
        let notes = || {
            let files = fs::read_dir(bench.path("cache/nodecard")).unwrap().flatten();
            let mut names = files.map(|file| file.file_name().into_string().unwrap());
            names.find(|name| name.starts_with("one-reader-"))
        };
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while notes().is_none() && std::time::Instant::now() < until {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let notes = notes().expect("finished cards are noted");
        std::thread::sleep(std::time::Duration::from_millis(500));
        run_kill(&mut child);
        let output = child.wait_with_output().unwrap();
        (notes, String::from_utf8(output.stderr).unwrap())
    };
    let (notes, said) = run(&[]);
    assert!(said.contains("xu4-master on reader.img"), "{said}");
    let text = fs::read_to_string(bench.path("cache/nodecard").join(&notes)).unwrap();
    assert!(text.contains("xu4-master"), "{text}");
    let (_, said) = run(&["--resume"]);
    assert!(said.contains("This is the finished card of xu4-master"), "{said}");
    assert_eq!(fs::read_dir(bench.path("vault")).unwrap().count(), before);
    assert!(!bench.path("profile.keys").exists());
}

/// Interrupts a program.
fn run_kill(child: &mut std::process::Child) {
    run("procps", "kill", &["-INT", &child.id().to_string()]);
}

/// Without an image, nobody needs keys.
#[test]
fn no_keys_are_made_without_a_base_image() {
    let bench = Bench::new();
    used_card(&bench.path("a.card"), 64 * MIB);
    fs::write(bench.path("text.img"), "not an image").unwrap();
    for base in ["missing.img", "text.img"] {
        bench.refused(3, &["--base", base]);
        let flash = ["flash", "profile.yaml", "xu4-node1=a.card", "--base", base, "--yes"];
        let output = bench.nodecard(&flash).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let one = ["flash", "profile.yaml", "--one-reader", "a.card", "--base", base, "--yes"];
        let output = bench.nodecard(&one).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(!bench.path("profile.keys").exists(), "keys were made");
    }
}

#[test]
fn lost_keys_are_pointed_out_before_new_ones_are_made() {
    let bench = Bench::new();
    bench.built(&[]);
    let before = identities(&bench);
    fs::remove_dir_all(bench.path("profile.keys")).unwrap();
    used_card(&bench.path("a.card"), 64 * MIB);
    let parts = ["profile.keys is missing", "out contains images", "--new-keys"];
    let message = bench.not_flashed(2, &["xu4-node1=a.card"], &parts);
    assert!(message.contains("from a backup"), "{message}");
    let arguments = ["build", "profile.yaml", "--out", "elsewhere"];
    let output = bench.nodecard(&arguments).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    assert!(!bench.path("profile.keys").exists());
    bench.built(&["--new-keys"]);
    assert!(identities(&bench).iter().zip(&before).all(|(new, old)| new != old));
}

#[test]
fn a_lost_host_key_is_pointed_out_if_there_is_an_image_of_its_node() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1"]);
    let lost = bench.path("profile.keys/hosts/xu4-node1");
    fs::remove_dir_all(&lost).unwrap();
    // This one has no image: its key is new as that of a new node.
    let other = bench.path("profile.keys/hosts/xu4-node2");
    fs::remove_dir_all(&other).unwrap();
    let build = ["build", "profile.yaml", "--out", "out"];
    let output = bench.nodecard(&build).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    for part in ["host key of xu4-node1", "profile.keys", "out contains", "--new-keys"] {
        assert!(message.contains(part), "{part:?} is missing from: {message}");
    }
    assert!(!lost.exists() && !other.exists(), "keys were made");
    bench.built(&["--new-keys"]);
    assert!(lost.exists() && other.exists());
    fs::remove_dir_all(bench.path("out")).unwrap();
    fs::remove_dir_all(&other).unwrap();
    bench.built(&[]);
}
