//! The texts of the command line, compared with the files in tests/snapshots.
//!
//! They are reviewed as texts and changed on purpose. After a change, write them anew and read
//! the difference:
//!
//! ```text
//! SNAPSHOTS=overwrite cargo test -p nodecard-cli --test end-to-end snapshots
//! git diff tests/snapshots
//! ```
//!
//! What differs from run to run is replaced: keys, ids, speeds and the temporary directory.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
    process::Stdio,
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use snapbox::{Assert, Data, assert::DEFAULT_ACTION_ENV};

use crate::support::*;

/// Commands that run in one directory, and all that they print.
struct Transcript {
    bench: Bench,
    text: String,
}

const PROFILE: &str = "\
cluster: mc1
base: base.img.xz
card: 64MiB
network: {interface: eth0, prefix: 24, gateway: 192.168.1.1, dns: [192.168.1.1]}
nodes:
  - {name: xu4-master, address: 192.168.1.80}
  - {name: xu4-node1, address: 192.168.1.81}
ssh:
  users: [root, odroid]
users: {root: {locked: true}, odroid: {locked: true}}
";

impl Transcript {
    fn new() -> Self {
        wait_until_settled(&sample_base());
        let bench = Bench::with_profile(PROFILE);
        symlink(fs::canonicalize(sample_base()).unwrap(), bench.path("base.img.xz")).unwrap();
        Transcript { bench, text: String::new() }
    }

    /// A transcript that starts with built images, which are not part of it.
    fn with_images() -> Self {
        let transcript = Self::new();
        transcript.bench.built(&[]);
        transcript
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bench.path(name)
    }

    /// Adds a heading.
    fn title(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text += &format!("## {title}\n");
    }

    /// Runs `nodecard` with these arguments.
    fn run(&mut self, arguments: &[&str]) {
        self.answer(arguments, "");
    }

