//! From a card to a base image or a backup, and back.

use std::{fs, path::Path};

use crate::support::*;

/// Runs `nodecard save`, and returns its exit code, report and messages.
pub fn save(bench: &Bench, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = bench.nodecard(&[&["save"], arguments].concat()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let error = text(output.stderr);
    assert!(!error.contains("panicked"), "{error}");
    (output.status.code(), text(output.stdout), error)
}

#[track_caller]
pub fn saved(bench: &Bench, arguments: &[&str]) -> String {
    let (code, report, error) = save(bench, arguments);
    assert_eq!(code, Some(0), "{error}");
    report
}

/// Runs a save that must fail, and leave no image.
#[track_caller]
pub fn not_saved(bench: &Bench, code: i32, arguments: &[&str], parts: &[&str]) {
    let (found, _, error) = save(bench, arguments);
    assert_eq!(found, Some(code), "{error}");
    for part in parts {
        assert!(error.contains(part), "{part:?} is missing from: {error}");
    }
    for name in ["new.img", "new.img.bmap", "new.img.sha256", ".new.img.nodecard-partial"] {
        assert!(!bench.path(name).exists(), "{name} was left");
    }
}

pub const CARD: &str = "out/xu4-node1.img";

pub fn built() -> Bench {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1"]);
    bench
}

fn sum_is_right(bench: &Bench, name: &str) {
    let directory = bench.path("");
    let script = format!("cd {} && sha256sum -c {name}.sha256", directory.display());
    assert!(run("bash", "bash", &["-c", &script]).contains(": OK"));
}

#[test]
fn a_saved_base_makes_cards_that_match_the_profile() {
    let bench = built();
    write(&bench, CARD, "/home/odroid/diary", "dear diary\n");
    let before = fs::read(bench.path(CARD)).unwrap();
    let report = saved(&bench, &[CARD, "new.img", "--profile", "profile.yaml"]);
    assert!(report.contains("shrunk from"), "{report}");
    assert!(report.contains("password hash of") || report.contains("host keys"), "{report}");
    assert!(fs::read(bench.path(CARD)).unwrap() == before, "the card was changed");
    let image = bench.path("new.img");
    e2fsck(&image);
    sum_is_right(&bench, "new.img");
    assert!(fs::metadata(&image).unwrap().len() < before.len() as u64);
    assert_eq!(cat(&image, "/etc/hostname"), "localhost\n");
    assert_eq!(cat(&image, "/home/odroid/diary"), "dear diary\n");
    assert!(cat(&image, "/etc/network/interfaces").contains("iface eth0 inet dhcp"));
    // Nothing of the keys is in any byte of the image.
    let bytes = fs::read(&image).unwrap();
    let secret = cat(&bench.path(CARD), "/etc/ssh/ssh_host_ed25519_key");
    let secret = secret.lines().nth(2).unwrap().as_bytes().to_vec();
    assert!(!bytes.windows(secret.len()).any(|window| window == secret));

    bench.built(&["--base", "new.img"]);
    // What was asked for is part of the next command too.
    let with_keys = saved(
        &bench,
        &[CARD, "second.img", "--profile", "profile.yaml", "--keys", "profile.keys", "--root", "2"],
    );
    let next = "nodecard build profile.yaml --base second.img --root 2 --keys profile.keys\n";
    assert!(with_keys.contains(next), "{with_keys}");
    let images: Vec<String> = NODES.iter().map(|node| format!("out/{node}.img")).collect();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    for image in &images {
        e2fsck(&bench.path(image));
        assert_eq!(cat(&bench.path(image), "/home/odroid/diary"), "dear diary\n");
    }
    let (code, out, error) = verify(&bench, &images);
    assert_eq!(code, Some(0), "{out}{error}");
}

#[test]
fn a_backup_has_all_files_and_is_the_same_every_time() {
    let bench = built();
    let first = saved(&bench, &[CARD, "new.img"]);
    let bytes = fs::read(bench.path("new.img")).unwrap();
    assert!(first.contains("private key in /etc/ssh/ssh_host_ed25519_key"), "{first}");
    saved(&bench, &[CARD, "new.img", "--overwrite"]);
    assert!(fs::read(bench.path("new.img")).unwrap() == bytes);
    e2fsck(&bench.path("new.img"));
    for path in ["/etc/hostname", "/etc/ssh/ssh_host_ed25519_key", "/etc/hosts", "/etc/machine-id"]
    {
        assert_eq!(cat(&bench.path("new.img"), path), cat(&bench.path(CARD), path));
    }
    for (name, unpack) in [("c.img.xz", "xz"), ("c.img.zst", "zstd"), ("c.img.gz", "gzip")] {
        saved(&bench, &[CARD, name]);
        sum_is_right(&bench, name);
        let script = format!(
            "{unpack} -dc {0} | cmp - {1}",
            bench.path(name).display(),
            bench.path("new.img").display()
        );
        run("bash", "bash", &["-c", &script]);
    }
    // As large as the card, and used in the same places.
    saved(&bench, &[CARD, "whole.img", "--no-shrink"]);
    let whole = fs::metadata(bench.path("whole.img")).unwrap().len();
    assert_eq!(whole, fs::metadata(bench.path(CARD)).unwrap().len());
    e2fsck(&bench.path("whole.img"));
}

/// Nothing that is already there is replaced, and each image has files of its own beside it.
#[test]
fn an_image_is_replaced_only_if_that_is_said() {
    let bench = built();
    for name in ["new.img", "new.img.bmap", "new.img.sha256"] {
        fs::write(bench.path(name), "mine").unwrap();
        let (code, _, error) = save(&bench, &[CARD, "new.img"]);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(&format!("{name} already exists")), "{error}");
        assert_eq!(fs::read(bench.path(name)).unwrap(), b"mine");
        fs::remove_file(bench.path(name)).unwrap();
    }
    // An older backup, which has its block map beside it.
    saved(&bench, &[CARD, "new.img"]);
    let (code, _, error) = save(&bench, &[CARD, "new.img", "--base"]);
    assert_eq!(code, Some(2), "{error}");
    let backup = fs::read(bench.path("new.img")).unwrap();
    saved(&bench, &[CARD, "new.img", "--base", "--overwrite"]);
    assert!(fs::read(bench.path("new.img")).unwrap() != backup);
    sum_is_right(&bench, "new.img");

    saved(&bench, &[CARD, "two.img.zst"]);
    saved(&bench, &[CARD, "two.img.gz", "--no-shrink"]);
    let size = |name: &str| {
        let text = fs::read_to_string(bench.path(name)).unwrap();
        let (_, rest) = text.split_once("<ImageSize>").unwrap();
        rest.split('<').next().unwrap().trim().parse::<u64>().unwrap()
    };
    assert!(size("two.img.zst.bmap") < size("two.img.gz.bmap"));
    // bmaptool finds the right one automatically.
    fs::write(bench.path("target"), vec![0xa5; 64 << 20]).unwrap();
    let (image, target) = (bench.path("two.img.zst"), bench.path("target"));
    run("bmap-tools", "bmaptool", &["copy", image.to_str().unwrap(), target.to_str().unwrap()]);
    e2fsck(&target);
}

