//! `cloud_init: keep`: the seed of each node, judged by cloud-init's own code.
//!
//! `CASES_TOOLS` names a directory with cloud-init's package unpacked (`cloud-init/`) and a Python
//! that has what it imports (`python/bin/python`); scripts/test provides it.

mod common;

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use cluster_profile::{Cluster, SystemFiles};
use common::{Fixture, Memory, debian_networkd};
use serde_json::Value as Json;

const SEED: &str = "/var/lib/cloud/seed/nocloud";

/// A system whose cloud-init would undo a card in every way that its seed can.
fn base() -> Memory {
    debian_networkd()
        .file(
            "/etc/cloud/cloud.cfg",
            "users: [default]\npreserve_hostname: false\ndatasource_list: [NoCloud, ConfigDrive]\n\
             cloud_init_modules: [growpart, resizefs, set_hostname, update_hostname, \
             update_etc_hosts, users-groups, ssh]\ncloud_config_modules: [set-passwords]\n\
             system_info:\n  distro: debian\n  default_user: {name: odroid, lock_passwd: true}\n",
        )
        .file("/etc/cloud/cloud.cfg.d/99_maker.cfg", "ssh_deletekeys: true\n")
        .file("/usr/lib/systemd/system/cloud-init.service", "[Service]\nExecStart=/bin/true\n")
        .link(
            "/etc/systemd/system/multi-user.target.wants/cloud-init.service",
            "/usr/lib/systemd/system/cloud-init.service",
        )
        .file(&format!("{SEED}/meta-data"), "instance-id: maker\nlocal-hostname: maker\n")
        .file(&format!("{SEED}/network-config"), "version: 2\nethernets: {eth0: {dhcp4: true}}\n")
        .file(
            &format!("{SEED}/user-data"),
            "#cloud-config\nhostname: maker\npreserve_hostname: false\nmanage_etc_hosts: true\n\
             chpasswd: {list: ['odroid:odroid']}\nssh_deletekeys: true\n",
        )
}

fn fixture(user_data: Option<&str>) -> (Fixture, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let mut profile = common::PROFILE.to_owned() + "cloud_init: keep\n";
    if let Some(text) = user_data {
        let path = directory.path().join("user-data.yaml");
        fs::write(&path, text).unwrap();
        profile += &format!("user_data: {}\n", path.display());
    }
    (Fixture::new(&profile), directory)
}

