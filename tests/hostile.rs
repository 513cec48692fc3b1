//! What others can put in nodecard's way: text that acts on a terminal, open permissions,
//! named pipes, held locks, and images that never end.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::support::*;

/// Sets a terminal's title, clears it, and reorders text: C0, C1, DEL and bidi controls.
const HOSTILE: &str = "\u{1b}]0;x\u{7}\u{1b}[2J\r\u{9b}31m\u{7f}\u{202e}\u{2066}\u{200f}";

/// Makes sure that output acts on no terminal. Returns it.
#[track_caller]
fn assert_harmless(arguments: &[&str], output: &Output) -> String {
    let mut all = String::new();
    for bytes in [&output.stdout, &output.stderr] {
        let text = std::str::from_utf8(bytes).expect("UTF-8");
        let acts = |c: &char| *c != '\n' && plain_text::is_unsafe(*c);
        if let Some(at) = text.chars().position(|c| acts(&c)) {
            let around: String = text.chars().skip(at.saturating_sub(60)).take(120).collect();
            panic!("{arguments:?} printed {around:?}");
        }
        all += text;
    }
    assert!(!all.contains("panicked") && !all.contains("a bug in nodecard"), "{all}");
    all
}

/// A base image whose files, label and accounts hold hostile text.
fn hostile_base(bench: &Bench) -> String {
    let base = decoded_base(bench);
    let target = format!("{}?offset={ROOT_OFFSET}", base.display());
    run("e2fsprogs", "tune2fs", &["-L", "\u{1b}[2J\u{9b}x\u{202e}", &target]);
    let read = |path: &str| cat(&base, path);
    let user = "evil\u{1b}[2J\u{9b}\u{202e}";
    let files = [
        ("/etc/os-release", format!("ID=debian\nPRETTY_NAME=\"Debian {HOSTILE}\"\n")),
        ("/etc/passwd", read("/etc/passwd") + &format!("{user}:x:1500:1500:{HOSTILE}:/:/bin/sh\n")),
        ("/etc/shadow", read("/etc/shadow") + &format!("{user}::1:0:99999:7:::\n")),
        ("/etc/fstab", read("/etc/fstab") + &format!("LABEL={HOSTILE} /{HOSTILE} ext4 x 0 0\n")),
        ("/etc/hostname", format!("{HOSTILE}\n")),
        ("/etc/hosts", format!("127.0.0.1 localhost {HOSTILE}\n")),
        ("/etc/resolv.conf", format!("nameserver 1.1.1.1\nsearch {HOSTILE}\n")),
        (
            "/etc/network/interfaces",
            format!("auto eth0\niface eth0 inet dhcp\n  up echo {HOSTILE}\nauto x{HOSTILE}\n"),
        ),
        ("/etc/rc.local", format!("#!/bin/sh\nresize2fs /dev/{HOSTILE}\n")),
        ("/etc/ssh/sshd_config", format!("PermitRootLogin no\nAllowUsers {HOSTILE}\n")),
        ("/root/.ssh/authorized_keys", format!("ssh-ed25519 AAAA {HOSTILE}\n")),
        (
            "/etc/systemd/system/first-boot.service",
            format!("[Unit]\nDescription={HOSTILE}\n[Service]\nExecStart=/usr/bin/{HOSTILE}\n"),
        ),
    ];
    let local = bench.path("contents");
    for (path, contents) in files {
        fs::write(&local, contents).unwrap();
        let commands = format!("rm {path}\nwrite {} {path}\n", local.display());
        let mut child = Command::new("/usr/sbin/debugfs")
            .args(["-w", "-f", "-", &target])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("debugfs is needed: install the Debian package e2fsprogs");
        child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
        child.wait().unwrap();
    }
    let name = format!("base{HOSTILE}.img");
    fs::rename(base, bench.path(&name)).unwrap();
    name
}

