//! Verifying cards: exit codes, reports, and that nothing is written.

use std::fs;

use crate::support::*;

#[test]
fn right_cards() {
    let bench = Bench::new();
    bench.built(&[]);
    let images = NODES.map(|node| format!("out/{node}.img"));
    let arguments: Vec<&str> = images.iter().map(String::as_str).collect();
    let (code, out, error) = verify(&bench, &arguments);
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("4 cards: 4 as expected; compared with the profile and"), "{out}");
    assert!(out.contains("out/xu4-node2.img: xu4-node2 (192.168.1.82), as expected\n"), "{out}");
    // Building has decoded the base image. Without the cache, it is not compared with.
    fs::remove_dir_all(bench.path("cache")).unwrap();
    let (code, out, error) = verify(&bench, &arguments);
    assert_eq!(code, Some(0), "{out}");
    assert!(!out.contains("compared with"), "{out}");
    assert!(one_line(&error).contains(" is not decoded fix: add --base "), "{error}");
    let base = sample_base();
    let (code, out, _) = verify(&bench, &[arguments[0], "--base", base.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("compared with"), "{out}");
}

#[test]
fn compressed_cards() {
    let bench = Bench::new();
    bench.built(&["--format", "zst", "--node", "xu4-node1"]);
    let (code, out, error) = verify(&bench, &["out/xu4-node1.img.zst"]);
    assert_eq!(code, Some(0), "{out}{error}");
}

#[test]
fn the_articles_typo() {
    let bench = Bench::new();
    bench.built(&[]);
    let image = "out/xu4-node2.img";
    let path = "/etc/network/interfaces";
    let text = cat(&bench.path(image), path);
    write(&bench, image, path, &text.replace("address 192", "addres 192"));
    let before = fs::read(bench.path(image)).unwrap();
    let (code, out, error) = verify(&bench, &[image, "out/xu4-node1.img"]);
    assert_eq!(code, Some(1), "{out}{error}");
    for part in [
        "error    address              /etc/network/interfaces:10\n",
        "found:    addres 192.168.1.82\n",
        "expected: address 192.168.1.82\n",
        "2 cards: 1 as expected, 1 with differences",
    ] {
        assert!(out.contains(part), "{part} is missing: {out}");
    }
    let (code, out, _) = verify(&bench, &[image, "--json"]);
    assert_eq!(code, Some(1));
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let finding = &report["cards"][0]["findings"][0];
    assert_eq!(finding["code"], "address");
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["line"], 10);
    assert_eq!(report["cards"][0]["node"], "xu4-node2");
    assert!(fs::read(bench.path(image)).unwrap() == before, "the target was changed");
}

#[test]
fn two_cards_of_one_node() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1"]);
    fs::copy(bench.path("out/xu4-node1.img"), bench.path("copy.img")).unwrap();
    let (code, out, _) = verify(&bench, &["out/xu4-node1.img", "copy.img"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("this card and copy.img are both xu4-node1\n"), "{out}");
    assert!(out.contains("the same host name, address, machine id, host key"), "{out}");
    assert_eq!(out.matches("duplicate-").count(), 2, "{out}");
    // A card that is given twice is not a clone of itself, whatever it is called.
    fs::hard_link(bench.path("copy.img"), bench.path("hard.img")).unwrap();
    for other in ["./copy.img", "hard.img"] {
        let (code, _, error) = verify(&bench, &["copy.img", other]);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains("given twice"), "{error}");
    }
}

#[test]
fn targets_that_cannot_be_verified() {
    let bench = Bench::new();
    // Without keys nothing can be compared, and verify makes none.
    let (code, _, error) = verify(&bench, &["out/xu4-node1.img"]);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("profile.keys") && !bench.path("profile.keys").exists(), "{error}");
    bench.built(&["--node", "xu4-node1"]);
    let image = "out/xu4-node1.img";

    let (code, out, error) = verify(&bench, &["nowhere.img"]);
    assert_eq!((code, &*out), (Some(4), ""), "{error}");
    assert!(error.contains("nowhere.img does not exist"), "{error}");
    fs::write(bench.path("text.img"), "no image").unwrap();
    let (code, out, error) = verify(&bench, &["text.img", image]);
    assert_eq!(code, Some(4), "{error}");
    assert!(error.contains("text.img") && error.contains("no image"), "{error}");
    assert!(out.contains("1 as expected, 1 refused"), "{out}");
    let (code, _, error) = verify(&bench, &[image, "text.img", "--node", "xu4-node1"]);
    assert_eq!(code, Some(2), "{error}");
    let (code, _, error) = verify(&bench, &[image, "--node", "xu9"]);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("xu9"), "{error}");
    let (code, _, error) = verify(&bench, &[image, "--base", "nowhere.img"]);
    assert_eq!(code, Some(3), "{error}");

    // A card of another cluster.
    let stranger = "stranger.img";
    fs::rename(decoded_base(&bench), bench.path(stranger)).unwrap();
    write(&bench, stranger, "/etc/hostname", "somebody\n");
    let (code, out, error) = verify(&bench, &[stranger]);
    assert_eq!(code, Some(4), "{out}{error}");
    assert!(
        error.contains("not a card of the cluster test") && error.contains("somebody"),
        "{error}"
    );
    let (code, out, _) = verify(&bench, &[stranger, "--node", "xu4-node1"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("first-boot           /etc/rc.local:7"), "{out}");
}
