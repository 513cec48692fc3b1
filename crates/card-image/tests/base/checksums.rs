//! Checksums from the profile and from files beside the base.

use card_image::{BaseError, BaseImage, BaseOptions, BuildStage, Cancel};
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::support::{Bench, contents, image, xz};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn md5(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// Returns checksum files for `base.img.xz`, computed from these bytes.
fn sums(file: &[u8], image: &[u8]) -> Vec<(&'static str, String)> {
    vec![
        ("base.img.xz.sha256", sha256(file)),
        ("base.img.xz.sha256", format!("{}  old-name.img.xz\n", sha256(file))),
        ("base.img.xz.sha256sum", format!("{}  base.img.xz\n", sha256(file))),
        ("base.img.xz.md5", format!("MD5 (base.img.xz) = {}\n", md5(file))),
        ("base.img.xz.md5sum", format!("{} *base.img.xz\r\n", md5(file).to_uppercase())),
        ("SHA256SUMS", format!("{}  other\n{}  base.img.xz\n", sha256(b"1"), sha256(file))),
        ("MD5SUMS", format!("{}  ./base.img.xz\n", md5(file))),
        ("base.img.xz.sha256", format!("{}  base.img\n", sha256(image))),
        ("base.img.xz.md5", format!("{}  base.img\n", md5(image))),
        ("SHA256SUMS", format!("{}  base.img\n", sha256(image))),
    ]
}

#[test]
fn right_sums_pass_and_wrong_ones_do_not() {
    let image = image(3000, 9000);
    let file = xz(&image);
    let right = sums(&file, &image);
    let wrong = sums(b"other", b"other");
    for ((name, right), (_, wrong)) in right.iter().zip(&wrong) {
        let bench = Bench::new();
        let path = bench.write("base.img.xz", &file);
        bench.write(name, wrong.as_bytes());
        let error = bench.open(&path).unwrap_err();
        assert!(matches!(error, BaseError::ChecksumMismatch { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains(name), "the file is not named: {error}");
        assert!(bench.cached("").is_empty(), "{name}: a wrong base stays in the cache");

        bench.write(name, right.as_bytes());
        let (base, stages) = bench.stages(&path);
        assert!(contents(&base) == image);
        assert_eq!(stages[0], BuildStage::DecodeBase);

        // The cached image is checked again.
        bench.write(name, wrong.as_bytes());
        let error = bench.open(&path).unwrap_err();
        assert!(matches!(error, BaseError::ChecksumMismatch { .. }), "{name}: {error:?}");
    }
}

#[test]
fn sums_are_computed_when_they_are_first_needed() {
    let image = image(3000, 9000);
    let file = xz(&image);
    let bench = Bench::new();
    let path = bench.write("base.img.xz", &file);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert_eq!(bench.stages(&path).1, [BuildStage::DecodeBase]);
    for (name, sum) in sums(&file, &image) {
        bench.write(name, sum.as_bytes());
        let first = bench.stages(&path).1;
        assert!(first.iter().all(|stage| *stage == BuildStage::CheckBase), "{name}: {first:?}");
        assert_eq!(bench.stages(&path).1, [], "{name}");
    }
}

#[test]
fn unusable_checksum_files_are_refused() {
    let image = image(100, 0);
    let a = sha256(b"a");
    for (name, text) in [
        ("base.img.sha256", "<html>404 Not found</html>".to_owned()),
        ("base.img.sha256", String::new()),
        ("base.img.md5", a.clone()),
        ("base.img.sha256", format!("{a}  x\n{a}  y\n")),
        ("SHA256SUMS", format!("{}  base.img\n", &a[1..])),
    ] {
        let bench = Bench::new();
        bench.write(name, text.as_bytes());
        let error = bench.open(&bench.write("base.img", &image)).unwrap_err();
        assert!(matches!(error, BaseError::ChecksumFile { .. }), "{name} {text:?}: {error:?}");
    }
    // A list without this file.
    let bench = Bench::new();
    bench.write("SHA256SUMS", format!("{a}  other\n-----BEGIN PGP SIGNATURE-----\n").as_bytes());
    bench.open(&bench.write("base.img", &image)).unwrap();
}

#[test]
fn raw_images_are_checked_too() {
    let image = image(3000, 9000);
    let bench = Bench::new();
    let path = bench.write("base.img", &image);
    bench.write("base.img.md5sum", format!("{}  base.img\n", md5(&image)).as_bytes());
    let (base, stages) = bench.stages(&path);
    assert_eq!(stages, [BuildStage::CheckBase]);
    assert_eq!(base.sha256().map(|sum| hex(&sum)), Some(sha256(&image)));
    bench.write("base.img.md5sum", format!("{}  base.img\n", md5(b"1")).as_bytes());
    assert!(matches!(bench.open(&path), Err(BaseError::ChecksumMismatch { .. })));
}

#[test]
fn the_sum_in_the_profile_is_checked() {
    let image = image(3000, 9000);
    let file = xz(&image);
    let bench = Bench::new();
    for bytes in [&image, &file] {
        let path = bench.write("base", bytes);
        let cache = bench.cache();
        let open = |sha256| {
            let (progress, cancel) = (&(), &Cancel::new());
            let cache_dir = Some(cache.as_path());
            BaseImage::open(
                &path,
                BaseOptions { cache_dir, sha256: Some(sha256), limit: None, progress, cancel },
            )
        };
        let error = open([7; 32]).unwrap_err();
        assert!(matches!(error, BaseError::ChecksumMismatch { .. }), "{error:?}");
        assert!(error.to_string().contains("the profile expects the SHA-256 sum 0707"), "{error}");
        assert!(bench.cached("").is_empty());
        open(Sha256::digest(bytes).into()).unwrap();
    }
}