/// Keys that are listed as removed are in no byte of the image, whatever names they have.
#[test]
fn keys_with_other_names_are_gone_from_every_byte() {
    let bench = built();
    let card = bench.path(CARD);
    let key = |path: &str| {
        let text = cat(&card, path);
        assert!(text.starts_with("-----BEGIN"), "{text}");
        text.lines().nth(2).unwrap().as_bytes().to_vec()
    };
    let keys = [key("/etc/ssh/ssh_host_ed25519_key"), key("/root/.ssh/id_ed25519")];
    edit(
        &bench,
        CARD,
        "mkdir /keys\n\
         ln /etc/ssh/ssh_host_ed25519_key /keys/host\n\
         unlink /etc/ssh/ssh_host_ed25519_key\n\
         symlink /etc/ssh/ssh_host_ed25519_key ../../keys/host\n\
         ln /root/.ssh/id_ed25519 /keys/spare\n\
         sif /keys/spare links_count 2\n",
    );
    e2fsck(&card);
    let holds = |image: &Path, key: &[u8]| {
        fs::read(image).unwrap().windows(key.len()).any(|window| window == key)
    };
    let report = saved(&bench, &[CARD, "new.img", "--profile", "profile.yaml", "--no-shrink"]);
    let image = bench.path("new.img");
    e2fsck(&image);
    for key in &keys {
        assert!(holds(&card, key), "the card has the key");
        assert!(!holds(&image, key), "the image has the key");
    }
    for path in ["/etc/ssh/ssh_host_ed25519_key", "/keys/host", "/root/.ssh/id_ed25519"] {
        assert!(report.contains(path), "{path} is missing from {report}");
    }
    assert!(report.contains("/keys/spare"), "{report}");
    assert_eq!(debugfs(&image, "ls -p /keys").matches("/host/").count(), 0);
}

