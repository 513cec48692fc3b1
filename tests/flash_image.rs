//! `nodecard flash --image`.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::support::*;

fn flash(bench: &Bench, arguments: &[&str]) -> (Option<i32>, String) {
    let arguments = [&["flash", "--image"], arguments, &["--yes"]].concat();
    let output = bench.nodecard(&arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_built_image_becomes_a_card() {
    let bench = Bench::new();
    for (format, name) in [("raw", "xu4-node1.img"), ("zst", "xu4-node1.img.zst")] {
        bench.built(&["--node", "xu4-node1", "--format", format]);
        let card = bench.path("a.card");
        used_card(&card, 96 * MIB);
        let image = format!("out/{name}");
        let (code, said) = flash(&bench, &[&image, "a.card"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("verified") && !said.contains("Safe to remove"), "{said}");
        assert!(said.contains("larger than the image"), "{said}");
        e2fsck(&card);
        // What the image does not use stays as it was.
        assert_eq!(bytes(&card, 80 * MIB, 512), [0xb5; 512]);
        let output = bench.nodecard(&["verify", "profile.yaml", "a.card"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn an_image_that_its_map_does_not_describe_is_refused() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1"]);
    let card = bench.path("a.card");
    used_card(&card, 64 * MIB);
    let image = bench.path("out/xu4-node1.img");
    let mut contents = fs::read(&image).unwrap();
    contents[ROOT_OFFSET as usize + 1030] ^= 1;
    fs::write(&image, contents).unwrap();
    let (code, said) = flash(&bench, &["out/xu4-node1.img", "a.card"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("differs from it from byte") && said.contains("nothing was written"),
        "{said}"
    );
    assert_eq!(bytes(&card, 0, 512), [0xb5; 512]);

    // Without its map, it is just an image.
    fs::remove_file(bench.path("out/xu4-node1.img.bmap")).unwrap();
    let (code, said) = flash(&bench, &["out/xu4-node1.img", "a.card"]);
    assert!(code == Some(0) && said.contains("no block map"), "{said}");
    assert!(fs::read(&card).unwrap() == fs::read(&image).unwrap());
}

#[test]
fn cards_that_are_too_small_and_the_image_itself_are_refused() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1"]);
    used_card(&bench.path("small.card"), 32 * MIB);
    let image = "out/xu4-node1.img";
    for target in ["small.card", image, "missing.card"] {
        let (code, said) = flash(&bench, &[image, target]);
        assert_eq!(code, Some(4), "{said}");
        assert!(said.contains("nothing was written"), "{said}");
    }
    for (target, expected) in [
        ("small.card", "it holds 33.6 MB, but the image is 67.1 MB"),
        ("small.card", "enlarge the file: truncate -s 67108864 small.card"),
        ("profile.yaml", "fix: give a device such as /dev/sdb"),
        (image, "it is the image itself"),
    ] {
        let (_, said) = flash(&bench, &[image, target]);
        assert!(said.contains(expected) && !said.contains("base image"), "{said}");
    }
    let (code, said) = flash(&bench, &["missing.img", "small.card"]);
    assert!(code == Some(3) && said.contains("another image with --image"), "{said}");
    let arguments = ["flash", "--image", image, "profile.yaml", "xu4-node1=small.card"];
    let output = bench.nodecard(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// A card holds private keys. A file that becomes one is as private as an image that was built.
#[test]
fn a_file_that_becomes_a_card_is_taken_away_from_other_users() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1"]);
    let mode = |name: &str| fs::metadata(bench.path(name)).unwrap().permissions().mode() & 0o7777;
    let set = |name: &str, mode: u32| {
        fs::set_permissions(bench.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let note = "a.card can now be read only by its owner";
    used_card(&bench.path("a.card"), 64 * MIB);
    set("a.card", 0o644);
    let report = bench.flashed(&["xu4-node1=a.card"]);
    assert!(report.contains(note), "{report}");
    assert_eq!(mode("a.card"), 0o600);
    let report = bench.flashed(&["xu4-node1=a.card"]);
    assert!(!report.contains(note), "{report}");

    // An image that only its owner can read may hold keys; one that all can read does not.
    for (image_mode, expected) in [(0o644, 0o664), (0o600, 0o600)] {
        set("out/xu4-node1.img", image_mode);
        set("a.card", 0o664);
        let (code, said) = flash(&bench, &["out/xu4-node1.img", "a.card"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.contains(note), expected == 0o600, "{said}");
        assert_eq!(mode("a.card"), expected);
    }

    // What belongs to somebody else cannot be taken away from others.
    if loops() {
        let mut command = bench.as_nobody(&["flash", "profile.yaml", "xu4-node1=a.card", "--yes"]);
        std::os::unix::fs::chown(bench.path("a.card"), Some(0), Some(0)).unwrap();
        set("a.card", 0o666);
        let output = command.output().unwrap();
        let report = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{report}");
        assert!(report.contains("other users can read a.card"), "{report}");
        assert!(report.contains("chmod 600 a.card"), "{report}");
    }
}
