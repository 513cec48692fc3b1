//! Running through sudo, doas and pkexec, and running without rights for a device. Needs root.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::support::*;

/// The user `nobody` of every Debian system, with its group.
const NOBODY: u32 = 65534;

/// A bench whose directory, profile and base image belong to `nobody`, with a home directory.
fn bench_of_nobody() -> Bench {
    let bench = Bench::with_profile(
        "cluster: test\nbase: ~/base.img.xz\ncard: 64MiB\n\
         network: {interface: eth0, prefix: 24, gateway: 192.168.1.1, dns: [192.168.1.1]}\n\
         nodes: [{name: xu4-master, address: 192.168.1.80}]\nssh: {users: [root]}\n\
         users: {root: {locked: true}, odroid: {locked: true}}\n",
    );
    fs::create_dir(bench.path("home")).unwrap();
    fs::copy(sample_base(), bench.path("home/base.img.xz")).unwrap();
    for name in ["", "profile.yaml", "home", "home/base.img.xz"] {
        chown(bench.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    bench
}

fn is_root() -> bool {
    // Loop devices are asked for, because only they prove that devices still need root.
    loops()
}

/// Runs `nodecard` as sudo would for `nobody`.
fn sudo(bench: &Bench, arguments: &[&str]) -> Output {
    let mut command = bench.nodecard(arguments);
    command
        .env_remove("XDG_CACHE_HOME")
        .env("HOME", "/root")
        .env("SUDO_UID", NOBODY.to_string())
        .env("SUDO_GID", NOBODY.to_string())
        .env("SUDO_USER", "nobody")
        .env("SUDO_COMMAND", "/usr/bin/nodecard")
        .env("SUDO_HOME", bench.path("home"));
    command.output().unwrap()
}

/// Returns everything in a directory.
fn tree(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(tree(&path)) } else { found.push(path) }
    }
    found
}

#[track_caller]
fn assert_all_of_nobody(bench: &Bench) {
    assert_all_of(NOBODY, bench);
}

#[track_caller]
fn assert_all_of(user: u32, bench: &Bench) {
    let all = tree(&bench.path(""));
    for path in all.iter().filter(|path| !path.ends_with("card.img")) {
        let found = fs::symlink_metadata(path).unwrap();
        assert_eq!((found.uid(), found.gid()), (user, user), "{}", path.display());
    }
    let has = |name: &str| all.iter().any(|path| path.ends_with(name));
    assert!(has("profile.keys/seed") && has("home/.cache/nodecard"), "{all:?}");
}