#[test]
fn a_damaged_filesystem_is_saved_as_it_is_or_not_at_all() {
    let bench = built();
    // The block bitmap says that a file's block is free.
    debugfs(&bench.path(CARD), "set_super_value free_blocks_count 7");
    let card = bench.path(CARD);
    let mut bytes = fs::read(&card).unwrap();
    let start = bytes.windows(2).position(|pair| pair == [0x53, 0xef]).unwrap() - 56;
    // The root directory's block count.
    bytes[start + 40] ^= 0xff;
    fs::write(&card, &bytes).unwrap();
    let parts = ["--exact --no-shrink"];
    not_saved(&bench, 4, &[CARD, "new.img"], &parts);
    not_saved(&bench, 4, &[CARD, "new.img", "--profile", "profile.yaml", "--no-shrink"], &parts);
    saved(&bench, &[CARD, "new.img", "--exact", "--no-shrink"]);
    assert!(fs::read(bench.path("new.img")).unwrap() == fs::read(&card).unwrap());
}

#[test]
fn bad_input_is_refused_and_leaves_nothing() {
    let bench = built();
    not_saved(
        &bench,
        4,
        &["missing.img", "new.img"],
        &["no such device or file", "check the path"],
    );
    not_saved(&bench, 2, &[CARD, "new.raw"], &["does not end like that of an image", ".img.xz"]);
    not_saved(&bench, 4, &[CARD, CARD], &["the image would overwrite it"]);
    fs::write(bench.path("mine.img"), "mine").unwrap();
    not_saved(&bench, 2, &[CARD, "mine.img"], &["mine.img already exists", "--overwrite"]);
    assert_eq!(fs::read(bench.path("mine.img")).unwrap(), b"mine");
    let missing = ["directory no/such does not exist", "fix: mkdir -p no/such"];
    not_saved(&bench, 2, &[CARD, "no/such/new.img"], &missing);
    assert!(!bench.path("no").exists());
    not_saved(&bench, 2, &[CARD, "new.img", "--size", "20MiB"], &["too small", "leave out --size"]);
    not_saved(&bench, 2, &[CARD, "new.img", "--base", "--exact"], &["cannot be used with"]);
    fs::write(bench.path("text.img"), vec![b'x'; 1 << 20]).unwrap();
    not_saved(&bench, 4, &["text.img", "new.img"], &[]);
}

#[test]
fn a_compressed_image_is_saved_too() {
    let bench = built();
    let base = sample_base();
    let report = saved(&bench, &[Path::new(&base).to_str().unwrap(), "new.img", "--base"]);
    assert!(report.contains("as a base image"), "{report}");
    e2fsck(&bench.path("new.img"));
}