#[test]
fn no_report_acts_on_a_terminal() {
    let bench = Bench::new();
    let base = hostile_base(&bench);
    let out = format!("out{HOSTILE}");
    let profile = format!("profile{HOSTILE}.yaml");
    let text = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    fs::copy(bench.path("profile.yaml"), bench.path(&profile)).unwrap();
    fs::write(bench.path("broken.yaml"), format!("{text}\"a{HOSTILE}\": b{HOSTILE}\n")).unwrap();
    let c1 = text.replace("gateway", "gate\u{9b}way\u{202e}");
    fs::write(bench.path("c1.yaml"), c1).unwrap();
    fs::create_dir(bench.path(&out)).unwrap();
    let target = format!("xu4-master={base}");
    let missing = format!("missing{HOSTILE}");
    let missing_target = format!("xu4-master={missing}");
    let strange_node = format!("{HOSTILE}={base}");
    let sdb = bench.path("machine/sys/block/sdb");
    for (file, contents) in [
        ("dev", "8:16"),
        ("size", "15523840"),
        ("ro", "0"),
        ("removable", "1"),
        ("device/vendor", HOSTILE),
        ("device/model", HOSTILE),
        ("device/serial", HOSTILE),
        ("loop/backing_file", HOSTILE),
    ] {
        fs::create_dir_all(sdb.join(file).parent().unwrap()).unwrap();
        fs::write(sdb.join(file), contents).unwrap();
    }
    let mount = format!("30 1 8:16 / /media/{HOSTILE} rw - ext4 /dev/{HOSTILE} rw\n");
    fs::create_dir_all(bench.path("machine/proc/self")).unwrap();
    fs::write(bench.path("machine/proc/self/mountinfo"), mount).unwrap();
    let runs: &[&[&str]] = &[
        &["check", &profile],
        &["check", "broken.yaml"],
        &["check", "c1.yaml"],
        &["check", &missing],
        &["build", &profile, "--base", &base, "--out", &out],
        &["build", &profile, "--base", &base, "--out", &out, "--json"],
        &["build", &profile, "--base", &missing],
        &["build", &profile, "--base", "broken.yaml"],
        &["build", &profile, "--base", &base, "--node", HOSTILE],
        &["build", &profile, "--base", &base, "--card", HOSTILE],
        &["plan", &profile, "--base", &base],
        &["plan", &profile, "--base", &base, "--json"],
        &["verify", &profile, &base, "--node", "xu4-master", "--base", &base],
        &["verify", &profile, &base, "--node", "xu4-master", "--base", &base, "--json"],
        &["verify", &profile, &missing],
        &["verify", &profile, "broken.yaml"],
        &["inspect", &base],
        &["inspect", &base, "--json"],
        &["inspect", &missing],
        &["flash", &profile, &target, "--base", &sample_base().display().to_string()],
        &["flash", &profile, &missing_target],
        &["flash", &profile, &strange_node],
        &["flash", &profile, "--one-reader", &missing],
        &["flash", &profile, HOSTILE],
        &["apply", &profile, &target, "--base", &base],
        &["apply", &profile, &missing_target],
        &["devices", "--machine", "machine"],
        &["devices", "--machine", "machine", "--json"],
        &["devices", "--machine", &missing],
        &[HOSTILE],
        &["check", "--", &profile, HOSTILE],
    ];
    let mut all = String::new();
    for arguments in runs {
        let output = bench.nodecard(arguments).output().unwrap();
        all += &assert_harmless(arguments, &output);
    }
    // The text is there, in a form that does nothing.
    for form in ["\\u{1b}[2J", "\\u{9b}", "\\u{202e}", "\\u001b", "\\u009b", "\\u007f"] {
        assert!(all.contains(form), "{form} is missing");
    }
    // So is what comes from each place.
    for place in ["Debian \\u{1b}", "evil\\u{1b}", "/media/\\u{1b}", "missing\\u{1b}"] {
        assert!(all.contains(place), "{place} is missing");
    }
}

/// Whatever the umask is, only the owner can write to what nodecard makes.
#[test]
fn only_the_owner_can_write_to_what_is_made() {
    fn check(path: &Path, count: &mut usize) {
        let metadata = fs::symlink_metadata(path).unwrap();
        assert_eq!(metadata.mode() & 0o022, 0, "{} {:o}", path.display(), metadata.mode());
        *count += 1;
        if metadata.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                check(&entry.unwrap().path(), count);
            }
        }
    }
    let bench = Bench::new();
    let nodecard = bench.command(&["--node", "xu4-node1"]);
    let mut command = Command::new("sh");
    command.args(["-c", "umask 0; exec \"$@\"", "sh"]);
    command.arg(nodecard.get_program()).args(nodecard.get_args());
    command.current_dir(nodecard.get_current_dir().unwrap());
    command.envs(nodecard.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut count = 0;
    for directory in ["out", "profile.keys", "cache"] {
        check(&bench.path(directory), &mut count);
    }
    assert!(count > 15, "{count} files and directories");
    let public = fs::metadata(bench.path("out/SHA256SUMS")).unwrap();
    assert_eq!(public.permissions().mode() & 0o777, 0o644);
    let image = fs::metadata(bench.path("out/xu4-node1.img")).unwrap();
    assert_eq!(image.permissions().mode() & 0o777, 0o600);
}

