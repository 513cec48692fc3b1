//! Errors.

use std::fs;

use super::transcript::*;
use crate::support::*;

#[test]
fn errors_in_profiles() {
    let mut t = Transcript::new();
    t.case("no such profile", &["check", "missing.yaml"]);
    t.case("another ending", &["check", "profile.yml"]);
    fs::create_dir(t.path("d.yaml")).unwrap();
    t.case("a directory", &["check", "d.yaml"]);
    fs::copy(sample_base(), t.path("s.img.xz")).unwrap();
    t.case("an image", &["check", "s.img.xz"]);
    fs::write(t.path("README.md"), "# The cluster\n\nFour boards: see mc1.yaml.\n").unwrap();
    t.case("a document", &["check", "README.md"]);
    fs::write(t.path("compose.yaml"), "services: {web: {image: nginx}}\n").unwrap();
    t.case("YAML of another program", &["build", "compose.yaml"]);
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
    // Threads decode it, so how far they are when one fails differs a little.
    let (_, near) = t.text.split_once(" near byte ").expect("a place");
    let near: usize = near.split(' ').next().unwrap().parse().expect("a number");
    assert!((whole.len() / 2..whole.len()).contains(&near), "{near}");
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
    let file = "{path: /etc/b, content: b, owner: other}";
    let profile = PROFILE
        .replace("[root, odroid]", "[root, nobody-here, somebody]")
        .replace("192.168.1.81}", &format!("192.168.1.81, files: [{file}]}}"))
        + "boot: {config: {arm_64bit: 1}}\n";
    fs::write(t.path("reasons.yaml"), profile).unwrap();
    t.case("several reasons at once", &["build", "reasons.yaml"]);
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
    t.case("an image without a device", &["flash", "--image", "a.img"]);
    let image = ["flash", "profile.yaml", "--image", "a.img", "a.card"];
    t.case("an image and a profile", &image);
    fs::File::create(t.path("blank.img")).unwrap().set_len(64 * MIB).unwrap();
    fs::write(t.path("text.img"), "not an image").unwrap();
    for (title, image) in [("a blank image", "blank.img"), ("not an image", "text.img")] {
        t.case(title, &["flash", "--image", image, "a.card", "--yes"]);
    }
    t.case("an image and a node", &["flash", "--image", "a.img", "xu4-node1=a.card"]);
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
    fs::File::create(t.path("blank.img")).unwrap().set_len(1 << 20).unwrap();
    t.case("a blank file", &["verify", "profile.yaml", "blank.img"]);
    fs::write(t.path("empty.img"), "").unwrap();
    t.case("an empty file", &["verify", "profile.yaml", "empty.img"]);
    fs::write(t.path("SHA256SUMS"), "0 a.img\n").unwrap();
    let keys = ["verify", "profile.yaml", image, "--keys", "SHA256SUMS"];
    t.case("another file as keys", &keys);
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
    let nowhere = ["init", "nodir/new.yaml", "--base", "base.img.xz", "--yes"];
    t.case("init: no such directory", &nowhere);
    t.case("init: no nodes", &["init", "p.yaml", "--nodes", "0"]);
    t.case("init: not an address", &["init", "p.yaml", "--first-address", "10.0.0"]);
    t.case("an unknown command", &["burn"]);
    t.assert("errors-other");
}
