//! Image formats, checksums and block maps.

use std::{fs, path::Path};

use crate::support::*;

#[test]
fn compressed_images_decode_to_the_raw_ones() {
    let bench = Bench::new();
    bench.built(&[]);
    let nodes = ["xu4-master", "xu4-node3"];
    let raw: Vec<Vec<u8>> = nodes
        .iter()
        .map(|node| fs::read(bench.path(&format!("out/{node}.img"))).unwrap())
        .collect();
    for (format, package, program) in
        [("xz", "xz-utils", "xz"), ("zst", "zstd", "zstd"), ("gz", "gzip", "gzip")]
    {
        bench.built(&["--format", format]);
        for (node, raw) in nodes.iter().zip(&raw) {
            let packed = bench.path(&format!("out/{node}.img.{format}"));
            let path = packed.to_str().unwrap();
            run(package, program, &["-t", "-q", path]);
            let target = bench.path("unpacked");
            let shell = format!("{program} -dc '{path}' > '{}'", target.display());
            run("dash", "sh", &["-c", &shell]);
            assert!(fs::read(&target).unwrap() == *raw, "{path}");
        }
        check_sums(&bench.path("out"));
        if format == "xz" {
            // Several blocks, so that decoders with threads can work in parallel.
            let packed = bench.path("out/xu4-master.img.xz");
            let list = run(package, program, &["-l", packed.to_str().unwrap()]);
            let blocks = list.lines().nth(1).and_then(|line| line.split_whitespace().nth(1));
            assert_eq!(blocks, Some("16"), "{list}");
        }
    }
}

fn check_sums(directory: &Path) {
    let shell = format!("cd '{}' && sha256sum --strict -c SHA256SUMS", directory.display());
    run("coreutils", "sh", &["-c", &shell]);
}

#[test]
fn sums_cover_every_file_of_the_run() {
    let bench = Bench::new();
    bench.built(&["--sums"]);
    check_sums(&bench.path("out"));
    let sums = fs::read_to_string(bench.path("out/SHA256SUMS")).unwrap();
    let mut named: Vec<&str> = sums.lines().filter_map(|line| line.get(66..)).collect();
    named.push("SHA256SUMS");
    named.sort();
    assert_eq!(bench.finished(), named);
}

#[test]
fn without_sums_the_images_are_the_same() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1", "--sums"]);
    let with = fs::read(bench.path("out/xu4-node1.img")).unwrap();
    for options in [&[][..], &["--no-sums"], &["--sums", "--no-sums"]] {
        let report = bench.built(&[&["--node", "xu4-node1"], options].concat());
        assert!(!report.contains("sha256sum"), "it would check the block map only: {report}");
        assert!(fs::read(bench.path("out/xu4-node1.img")).unwrap() == with);
        check_sums(&bench.path("out"));
        let sums = fs::read_to_string(bench.path("out/SHA256SUMS")).unwrap();
        let named: Vec<&str> = sums.lines().filter_map(|line| line.get(66..)).collect();
        assert_eq!(named, ["xu4-node1.img.bmap", "manifest.json"]);
        let manifest = fs::read_to_string(bench.path("out/manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        assert!(manifest["images"][0]["sha256"].is_null(), "{manifest}");
    }
}

/// Images are published with the sums of their own run, whatever an earlier run computed.
#[test]
fn sums_of_an_earlier_run_are_not_taken_over() {
    let bench = Bench::new();
    bench.built(&["--sums"]);
    bench.built(&["--node", "xu4-node1"]);
    check_sums(&bench.path("out"));
    let sums = fs::read_to_string(bench.path("out/SHA256SUMS")).unwrap();
    assert!(!sums.contains("xu4-node1.img\n"), "{sums}");
    assert!(sums.contains("xu4-node2.img\n"), "{sums}");
}

#[test]
fn bmaptool_copies_an_image_onto_a_dirty_card() {
    let bench = Bench::new();
    for format in ["raw", "zst"] {
        bench.built(&["--node", "xu4-node1", "--format", format]);
        let extension = if format == "raw" { "" } else { ".zst" };
        let image = bench.path(&format!("out/xu4-node1.img{extension}"));
        // A used card: skipped blocks are not zero.
        let card = bench.path("card");
        fs::write(&card, vec![0xa5; 64 << 20]).unwrap();
        let map = bench.path("out/xu4-node1.img.bmap");
        let arguments = [
            "copy",
            "--bmap",
            map.to_str().unwrap(),
            image.to_str().unwrap(),
            card.to_str().unwrap(),
        ];
        run("bmap-tools", "bmaptool", &arguments);
        e2fsck(&card);
    }
}

#[test]
fn the_manifest_lists_what_was_made() {
    let bench = Bench::new();
    bench.built(&["--json", "--sums"]);
    let text = fs::read_to_string(bench.path("out/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(manifest["cluster"], "test");
    assert_eq!(manifest["card_size"], 64 << 20);
    assert_eq!(manifest["time"], 1_600_000_000);
    assert_eq!(manifest["images"].as_array().unwrap().len(), 4);
    assert_eq!(manifest["images"][2]["node"], "xu4-node2");
    assert_eq!(manifest["images"][2]["address"], "192.168.1.82");
    let sums = fs::read_to_string(bench.path("out/SHA256SUMS")).unwrap();
    let line = format!("{}  xu4-node2.img", manifest["images"][2]["sha256"].as_str().unwrap());
    assert!(sums.lines().any(|other| other == line));
}
