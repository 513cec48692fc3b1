//! The contents of built images.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::support::*;

#[test]
fn every_image_is_clean_and_belongs_to_its_node() {
    let bench = Bench::new();
    bench.built(&[]);
    for (node, last) in NODES.iter().zip(80..) {
        let image = bench.path(&format!("out/{node}.img"));
        e2fsck(&image);
        assert_eq!(cat(&image, "/etc/hostname"), format!("{node}\n"));
        let interfaces = cat(&image, "/etc/network/interfaces");
        assert!(interfaces.contains(&format!("address 192.168.1.{last}")), "{interfaces}");
        let hosts = cat(&image, "/etc/hosts");
        for (name, last) in NODES.iter().zip(80..) {
            let address = format!("192.168.1.{last}");
            let line = |line: &str| line.split_whitespace().eq([address.as_str(), name]);
            assert_eq!(hosts.lines().filter(|l| line(l)).count(), 1, "{hosts}");
        }
        let private = fs::metadata(&image).unwrap().permissions();
        assert_eq!(private.mode() & 0o777, 0o600, "{} holds keys", image.display());
        assert_eq!(fs::metadata(&image).unwrap().len(), 64 << 20);
    }
}

/// Images need a size: `--card` gives what the profile lacks. Everything else works without.
#[test]
fn only_images_need_the_size_of_the_cards() {
    let bench = Bench::new();
    let profile = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    fs::write(bench.path("profile.yaml"), profile.replace("card: 64MiB\n", "")).unwrap();
    assert!(bench.refused(2, &[]).contains("the profile profile.yaml has no `card`"));
    let base = decoded_base(&bench).display().to_string();
    let said = bench.built(&["--card", "72MiB", "--node", "xu4-node1", "--base", &base]);
    let image = bench.path("out/xu4-node1.img");
    assert_eq!(fs::metadata(&image).unwrap().len(), 72 << 20);
    e2fsck(&image);
    // The command that build prints works as it is printed, on a card of any size.
    let next = said.lines().find_map(|line| line.split_once("nodecard flash ")).expect("a command");
    used_card(&bench.path("a.card"), 96 << 20);
    let next = next.1.replace("/dev/sdX", "a.card");
    let next = [vec!["flash"], next.split(' ').collect(), vec!["--yes"]].concat();
    let works = |arguments: &[&str]| {
        let output = bench.nodecard(arguments).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{arguments:?}: {text}");
        text
    };
    works(&next);
    works(&["verify", "profile.yaml", "a.card"]);
    works(&["apply", "profile.yaml", "xu4-node1=a.card"]);
    works(&["export", "profile.yaml", "ssh-config"]);
    works(&["export", "profile.yaml", "json"]);
    let said = works(&["check", "profile.yaml", "--base", &base]);
    assert!(said.contains("no size set") && said.contains("not checked: whether"), "{said}");
    let json = works(&["check", "profile.yaml", "--base", &base, "--json"]);
    assert!(json.contains("\"card_size\": null"), "{json}");
    let status = bench.nodecard(&["status", "profile.yaml", "--node", "xu5"]).output().unwrap();
    let error = String::from_utf8_lossy(&status.stderr);
    assert!(error.starts_with("error: there is no node xu5"), "{error}");
    let plan = ["plan", "profile.yaml", "--card", "72MiB", "--node", "xu4-node1"];
    let plan = bench.nodecard(&plan).output().unwrap();
    let text = String::from_utf8_lossy(&plan.stdout);
    assert!(plan.status.success() && text.contains("cards of 75.5 MB"), "{text}");
    // A profile with the key keeps its mistakes.
    fs::remove_dir_all(bench.path("out")).unwrap();
    fs::write(bench.path("profile.yaml"), profile.replace("64MiB", "64")).unwrap();
    assert!(bench.refused(2, &["--card", "72MiB"]).contains("64"), "the profile is wrong");
}