/// Asks cloud-init what it makes of a card; `None` where it is not at hand.
fn judged(card: &Memory) -> Option<Json> {
    let tools = std::env::var("CASES_TOOLS").unwrap_or_default();
    let python = Path::new(&tools).join("python/bin/python");
    let package = Path::new(&tools).join("cloud-init/usr/lib/python3/dist-packages");
    if tools.is_empty() || !python.exists() || !package.exists() {
        test_support::not_judged("cloud-init was not asked: CASES_TOOLS does not name it");
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let files = [
        "/etc/cloud/cloud.cfg",
        "/etc/cloud/cloud.cfg.d/99_maker.cfg",
        "/etc/cloud/cloud.cfg.d/99-nodecard.cfg",
    ];
    let seed = ["user-data", "meta-data", "network-config"].map(|name| format!("{SEED}/{name}"));
    for path in files.into_iter().chain(seed.iter().map(String::as_str)) {
        let Some(contents) = card.read(path).unwrap() else { continue };
        let target = directory.path().join(&path[1..]);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, contents).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloud_seed_judge.py");
    let mut judge = Command::new(python)
        .args([script, package])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(judge.stdin.take().unwrap(), "{}", directory.path().display()).unwrap();
    let output = judge.wait_with_output().unwrap();
    assert!(output.status.success(), "the judge failed");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn each_node_gets_a_seed_that_leaves_its_card_alone() {
    let (fixture, _directory) = fixture(None);
    let mut instances = Vec::new();
    for (number, name) in ["xu4-master", "xu4-node1"].into_iter().enumerate() {
        let (card, notes) = fixture.settled(&base(), number);
        assert!(!card.has("/etc/cloud/cloud-init.disabled"), "{notes:?}");
        assert!(!notes.iter().any(|note| note.contains("cloud-init")), "{notes:?}");
        let Some(said) = judged(&card) else { return };
        assert_eq!((&said["found"], &said["hostname"]), (&true.into(), &name.into()), "{said}");
        assert_eq!(said["network_off"], serde_json::json!([true, true]), "{said}");
        assert_eq!(said["users"], serde_json::json!([]), "{said}");
        let config = &said["config"];
        assert_eq!(config["hostname"], name);
        for (key, value) in [
            ("preserve_hostname", true),
            ("manage_etc_hosts", false),
            ("ssh_deletekeys", false),
            ("resize_rootfs", false),
            ("disable_root", false),
        ] {
            assert_eq!(config[key], value, "{key}: {said}");
        }
        assert_eq!(config["growpart"]["mode"], "off", "{said}");
        assert_eq!(config.get("chpasswd"), None, "{said}");
        assert_eq!(config["datasource_list"], serde_json::json!(["NoCloud", "None"]), "{said}");
        instances.push(said["instance"].clone());
    }
    assert_ne!(instances[0], instances[1]);
}

#[test]
fn the_owners_user_data_is_merged() {
    let (fixture, _directory) = fixture(Some(
        "#cloud-config\n# Mine.\nhostname: other\nmanage_etc_hosts: localhost\nssh_pwauth: false\n\
         packages: [htop, \"quo\\\"te\"]\nwrite_files:\n  - {path: /etc/motd, content: \"Grüße\\n\", \
         permissions: '0644'}\nusers:\n  - default\n  - {name: guest, lock_passwd: true}\n  - odroid\n\
         merge_how: 'dict(recurse_array)+list(append)'\n",
    ));
    let (card, notes) = fixture.settled(&base(), 1);
    // The model reads the card as cloud-init does: one user is made, and the owner wants that.
    assert!(notes.iter().any(|note| note.contains("makes the user guest")), "{notes:?}");
    let Some(said) = judged(&card) else { return };
    let config = &said["config"];
    assert_eq!(said["hostname"], "xu4-node1");
    assert_eq!(config["hostname"], "xu4-node1", "{said}");
    assert_eq!(config["manage_etc_hosts"], false, "{said}");
    assert_eq!(config["ssh_pwauth"], false, "{said}");
    assert_eq!(config["packages"], serde_json::json!(["htop", "quo\"te"]), "{said}");
    assert_eq!(config["write_files"][0]["content"], "Grüße\n", "{said}");
    assert_eq!(config["write_files"][0]["permissions"], "0644", "{said}");
    // odroid, also as the default user, is the profile's: cloud-init would lock its password.
    assert_eq!(said["users"], serde_json::json!(["guest"]), "{said}");

    // Other user-data is another instance, for which cloud-init starts afresh.
    let (other, _directory) = self::fixture(Some("#cloud-config\npackages: [vim]\n"));
    let (other, _) = other.settled(&base(), 1);
    let path = format!("{SEED}/meta-data");
    assert_ne!(other.text(&path), card.text(&path));
}

/// cloud-init takes users in many forms; those of the profile are left out of all of them.
#[test]
fn users_of_the_profile_are_left_out_of_every_form() {
    for (users, left, others) in [
        ("ada, odroid,bob", "ada,bob", ["ada", "bob"].as_slice()),
        ("[[odroid, ada], 'root,bob', {gecos: x}]", "[\"ada\"], \"bob\"", &["ada", "bob"]),
        ("{odroid: {gecos: x}, ada: {gecos: y}, root: true, bob: yes}", "ada", &["ada", "bob"]),
        ("[default, {name: odroid}, {lock_passwd: true}]", "[]", &[]),
        ("odroid", "[]", &[]),
    ] {
        let (fixture, _directory) = fixture(Some(&format!("#cloud-config\nusers: {users}\n")));
        let (card, notes) = fixture.settled(&base(), 1);
        let seed = card.text(&format!("{SEED}/user-data"));
        assert!(seed.contains(left), "{users}: {seed}");
        for name in others {
            let wanted = format!("makes the user {name}");
            assert!(notes.iter().any(|note| note.contains(&wanted)), "{users}: {notes:?}");
        }
        let Some(said) = judged(&card) else { return };
        assert_eq!(said["users"], serde_json::json!(others), "{users}: {said}");
    }
}

/// Notes name the owner's file, which is where the owner can change it.
#[test]
fn notes_name_the_owners_file_and_its_line() {
    let text = "#cloud-config\n# A comment.\npackages: [htop]\nusers:\n- name: guest\nruncmd:\n\
                - echo hello\n- hostnamectl set-hostname other\nchpasswd: {list: ['root:x']}\n";
    let (fixture, directory) = fixture(Some(text));
    let base = base().file(
        "/etc/cloud/cloud.cfg.d/10_final.cfg",
        "cloud_config_modules: [runcmd, set-passwords]\ncloud_final_modules: [scripts-user]\n",
    );
    let (_, notes) = fixture.settled(&base, 1);
    let file = directory.path().join("user-data.yaml");
    for (what, line) in [
        ("(module users_groups) makes the user guest", 4),
        ("runs `hostnamectl set-hostname other`, which seems to change the host name", 8),
        ("(module set_passwords) sets the password of root", 9),
    ] {
        let note = notes.iter().find(|note| note.contains(what)).expect(what);
        let at = format!("as {}, line {line} says", file.display());
        assert!(note.contains(&at), "{note}");
    }
    assert!(!notes.iter().any(|note| note.contains(SEED)), "{notes:?}");
}

#[test]
fn profiles_are_checked() {
    let refused = |more: &str| {
        let text = common::PROFILE.to_owned() + more;
        let error = Cluster::parse(&text, Path::new("mc1.yaml")).expect_err(more);
        error.to_string()
    };
    assert!(refused("cloud_init: on\n").contains("`cloud_init` cannot be"));
    assert!(refused("user_data: x\n").contains("no effect while cloud-init is off"));
    assert!(refused("cloud_init: keep\nuser_data: nowhere\n").contains("there is no file"));
    let directory = tempfile::tempdir().unwrap();
    for (text, reason) in [
        ("#!/bin/sh\n", "first line"),
        ("#cloud-config\n- a\n", "not a mapping"),
        ("#cloud-config\na: [\n", "cannot be read as YAML ("),
        ("#cloud-config\na: 1\nb: !secret x\n", "(the unknown tag !secret, line 3)"),
        ("#cloud-config\na:\n- 2024-13-41\n", "(a wrong date, line 3)"),
    ] {
        let path = directory.path().join("file");
        fs::write(&path, text).unwrap();
        let message = refused(&format!("cloud_init: keep\nuser_data: {}\n", path.display()));
        assert!(message.contains(reason), "{message}");
    }
    let off = Cluster::parse(&(common::PROFILE.to_owned() + "cloud_init: off\n"), Path::new("x"));
    assert_eq!(off.unwrap().cloud_init, cluster_profile::CloudInitChoice::Off);
}

/// `ssh.image_keys` decides about public keys whose private half is not in the image.
#[test]
fn image_keys_go_as_the_profile_says() {
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti maker";
    let other = Fixture::new(common::PROFILE).keys.pair("another", "me").unwrap();
    let other = other.public();
    let base = common::ubuntu_1604()
        .file("/home/odroid/.ssh/authorized_keys", format!("# a comment\n{KEY}\n{other}"))
        .file("/root/.ssh/authorized_keys", other);
    let (odroid, root) = ("/home/odroid/.ssh/authorized_keys", "/root/.ssh/authorized_keys");
    let card = |policy: &str| {
        let profile = common::PROFILE
            .replace("users: [root, odroid]", &format!("users: [root]\n  image_keys: {policy}"));
        Fixture::new(&profile).settled(&base, 1)
    };
    for policy in ["keep", "null"] {
        let (card, _) = card(policy);
        assert_eq!(card.text(odroid), base.text(odroid));
        assert!(card.text(root).contains(other));
    }
    let (removed, notes) = card("remove");
    assert_eq!(removed.text(odroid), "# a comment\n");
    assert!(!removed.text(root).contains(other) && removed.text(root).contains("cluster key"));
    assert!(notes.iter().any(|note| note.contains(odroid) && note.contains("ssh.image_keys")));
    let (listed, _) = card(&format!("[\"{}\"]", KEY.replace("maker", "known")));
    assert_eq!(listed.text(odroid), format!("# a comment\n{other}"));
    assert!(listed.text(root).contains(other));
}

#[test]
fn default_passwords_of_the_owners_user_data_are_noted() {
    let text = "#cloud-config\nusers:\n- {name: ada, plain_text_passwd: ada, lock_passwd: false}\n\
                - {name: bob, plain_text_passwd: his own, lock_passwd: false}\n";
    let (fixture, _directory) = fixture(Some(text));
    let (_, notes) = fixture.settled(&base(), 0);
    let note = notes.iter().find(|note| note.contains("default passwords")).expect("a note");
    assert!(note.starts_with("default passwords still set: ada (`ada`);"), "{note}");
}
