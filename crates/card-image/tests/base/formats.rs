//! Every format, detected by its contents.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use card_image::{BaseError, BaseOptions, BuildStage, Cancel, ImageFile};

use crate::support::{Bench, all_formats, bzip2, contents, gzip, image, pipe, xz, zip, zstd};

/// Compresses both parts of an image separately, and concatenates the results.
fn twice(image: &[u8], compress: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (first, second) = image.split_at(image.len() / 3);
    [compress(first), compress(second)].concat()
}

#[test]
fn every_format_gives_the_image() {
    let image = image(400_000, 3 << 20);
    let xz_single = pipe("xz-utils", &["xz", "-9", "-T1", "-c"], &image);
    let skippable = b"\x5a\x2a\x4d\x18\x03\0\0\0abc";
    let cases = [
        ("xz of blocks", xz(&image)),
        ("xz of one block", xz_single),
        ("xz of two streams", twice(&image, xz)),
        ("gzip", gzip(&image)),
        ("gzip of two members", twice(&image, gzip)),
        ("zstd", zstd(&image)),
        ("zstd of two frames", twice(&image, zstd)),
        ("zstd after a skippable frame", [&skippable[..], &zstd(&image)].concat()),
        ("zstd before a skippable frame", [&zstd(&image), &skippable[..]].concat()),
        ("bzip2", bzip2(&image)),
        ("bzip2 of two streams", twice(&image, bzip2)),
        ("zip", zip(&[], &[("x.img", &image)])),
        ("zip, stored", zip(&["-0"], &[("x.img", &image)])),
        ("zip with more", zip(&[], &[("README", b"hi"), ("x.IMG", &image), ("x.md5", b"0")])),
        ("zip of an odd name", zip(&[], &[("x", &image)])),
        ("zip of a stream", pipe("zip", &["zip", "-q", "-", "-"], &image)),
    ];
    for (what, bytes) in cases {
        let bench = Bench::new();
        // The name says nothing, or is wrong.
        for name in ["base.img", "base.zip", "base.xz"] {
            let (base, stages) = bench.stages(&bench.write(name, &bytes));
            assert!(contents(&base) == image, "{what}: the image differs");
            let known = name != "base.img";
            let expected = if known { BuildStage::CheckBase } else { BuildStage::DecodeBase };
            assert_eq!(stages, [expected], "{what}");
            assert!(base.check_unchanged().is_ok());
            assert!(base.sha256().is_some());
            let file = base.storage().file().metadata().unwrap();
            assert!(file.blocks() * 512 < (image.len() / 2) as u64, "{what}: not sparse");
            assert_eq!(file.permissions().mode() & 0o777, 0o600);
        }
        let mode = fs::metadata(bench.cache()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(bench.cached("").len(), 3, "{what}: {:?}", bench.cached(""));
    }
}

#[test]
fn raw_is_used_in_place() {
    let bench = Bench::new();
    let image = image(1000, 5000);
    let path = bench.write("base.img.xz", &image);
    let (base, stages) = bench.stages(&path);
    assert!(contents(&base) == image);
    assert_eq!(base.storage().path(), path);
    assert_eq!(stages, []);
    assert_eq!(base.sha256(), None);
    assert!(!bench.cache().exists());
    base.check_unchanged().unwrap();
    bench.write("base.img.xz", &image[..600]);
    assert!(matches!(base.check_unchanged(), Err(BaseError::Changed { .. })));
}

/// A file that takes the path's place after the image was opened is never read.
#[test]
fn a_file_is_opened_once() {
    let bench = Bench::new();
    let image = image(1000, 5000);
    let path = bench.write("base", &image);
    let file = ImageFile::open(&path).unwrap();
    fs::rename(bench.write("other", b"something else"), &path).unwrap();
    let base = file.into_base_if_decoded(options(&bench.cache(), &Cancel::new())).unwrap();
    assert!(contents(&base.unwrap()) == image);
}

/// However shortly before the decoding a file was written, nothing has to be decoded again.
#[test]
fn a_new_file_is_ready_once_it_was_decoded() {
    let bench = Bench::new();
    let image = image(1000, 5000);
    let path = bench.write("base", &xz(&image));
    let (cache, cancel) = (bench.cache(), Cancel::new());
    let ready = || ImageFile::open(&path).unwrap().into_base_if_decoded(options(&cache, &cancel));
    assert!(ready().unwrap().is_none());
    bench.open(&path).unwrap();
    let base = ready().unwrap().expect("the decoded image");
    assert!(contents(&base) == image);
}

#[test]
fn a_private_image_leaves_nothing_in_the_cache() {
    let bench = Bench::new();
    let image = image(1000, 5000);
    let path = bench.write("base", &xz(&image));
    let (cache, cancel) = (bench.cache(), Cancel::new());
    let file = ImageFile::open(&path).unwrap();
    assert!(file.is_compressed());
    let base = file.into_private_base(options(&cache, &cancel)).unwrap();
    assert!(contents(&base) == image);
    assert!(bench.cached("").is_empty(), "{:?}", bench.cached(""));
    let file = ImageFile::open(&path).unwrap();
    assert!(file.into_base_if_decoded(options(&cache, &cancel)).unwrap().is_none());
    bench.open(&path).unwrap();
    let file = ImageFile::open(&path).unwrap();
    assert!(contents(&file.into_private_base(options(&cache, &cancel)).unwrap()) == image);
}

fn options<'a>(cache: &'a Path, cancel: &'a Cancel) -> BaseOptions<'a> {
    BaseOptions { cache_dir: Some(cache), sha256: None, limit: None, progress: &(), cancel }
}

#[test]
fn only_zeros_may_follow() {
    let image = image(5000, 100_000);
    for (ending, bytes) in all_formats(&image) {
        let bench = Bench::new();
        if ending != "zip" {
            // Longer than one read, and not a multiple of anything.
            let padded = [&bytes[..], &vec![0; 600_001]].concat();
            let (base, _) = bench.stages(&bench.write("padded", &padded));
            assert!(contents(&base) == image, "{ending}");
            fs::remove_dir_all(bench.cache()).unwrap();

            for garbage in [&b"x"[..], b"\0\0\0\0garbage", &[0xff; 100]] {
                let path = bench.write("garbage", &[&bytes[..], garbage].concat());
                let error = bench.open(&path).unwrap_err();
                let right =
                    matches!(error, BaseError::Corrupt { .. } | BaseError::Truncated { .. });
                assert!(right, "{ending}: {error:?}");
                assert!(bench.cached("").is_empty(), "{ending}: a file stays");
            }
        }
    }
}

#[test]
fn files_that_are_not_images_are_identified() {
    let bench = Bench::new();
    let image = image(1000, 0);
    let html = b"<!DOCTYPE html><html>Not found</html>";
    let long_window = {
        // Byte 5 of a frame of unknown size is its window: 2^(10 + 20) bytes.
        let mut bytes = zstd(&image);
        assert_eq!(bytes[4] & 0xe0, 0, "not the frame header that is patched here");
        bytes[5] = 20 << 3;
        bytes
    };
    let large_dictionary = {
        // A block's header says the dictionary's size, and ends with a CRC32.
        let mut bytes = pipe("xz-utils", &["xz", "-T1", "-c"], &image);
        let size = (usize::from(bytes[12]) + 1) * 4;
        assert_eq!(bytes[13..16], [0, 0x21, 1], "not the block header that is patched here");
        bytes[16] = 40;
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..12 + size - 4]);
        bytes[12 + size - 4..12 + size].copy_from_slice(&crc.sum().to_le_bytes());
        bytes
    };
    type Is = fn(&BaseError) -> bool;
    let unknown: Is = |e| matches!(e, BaseError::UnknownFormat { .. });
    let inside: Is = |e| matches!(e, BaseError::NoImageInside { .. });
    let members: Is = |e| matches!(e, BaseError::ZipMembers { .. });
    let unsupported: Is = |e| matches!(e, BaseError::Unsupported { .. });
    let two: &[(&str, &[u8])] = &[("a.img", &image), ("b.img", &image)];
    let none: &[(&str, &[u8])] = &[("a.txt", b"1"), ("b.txt", b"2")];
    for (bytes, is, word) in [
        (html.to_vec(), unknown, "web page"),
        (vec![], |e| matches!(e, BaseError::Empty { .. }), "empty"),
        (gzip(html), inside, "web page"),
        (gzip(b""), inside, "nothing"),
        (zstd(&xz(&image)), inside, "data in turn"),
        (zip(&[], &[("x.img", &gzip(&image))]), inside, "data in turn"),
        (zip(&[], two), members, "a.img, b.img"),
        (zip(&[], none), members, "a.txt, b.txt"),
        (zip(&["-P", "secret"], &[("x.img", &image)]), unsupported, "encrypted"),
        (long_window, unsupported, "memory"),
        (large_dictionary, unsupported, "memory"),
    ] {
        let error = bench.open(&bench.write("base", &bytes)).unwrap_err();
        assert!(is(&error), "{error:?}");
        let text = format!("{error}; {}", error.fix().unwrap());
        assert!(text.contains(word), "no {word:?} in: {text}");
        assert!(bench.cached("").is_empty(), "a file stays: {error}");
    }
    let error = bench.open(&bench.path("missing")).unwrap_err();
    assert!(matches!(error, BaseError::NotFound { .. }));
    let error = bench.open(&bench.path(".")).unwrap_err();
    assert!(matches!(error, BaseError::NotAFile { what: "a directory", .. }));
    let error = bench.open("/dev/null".as_ref()).unwrap_err();
    assert!(matches!(error, BaseError::NotAFile { .. }));
}
