//! Images with partition tables of their own.

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use super::*;

/// Returns the root filesystem of the sample base.
pub fn root_filesystem(bench: &Bench) -> Vec<u8> {
    bytes(&decoded_base(bench), ROOT_OFFSET, 32 << 20)
}

/// Makes an image of `size` bytes, partitioned by `program`, with these contents.
pub fn image(
    bench: &Bench,
    size: u64,
    package: &str,
    program: &[&str],
    contents: &[(u64, &[u8])],
) -> PathBuf {
    let path = bench.path("base.img");
    let file = fs::File::create(&path).unwrap();
    file.set_len(size).unwrap();
    let mut arguments = program[1..].to_vec();
    arguments.push(path.to_str().unwrap());
    run(package, program[0], &arguments);
    for (offset, bytes) in contents {
        file.write_all_at(bytes, *offset).unwrap();
    }
    path
}

/// Checks that e2fsck has no complaint about the filesystem at `offset`.
pub fn e2fsck_at(image: &Path, offset: u64) {
    let target = format!("{}?offset={offset}", image.display());
    let output = run("e2fsprogs", "e2fsck", &["-fn", &target]);
    let quiet = |line: &str| line.starts_with("Pass ") || line.contains(" files (");
    assert!(output.lines().all(quiet), "{output}");
}
