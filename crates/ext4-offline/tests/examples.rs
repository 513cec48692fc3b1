//! The examples, run as programs and judged by e2fsck and debugfs.
#![allow(missing_docs)]

mod common;

use std::{
    fs,
    io::{Seek, SeekFrom, Write},
    path::PathBuf,
    process::Command,
};

use common::*;

/// Builds the examples and returns the directory that they are in.
fn examples() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--examples", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .status();
    assert!(built.unwrap().success(), "cargo cannot build the examples");
    // Tests are in `deps`, beside the directory of the examples.
    let deps = std::env::current_exe().unwrap();
    deps.parent().unwrap().parent().unwrap().join("examples")
}

fn example(name: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(examples().join(name)).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {errors}");
    output.stdout
}

#[test]
fn edit_writes_a_file_and_cat_prints_it() {
    let image = Image::make("-t ext4", 16 * MIB);
    let source = image.dir.path().join("source");
    fs::write(&source, "from the example\n").unwrap();
    let path = "/new/directories/file";
    example("edit", &[image.path(), source.to_str().unwrap(), path]);
    assert_clean(&image.path, &[], "after the example `edit`");
    let printed = output_of("debugfs", &["-R", &format!("cat {path}"), image.path()]);
    assert!(printed.contains("from the example"), "{printed}");
    assert_eq!(example("cat", &[image.path(), path]), b"from the example\n");
}

#[test]
fn cat_reads_a_filesystem_that_begins_at_a_byte() {
    let image = Image::make("-t ext4", 8 * MIB);
    let disk = image.dir.path().join("disk");
    let mut file = fs::File::create(&disk).unwrap();
    file.seek(SeekFrom::Start(MIB)).unwrap();
    file.write_all(&fs::read(&image.path).unwrap()).unwrap();
    let target = format!("{}:{MIB}", disk.display());
    let expected = &image.contents()[&PathBuf::from("directory-3/file-4")];
    assert_eq!(&example("cat", &[&target, "/link"]), expected);
}

#[test]
fn grow_fills_the_file() {
    let image = Image::make("-t ext4", 16 * MIB);
    image.set_len(64 * MIB);
    example("grow", &[image.path()]);
    assert_clean(&image.path, &[], "after the example `grow`");
    let counts = counts(&image.path);
    assert!(counts.blocks * u64::from(geometry(&image.path).block_size) > 60 * MIB, "{counts:?}");
}

#[test]
fn shrink_makes_room_after_the_filesystem() {
    let image = Image::make("-t ext4", 32 * MIB);
    let contents = image.contents();
    let size = 20 * MIB;
    example("shrink", &[image.path(), &size.to_string()]);
    let said = String::from_utf8(example("shrink", &[image.path()])).unwrap();
    assert!(said.contains("not smaller: "), "{said}");
    let geometry = geometry(&image.path);
    assert!(geometry.bytes() < size, "{said}");
    image.set_len(geometry.bytes());
    assert_clean(&image.path, &[], "after the example `shrink`");
    assert_eq!(image.contents(), contents);
}
