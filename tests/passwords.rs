//! Passwords, from the profile onto the card, and default passwords.

use std::fs;

use crate::support::*;

const IMAGE: &str = "out/xu4-node1.img";
const NODE: [&str; 2] = ["--node", "xu4-node1"];

/// A bench whose profile has this line about users.
fn bench(users: &str) -> Bench {
    let bench = Bench::new();
    set(&bench, users);
    bench
}

fn set(bench: &Bench, users: &str) {
    let path = bench.path("profile.yaml");
    let profile = fs::read_to_string(&path).unwrap();
    let others = profile.lines().filter(|line| !line.starts_with("users:"));
    let profile: String = others.map(|line| format!("{line}\n")).collect();
    fs::write(path, format!("{profile}{users}\n")).unwrap();
}

#[test]
fn default_passwords_are_reported_until_the_profile_sets_others() {
    let bench = bench("");
    let out = bench.built(&NODE);
    let line = "`users: {root: {password: 'HASH'}, odroid: {password: 'HASH'}}`";
    assert!(out.contains("note: default passwords still set: root (`odroid`)"), "{out}");
    assert!(out.contains(line), "{out}");
    let (code, out, _) = verify(&bench, &[IMAGE]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("default-password     /etc/shadow:12"), "{out}");
    assert!(out.contains("on the node: passwd odroid; or set odroid's password"), "{out}");

    // The line that the note suggests, with a hash made as it says.
    let hash = run("openssl", "openssl", &["passwd", "-6", "a secret of ours"]);
    set(&bench, &line.trim_matches('`').replace("HASH", hash.trim()));
    let (code, out, _) = verify(&bench, &[IMAGE]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("found:    the default password `odroid`"), "{out}");
    let mut apply =
        bench.nodecard(&["apply", "profile.yaml", &format!("xu4-node1={IMAGE}"), "--yes"]);
    let output = apply.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("$6$"), "{output:?}");
    e2fsck(&bench.path(IMAGE));
    let (code, out, _) = verify(&bench, &[IMAGE]);
    assert_eq!(code, Some(0), "{out}");
    let out = bench.built(&NODE);
    assert!(!out.contains("everybody knows") && !out.contains("$6$"), "{out}");

    // pwck(8) accepts the files, and they have the same mode as before.
    let image = bench.path(IMAGE);
    let shadow = cat(&image, "/etc/shadow");
    for (name, contents) in [("passwd", cat(&image, "/etc/passwd")), ("shadow", shadow.clone())] {
        fs::write(bench.path(name), contents).unwrap();
    }
    let odroid = shadow.lines().find_map(|line| line.strip_prefix("odroid:")).unwrap();
    assert_eq!(odroid.split(':').next(), Some(hash.trim()));
    let stat = debugfs(&image, "stat /etc/shadow");
    assert!(stat.contains("Mode:  0640"), "{stat}");
    // pwck only complains about directories that this machine does not have.
    let (passwd, shadow) = (bench.path("passwd"), bench.path("shadow"));
    let output = std::process::Command::new("/usr/sbin/pwck")
        .args(["-r".as_ref(), passwd.as_os_str(), shadow.as_os_str()])
        .env("LC_ALL", "C")
        .output()
        .expect("pwck is needed: install the Debian package passwd");
    let complaints =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    for line in complaints.lines() {
        let expected = ["directory", "program", "no changes", "no group"];
        assert!(expected.iter().any(|part| line.contains(part)), "{complaints}");
    }
}

#[test]
fn a_plain_password_in_the_profile_is_refused_and_not_shown() {
    let bench = bench("users: {odroid: {password: hunter2}}");
    let message = bench.refused(2, &[]);
    assert!(message.contains("this is not the hash of a password"), "{message}");
    assert!(message.contains("openssl passwd -6") && !message.contains("hunter2"), "{message}");
}
