//! Bad input: a message that says what is wrong, where, and what to do; and no file under its
//! final name.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::support::*;

fn changed_profile(from: &str, to: &str) -> Bench {
    let bench = Bench::new();
    let path = bench.path("profile.yaml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    bench
}

#[track_caller]
fn assert_contains(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing from: {message}");
    }
}

#[test]
fn wrong_profiles() {
    let message = changed_profile("card:", "crad:").refused(2, &[]);
    assert_contains(&message, &["profile.yaml:3:", "crad"]);
    let message = changed_profile("xu4-node2", "xu4-node1").refused(2, &[]);
    assert_contains(&message, &["profile.yaml:", "xu4-node1"]);
    let message = changed_profile("192.168.1.83", "192.168.1.81").refused(2, &[]);
    assert_contains(&message, &["profile.yaml:", "192.168.1.81"]);
    let message = changed_profile("ssh:\n", "swarm: {}\nssh:\n").refused(2, &[]);
    assert_contains(&message, &["swarm", "a swarm needs a manager"]);
    let keys = "ssh:\n  authorized_keys: [missing.pub]\n";
    let message = changed_profile("ssh:\n", keys).refused(2, &[]);
    assert_contains(&message, &["profile.yaml:", "missing.pub"]);
    let message = changed_profile("[root, odroid]", "[root, nobody-here]").refused(2, &[]);
    assert_contains(&message, &["nobody-here", "odroid"]);
}

#[test]
fn wrong_options() {
    let bench = Bench::new();
    assert_contains(&bench.refused(2, &["--node", "xu5"]), &["xu5", "xu4-master"]);
    assert_contains(&bench.refused(2, &["--card", "8 elephants"]), &["8 elephants", "8GB"]);
    let message = bench.refused(2, &["--card", "20MiB"]);
    assert_contains(&message, &["smaller than the base", "--card"]);
    assert_contains(&bench.refused(2, &["--root", "1"]), &["choose partition 2"]);
}

#[test]
fn wrong_bases() {
    let bench = Bench::new();
    let whole = fs::read(sample_base()).unwrap();
    let base = bench.path("bad.img.xz");
    let name = base.to_str().unwrap();
    assert_contains(&bench.refused(3, &["--base", name]), &["bad.img.xz"]);
    fs::write(&base, &whole[..whole.len() / 2]).unwrap();
    assert_contains(&bench.refused(3, &["--base", name]), &["bad.img.xz", "ownload"]);
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0x10;
    fs::write(&base, &damaged).unwrap();
    assert_contains(&bench.refused(3, &["--base", name]), &["bad.img.xz", "ownload"]);
    fs::write(&base, b"<!DOCTYPE html><html>404</html>").unwrap();
    assert_contains(&bench.refused(3, &["--base", name]), &["bad.img.xz"]);
    // A checksum file beside the base image that does not match.
    fs::write(&base, &whole).unwrap();
    fs::write(bench.path("bad.img.xz.sha256"), format!("{}  bad.img.xz\n", "0".repeat(64)))
        .unwrap();
    assert_contains(&bench.refused(3, &["--base", name]), &["bad.img.xz.sha256", "0000"]);
}

#[test]
fn a_base_without_ext4() {
    let bench = Bench::new();
    let base = bench.path("fat.img");
    let name = base.to_str().unwrap();
    fs::write(&base, vec![0; 32 << 20]).unwrap();
    let script = format!("printf 'start=2048, type=c\\n' | sfdisk -q '{name}'");
    run("fdisk", "sh", &["-c", &script]);
    run("dosfstools", "mkfs.vfat", &["--offset", "2048", name]);
    let message = bench.refused(3, &["--base", name]);
    assert_contains(&message, &["ext4", "FAT"]);
}

#[test]
fn a_filesystem_with_an_unknown_feature() {
    let bench = Bench::new();
    let base = decoded_base(&bench);
    let file = fs::OpenOptions::new().write(true).open(&base).unwrap();
    // An undefined bit of s_feature_incompat, at byte 0x60 of the superblock.
    let offset = crate::support::ROOT_OFFSET + 1024 + 0x60;
    let mut word = crate::support::bytes(&base, offset, 4);
    word[3] |= 0x80;
    std::os::unix::fs::FileExt::write_all_at(&file, &word, offset).unwrap();
    let message = bench.refused(3, &["--base", base.to_str().unwrap()]);
    assert_contains(&message, &["feature"]);
}

#[test]
fn an_interrupted_run_leaves_nothing_that_looks_finished() {
    let bench = Bench::new();
    // Ctrl-C, kill, and a closed terminal.
    for signal in ["-INT", "-TERM", "-HUP"] {
        // The checksums of a large card take seconds, even if it is almost empty.
        let mut command = bench.command(&["--card", "256GB"]);
        let child = command.process_group(0).spawn().unwrap();
        sleep(Duration::from_secs(2));
        let pid = child.id().to_string();
        run("procps", "kill", &[signal, &pid]);
        let output = child.wait_with_output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{signal}: {message}");
        assert_contains(&message, &["interrupted"]);
        assert_eq!(bench.finished(), [""; 0], "{signal}");
    }
}

#[test]
fn the_next_run_removes_the_files_of_a_killed_one() {
    let bench = Bench::new();
    let mut child = bench.command(&["--card", "256GB"]).spawn().unwrap();
    sleep(Duration::from_secs(2));
    child.kill().unwrap();
    child.wait().unwrap();
    let left = bench.finished();
    let temporary = |name: &String| name.ends_with(".nodecard-partial") || name == ".nodecard.lock";
    assert!(left.len() > 1 && left.iter().all(temporary), "{left:?}");
    bench.built(&[]);
    assert!(!bench.finished().iter().any(temporary));
}

