//! Growing 4 GiB to 32 GiB, compared with resize2fs: time and bytes written.
//!
//! `cargo bench -p ext4-offline --bench grow`. Times are medians. They include
//! starting resize2fs, but not copying the image.
#![allow(missing_docs)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::{path::Path, time::Instant};

use block_io::{FileStorage, WriteAt};
use common::*;
use ext4_offline::{grow, grow_lazily};

const FROM: u64 = 4 * GIB;
const TO: u64 = 32 * GIB;
const RUNS: usize = 7;

type Grow =
    fn(&dyn WriteAt, u64, ext4_offline::Timestamp) -> ext4_offline::Result<ext4_offline::Grown>;

fn main() {
    println!("{FROM} to {TO} bytes, medians of {RUNS} runs");
    for (name, features) in [
        ("as Ubuntu 16.04", "-t ext4 -O ^metadata_csum,^64bit,uninit_bg"),
        ("as today", "-t ext4 -O metadata_csum,64bit,metadata_csum_seed,orphan_file"),
    ] {
        let image = Image::make(&format!("{features} -b 4096"), FROM);
        let offline = |grow: Grow, card: bool| {
            move |path: &Path| {
                let storage = Counting::new(FileStorage::open_writable(path).unwrap(), card);
                grow(&storage, TO, NOW.into()).unwrap();
                storage.written()
            }
        };
        report(name, "grow, a file", &image, offline(grow, false));
        report(name, "grow_lazily, a file", &image, offline(grow_lazily, false));
        report(name, "grow, a card", &image, offline(grow, true));
        report(name, "grow_lazily, a card", &image, offline(grow_lazily, true));
        report(name, "resize2fs", &image, |path| resize2fs_writes(path, TO / 4096));
    }
}

/// Runs it on fresh copies, and prints time and bytes.
fn report(features: &str, what: &str, image: &Image, run: impl Fn(&Path) -> u64) {
    let (mut seconds, mut written) = (Vec::new(), 0);
    for _ in 0..RUNS {
        let copy = image.copy("copy");
        std::fs::OpenOptions::new().write(true).open(&copy).unwrap().set_len(TO).unwrap();
        let begun = Instant::now();
        written = run(&copy);
        seconds.push(begun.elapsed().as_secs_f64());
        std::fs::remove_file(copy).unwrap();
    }
    seconds.sort_by(f64::total_cmp);
    let milliseconds = seconds[RUNS / 2] * 1000.0;
    println!("{features:16} {what:20} {milliseconds:9.1} ms {written:12} bytes");
}