#[test]
fn identities_differ_and_shared_files_do_not() {
    let bench = Bench::new();
    bench.built(&[]);
    let of_all = |file: &str| {
        let mut all: Vec<String> =
            NODES.iter().map(|node| cat(&bench.path(&format!("out/{node}.img")), file)).collect();
        assert!(all.iter().all(|contents| !contents.is_empty()), "{file} is missing");
        all.sort();
        all.dedup();
        all.len()
    };
    for file in ["/etc/hostname", "/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key"] {
        assert_eq!(of_all(file), 4, "{file}");
    }
    for file in ["/root/.ssh/authorized_keys", "/root/.ssh/id_ed25519", "/etc/ssh/ssh_known_hosts"]
    {
        assert_eq!(of_all(file), 1, "{file}");
    }
    // The mode that sshd requires, and the owner from the image's own /etc/passwd.
    let image = bench.path("out/xu4-node2.img");
    let key = debugfs(&image, "stat /home/odroid/.ssh/id_ed25519");
    assert!(key.contains("Mode:  0600") && key.contains("User:  1000"), "{key}");
    // The image's own host keys, which every copy of the image has, are gone.
    assert!(!debugfs(&image, "ls -p /etc/ssh").contains("ssh_host_rsa_key"));
    // The program that would resize a grown card at its first boot is gone.
    assert!(!debugfs(&image, "ls -p /").contains("first_boot"));
}

#[test]
fn everything_outside_the_root_filesystem_stays_the_same() {
    let bench = Bench::new();
    let base = decoded_base(&bench);
    bench.built(&[]);
    let image = bench.path("out/xu4-node3.img");
    let table = 440..512;
    let boot_code = bytes(&base, 0, table.start) == bytes(&image, 0, table.start);
    assert!(boot_code, "the code in sector 0 changed");
    let rest = (ROOT_OFFSET - 512) as usize;
    const { assert!(FIRST_PARTITION < ROOT_OFFSET) };
    assert!(bytes(&base, 512, rest) == bytes(&image, 512, rest), "boot area or boot partition");
    run("fdisk", "sfdisk", &["--verify", image.to_str().unwrap()]);
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let bench = Bench::new();
    bench.built(&["--sums"]);
    let first = fs::read_to_string(bench.path("out/SHA256SUMS")).unwrap();
    // Another cache, so that the base is decoded again.
    fs::remove_dir_all(bench.path("cache")).unwrap();
    bench.built(&["--sums"]);
    assert_eq!(fs::read_to_string(bench.path("out/SHA256SUMS")).unwrap(), first);
    // New keys make other nodes.
    fs::remove_dir_all(bench.path("profile.keys")).unwrap();
    bench.built(&["--sums", "--new-keys"]);
    assert_ne!(fs::read_to_string(bench.path("out/SHA256SUMS")).unwrap(), first);
}

#[test]
fn one_node_alone_equals_the_same_node_among_others() {
    let bench = Bench::new();
    bench.built(&[]);
    let image = bench.path("out/xu4-node2.img");
    let among_others = fs::read(&image).unwrap();
    bench.built(&["--node", "xu4-node2"]);
    assert!(fs::read(&image).unwrap() == among_others);
}

#[test]
fn deleted_files_garbage_is_not_copied() {
    let bench = Bench::new();
    let base = decoded_base(&bench);
    bench.built(&[]);
    let count = |path| {
        let bytes: Vec<u8> = fs::read(path).unwrap();
        bytes.windows(15).filter(|window| window == b"DELETED GARBAGE").count()
    };
    assert!(count(base) > 0, "the sample base has garbage in its free blocks");
    assert_eq!(count(bench.path("out/xu4-node1.img")), 0);
}

#[test]
fn grows_to_far_larger_cards() {
    let bench = Bench::new();
    for card in ["1GiB", "32GB"] {
        bench.built(&["--card", card, "--node", "xu4-master"]);
        let image = bench.path("out/xu4-master.img");
        e2fsck(&image);
        let used = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&image).unwrap()) * 512;
        assert!(used < 128 << 20, "{card}: {used} bytes on the disk");
    }
}

#[test]
fn memory_use_does_not_depend_on_the_size_of_the_card() {
    let bench = Bench::new();
    // Python reports the largest resident set of its children, in KiB.
    let script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); \
                  print('RSS', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let output = std::process::Command::new("python3")
        .args(["-c", script, env!("CARGO_BIN_EXE_nodecard")])
        .args(["build", "profile.yaml", "--out", "out", "--card", "16GB"])
        .current_dir(bench.path(""))
        .env("XDG_CACHE_HOME", bench.path("cache"))
        .output()
        .expect("python3 is needed: install the Debian package python3");
    let text = String::from_utf8_lossy(&output.stdout);
    let kibibytes = text.lines().find_map(|line| line.strip_prefix("RSS ")?.parse::<u64>().ok());
    let kibibytes = kibibytes.unwrap_or_else(|| panic!("{text}"));
    assert!(kibibytes < 200 << 10, "{kibibytes} KiB");
}