/// Starts a program, and sends it SIGTERM after a while, or when it prints a text. Returns its
/// exit code, and how long it took to end after that.
fn terminated(mut command: Command, text: Option<&str>) -> (Option<i32>, Duration) {
    let mut child: Child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    match text {
        Some(text) => {
            assert!(lines.any(|line| line.unwrap().contains(text)), "{text:?} did not come");
            std::thread::sleep(Duration::from_millis(100));
        }
        None => std::thread::sleep(Duration::from_millis(700)),
    }
    run("procps", "kill", &["-TERM", &child.id().to_string()]);
    let asked = Instant::now();
    let code = child.wait().unwrap().code();
    (code, asked.elapsed())
}

#[test]
fn a_signal_ends_a_wait_for_a_lock() {
    for lock in ["profile.keys/.lock", "cache/nodecard/index.lock"] {
        let bench = Bench::new();
        let path = bench.path(lock);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(path.parent().unwrap(), private).unwrap();
        let held = fs::File::create(&path).unwrap();
        held.lock().unwrap();
        let (code, took) = terminated(bench.command(&[]), None);
        assert_eq!(code, Some(130), "{lock}");
        assert!(took < Duration::from_secs(1), "{lock}: {took:?}");
    }
}

/// Keys may come from a pipe. One whose other end never comes, or says nothing, is waited for
/// until the user asks to stop.
#[test]
fn a_signal_ends_a_wait_for_keys_from_a_pipe() {
    for is_silent in [false, true] {
        let bench = Bench::new();
        let pipe = bench.path("keys.tar");
        run("coreutils", "mkfifo", &["-m600", pipe.to_str().unwrap()]);
        // Open for both directions, it has a writer, who says nothing.
        let silent = || fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        let _writer = is_silent.then(silent);
        let (code, took) = terminated(bench.command(&["--keys", "keys.tar"]), None);
        assert_eq!(code, Some(130), "silent: {is_silent}");
        assert!(took < Duration::from_secs(1), "silent: {is_silent}: {took:?}");
    }
}

/// No configuration file is so large that reading it delays the end. Nothing is left behind.
#[test]
fn a_signal_ends_the_reading_of_a_large_configuration() {
    let bench = Bench::new();
    let base = sample_base().display().to_string();
    bench.built(&["--node", "xu4-node1", "--card", "256MiB"]);
    let image = bench.path("out/xu4-node1.img");
    // A single line of a million names, which takes verify more than ten seconds.
    let names: String = (0..1_000_000).map(|number| format!(" eth{number}")).collect();
    write(&bench, "out/xu4-node1.img", "/etc/network/interfaces", &format!("auto{names}\n"));
    let before = fs::read(&image).unwrap();
    let card = "out/xu4-node1.img";
    for arguments in [
        &["verify", "profile.yaml", card, "--node", "xu4-node1"][..],
        &["save", card, "new.img", "--profile", "profile.yaml"],
        &["apply", "profile.yaml", &format!("xu4-node1={card}"), "--base", &base, "--yes"],
        &["build", "profile.yaml", "--base", card, "--card", "512MiB", "--out", "made/deep"],
    ] {
        let (code, took) = terminated(bench.nodecard(arguments), None);
        assert_eq!(code, Some(130), "{arguments:?}");
        assert!(took < Duration::from_secs(1), "{arguments:?}: {took:?}");
        for name in ["new.img", ".nodecard.lock", "new.img.bmap", "made"] {
            assert!(!bench.path(name).exists(), "{arguments:?}: {name}");
        }
    }
    assert!(fs::read(&image).unwrap() == before, "the card was changed");
}

