//! `nodecard init`: from flags alone, and as a dialogue on a terminal.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::support::*;

/// A directory with the sample base and an owner who has a key, without a profile.
fn bench() -> Bench {
    let bench = Bench::new();
    fs::remove_file(bench.path("profile.yaml")).unwrap();
    fs::copy(sample_base(), bench.path("xu4.img.xz")).unwrap();
    fs::create_dir_all(bench.path("home/.ssh")).unwrap();
    let key = bench.path("home/.ssh/id_ed25519");
    let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", key.to_str().unwrap()];
    run("openssh-client", "ssh-keygen", &arguments);
    bench
}

/// Runs `nodecard` and returns its exit code, output and messages.
fn nodecard(bench: &Bench, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = bench.nodecard(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let error: String = text(output.stderr);
    assert!(!error.contains("panicked"), "{error}");
    (output.status.code(), text(output.stdout), error)
}

#[track_caller]
fn check(bench: &Bench, profile: &str) -> String {
    let (code, out, error) = nodecard(bench, &["check", profile]);
    assert_eq!(code, Some(0), "{out}{error}");
    out
}

#[test]
fn flags_and_yes_make_a_profile_that_builds() {
    let bench = bench();
    let arguments = [
        "init",
        "--base",
        "xu4.img.xz",
        "--nodes",
        "4",
        "--name",
        "xu4-node",
        "--first-address",
        "192.168.1.80",
        "--yes",
    ];
    let (code, out, error) = nodecard(&bench, &arguments);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("nodecard check xu4.yaml"), "{out}");
    assert!(error.contains("root, odroid have well-known default passwords"), "{error}");
    let text = fs::read_to_string(bench.path("xu4.yaml")).unwrap();
    for part in [
        "cluster: xu4\n",
        "base: xu4.img.xz\n",
        "Ubuntu 16.04.3 LTS, ifupdown on eth0, Docker",
        "  - {name: xu4-node1, address: 192.168.1.80, role: manager}\n",
        "  - {name: xu4-node4, address: 192.168.1.83}\n",
        "  gateway: 192.168.1.1\n",
        "users: [root, odroid]\n",
        "authorized_keys: [~/.ssh/id_ed25519.pub]\n",
        "  root: {locked: true}\n  odroid: {locked: true}\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    check(&bench, "xu4.yaml");
    let build = ["build", "xu4.yaml", "--card", "64MiB", "--node", "xu4-node2", "--out", "out"];
    let (code, out, error) = nodecard(&bench, &build);
    assert_eq!(code, Some(0), "{out}{error}");
    assert_eq!(cat(&bench.path("out/xu4-node2.img"), "/etc/hostname"), "xu4-node2\n");
    e2fsck(&bench.path("out/xu4-node2.img"));

    // It is never overwritten, and neither is anything else.
    let (code, _, error) = nodecard(&bench, &arguments);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("xu4.yaml already exists"), "{error}");
    assert_eq!(fs::read_to_string(bench.path("xu4.yaml")).unwrap(), text);
    std::os::unix::fs::symlink("nowhere", bench.path("link.yaml")).unwrap();
    let (code, ..) = nodecard(&bench, &[&arguments[..], &["link.yaml"]].concat());
    assert_eq!((code, bench.path("nowhere").exists()), (Some(2), false));
}

