//! A cache on a filesystem that is too small: a tmpfs in a mount namespace of its own, which
//! this test enters by running itself again.

use std::{env, fs, process::Command};

use card_image::{BaseError, BuildStage, Cancel};

use crate::support::{Bench, Stages, bzip2, xz};

const INNER: &str = "NODECARD_TEST_SMALL_FILESYSTEM";

#[test]
fn a_full_disk_is_reported_and_nothing_stays() {
    if env::var_os(INNER).is_some() {
        return on_a_small_filesystem();
    }
    let bench = Bench::new();
    fs::create_dir(bench.cache()).unwrap();
    let test = env::current_exe().unwrap();
    let script = "mount -t tmpfs -o size=2m,mode=700 none \"$1\" && shift && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(bench.cache())
        .arg(test)
        .args(["--exact", "full_disk::a_full_disk_is_reported_and_nothing_stays", "--nocapture"])
        .env(INNER, bench.path(""))
        .output()
        .unwrap_or_else(|e| panic!("unshare: {e}: install the Debian package util-linux"));
    assert!(
        output.status.success(),
        "if no tmpfs could be mounted: run this test as root, or allow user namespaces\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn on_a_small_filesystem() {
    let bench = Bench::at(env::var_os(INNER).unwrap().into());
    let mut image = b"nothing but data ".repeat(500_000);
    image[510..512].copy_from_slice(b"\x55\xaa");

    // This file states its size, so decoding does not begin.
    let path = bench.write("base.xz", &xz(&image));
    let stages = Stages::default();
    let error = bench.open_with(&path, &stages, &Cancel::new()).unwrap_err();
    let right = matches!(&error, BaseError::NoSpace { needed: Some(n), free, .. }
        if *n == image.len() as u64 && *free > 0 && *free <= 2 << 20);
    assert!(right, "{error:?}");
    assert_eq!(stages.seen(), []);
    assert!(bench.cached("").is_empty());

    // This file does not, and the filesystem becomes full.
    let path = bench.write("base.bz2", &bzip2(&image));
    let stages = Stages::default();
    let error = bench.open_with(&path, &stages, &Cancel::new()).unwrap_err();
    assert!(matches!(error, BaseError::NoSpace { needed: None, .. }), "{error:?}");
    assert_eq!(stages.seen(), [BuildStage::DecodeBase]);
    assert!(bench.cached("").is_empty());
}
