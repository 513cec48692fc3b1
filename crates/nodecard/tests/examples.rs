//! Runs the examples on a copy of the demo cluster.

#[allow(dead_code)]
#[path = "../examples/build_cluster.rs"]
mod build_cluster;
#[allow(dead_code)]
#[path = "../examples/flash_to_files.rs"]
mod flash_to_files;
#[allow(dead_code)]
#[path = "../examples/verify_card.rs"]
mod verify_card;

use std::{fs, path::Path};

use nodecard::{Context, Project};

/// A temporary directory with the demo cluster.
fn demo() -> tempfile::TempDir {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles");
    for file in ["demo.yaml", "sample-base.img.xz"] {
        fs::copy(profiles.join(file), temp.path().join(file)).expect("a copy");
    }
    temp
}

/// The demo cluster, with a cache of its own.
fn project(temp: &tempfile::TempDir) -> Project {
    let mut context = Context::default();
    context.cache = Some(temp.path().join("cache"));
    Project::open(temp.path().join("demo.yaml")).expect("a profile").with_context(context)
}

#[test]
fn a_cluster_is_built_and_its_cards_verified() {
    let temp = demo();
    let (project, out) = (project(&temp), temp.path().join("cards"));
    build_cluster::build_cluster(&project, &out).unwrap();
    for node in ["xu4-master", "xu4-node1", "xu4-node2", "xu4-node3"] {
        assert!(out.join(format!("{node}.img")).is_file(), "{node}");
    }
    assert!(verify_card::verify_card(&project, &out.join("xu4-node1.img")).unwrap());
    // The base image itself is not any node.
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/sample-base.img.xz");
    assert!(!verify_card::verify_card(&project, &other).unwrap());
}

#[test]
fn cards_are_flashed_to_files() {
    let temp = demo();
    let (project, cards) = (project(&temp), temp.path().join("cards"));
    flash_to_files::flash_to_files(&project, &cards).unwrap();
    for node in ["xu4-master", "xu4-node3"] {
        let card = cards.join(format!("{node}.card"));
        assert!(verify_card::verify_card(&project, &card).unwrap(), "{node}");
    }
    // Nothing overwrites a file that exists.
    assert!(flash_to_files::flash_to_files(&project, &cards).is_err());
}
