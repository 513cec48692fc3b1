//! Passwords, from the profile onto the card, and default passwords.

use std::{fs, io::Write as _, process::Stdio};

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
    assert!(!out.contains("default passwords") && !out.contains("$6$"), "{out}");

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
    assert!(message.contains("nodecard password") && !message.contains("hunter2"), "{message}");
}

/// Runs `nodecard password` with this standard input. Returns its exit code, output and
/// message.
fn hashed(bench: &Bench, input: &str) -> (Option<i32>, String, String) {
    let mut child = bench.nodecard(&["password"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Checks with crypt(3) that a hash is that of a password.
#[track_caller]
fn assert_hash(hash: &str, password: &str) {
    let script = "print crypt($ARGV[0], $ARGV[1])";
    assert_eq!(run("perl-base", "perl", &["-e", script, password, hash]), hash);
}

#[test]
fn a_hash_from_standard_input_is_accepted_by_crypt_and_by_profiles() {
    let bench = bench("");
    for (input, password) in [
        ("a secret of ours\n", "a secret of ours"),
        ("no line end", "no line end"),
        ("of windows\r\n", "of windows"),
        (" spaces \n", " spaces "),
        ("grüße, 冷\n", "grüße, 冷"),
    ] {
        let (code, out, error) = hashed(&bench, input);
        assert_eq!((code, error.as_str()), (Some(0), ""), "{input:?}");
        let hash = out.strip_suffix('\n').unwrap();
        assert!(hash.starts_with("$6$rounds=100000$"), "{hash}");
        assert_hash(hash, password);
        set(&bench, &format!("users: {{odroid: {{password: '{hash}'}}}}"));
        let output = bench.nodecard(&["check", "profile.yaml"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_ne!(hashed(&bench, input).1, out, "the salt is random");
    }
}

#[test]
fn what_is_not_a_password_to_use_is_refused() {
    let bench = bench("");
    let long = "x".repeat(600);
    for (input, expected) in [
        ("", "empty password"),
        ("\n", "empty password"),
        ("one\ntwo\n", "more than one line"),
        ("a\tb\n", "control character"),
        ("raspberry\n", "well-known default password"),
        (long.as_str(), "longer than 511 bytes"),
    ] {
        let (code, out, error) = hashed(&bench, input);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{input:?}");
        assert!(error.contains(expected), "{input:?}: {error}");
        let quoted = input.trim();
        assert!(quoted.is_empty() || !error.contains(quoted), "{error}");
    }
}

#[test]
fn a_terminal_asks_twice_and_shows_nothing_that_is_typed() {
    let bench = bench("");
    let typed = "a secret of ours";
    let line = format!("{typed}\n");
    let steps = [["Password:", "true", line.as_str()], ["again:", "true", line.as_str()]];
    let shown = on_terminal(&bench, 0, &steps, &["password"]);
    assert!(!shown.contains(typed), "{shown}");
    let hash = shown.lines().find(|line| line.starts_with("$6$")).expect("a hash");
    assert_hash(hash.trim(), typed);

    let steps = [["Password:", "true", line.as_str()], ["again:", "true", "a secret of others\n"]];
    let shown = on_terminal(&bench, 2, &steps, &["password"]);
    assert!(shown.contains("the two passwords differ") && !shown.contains("$6$"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}

/// The other key that ends programs leaves the terminal as it was too.
#[test]
fn a_question_that_is_quit_leaves_a_terminal_that_shows_what_is_typed() {
    let bench = bench("");
    let nodecard = bench.nodecard(&[]);
    let script =
        format!("trap : QUIT; {:?} password; echo code $?; stty -a", nodecard.get_program());
    let steps = [["Password:", "true", "half a secret\x1c"], ["quit = ^\\; ", "true", ""]];
    let shown = on_terminal_of("sh", &bench, 0, &steps, &["-c", &script]);
    assert!(shown.contains("code 131") && !shown.contains("secret"), "{shown}");
    assert!(shown.contains(" echo ") && !shown.contains("-echo "), "{shown}");
}

/// A shell whose terminal stayed silent after Ctrl-C would look dead.
#[test]
fn an_interrupted_question_leaves_a_terminal_that_shows_what_is_typed() {
    let bench = bench("");
    let nodecard = bench.nodecard(&[]);
    let script = format!("trap : INT; {:?} password; stty -a", nodecard.get_program());
    let mut steps = vec![["Password:", "true", "\x03"]];
    steps.push(["echo", "true", ""]);
    let shown = on_terminal_of("sh", &bench, 0, &steps, &["-c", &script]);
    assert!(shown.contains(" echo ") && !shown.contains("-echo "), "{shown}");
}

/// Whatever signal ends a question, the terminal is as it was, and the exit code says which it
/// was. SIGQUIT leaves no program the time to do that in, so its handler does.
#[test]
fn a_signal_at_a_question_leaves_the_terminal_as_it_was() {
    let bench = bench("");
    let program = bench.nodecard(&[]).get_program().to_str().unwrap().to_owned();
    let base = sample_base();
    let init = format!(
        "init new.yaml --base {} --interface eth0 --gateway 192.168.1.1 --prefix 24 \
         --dns 192.168.1.1 --first-address 192.168.1.80",
        base.display()
    );
    let asked = format!("{init} --yes --passwords ask");
    for (arguments, question) in [
        ("password", "Password:"),
        (asked.as_str(), "New password of root:"),
        // A question for which the terminal is taken out of its line mode.
        (init.as_str(), "Name of the cluster"),
    ] {
        for (signal, code) in [("INT", 130), ("TERM", 130), ("HUP", 130), ("QUIT", 131)] {
            let script = format!(
                "trap : INT TERM HUP QUIT\nbefore=$(stty -g)\n\
                 sh -c 'ulimit -c 0; echo $$ >pid; exec \"$@\"' sh {program} {arguments}\n\
                 echo code $?\n[ \"$(stty -g)\" = \"$before\" ] || stty -a\necho end\n"
            );
            fs::write(bench.path("script"), script).unwrap();
            // The question is printed before the terminal is taken out of its line mode.
            let kill = format!("sleep 0.3; kill -{signal} $(cat pid)");
            let steps = [[question, kill.as_str(), ""], ["end", "true", ""]];
            let shown = on_terminal_of("sh", &bench, 0, &steps, &["script"]);
            let what = format!("{arguments} SIG{signal}: {shown}");
            assert!(shown.contains(&format!("code {code}")), "{what}");
            assert!(!shown.contains("isig"), "the settings are not as before: {what}");
            assert!(!bench.path("new.yaml").exists(), "{what}");
        }
    }
}