#[test]
fn with_sudo_everything_belongs_to_the_user() {
    if !is_root() {
        return;
    }
    let bench = bench_of_nobody();
    let card = Loop::of_size(&bench, "card.img", 64 * MIB);
    let target = format!("xu4-master={}", card.device);
    let output = sudo(&bench, &["flash", "profile.yaml", &target, "--yes", "--discard"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = sudo(&bench, &["verify", "profile.yaml", &card.device]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = sudo(&bench, &["inspect", &card.device]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = sudo(&bench, &["build", "profile.yaml", "--out", "out"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(bench.path("out/xu4-master.img").exists());
    assert_all_of_nobody(&bench);
}

/// An ordinary user on a system of their own, who may use the real sudo and the real doas.
struct User {
    /// The system's /etc.
    etc: tempfile::TempDir,
    bench: Bench,
}

const ANA: u32 = 54321;

impl User {
    fn new() -> Self {
        let bench = bench_of_nobody();
        for path in tree(&bench.path("")) {
            chown(path, Some(ANA), Some(ANA)).unwrap();
        }
        let etc = tempfile::tempdir().unwrap();
        run("coreutils", "cp", &["-a", "/etc/.", etc.path().to_str().unwrap()]);
        let append = |name: &str, line: &str| {
            let path = etc.path().join(name);
            let text = fs::read_to_string(&path).unwrap_or_default();
            fs::write(path, text + line).unwrap();
        };
        let home = bench.path("home");
        append("passwd", &format!("ana:x:{ANA}:{ANA}::{}:/bin/sh\n", home.display()));
        append("group", &format!("ana:x:{ANA}:\n"));
        append("shadow", "ana:*:19000:0:99999:7:::\n");
        append("sudoers", "ana ALL=(ALL:ALL) NOPASSWD: ALL\n");
        append("doas.conf", "permit nopass ana\n");
        User { etc, bench }
    }

    /// Runs a command as the user, in a mount namespace with the user's /etc.
    fn run(&self, words: &[&str]) -> Output {
        let script = "mount --bind \"$1\" /etc && shift && exec setpriv --reuid=54321 \
                      --regid=54321 --clear-groups \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, "sh"]).arg(self.etc.path()).args(words);
        command.current_dir(self.bench.path("")).stdin(Stdio::null());
        command.env("HOME", self.bench.path("home")).env_remove("XDG_CACHE_HOME");
        command.output().expect("unshare is needed: install util-linux")
    }

    #[track_caller]
    fn succeeds(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Which variables they set, and what they do with `$HOME`, only the programs themselves know.
#[test]
fn with_the_real_sudo_and_doas_nothing_belongs_to_root() {
    if !is_root() || !namespaces() {
        return;
    }
    let program = env!("CARGO_BIN_EXE_nodecard");
    for rights in [&["sudo", "-n", program][..], &["sudo", "-nH", program], &["doas", program]] {
        let user = User::new();
        let card = Loop::of_size(&user.bench, "card.img", 64 * MIB);
        let nodecard = |arguments: &[&str]| user.succeeds(&[rights, arguments].concat());
        let target = format!("xu4-master={}", card.device);
        nodecard(&["check", "profile.yaml"]);
        nodecard(&["build", "profile.yaml", "--out", "out"]);
        nodecard(&["flash", "profile.yaml", &target, "--yes"]);
        let report = nodecard(&["verify", "profile.yaml", &card.device]);
        assert!(report.contains("1 as expected"), "{report}");
        nodecard(&["inspect", &card.device]);
        nodecard(&["apply", "profile.yaml", &target, "--yes"]);
        nodecard(&["flash", "profile.yaml", "--one-reader", &card.device, "--yes"]);
        nodecard(&["flash", "--image", "out/xu4-master.img", &card.device, "--yes"]);
        let init = ["init", "new.yaml", "--base", "home/base.img.xz", "--first-address"];
        nodecard(&[&init[..], &["10.0.0.2", "--yes"]].concat());
        nodecard(&["man", "pages"]);
        assert_all_of(ANA, &user.bench);
        // The user, who may not open the device without these rights, owns all that is needed.
        let out = user.succeeds(&[program, "build", "profile.yaml", "--out", "out"]);
        assert!(!out.contains("created the cluster's keys"), "{out}");
        let output = user.run(&[program, "inspect", &card.device]);
        assert_eq!(output.status.code(), Some(5), "{output:?}");
    }
}

/// Root's rights are for devices only: a file that the user may not read stays closed.
#[test]
fn with_sudo_files_of_others_stay_closed() {
    if !is_root() {
        return;
    }
    let bench = bench_of_nobody();
    let card = bench.path("card.img");
    used_card(&card, 64 * MIB);
    fs::set_permissions(&card, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let output = sudo(&bench, &["flash", "profile.yaml", "xu4-master=card.img", "--yes"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{message}");
    assert!(message.contains("no permission"), "{message}");
    assert_eq!(bytes(&card, 0, 512), [0xb5; 512]);
}

#[test]
fn without_rights_the_command_with_sudo_is_shown() {
    if !is_root() {
        return;
    }
    let bench = bench_of_nobody();
    let card = Loop::of_size(&bench, "card.img", 64 * MIB);
    let group = fs::metadata(card.path()).unwrap().gid();
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(env!("CARGO_BIN_EXE_nodecard"))
            .args(arguments)
            .current_dir(bench.path(""))
            .env("HOME", bench.path("home"))
            .stdin(Stdio::null());
        let output = command.output().expect("setpriv is needed: install util-linux");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let target = format!("xu4-master={}", card.device);
    let program = env!("CARGO_BIN_EXE_nodecard");
    for (arguments, code) in
        [(&["flash", "profile.yaml", &target, "--yes"][..], 4), (&["inspect", &card.device], 5)]
    {
        let (found, message) = as_nobody(arguments);
        assert_eq!(found, Some(code), "{message}");
        let command = format!("  fix: sudo {program} {}\n", arguments.join(" "));
        assert!(message.contains(&command), "{command} is missing from: {message}");
        assert!(message.contains("udev rule"), "{message}");
        assert!(group == 0 || message.contains("usermod -aG"), "{message}");
    }
}