/// Only the keys of the profile's cluster would be removed.
#[test]
fn a_card_of_another_cluster_is_no_base_image() {
    let bench = built();
    let profile = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    let other = profile.replace("cluster: test", "cluster: other");
    assert_ne!(profile, other);
    fs::write(bench.path("other.yaml"), other).unwrap();
    let arguments = [CARD, "new.img", "--profile", "other.yaml"];
    let parts =
        ["the cluster test", "not those of other", "profile of the cluster test", "--exact"];
    not_saved(&bench, 4, &arguments, &parts);
    saved(&bench, &[&arguments[..], &["--exact"]].concat());
}

/// What is rewritten is rewritten under all names, and what is removed has no further name.
#[test]
fn no_further_name_keeps_what_was_taken_out() {
    let bench = built();
    let card = bench.path(CARD);
    let files = ["hostname", "hosts", "network/interfaces", "machine-id"];
    let mut lines = "mkdir /old\n".to_owned();
    for path in files {
        let name = path.rsplit('/').next().unwrap();
        lines += &format!("ln /etc/{path} /old/{name}\nsif /old/{name} links_count 2\n");
    }
    lines += "ln /root/.ssh/authorized_keys /old/keys\nsif /old/keys links_count 2\n";
    edit(&bench, CARD, &lines);
    e2fsck(&card);
    let id = cat(&card, "/etc/machine-id");
    let report = saved(&bench, &[CARD, "new.img", "--profile", "profile.yaml", "--no-shrink"]);
    let image = bench.path("new.img");
    e2fsck(&image);
    let bytes = fs::read(&image).unwrap();
    for text in ["192.168.1.81", id.trim()] {
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(has(&fs::read(&card).unwrap()) && !has(&bytes), "{text} is left");
    }
    assert!(report.contains("/old/machine-id"), "{report}");
    assert_eq!(cat(&image, "/old/hostname"), "localhost\n");
    assert!(!cat(&image, "/old/hosts").contains("xu4-node1"));
}

/// Private keys of the owner stay wherever they are, and each is listed.
#[test]
fn private_keys_anywhere_are_listed() {
    let bench = built();
    let key = bench.path("key");
    run("openssh-client", "ssh-keygen", &["-qt", "ecdsa", "-N", "", "-f", key.to_str().unwrap()]);
    let openssh = fs::read_to_string(&key).unwrap();
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n\
               -----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let places = [
        ("/etc/ssh.old/ssh_host_ecdsa_key", &*openssh),
        ("/etc/ssl.bak/combined.pem", pem),
        ("/home/odroid/work/deploy.bak", &openssh),
        ("/opt/app/id", &openssh),
        ("/srv/x/y/z", &openssh),
        ("/data/keys/github", &openssh),
        ("/var/lib/app/pgp.asc", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n"),
    ];
    let mut directories = String::new();
    for (path, _) in &places {
        for (end, _) in path.match_indices('/').skip(1) {
            directories += &format!("mkdir {}\n", &path[..end]);
        }
    }
    edit(&bench, CARD, &directories);
    for (path, text) in &places {
        write(&bench, CARD, path, text);
    }
    write(&bench, CARD, "/srv/behind", &("\0".repeat(200_000) + &openssh));
    write(&bench, CARD, "/srv/text", "It says -----BEGIN PRIVATE KEY----- somewhere.\n");
    write(&bench, CARD, "/srv/attribute", "");
    let value = bench.path("value");
    fs::write(&value, &openssh).unwrap();
    edit(&bench, CARD, &format!("ea_set -f {} /srv/attribute user.key\n", value.display()));
    let report = one_line(&saved(&bench, &[CARD, "new.img", "--profile", "profile.yaml"]));
    let more = ["/srv/behind", "/srv/attribute"];
    for path in places.iter().map(|(path, _)| path).chain(&more) {
        let listed = format!("private key in {path}");
        assert!(report.contains(&listed), "{listed} is missing from {report}");
    }
    assert!(!report.contains("/srv/text"), "{report}");
    assert_eq!(cat(&bench.path("new.img"), "/opt/app/id"), openssh);
}
