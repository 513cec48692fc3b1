//! Damaged files never pass for an image, and leave nothing in the cache.

use std::fs;

use card_image::BaseError;

use crate::support::{Bench, all_formats, contents, image};

#[test]
fn truncated_files_are_refused() {
    let image = image(300_000, 200_000);
    for (ending, bytes) in all_formats(&image) {
        let bench = Bench::new();
        let size = bytes.len();
        let spread = (1..20).map(|n| size * n / 20);
        let edges = (1..16).chain(size - 30..size);
        for length in spread.chain(edges) {
            let path = bench.write("base", &bytes[..length]);
            let error = bench.open(&path).expect_err("a truncated file is no image");
            let right = match error {
                BaseError::Truncated { .. } => true,
                BaseError::UnknownFormat { .. } => length < 16,
                // The record at the end of a zip file is cut in two.
                BaseError::Corrupt { .. } => ending == "zip" && length + 22 > size,
                _ => false,
            };
            assert!(right, "{ending}, {length} of {size} bytes: {error:?}");
            assert!(bench.cached("").is_empty(), "{ending}: a file stays in the cache");
        }
    }
}

#[test]
fn flipped_bits_are_detected_or_harmless() {
    let image = image(60_000, 50_000);
    for (ending, bytes) in all_formats(&image) {
        let bench = Bench::new();
        let size = bytes.len();
        // In the middle there is only data. At the ends there are also headers, with fields
        // that do not matter here, such as times.
        let middle = (0..60).map(|n| 200 + (size - 400) * n / 60);
        let ends = (0..100).chain(size - 150..size);
        for (n, at) in middle.chain(ends).enumerate() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (n % 8);
            let path = bench.write("base", &damaged);
            match bench.open(&path) {
                Ok(base) => {
                    assert!(n >= 60, "{ending}: byte {at} was flipped, which was not detected");
                    assert_ne!(ending, "xz", "xz guards every bit, and byte {at} was flipped");
                    assert!(contents(&base) == image, "{ending}: byte {at} spoils the image");
                    fs::remove_dir_all(bench.cache()).unwrap();
                }
                Err(error) => {
                    assert!(
                        !matches!(error, BaseError::Cache { .. } | BaseError::Read { .. }),
                        "{ending}: byte {at}: {error:?}"
                    );
                    assert!(bench.cached("").is_empty(), "{ending}: a file stays in the cache");
                }
            }
        }
    }
}