    /// Runs `nodecard` with these arguments and an answer to its question.
    fn answer(&mut self, arguments: &[&str], answer: &str) {
        let mut child = self.bench.nodecard(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // It may have ended without asking.
        let _ = child.stdin.take().unwrap().write_all(answer.as_bytes());
        let output = child.wait_with_output().unwrap();
        let command: Vec<String> =
            arguments.iter().map(|word| plain_text::shell_word(word)).collect();
        self.text += &format!("$ nodecard {}\n", command.join(" "));
        for bytes in [output.stdout, output.stderr] {
            let text = String::from_utf8(bytes).expect("UTF-8");
            assert!(!text.contains("panicked"), "{text}");
            self.text += &text;
            if !text.is_empty() && !text.ends_with('\n') {
                self.text.push('\n');
            }
        }
        let code = output.status.code().expect("an exit code");
        if code != 0 {
            self.text += &format!("exit code {code}\n");
        }
    }

    /// Runs `nodecard` with these arguments, and keeps the first lines of what it prints.
    fn run_in_part(&mut self, arguments: &[&str], lines: usize) {
        let start = self.text.len();
        self.run(arguments);
        let text = self.text.split_off(start);
        // The command is a line too.
        for line in text.lines().take(lines + 1) {
            self.text += &format!("{line}\n");
        }
        let more = text.lines().count().saturating_sub(lines + 1);
        assert!(more > 0, "{text}");
        self.text += "...\n";
    }

    /// Adds a case: a title and a command.
    fn case(&mut self, title: &str, arguments: &[&str]) {
        self.title(title);
        self.run(arguments);
    }

    /// Adds a case: `nodecard check` with a profile in which `from` became `to`.
    fn profile(&mut self, title: &str, from: &str, to: &str) {
        assert!(PROFILE.contains(from), "{from}");
        fs::write(self.path("wrong.yaml"), PROFILE.replacen(from, to, 1)).unwrap();
        self.case(title, &["check", "wrong.yaml"]);
    }

    /// Compares everything with a file in tests/snapshots.
    #[track_caller]
    fn assert(self, name: &str) {
        let directory = fs::canonicalize(self.path("")).unwrap();
        let text = self.text.replace(directory.to_str().unwrap(), "[DIR]");
        let text = with_progress_sorted(&text);
        let text: String = text.lines().map(|line| redacted(line) + "\n").collect();
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../tests/snapshots")
            .join(format!("{name}.txt"));
        let expected = Data::read_from(&path, None).raw();
        Assert::new().action_env(DEFAULT_ACTION_ENV).eq(Data::text(text).raw(), expected);
    }
}

/// Waits until a file was changed more than two seconds ago. Before, nodecard does not trust
/// what it remembers about the file, and decodes it once more.
fn wait_until_settled(file: &Path) {
    let changed = UNIX_EPOCH + Duration::from_secs(fs::metadata(file).unwrap().ctime() as u64);
    while SystemTime::now().duration_since(changed).is_ok_and(|age| age < Duration::from_secs(4)) {
        sleep(Duration::from_millis(100));
    }
}

/// Sorts the lines of the progress of cards, which are written at the same time.
fn with_progress_sorted(text: &str) -> String {
    let is_progress = |line: &&str| line.contains(" on ") && line.contains(".card: ");
    let mut progress: Vec<&str> = text.lines().filter(is_progress).collect();
    progress.sort_by_key(|line| line.split(": ").next());
    let mut progress = progress.into_iter();
    let line = |line| if is_progress(&line) { progress.next().unwrap_or(line) } else { line };
    text.lines().map(line).map(|line| format!("{line}\n")).collect()
}

/// Replaces what differs from run to run in a line.
fn redacted(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let mut text = String::new();
    // Speeds have different widths, and so have their columns.
    let mut has_speed = line.contains("  read back  ");
    for (position, word) in words.iter().enumerate() {
        if position > 0 {
            text.push(' ');
        }
        let is_hex = |c: char| c.is_ascii_hexdigit();
        // In JSON, words stand in quotes.
        let quotes = ['"', '\'', ','];
        let (before, word) = word.split_at(word.len() - word.trim_start_matches(quotes).len());
        let after = &word[word.trim_end_matches(quotes).len()..];
        let word = &word[..word.len() - after.len()];
        text += before;
        let bare = word.trim_start_matches(['+', '-']);
        let number = word.parse::<f64>().is_ok();
        if number && words.get(position + 1) == Some(&"MB/s") {
            has_speed = true;
            text += "[SPEED]";
        } else if bare.starts_with("AAAA") && bare.len() > 40 {
            text += "[KEY]";
        } else if word.starts_with("$6$") {
            text += "[HASH]";
        } else if word.starts_with("SHA256:") {
            text += "[FINGERPRINT]";
        } else if bare.len() >= 32 && bare.chars().all(is_hex) {
            let sign = &word[..word.len() - bare.len()];
            text += &format!("{sign}[HEX{}]", bare.len());
        } else {
            text += word;
        }
        text += after;
    }
    if has_speed { text.split_whitespace().collect::<Vec<_>>().join(" ") } else { text }
}

#[test]
fn helps() {
    let mut transcript = Transcript::new();
    transcript.run(&["--help"]);
    transcript.assert("help");
    let commands = [
        "build",
        "check",
        "flash",
        "apply",
        "devices",
        "verify",
        "plan",
        "inspect",
        "save",
        "password",
        "status",
        "export",
        "init",
        "schema",
        "completions",
        "man",
    ];
    for command in commands {
        let mut transcript = Transcript::new();
        transcript.run(&[command, "--help"]);
        transcript.assert(&format!("help-{command}"));
    }
}

#[test]
fn report_of_check() {
    let mut transcript = Transcript::new();
    transcript.run(&["check", "profile.yaml"]);
    transcript.assert("report-check");
}

#[test]
fn report_of_build() {
    let mut transcript = Transcript::new();
    transcript.case("the first run", &["build", "profile.yaml", "--out", "cards"]);
    fs::write(
        transcript.path("profile.yaml"),
        PROFILE.lines().filter(|line| !line.starts_with("users")).collect::<Vec<_>>().join("\n"),
    )
    .unwrap();
    let arguments = ["build", "profile.yaml", "--node", "xu4-node1", "--format", "zst"];
    transcript.case("default passwords", &arguments);
    transcript.assert("report-build");
}

#[test]
fn report_of_flash() {
    let mut transcript = Transcript::new();
    for name in ["a.card", "b.card"] {
        used_card(&transcript.path(name), 64 * MIB);
    }
    let targets = ["flash", "profile.yaml", "xu4-master=a.card", "xu4-node1=b.card"];
    transcript.title("confirmed");
    transcript.answer(&targets, "a.card\nb.card\n");
    transcript.title("one card again");
    transcript.answer(&["flash", "profile.yaml", "xu4-node1=b.card"], "b.card\n");
    transcript.assert("report-flash");
}

#[test]
fn report_of_verify() {
    let mut transcript = Transcript::with_images();
    transcript.case("as expected", &["verify", "profile.yaml", "out/xu4-node1.img"]);
    let image = "out/xu4-node1.img";
    let interfaces = cat(&transcript.path(image), "/etc/network/interfaces");
    let typo = interfaces.replace("address 192", "addres 192");
    write(&transcript.bench, image, "/etc/network/interfaces", &typo);
    write(&transcript.bench, image, "/etc/hostname", "xu4-nod1\n");
    let arguments = ["verify", "profile.yaml", "out/xu4-master.img", image];
    transcript.case("a typo in the address, and another host name", &arguments);
    fs::copy(transcript.path("out/xu4-master.img"), transcript.path("copy.img")).unwrap();
    let arguments = ["verify", "profile.yaml", "out/xu4-master.img", "copy.img"];
    transcript.case("two cards of one node", &arguments);
    transcript.assert("report-verify");
}

/// A card that an earlier program would change, and notes that two cards have in common.
#[test]
fn report_of_verify_before_the_first_boot() {
    let mut transcript = Transcript::with_images();
    let image = "out/xu4-node1.img";
    for (path, text) in [("/aafirstboot", "#!/bin/sh\nfdisk /dev/mmcblk0\n"), ("/.first_boot", "")]
    {
        write(&transcript.bench, image, path, text);
    }
    let target = format!("{}?offset={ROOT_OFFSET}", transcript.path(image).display());
    let mode = ["-w", "-R", "sif /aafirstboot mode 0100755", &target];
    run("e2fsprogs", "debugfs", &mode);
    transcript.case("a program of the first boot", &["verify", "profile.yaml", image]);
    let profile = PROFILE.lines().filter(|line| !line.starts_with("users"));
    fs::write(transcript.path("profile.yaml"), profile.collect::<Vec<_>>().join("\n")).unwrap();
    transcript.bench.built(&[]);
    let images = ["out/xu4-master.img", image];
    let arguments = [&["verify", "profile.yaml"][..], &images].concat();
    transcript.case("notes that all cards have in common", &arguments);
    fs::remove_dir_all(transcript.path("cache")).unwrap();
    transcript.case("without the base image", &["verify", "profile.yaml", image]);
    transcript.assert("report-verify-boot");
}

#[test]
fn report_of_plan() {
    let mut transcript = Transcript::with_images();
    transcript.case("all nodes", &["plan", "profile.yaml"]);
    let image = ["plan", "profile.yaml", "--against", "out/xu4-node1.img", "--node", "xu4-node1"];
    transcript.case("nothing to change", &image);
    transcript.assert("report-plan");
}

#[test]
fn report_of_inspect() {
    let mut transcript = Transcript::new();
    transcript.run(&["inspect", "base.img.xz"]);
    transcript.assert("report-inspect");
}

#[test]
fn report_of_apply() {
    let mut transcript = Transcript::with_images();
    let image = "out/xu4-node1.img";
    let interfaces = cat(&transcript.path(image), "/etc/network/interfaces");
    let typo = interfaces.replace("address 192", "addres 192");
    write(&transcript.bench, image, "/etc/network/interfaces", &typo);
    let target = format!("xu4-node1={image}");
    transcript.title("not confirmed");
    transcript.answer(&["apply", "profile.yaml", &target], "no\n");
    transcript.title("confirmed");
    transcript.answer(&["apply", "profile.yaml", &target], "xu4-node1.img\n");
    transcript.case("nothing to change", &["apply", "profile.yaml", &target]);
    transcript.assert("report-apply");
}

#[test]
fn report_of_init() {
    let mut t = Transcript::new();
    t.run(&[
        "init",
        "xu4.yaml",
        "--base",
        "base.img.xz",
        "--nodes",
        "4",
        "--name",
        "xu4-node",
        "--first-address",
        "192.168.1.80",
        "--gateway",
        "192.168.1.1",
        "--dns",
        "192.168.1.1",
        "--prefix",
        "24",
        "--yes",
    ]);
    t.title("xu4.yaml");
    t.text += &fs::read_to_string(t.path("xu4.yaml")).unwrap();
    t.case("it exists", &["init", "xu4.yaml", "--base", "base.img.xz", "--yes"]);
    t.case("no terminal", &["init"]);
    t.assert("report-init");
}

#[test]
fn reports_of_export() {
    let mut t = Transcript::with_images();
    for form in ["ssh-config", "known-hosts", "hosts", "ansible", "pssh", "json"] {
        t.run(&["export", "profile.yaml", form]);
    }
    t.case("private keys in a form for ssh", &["export", "profile.yaml", "hosts", "--private"]);
    t.case("a user without keys", &["export", "profile.yaml", "pssh", "--user", "nobody"]);
    t.assert("report-export");
}

#[test]
fn reports_of_save() {
    let mut t = Transcript::with_images();
    let image = "out/xu4-node1.img";
    let arguments = ["save", image, "new.img.xz", "--profile", "profile.yaml"];
    t.case("a base image", &arguments);
    t.case("a backup", &["save", image, "backup.img", "--no-shrink"]);
    t.assert("report-save");
}

/// Two nodes that do not answer in different ways, and one that does.
#[test]
fn report_of_status() {
    if !namespaces("snapshots::report_of_status") {
        return;
    }
    let mut t = Transcript::new();
    let nodes = "  - {name: n0, address: 10.77.0.80}\n  - {name: n1, address: 10.77.0.81}\n  \
                 - {name: n2, address: 10.77.0.82}\n";
    let profile: String = PROFILE
        .replace("192.168.1.1", "10.77.0.1")
        .lines()
        .filter(|line| !line.starts_with("  - "))
        .map(|line| format!("{line}\n{}", if line == "nodes:" { nodes } else { "" }))
        .collect();
    fs::write(t.path("profile.yaml"), profile).unwrap();
    t.bench.built(&["--node", "n0"]);
    let mut lan = Lan::new("10.77.0.2/24");
    let node = FakeNode::new(&t.bench, "node0", "n0");
    let namespace = lan.connect("n0", "10.77.0.80/24");
    lan.start(&namespace, &node);
    lan.connect("n1", "10.77.0.81/24");
    let output = lan.nodecard(&t.bench, &["status", "profile.yaml"]).output().unwrap();
    t.text += "$ nodecard status profile.yaml\n";
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        // What depends on this computer: how long it runs, and its disk.
        let words: Vec<&str> = line.split_whitespace().collect();
        t.text += &match words.as_slice() {
            ["n0", address, state, ..] => format!("  n0 {address} {state} [UP] [DISK]\n"),
            ["NODE", ..] | ["n1" | "n2", ..] => format!("  {}\n", words.join(" ")),
            _ => format!("{line}\n"),
        };
    }
    t.text += &String::from_utf8(output.stderr).unwrap();
    t.text += &format!("exit code {}\n", output.status.code().unwrap());
    t.assert("report-status");
}

