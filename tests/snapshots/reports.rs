//! Helps and reports.

use std::{fs, os::unix::fs::symlink, path::Path};

use super::transcript::*;
use crate::support::*;

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
    transcript.title("a blank file");
    fs::File::create(transcript.path("new.card")).unwrap().set_len(64 * MIB).unwrap();
    transcript.answer(&["flash", "profile.yaml", "xu4-node1=new.card"], "new.card\n");
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
    let target = format!("xu4-master={image}");
    transcript.case("the card of another node", &["-q", "apply", "profile.yaml", &target]);
    transcript.case("the same, unasked", &["apply", "profile.yaml", &target, "--yes"]);
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
    if !namespaces() {
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
