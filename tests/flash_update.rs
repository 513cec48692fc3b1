//! Flashing cards that already hold some of what they are to hold.

use std::{fs, os::unix::fs::FileExt as _, path::Path};

use crate::support::*;

/// Returns what the sentence of the report says was written, in bytes, and whether there is one.
fn written(bench: &Bench, more: &[&str]) -> (u64, bool) {
    let report = bench.flashed(&[more, &["--json", "-q"]].concat());
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let card = &report["cards"][0];
    let bytes = |key: &str| card[key].as_u64().unwrap();
    assert!(bytes("bytes_written") <= bytes("bytes"), "{report}");
    (bytes("bytes_written"), card["write_bytes_per_second"].is_null())
}

fn change(card: &Path, offset: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(card).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
}

/// Updates `target`, whose bytes are in `file`.
fn update(bench: &Bench, target: &str, file: &Path) {
    used_card(file, 64 * MIB);
    let node1 = format!("xu4-node1={target}");
    let (all, is_compared) = written(bench, &[&node1]);
    assert!(!is_compared);

    // The same again.
    let (same, is_compared) = written(bench, &[&node1]);
    assert!(is_compared && same < all / 2, "{same} of {all}");
    assert_like_built(bench, "xu4-node1", file, 64 * MIB);
    let report = bench.flashed(&[&node1]);
    assert!(report.contains("MiB; the rest was already there"), "{report}");

    // A card that was used: files changed, and its end was written to.
    for offset in [ROOT_OFFSET + 1024 + 48, ROOT_OFFSET + 2 * MIB, 64 * MIB - 100] {
        change(file, offset);
    }
    let (used, _) = written(bench, &[&node1]);
    assert!(used < all / 2 + MIB, "{used} of {all}");
    assert_like_built(bench, "xu4-node1", file, 64 * MIB);

    // It becomes another node, in another network.
    let profile = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    fs::write(bench.path("profile.yaml"), profile.replace("192.168.1.", "10.9.8.")).unwrap();
    let (changed, _) = written(bench, &[&format!("xu4-node2={target}")]);
    assert!(changed < all * 3 / 4, "{changed} of {all}");
    assert_like_built(bench, "xu4-node2", file, 64 * MIB);

    assert_eq!(written(bench, &[&format!("xu4-node2={target}"), "--full"]), (all, false));
    assert_like_built(bench, "xu4-node2", file, 64 * MIB);
}

#[test]
fn only_what_differs_is_written_to_a_file() {
    let bench = Bench::new();
    let card = bench.path("a.img");
    update(&bench, "a.img", &card);
}

#[test]
fn only_what_differs_is_written_to_a_device() {
    if !loops() {
        return;
    }
    let bench = Bench::new();
    let card = Loop::of_size(&bench, "a.img", 64 * MIB);
    update(&bench, &card.device.clone(), card.path());
}

/// An update that was interrupted leaves a card that is marked; the next one finishes it.
#[test]
fn an_interrupted_update_is_finished_by_the_next() {
    let bench = Bench::new();
    let card = bench.path("a.img");
    used_card(&card, 64 * MIB);
    let arguments = ["xu4-node1=a.img"];
    let (all, _) = written(&bench, &arguments);
    // As if the power had failed: the marker is written, and some blocks are not right yet.
    let file = fs::OpenOptions::new().write(true).open(&card).unwrap();
    file.write_all_at(b"nodecard: this card is not finished", 0).unwrap();
    file.write_all_at(&[0xcc; 8192], ROOT_OFFSET + MIB).unwrap();
    let (finished, is_compared) = written(&bench, &arguments);
    assert!(is_compared && finished < all / 2, "{finished} of {all}");
    assert!(!is_marked(&card));
    assert_like_built(&bench, "xu4-node1", &card, 64 * MIB);
}
