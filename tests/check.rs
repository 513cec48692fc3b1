//! `nodecard check` looks at what the profile names.

use std::fs;

use crate::support::*;

/// Runs `check` and returns its exit code, and what it printed.
fn check(bench: &Bench, more: &[&str]) -> (i32, String) {
    let output = bench.nodecard(&[&["check", "profile.yaml"], more].concat()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn replace(bench: &Bench, from: &str, to: &str) {
    let profile = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    assert!(profile.contains(from), "{from}");
    fs::write(bench.path("profile.yaml"), profile.replace(from, to)).unwrap();
}

/// Returns the names of everything in the bench's directory.
fn files(bench: &Bench) -> Vec<String> {
    let list = fs::read_dir(bench.path("")).unwrap();
    let mut names: Vec<String> =
        list.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn nothing_is_made_and_what_was_not_looked_at_is_named() {
    let bench = Bench::new();
    let (code, said) = check(&bench, &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("not checked: users, network and filesystems"), "{said}");
    assert!(said.contains("no known checksum"), "{said}");
    assert!(said.ends_with("profile.yaml: profile OK\n"), "{said}");
    assert_eq!(files(&bench), ["profile.yaml"]);
    // A decoded image is looked into, still without keys.
    let base = decoded_base(&bench);
    let (code, said) = check(&bench, &["--base", base.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("aafirstboot") && !said.contains("not checked"), "{said}");
    assert_eq!(files(&bench), ["base.img", "profile.yaml"]);
}

#[test]
fn a_wrong_base_is_found() {
    let bench = Bench::new();
    let (code, said) = check(&bench, &["--base", "missing.img"]);
    assert!(code == 3 && !said.contains("profile OK") && said.contains("missing.img"), "{said}");
    fs::write(bench.path("text.img"), "no image\n").unwrap();
    let (code, said) = check(&bench, &["--base", "text.img"]);
    assert_eq!(code, 3, "{said}");

    // The .xz file states its size, which is more than the card's. Whether its contents fit is
    // known once it is decoded: 16 MiB do not hold them.
    replace(&bench, "card: 64MiB", "card: 40MiB");
    let (code, said) = check(&bench, &[]);
    assert!(code == 0 && one_line(&said).contains("it is larger than they are"), "{code} {said}");
    replace(&bench, "card: 40MiB", "card: 16MiB");
    let base = decoded_base(&bench);
    let (code, said) = check(&bench, &["--base", base.to_str().unwrap()]);
    assert!(code == 2 && said.contains("smaller than the base image"), "{code} {said}");
    fs::remove_file(base).unwrap();
    replace(&bench, "card: 16MiB", "card: 64MiB");

    // A checksum file beside it.
    fs::copy(sample_base(), bench.path("b.img.xz")).unwrap();
    fs::write(bench.path("b.img.xz.sha256"), format!("{}  b.img.xz\n", "0".repeat(64))).unwrap();
    let (code, said) = check(&bench, &["--base", "b.img.xz"]);
    assert!(code == 3 && said.contains("SHA-256"), "{said}");
    assert!(!bench.path("profile.keys").exists() && !bench.path("cache").exists());
}

#[test]
fn users_that_the_image_lacks_are_found_without_keys() {
    let bench = Bench::new();
    replace(&bench, "users: [root, odroid]", "users: [root, ana]");
    let base = decoded_base(&bench);
    let (code, said) = check(&bench, &["--base", base.to_str().unwrap()]);
    assert!(code != 0 && said.contains("ana"), "{said}");
    assert!(!bench.path("profile.keys").exists());
}

/// Whoever writes `role` expects a swarm.
#[test]
fn roles_without_a_swarm_are_noted() {
    let bench = Bench::new();
    replace(&bench, "{name: xu4-master, ", "{name: xu4-master, role: manager, ");
    let (code, said) = check(&bench, &[]);
    assert_eq!(code, 0, "{said}");
    let note = "note: `role` has no effect, because the profile has no `swarm`: xu4-master\n";
    assert!(said.contains(note) && said.contains("add `swarm: {}`"), "{said}");
    replace(&bench, "cluster:", "swarm: {}\ncluster:");
    let (code, said) = check(&bench, &[]);
    assert!(code == 0 && !said.contains("no effect"), "{said}");
}