#[test]
fn every_question_has_a_flag() {
    let bench = bench();
    let hash = run("openssl", "openssl", &["passwd", "-6", "a secret of ours"]);
    fs::create_dir(bench.path("sub")).unwrap();
    let (code, _, error) = nodecard(
        &bench,
        &[
            "init",
            "sub/lab.yaml",
            "--base",
            "xu4.img.xz",
            "--cluster",
            "lab",
            "--nodes",
            "12",
            "--name",
            "n",
            "--first-address",
            "10.1.0.20",
            "--interface",
            "end0",
            "--prefix",
            "22",
            "--gateway",
            "10.1.3.254",
            "--dns",
            "9.9.9.9",
            "--dns",
            "1.1.1.1",
            "--card",
            "32GB",
            "--user",
            "root",
            "--user",
            "anna",
            "--key",
            "home/.ssh/id_ed25519.pub",
            "--password-hash",
            hash.trim(),
            "--swarm",
            "article",
            "--yes",
        ],
    );
    assert_eq!(code, Some(0), "{error}");
    let text = fs::read_to_string(bench.path("sub/lab.yaml")).unwrap();
    for part in [
        "interface: end0\n  prefix: 22\n  gateway: 10.1.3.254\n  dns: [9.9.9.9, 1.1.1.1]\n",
        "  - {name: n01, address: 10.1.0.20, role: manager}\n  - {name: n02, address: 10.1.0.21}\n",
        "card: 32GB\n",
        "  anna: {create: true, groups: [sudo], sudo: nopasswd, password: '$6$",
        "image: mdreambot/arm32-busybox-httpd",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("root: {locked: true}"), "{text}");
    check(&bench, "sub/lab.yaml");
    let mode = fs::metadata(bench.path("sub/lab.yaml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it has the hash of a password");
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    let bench = bench();
    let usual = ["init", "p.yaml", "--base", "xu4.img.xz", "--yes"];
    for (more, expected) in [
        (vec!["--first-address", "192.168.1.250", "--nodes", "9"], "broadcast"),
        (
            vec!["--first-address", "192.168.2.80", "--gateway", "192.168.1.1"],
            "outside the network",
        ),
        (
            vec!["--first-address", "192.168.1.80", "--name", "a_b"],
            "invalid value 'a_b' for '--name': \"a_b4\" must not contain '_'",
        ),
        (vec!["--cluster", "a_b"], "invalid value 'a_b' for '--cluster': "),
        (vec!["--first-address", "0.0.0.0"], "invalid value '0.0.0.0' for '--first-address': "),
        (vec!["--gateway", "224.0.0.1"], "invalid value '224.0.0.1' for '--gateway': "),
        (vec!["--interface", "a b"], "invalid value 'a b' for '--interface': "),
        (vec!["--user", "a:b"], "invalid value 'a:b' for '--user': "),
        (vec!["--key", "none.pub"], "invalid value 'none.pub' for '--key': there is no file"),
        (vec!["--key", "xu4.img.xz"], "invalid value 'xu4.img.xz' for '--key': "),
        (
            vec!["--first-address", "192.168.1.80", "--password-hash", "hunter2"],
            "for '--password-hash': ",
        ),
        (vec!["--passwords", "ask"], "--passwords ask needs a terminal"),
        (vec!["--first-address", "192.168.1.80", "--card", "8 elephants"], "not a size"),
    ] {
        let (code, _, error) = nodecard(&bench, &[&usual[..], &more].concat());
        assert_eq!(code, Some(2), "{more:?}: {error}");
        assert!(error.contains(expected) && !error.contains("hunter2"), "{more:?}: {error}");
        assert!(!error.contains("p.yaml:"), "a file that is not there: {error}");
        assert!(!bench.path("p.yaml").exists(), "{more:?}");
    }
    let (code, _, error) = nodecard(&bench, &["init", "p.yaml"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("standard input is not a terminal"), "{error}");
    let (code, ..) = nodecard(&bench, &["init", "p.yaml", "--base", "missing.img", "--yes"]);
    assert_eq!(code, Some(3));
}

#[test]
fn the_only_image_is_found_and_two_are_not_guessed() {
    let bench = bench();
    let arguments = ["init", "p.yaml", "--first-address", "192.168.1.80", "--yes"];
    let (code, _, error) = nodecard(&bench, &arguments);
    assert_eq!(code, Some(0), "{error}");
    assert!(fs::read_to_string(bench.path("p.yaml")).unwrap().contains("base: xu4.img.xz\n"));
    fs::create_dir_all(bench.path("home/Downloads")).unwrap();
    fs::copy(sample_base(), bench.path("home/Downloads/other.img.xz")).unwrap();
    fs::remove_file(bench.path("p.yaml")).unwrap();
    let (code, _, error) = nodecard(&bench, &arguments);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("several base images"), "{error}");
}

#[test]
fn a_dialogue_asks_for_what_no_flag_says() {
    let bench = bench();
    let steps = [
        ["Base image", "true", "\r"],
        ["Name of the cluster [mc1]", "true", "\r"],
        ["Gateway", "true", "\r"],
        ["Network prefix length", "true", "\r"],
        ["Name servers", "true", "\r"],
        ["Network interface of the nodes [eth0]", "true", "\r"],
        ["Number of nodes [4]", "true", "many\r"],
        ["write a number from 1 to 1000", "true", "\x08\x08\x08\x083\r"],
        ["Node names, without the number [mc1-node]", "true", "xu4-\r"],
        ["Address of the first node", "true", "192.168.1.1\r"],
        // The gateway's own address is not accepted.
        [
            "it is the gateway; choose another",
            "true",
            "\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08192.168.1.90\r",
        ],
        ["Size printed on the cards [8GB]", "true", "\r"],
        ["Users who log in by key [root odroid]", "true", "odroid\r"],
        ["Passwords", "true", "\x1b[B\r"],
        // Neither ends the dialogue: an empty password, and two that differ.
        ["New password of odroid:", "true", "\n"],
        ["again:", "true", "\n"],
        ["an empty password would let anyone log in", "true", ""],
        ["New password of odroid:", "true", "a secret of ours\n"],
        ["again:", "true", "a secret of yours\n"],
        ["New password of odroid:", "true", "a secret of ours\n"],
        ["again:", "true", "a secret of ours\n"],
        ["default passwords of the image stay: root;", "true", ""],
        ["Your public key", "true", "\r"],
        ["Docker Swarm", "true", "\x1b[B\r"],
    ];
    let arguments = ["init", "mc1.yaml", "--gateway", "192.168.1.1"];
    let steps: Vec<[&str; 3]> = steps.into_iter().filter(|step| step[0] != "Gateway").collect();
    let shown = on_terminal(&bench, 0, &steps, &arguments);
    assert!(!shown.contains("a secret"), "{shown}");
    let text = fs::read_to_string(bench.path("mc1.yaml")).unwrap();
    for part in [
        "  - {name: xu4-3, address: 192.168.1.92}\n",
        "  users: [odroid]\n",
        "  authorized_keys: [~/.ssh/id_ed25519.pub]\n",
        "  odroid: {password: '$6$rounds=100000$",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("image: alexellis2/visualizer-arm"), "{text}");
    check(&bench, "mc1.yaml");
}

/// Nobody wants to answer ten questions and then hear that the first answer was wrong.
#[test]
fn wrong_answers_are_asked_for_again() {
    let bench = bench();
    fs::rename(bench.path("xu4.img.xz"), bench.path("home/xu4.bin")).unwrap();
    fs::write(bench.path("text.img"), "not an image").unwrap();
    fs::write(bench.path("lab.yaml"), "mine").unwrap();
    let clear = "\x08".repeat(12);
    let answer = |text: &str| format!("{clear}{text}\r");
    let answers = [
        ("Path of the base image", answer("missing.img")),
        ("there is no image", answer("text.img")),
        ("is not a disk image", answer("~/xu4.bin")),
        ("Name of the cluster", answer("-x")),
        ("must not start", answer("lab")),
        ("lab.yaml already exists", answer("mc1")),
        ("Network interface", answer("a b")),
        ("is not an interface name", answer("eth0")),
        ("Number of nodes", answer("0")),
        ("from 1 to 1000", answer("2")),
        ("Node names", answer("a_b")),
        ("must not contain", answer("n")),
        ("Size printed on the cards", answer("8G")),
        ("8GB for the size printed", answer("8GB")),
        ("Users who log in", answer("a:b")),
        ("is not a user name", answer("root")),
        ("Passwords", "\r".to_owned()),
        ("Your public key", "\r".to_owned()),
        ("Docker Swarm", "\x1b[A\r".to_owned()),
    ];
    let steps: Vec<[&str; 3]> =
        answers.iter().map(|(question, answer)| [*question, "true", answer]).collect();
    let arguments = [
        "init",
        "--gateway",
        "192.168.1.1",
        "--prefix",
        "24",
        "--dns",
        "192.168.1.1",
        "--first-address",
        "192.168.1.80",
    ];
    on_terminal(&bench, 0, &steps, &arguments);
    check(&bench, "mc1.yaml");
    let build = ["build", "mc1.yaml", "--card", "64MiB", "--out", "out"];
    let (code, out, error) = nodecard(&bench, &build);
    assert_eq!(code, Some(0), "{out}{error}");
    assert_eq!(fs::read_to_string(bench.path("lab.yaml")).unwrap(), "mine");
}

/// The terminal has to show the cursor again, which is hidden while one chooses.
#[test]
fn an_interrupted_choice_leaves_the_terminal_as_it_was() {
    let bench = bench();
    for (steps, arguments) in [
        (vec![["Base image", "true", "\x03"]], vec!["init", "mc1.yaml"]),
        (
            vec![["Passwords", "true", "\x03"]],
            vec![
                "init",
                "mc1.yaml",
                "--base",
                "xu4.img.xz",
                "--cluster",
                "mc1",
                "--gateway",
                "192.168.1.1",
                "--prefix",
                "24",
                "--dns",
                "9.9.9.9",
                "--interface",
                "eth0",
                "--nodes",
                "2",
                "--name",
                "n",
                "--first-address",
                "192.168.1.80",
                "--card",
                "8GB",
                "--user",
                "root",
            ],
        ),
    ] {
        let shown = on_terminal(&bench, 130, &steps, &arguments);
        let (hidden, visible) = (shown.rfind("\x1b[?25l"), shown.rfind("\x1b[?25h"));
        assert!(hidden.is_some() && visible > hidden, "{shown:?}");
        assert!(!bench.path("mc1.yaml").exists());
    }
}

/// Ctrl-C at each question: the exit code is 130, nothing is written, and the terminal shows its
/// cursor and what is typed.
#[test]
fn an_interrupted_dialogue_writes_nothing() {
    let bench = bench();
    let questions = [
        ("Base image", "\r"),
        ("Name of the cluster", "\r"),
        ("Gateway", "192.168.1.1\r"),
        ("Network prefix length", "\r"),
        ("Name servers", "\r"),
        ("Network interface", "\r"),
        ("Number of nodes", "\r"),
        ("Node names", "\r"),
        ("Address of the first node", "\r"),
        ("Size printed on the cards", "\r"),
        ("Users who log in", "root\r"),
        ("Passwords", "\x1b[B\r"),
        ("New password of root:", "a secret of ours\n"),
        ("again:", "a secret of ours\n"),
        ("Your public key", "\r"),
        ("Docker Swarm", "\r"),
    ];
    for last in 0..questions.len() {
        let clear = "\x08".repeat(15);
        let steps: Vec<[String; 3]> = questions[..=last]
            .iter()
            .enumerate()
            .map(|(number, (question, answer))| {
                let answer = match *question {
                    _ if number == last => "\x03".to_owned(),
                    "Gateway" | "Users who log in" => format!("{clear}{clear}{answer}"),
                    _ => (*answer).to_owned(),
                };
                [(*question).to_owned(), "true".to_owned(), answer]
            })
            .collect();
        let steps: Vec<[&str; 3]> =
            steps.iter().map(|step| step.each_ref().map(String::as_str)).collect();
        // The settings of the terminal are compared by a shell around the program.
        let shown = on_checked_terminal(&bench, 130, &steps, &["init"]);
        let (hidden, visible) = (shown.rfind("\x1b[?25l"), shown.rfind("\x1b[?25h"));
        assert!(visible >= hidden, "{}: {shown:?}", questions[last].0);
        let made = fs::read_dir(bench.path("")).unwrap().map(|entry| entry.unwrap().file_name());
        let profiles: Vec<_> =
            made.filter(|name| name.to_string_lossy().ends_with(".yaml")).collect();
        assert!(profiles.is_empty(), "{}: {profiles:?}", questions[last].0);
    }
}

/// Runs `nodecard` on a terminal, and checks that it leaves the terminal's settings as they were.
#[track_caller]
fn on_checked_terminal(
    bench: &Bench,
    code: i32,
    steps: &[[&str; 3]],
    arguments: &[&str],
) -> String {
    let script = "before=$(stty -g)\n\"$NODECARD\" \"$@\"\ncode=$?\n\
                  [ \"$(stty -g)\" = \"$before\" ] || { echo CHANGED; stty -a; exit 99; }\nexit $code\n";
    let program = bench.nodecard(&[]).get_program().to_str().unwrap().to_owned();
    let script = script.replace("$NODECARD", &program);
    let wrapper = bench.path("checked");
    fs::write(&wrapper, format!("#!/bin/sh\ntrap : INT\n{script}")).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    on_terminal_of(wrapper.to_str().unwrap(), bench, code, steps, arguments)
}

/// A base in which cloud-init makes the user, and whose netplan file matches interfaces by a
/// pattern: the user is proposed and made, and no interface is claimed to be known.
#[test]
fn a_base_with_cloud_init_and_an_unknown_interface() {
    let bench = bench();
    let base = decoded_base(&bench);
    let files = [
        (
            "/etc/cloud/cloud.cfg",
            "users: [default]\nsystem_info: {default_user: {name: ubuntu}}\n\
                                  cloud_init_modules: [users_groups]\n",
        ),
        (
            "/etc/netplan/50-cloud-init.yaml",
            "network:\n  version: 2\n  ethernets:\n    all:\n      \
                                             match: {name: \"e*\"}\n      dhcp4: true\n",
        ),
    ];
    let target = format!("{}?offset={ROOT_OFFSET}", base.display());
    let debugfs = |request: &str| run("e2fsprogs", "debugfs", &["-w", "-R", request, &target]);
    for directory in ["/etc/cloud", "/etc/netplan"] {
        debugfs(&format!("mkdir {directory}"));
    }
    for (path, text) in files {
        fs::write(bench.path("new"), text).unwrap();
        debugfs(&format!("write {} {path}", bench.path("new").display()));
    }
    // Nobody but root is left, and ifupdown names no interface.
    let passwd = cat(&base, "/etc/passwd");
    let passwd: String = passwd
        .lines()
        .filter(|line| !line.starts_with("odroid:"))
        .map(|l| format!("{l}\n"))
        .collect();
    for (path, text) in [("/etc/passwd", passwd.as_str()), ("/etc/network/interfaces", "auto lo\n")]
    {
        fs::write(bench.path("new"), text).unwrap();
        debugfs(&format!("rm {path}"));
        debugfs(&format!("write {} {path}", bench.path("new").display()));
    }
    let arguments =
        ["init", "p.yaml", "--base", "base.img", "--first-address", "192.168.1.80", "--yes"];
    let (code, _, error) = nodecard(&bench, &arguments);
    assert_eq!(code, Some(0), "{error}");
    assert!(error.contains("does not name its network interface"), "{error}");
    let text = fs::read_to_string(bench.path("p.yaml")).unwrap();
    for part in [
        "users: [root, ubuntu]\n",
        "  ubuntu: {create: true, groups: [sudo], sudo: nopasswd, locked: true}\n",
        "  interface: eth0\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains(" on eth0"), "{text}");
    check(&bench, "p.yaml");
}