#[test]
fn a_named_pipe_as_a_lock_ends_the_run() {
    for lock in ["out/.nodecard.lock", "profile.keys/.lock", "cache/nodecard/index.lock"] {
        let bench = Bench::new();
        let path = bench.path(lock);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(path.parent().unwrap(), private).unwrap();
        run("coreutils", "mkfifo", &["-m600", path.to_str().unwrap()]);
        let output = run_for(bench.command(&[]), 60);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(2..=5)), "{lock}: {message}");
        assert!(message.contains("not a regular file"), "{lock}: {message}");
    }
}

/// Runs a program that is ended after some seconds.
fn run_for(command: Command, seconds: u32) -> Output {
    let mut limited = Command::new("timeout");
    limited.args(["-s", "KILL", &seconds.to_string()]);
    limited.arg(command.get_program()).args(command.get_args());
    limited.current_dir(command.get_current_dir().unwrap());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.output().expect("timeout of coreutils")
}

/// A few KiB of 64 GiB of zeros, after a boot sector.
fn bomb(bench: &Bench) {
    let mut raw = vec![0; 1 << 20];
    raw[510..512].copy_from_slice(b"\x55\xaa");
    fs::write(bench.path("first"), &raw).unwrap();
    fs::File::create(bench.path("zeros")).unwrap().set_len(1 << 30).unwrap();
    let zst = |name: &str| {
        let path = bench.path(name);
        let output = Command::new("zstd")
            .args(["-q", "-1", "-c"])
            .stdin(fs::File::open(path).unwrap())
            .output();
        output.expect("zstd is needed: install the Debian package zstd").stdout
    };
    let (first, zeros) = (zst("first"), zst("zeros"));
    // Frames follow each other, and the input of a pipe states no size.
    fs::write(bench.path("bomb.zst"), [first, zeros.repeat(64)].concat()).unwrap();
}

#[test]
fn an_image_that_does_not_end_stops_at_four_times_the_size_of_the_card() {
    let bench = Bench::new();
    bomb(&bench);
    let start = Instant::now();
    let output = run_for(bench.command(&["--base", "bomb.zst"]), 60);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("bomb.zst unpacks to more than 268435456 bytes"), "{message}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    used_card(&bench.path("a.img"), 64 * MIB);
    let parts = ["a.img", "67108864 bytes), but the contents of the base image need"];
    bench.not_flashed(4, &["xu4-node1=a.img", "--base", "bomb.zst"], &parts);
}

#[test]
fn a_signal_ends_decoding() {
    let bench = Bench::new();
    bomb(&bench);
    let command = bench.command(&["--base", "bomb.zst", "--card", "100GiB"]);
    // It grows visibly: its 700 KiB are read at once.
    let (code, took) = terminated(command, Some("decoding the image: 4.0 GiB so far"));
    assert_eq!(code, Some(130));
    assert!(took < Duration::from_secs(1), "{took:?}");
    let left: Vec<_> = fs::read_dir(bench.path("cache/nodecard")).unwrap().collect();
    assert!(left.len() <= 1, "{left:?}");
}

/// A user can make a symlink to one of root's files where the cluster's key goes.
#[test]
fn links_of_users_do_not_lead_to_files_of_root() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1"]);
    let card = bench.path("out/xu4-node1.img");
    let shadow = || (cat(&card, "/etc/shadow"), debugfs(&card, "stat /etc/shadow"));
    let (text, _) = shadow();
    for file in ["id_ed25519", "authorized_keys"] {
        let commands = format!("cd /home/odroid/.ssh\nrm {file}\nsymlink {file} /etc/shadow\n");
        fs::write(bench.path("commands"), commands).unwrap();
        let target = format!("{}?offset={ROOT_OFFSET}", card.display());
        let list = bench.path("commands");
        run("e2fsprogs", "debugfs", &["-w", "-f", list.to_str().unwrap(), &target]);
        let (code, out, _) = verify(&bench, &["out/xu4-node1.img"]);
        assert_eq!(code, Some(1), "{file}: {out}");
        let target = "xu4-node1=out/xu4-node1.img";
        let output = bench.nodecard(&["apply", "profile.yaml", target, "--yes"]).output().unwrap();
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
        let (after, stat) = shadow();
        assert_eq!(after, text, "{file}");
        assert!(stat.contains("User:     0"), "{file}: {stat}");
        let (code, out, _) = verify(&bench, &["out/xu4-node1.img"]);
        assert_eq!(code, Some(0), "{file}: {out}");
        e2fsck(&card);
    }
}