/// What the commands print that need no cluster. Of scripts and schemas, the beginning shows that
/// they are printed.
#[test]
fn reports_of_tools() {
    let mut t = Transcript::new();
    t.title("password");
    t.answer(&["password"], "a secret of ours\n");
    t.title("schema");
    t.run_in_part(&["schema"], 6);
    for shell in ["bash", "zsh"] {
        t.title(&format!("completions for {shell}"));
        t.run_in_part(&["completions", shell], 4);
    }
    t.case("completions for fish", &["completions", "fish"]);
    t.case("man", &["man", "man1"]);
    let mut pages: Vec<String> = fs::read_dir(t.path("man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    t.text += &pages.iter().map(|page| format!("man1/{page}\n")).collect::<String>();
    t.assert("report-tools");
}

/// A machine in a directory: a card in a USB reader, an empty slot, an eMMC, a mounted stick,
/// and the disk that the system is on.
fn machine(directory: &Path) {
    let put = |path: &str, text: &str| {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{text}\n")).unwrap();
    };
    fs::create_dir_all(directory.join("sys/block")).unwrap();
    let device = |place: &str, number: &str, size: u64, files: &[(&str, &str)]| {
        let name = place.rsplit('/').next().unwrap();
        let link = directory.join("sys/block").join(name);
        symlink(Path::new("../devices").join(place), link).unwrap();
        let sectors = (size / 512).to_string();
        let common = [("dev", number), ("size", sectors.as_str()), ("ro", "0")];
        for (file, text) in common.iter().chain(files) {
            put(&format!("sys/devices/{place}/{file}"), text);
        }
    };
    let gigabyte = 1_000_000_000;
    let usb = |port: &str, name: &str| {
        format!("pci0/usb1/1-{port}/1-{port}:1.0/host6/target6:0:0/6:0:0:0/block/{name}")
    };
    for (port, name, number) in [("2", "sdb", "8:16"), ("3", "sdc", "8:32")] {
        device(&usb(port, name), number, 32 * gigabyte, &[("removable", "1")]);
        put(&format!("sys/devices/pci0/usb1/1-{port}/idVendor"), "05e3");
        put(&format!("sys/devices/pci0/usb1/1-{port}/serial"), "000000001539");
        put(&format!("sys/devices/pci0/usb1/1-{port}/product"), "USB Storage");
    }
    device(
        "pci0/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0",
        "179:0",
        8 * gigabyte,
        &[("device/type", "MMC")],
    );
    device("pci0/mmc_host/mmc1/mmc1:aaaa/block/mmcblk1", "179:8", 0, &[("device/type", "SD")]);
    device("pci0/ata1/host0/target0:0:0/0:0:0:0/block/sda", "8:0", 500 * gigabyte, &[]);
    device("pci0/ata2/host1/target1:0:0/1:0:0:0/block/sdd", "8:48", 120 * gigabyte, &[]);
    let mounts =
        "30 1 8:0 / / rw - ext4 /dev/sda rw\n31 1 8:32 / /media/card rw - vfat /dev/sdc rw";
    put("proc/self/mountinfo", mounts);
    put("proc/swaps", "Filename Type");
}

#[test]
fn report_of_devices() {
    let mut transcript = Transcript::new();
    machine(&transcript.path("machine"));
    transcript.run(&["devices", "--machine", "machine"]);
    transcript.assert("report-devices");
}

#[test]
fn errors_in_profiles() {
    let mut t = Transcript::new();
    t.case("no such profile", &["check", "missing.yaml"]);
    t.profile("an unknown key", "card:", "crad:");
    t.profile("a key that is missing", "base: base.img.xz\n", "");
    t.profile("a tab", "  - {name: xu4-master", "\t- {name: xu4-master");
    t.profile("a duplicate address", "192.168.1.81", "192.168.1.80");
    t.profile("a duplicate name", "xu4-node1", "xu4-master");
    t.profile("an address outside the network", "192.168.1.81", "192.168.2.81");
    t.profile("not an address", "192.168.1.81", "192.168.1.811");
    t.profile("not a host name", "xu4-node1", "xu4_node1");
    t.profile("not a card size", "64MiB", "8 elephants");
    t.profile(
        "a public key that is missing",
        "[root, odroid]",
        "[root]\n  authorized_keys: [me.pub]",
    );
    t.profile("a plain password", "{locked: true}", "{password: hunter2}");
    t.profile("a swarm without a manager", "ssh:\n", "swarm: {}\nssh:\n");
    t.profile("not YAML", "nodes:", "nodes: [");
    t.assert("errors-profile");
}

#[test]
fn errors_in_base_images() {
    let mut t = Transcript::new();
    let whole = fs::read(sample_base()).unwrap();
    let build = |base| ["build", "profile.yaml", "--base", base];
    t.case("missing", &build("missing.img.xz"));
    fs::write(t.path("half.img.xz"), &whole[..whole.len() / 2]).unwrap();
    t.case("an incomplete download", &build("half.img.xz"));
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0x10;
    fs::write(t.path("damaged.img.xz"), &damaged).unwrap();
    t.case("damaged", &build("damaged.img.xz"));
    fs::write(t.path("page.img"), "<!DOCTYPE html><html>404</html>").unwrap();
    t.case("a web page", &build("page.img"));
    fs::write(t.path("empty.img"), "").unwrap();
    t.case("empty", &build("empty.img"));
    fs::create_dir(t.path("directory")).unwrap();
    t.case("a directory", &build("directory"));
    fs::write(t.path("other.img.xz"), &whole).unwrap();
    let sum = format!("{}  other.img.xz\n", "0".repeat(64));
    fs::write(t.path("other.img.xz.sha256"), sum).unwrap();
    t.case("another checksum", &build("other.img.xz"));
    t.case("the root partition does not exist", &["build", "profile.yaml", "--root", "7"]);
    t.case("the root partition is not ext4", &["build", "profile.yaml", "--root", "1"]);
    t.assert("errors-base");
}

#[test]
fn errors_of_build() {
    let mut t = Transcript::new();
    t.case("an unknown node", &["build", "profile.yaml", "--node", "xu5"]);
    t.case("the card is too small", &["build", "profile.yaml", "--card", "20MiB"]);
    t.case("not a card size", &["build", "profile.yaml", "--card", "8 elephants"]);
    t.case("not a partition", &["build", "profile.yaml", "--root", "two"]);
    let profile = PROFILE.replace("[root, odroid]", "[root, nobody-here]");
    fs::write(t.path("user.yaml"), profile).unwrap();
    t.case("a user whom the image does not have", &["build", "user.yaml"]);
    fs::create_dir(t.path("taken")).unwrap();
    fs::write(t.path("taken/SHA256SUMS"), "mine\n").unwrap();
    t.case("a file of somebody else", &["build", "profile.yaml", "--out", "taken"]);
    fs::write(t.path("file"), "").unwrap();
    t.case("not a directory", &["build", "profile.yaml", "--out", "file"]);
    run("coreutils", "chmod", &["755", t.path("profile.keys").to_str().unwrap()]);
    t.case("keys that others can read", &["build", "profile.yaml"]);
    t.assert("errors-build");
}

#[test]
fn errors_of_flash() {
    let mut t = Transcript::new();
    used_card(&t.path("a.card"), 64 * MIB);
    t.case("no target", &["flash", "profile.yaml"]);
    t.case("not a target", &["flash", "profile.yaml", "xu4-node1"]);
    t.case("an unknown node", &["flash", "profile.yaml", "xu5=a.card"]);
    t.case("one node twice", &["flash", "profile.yaml", "xu4-node1=a.card", "xu4-node1=b.card"]);
    t.case("--resume alone", &["flash", "profile.yaml", "xu4-node1=a.card", "--resume"]);
    t.case("no such device", &["flash", "profile.yaml", "xu4-node1=/dev/none"]);
    fs::write(t.path("empty.card"), "").unwrap();
    let arguments = ["flash", "profile.yaml", "xu4-master=missing.card", "xu4-node1=empty.card"];
    t.case("a missing and an empty file", &arguments);
    t.case("a directory", &["flash", "profile.yaml", "xu4-node1=."]);
    t.case("not a block device", &["flash", "profile.yaml", "xu4-node1=/dev/null"]);
    t.case("one file twice", &["flash", "profile.yaml", "xu4-master=a.card", "xu4-node1=./a.card"]);
    t.case("the base image", &["flash", "profile.yaml", "xu4-node1=base.img.xz"]);
    used_card(&t.path("small.card"), 20 * MIB);
    t.case("too small", &["flash", "profile.yaml", "xu4-node1=small.card"]);
    t.title("not confirmed");
    t.answer(&["flash", "profile.yaml", "xu4-node1=a.card"], "yes\n");
    let locked = fs::File::open(t.path("a.card")).unwrap();
    locked.lock().unwrap();
    t.case("in use", &["flash", "profile.yaml", "xu4-node1=a.card", "--yes"]);
    drop(locked);
    fs::write(t.path("profile.keys/one-reader.json"), "{\n").unwrap();
    t.case("a damaged record", &["flash", "profile.yaml", "--one-reader", "a.card", "--resume"]);
    t.assert("errors-flash");
}

#[test]
fn errors_of_verify() {
    let mut t = Transcript::new();
    t.case("no keys", &["verify", "profile.yaml", "a.img"]);
    t.bench.built(&["--node", "xu4-node1"]);
    let image = "out/xu4-node1.img";
    t.case("no such file", &["verify", "profile.yaml", "missing.img"]);
    fs::write(t.path("text.img"), "not an image").unwrap();
    t.case("not an image", &["verify", "profile.yaml", "text.img"]);
    t.case("a directory", &["verify", "profile.yaml", "out"]);
    t.case("one card twice", &["verify", "profile.yaml", image, image]);
    t.case("an unknown node", &["verify", "profile.yaml", image, "--node", "xu5"]);
    let arguments = ["verify", "profile.yaml", image, "text.img", "--node", "xu4-node1"];
    t.case("one node for two cards", &arguments);
    let base = decoded_base(&t.bench);
    fs::rename(base, t.path("stranger.img")).unwrap();
    write(&t.bench, "stranger.img", "/etc/hostname", "somebody\n");
    t.case("a card of another cluster", &["verify", "profile.yaml", "stranger.img"]);
    t.case("another root partition", &["verify", "profile.yaml", image, "--root", "1"]);
    t.assert("errors-verify");
}

#[test]
fn errors_of_plan_apply_and_inspect() {
    let mut t = Transcript::new();
    t.case("a plan of an unknown node", &["plan", "profile.yaml", "--node", "xu5"]);
    t.bench.built(&["--node", "xu4-node1"]);
    let image = "out/xu4-node1.img";
    t.case("a plan against a card of any node", &["plan", "profile.yaml", "--against", image]);
    t.case("inspect: no such file", &["inspect", "missing.img"]);
    t.case("inspect: no such partition", &["inspect", image, "--root", "7"]);
    t.case("apply: an unknown node", &["apply", "profile.yaml", "xu5=out/xu4-node1.img"]);
    t.case("apply: no such file", &["apply", "profile.yaml", "xu4-node1=missing.img"]);
    run("xz-utils", "xz", &["-0", "--keep", t.path(image).to_str().unwrap()]);
    let compressed = ["apply", "profile.yaml", "xu4-node1=out/xu4-node1.img.xz"];
    t.case("apply: a compressed image", &compressed);
    fs::write(t.path("text.img"), "not an image").unwrap();
    t.case("apply: not an image", &["apply", "profile.yaml", "xu4-node1=text.img"]);
    write(&t.bench, image, "/etc/hostname", "xu4\n");
    let target = format!("{}?offset={ROOT_OFFSET}", t.path(image).display());
    run("e2fsprogs", "tune2fs", &["-O", "^has_journal", &target]);
    let apply = ["apply", "profile.yaml", "xu4-node1=out/xu4-node1.img", "--yes"];
    t.case("apply: no journal", &apply);
    t.assert("errors-plan-apply-inspect");
}

#[test]
fn errors_of_save() {
    let mut t = Transcript::new();
    t.bench.built(&["--node", "xu4-node1"]);
    let image = "out/xu4-node1.img";
    t.case("no such card", &["save", "missing.img", "new.img"]);
    t.case("an unknown format", &["save", image, "new.raw"]);
    t.case("the card itself", &["save", image, image]);
    fs::write(t.path("mine.img"), "mine").unwrap();
    t.case("a file of somebody else", &["save", image, "mine.img"]);
    t.case("too small", &["save", image, "new.img", "--size", "20MiB"]);
    t.case("a base and a backup", &["save", image, "new.img", "--base", "--exact"]);
    fs::write(t.path("text.img"), "not an image").unwrap();
    t.case("not an image", &["save", "text.img", "new.img"]);
    t.assert("errors-save");
}

#[test]
fn errors_around_the_cards() {
    let mut t = Transcript::new();
    t.case("status without keys", &["status", "profile.yaml"]);
    t.case("status of an unknown node", &["status", "profile.yaml", "--node", "xu5"]);
    t.case("status: not a time", &["status", "profile.yaml", "--wait", "soon"]);
    t.case("export without keys", &["export", "profile.yaml", "ssh-config"]);
    t.case("export: an unknown format", &["export", "profile.yaml", "csv"]);
    t.case("an empty password", &["password"]);
    t.title("a default password");
    t.answer(&["password"], "odroid\n");
    t.title("two lines");
    t.answer(&["password"], "one\ntwo\n");
    t.case("completions for an unknown shell", &["completions", "tcsh"]);
    fs::write(t.path("file"), "").unwrap();
    t.case("man: not a directory", &["man", "file"]);
    t.case("init: the base image is missing", &["init", "p.yaml", "--base", "x.img", "--yes"]);
    t.case("an unknown command", &["burn"]);
    t.assert("errors-other");
}