/// The user does not have to wait for a run that cleans up. What it leaves looks unfinished, is in
/// nobody's way, and goes with the next run.
#[test]
fn a_second_signal_ends_a_run_at_once_and_the_next_one_cleans_up() {
    let bench = Bench::new();
    // Both signals arrive before the run can end on its own, but it may be faster.
    let is_cut_short = (0..10).any(|_| {
        let mut child = bench.command(&["--card", "256GB"]).spawn().unwrap();
        let pid = child.id().to_string();
        while !bench.finished().iter().any(|name| name.ends_with(".nodecard-partial")) {
            assert_eq!(child.try_wait().unwrap(), None, "the run has ended");
            sleep(Duration::from_millis(10));
        }
        for signal in ["-STOP", "-INT", "-TERM", "-CONT"] {
            run("procps", "kill", &[signal, &pid]);
        }
        let output = child.wait_with_output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{message}");
        assert_contains(&message, &["error: interrupted"]);
        message.contains("interrupted again")
    });
    assert!(is_cut_short, "a second signal was never noticed");
    let temporary = |name: &String| name.ends_with(".nodecard-partial") || name == ".nodecard.lock";
    let left = bench.finished();
    assert!(left.iter().all(temporary), "{left:?}");
    bench.built(&[]);
    assert!(!bench.finished().iter().any(temporary));
}

/// A run whose report nobody reads cannot end. It says so, and how to end it.
#[test]
fn a_run_that_cannot_end_says_how_to_end_it() {
    let bench = Bench::new();
    let pipe = bench.path("pipe");
    run("coreutils", "mkfifo", &[pipe.to_str().unwrap()]);
    // Open for both directions, it has a reader, who reads nothing, and is full.
    let mut full = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    full.write_all(&[b'.'; 1 << 16]).unwrap();
    let mut command = bench.nodecard(&["inspect", sample_base().to_str().unwrap()]);
    let mut child = command.stdout(full.try_clone().unwrap()).spawn().unwrap();
    let pid = child.id().to_string();
    // It waits in its report, after all its work.
    let waits_for_pipe = || {
        let call = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
        call.contains("pipe_write")
    };
    let until = Instant::now() + Duration::from_secs(20);
    while !waits_for_pipe() && Instant::now() < until {
        sleep(Duration::from_millis(50));
    }
    run("procps", "kill", &["-INT", &pid]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let note = "Ctrl-C again ends nodecard at once and leaves this to the next run";
    assert!(lines.by_ref().any(|line| line.unwrap().contains(note)), "{note:?} did not come");
    run("procps", "kill", &["-INT", &pid]);
    let asked = Instant::now();
    let rest: Vec<String> = lines.map(|line| line.unwrap()).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert_contains(&rest.join("\n"), &["interrupted again", "fix: run the same command again"]);
}

#[test]
fn a_full_disk() {
    let bench = Bench::new();
    let out = bench.path("out");
    fs::create_dir(&out).unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=4m", "tmpfs", out.to_str().unwrap()];
    let mounted = std::process::Command::new("mount").args(mount).status();
    let mounted = mounted.is_ok_and(|status| status.success());
    if !test_support::judged_if(mounted, "a full disk was not tried: mounting one needs root") {
        return;
    }
    let output = bench.build(&[]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    let left = bench.finished();
    run("mount", "umount", &[out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(5), "{message}");
    assert_contains(&message, &["MiB free", "--out"]);
    assert_eq!(left, [""; 0]);
}

/// Writing fails at different points of different files, because of a shell's limit on file
/// sizes.
#[test]
fn a_write_that_fails_leaves_nothing_that_looks_finished() {
    let bench = Bench::new();
    bench.built(&[]);
    for format in ["raw", "zst"] {
        for limit in [0, 1, 8, 600, 5000, 14_000, 40_000, 60_000] {
            fs::remove_dir_all(bench.path("out")).unwrap();
            fs::create_dir(bench.path("out")).unwrap();
            let arguments = format!("build profile.yaml --out out --format {format}");
            let output = bench.with_file_limit(limit, &arguments);
            let message = String::from_utf8_lossy(&output.stderr);
            if format == "zst" && output.status.success() {
                assert!(limit >= 600, "{limit} KiB were enough");
                continue;
            }
            assert_eq!(output.status.code(), Some(5), "{format}, {limit} KiB: {message}");
            assert_eq!(bench.finished(), [""; 0], "{format}, {limit} KiB");
        }
    }
}

/// debugfs frees a block of /etc/passwd and updates all checksums, so that only the mapping
/// of the file itself shows the mistake.
#[test]
fn a_bitmap_that_is_wrong_about_a_file() {
    let bench = Bench::new();
    let base = decoded_base(&bench);
    let target = format!("{}?offset={ROOT_OFFSET}", base.display());
    let blocks = debugfs(&base, "blocks /etc/passwd");
    let block = blocks.split_whitespace().next().unwrap().to_owned();
    run("e2fsprogs", "debugfs", &["-w", "-R", &format!("freeb {block}"), &target]);
    let message = bench.refused(3, &["--base", base.to_str().unwrap()]);
    assert_contains(&message, &[&format!("block {block}"), "marked as free", "e2fsck"]);
}
