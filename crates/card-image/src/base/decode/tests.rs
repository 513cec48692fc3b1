//! Tests that need small limits.

use std::{io::Write as _, sync::OnceLock, time::Instant};

use flate2::{Compression, write::GzEncoder};

use super::*;
use crate::BuildStage;

fn gzip(size: usize) -> Vec<u8> {
    let mut image = vec![0; size];
    image[510..512].copy_from_slice(b"\x55\xaa");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&image).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn stops_at_the_limit() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&gzip(3 << 20)).unwrap();
    let source = SourceFile::open(file.path()).unwrap();
    let head = source.head().unwrap();
    let job = DecodeJob::new(&source, BaseFormat::Gzip, &head, None, &Cancel::new()).unwrap();
    assert_eq!(job.at_least(), Some(3 << 20));
    for (limit, fits) in [(3 << 20, true), ((3 << 20) - 1, false), (1, false)] {
        let cancel = Cancel::new();
        let mut decoder = ImageDecoder::new(&job, false, None, &cancel);
        decoder.limit = limit;
        decoder.start().unwrap();
        let to = tempfile::tempfile().unwrap();
        match write_sparse(&to, |buffer| decoder.fill_image(buffer)) {
            Ok((size, _)) => assert!(fits && size == 3 << 20),
            Err(SparseError::Produce(error)) => {
                assert!(!fits && matches!(error, BaseError::TooLarge { .. }), "{error:?}");
            }
            Err(SparseError::Write(error)) => panic!("{error}"),
        }
        assert!(to.metadata().unwrap().len() <= 3 << 20);
    }
}

#[test]
fn refuses_a_stated_size_beyond_the_limit() {
    // A zstd frame header: magic, an 8-byte size without a window, the size.
    let mut bytes = b"\x28\xb5\x2f\xfd\xe0".to_vec();
    bytes.extend((LIMIT + 1).to_le_bytes());
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let source = SourceFile::open(file.path()).unwrap();
    let job =
        DecodeJob::new(&source, BaseFormat::Zstd, &source.head().unwrap(), None, &Cancel::new());
    assert!(matches!(job, Err(BaseError::TooLarge { limit: LIMIT, .. })));
}

#[test]
fn reads_the_size_of_an_xz_image() {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(&vec![1; 100_000]).unwrap();
    let mut bytes = encoder.finish().unwrap();
    for intact in [true, false] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        let source = SourceFile::open(file.path()).unwrap();
        let job =
            DecodeJob::new(&source, BaseFormat::Xz, &source.head().unwrap(), None, &Cancel::new())
                .unwrap();
        assert_eq!(job.at_least(), intact.then_some(100_000));
        // For the second round, spoil the index (its checksum is before the footer).
        let at = bytes.len() - 14;
        bytes[at] ^= 1;
    }
}

fn source(bytes: &[u8]) -> (tempfile::NamedTempFile, SourceFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let source = SourceFile::open(file.path()).unwrap();
    (file, source)
}

#[test]
fn stops_at_the_size_of_the_largest_card() {
    // A stated size that is too large is refused before anything is decoded.
    let (_file, gz) = source(&gzip(3 << 20));
    let job =
        DecodeJob::new(&gz, BaseFormat::Gzip, &gz.head().unwrap(), Some(2 << 20), &Cancel::new());
    let Err(error) = job else { panic!("accepted") };
    let text = error.to_string();
    assert!(text.contains("at least 3145728 bytes, but at most 2097152 bytes are"), "{text}");
    // What states no size, or too small a one, ends there.
    let mut members = gzip(3 << 20);
    members.extend(gzip(1024));
    let (_file, members) = source(&members);
    let job = DecodeJob::new(
        &members,
        BaseFormat::Gzip,
        &members.head().unwrap(),
        Some(2 << 20),
        &Cancel::new(),
    );
    let job = job.unwrap();
    let (to, cancel) = (tempfile::tempfile().unwrap(), Cancel::new());
    let Err(SparseError::Produce(error)) = job.run(&to, Path::new("/"), false, &(), &cancel) else {
        panic!("decoded")
    };
    let stated = matches!(error, BaseError::LargerThanCards { stated: None, limit: 0x20_0000, .. });
    assert!(stated, "{error:?}");
}

/// The last member of a gzip file states its own size only, and that modulo 4 GiB.
#[test]
fn several_members_do_not_make_a_gzip_file_small() {
    let noise: Vec<u8> =
        (0..1 << 20).map(|at: u32| (at.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(&noise).unwrap();
    let mut bytes = encoder.finish().unwrap();
    bytes.extend(gzip(1024));
    let (_file, members) = source(&bytes);
    let job =
        DecodeJob::new(&members, BaseFormat::Gzip, &members.head().unwrap(), None, &Cancel::new())
            .unwrap();
    let stated = job.at_least().unwrap();
    assert!((900_000..=(1 << 20) + 1024).contains(&stated), "{stated}");
}

/// Returns a zip file with one member.
fn zip_of(compressed: &[u8], size: u64, crc32: u32, stored: bool) -> Vec<u8> {
    let method: u16 = if stored { 0 } else { 8 };
    let mut common = Vec::new();
    common.extend(20u16.to_le_bytes());
    common.extend(0u16.to_le_bytes());
    common.extend(method.to_le_bytes());
    common.extend([0; 4]);
    common.extend(crc32.to_le_bytes());
    common.extend((compressed.len() as u32).to_le_bytes());
    common.extend((size as u32).to_le_bytes());
    common.extend(5u16.to_le_bytes());
    common.extend(0u16.to_le_bytes());
    let mut file = [b"PK\x03\x04", &common[..], b"x.img", compressed].concat();
    let directory = file.len() as u32;
    file.extend([b"PK\x01\x02", &20u16.to_le_bytes()[..], &common, &[0; 14], b"x.img"].concat());
    let length = file.len() as u32 - directory;
    file.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    file.extend([length.to_le_bytes(), directory.to_le_bytes()].concat());
    file.extend([0; 2]);
    file
}

/// Asks to stop as soon as something is decoded.
struct SignalOnceDecoding {
    cancel: Cancel,
    asked: OnceLock<Instant>,
}

impl BuildProgress for SignalOnceDecoding {
    fn begin(&self, _: BuildStage, _: u64) {}

    fn advance(&self, _: u64) {}

    fn decoded(&self, bytes: u64) {
        if bytes > 0 {
            self.asked.get_or_init(Instant::now);
            self.cancel.cancel();
        }
    }

    fn end(&self) {}
}

/// A few KiB that unpack to gigabytes of zeros are left within a second, for every codec.
#[test]
fn a_signal_ends_decoding_soon() {
    // 1 GiB of zeros after a boot sector.
    let size = 1 << 30;
    let mut image = vec![0; 1 << 20];
    image[510..512].copy_from_slice(b"\x55\xaa");
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
    let mut bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    let mut crc = flate2::Crc::new();
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    let mut zst = zstd::Encoder::new(Vec::new(), 1).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
    let writers: [&mut dyn std::io::Write; 5] =
        [&mut gz, &mut zst, &mut xz, &mut deflate, &mut bz2];
    for writer in writers {
        writer.write_all(&image).unwrap();
        for _ in 1..size >> 20 {
            writer.write_all(&[0; 1 << 20]).unwrap();
        }
    }
    crc.update(&image);
    for _ in 1..size >> 20 {
        crc.update(&[0; 1 << 20]);
    }
    let bombs = [
        (BaseFormat::Bzip2, bz2.finish().unwrap()),
        (BaseFormat::Zip, zip_of(&deflate.finish().unwrap(), size, crc.sum(), false)),
        (BaseFormat::Gzip, gz.finish().unwrap()),
        (BaseFormat::Zstd, zst.finish().unwrap()),
        (BaseFormat::Xz, xz.finish().unwrap()),
    ];
    for (format, bytes) in bombs {
        let (_file, source) = source(&bytes);
        let job =
            DecodeJob::new(&source, format, &source.head().unwrap(), None, &Cancel::new()).unwrap();
        let to = tempfile::tempfile().unwrap();
        let signal = SignalOnceDecoding { cancel: Cancel::new(), asked: OnceLock::new() };
        let stopped = job.run(&to, Path::new("/"), false, &signal, &signal.cancel);
        let waited = signal.asked.get().expect("decoding reports how far it is").elapsed();
        assert!(waited.as_millis() < 1000, "{format}: {waited:?}");
        let is_cancelled = matches!(stopped, Err(SparseError::Produce(BaseError::Cancelled(_))));
        assert!(is_cancelled, "{format}");
    }
}

/// A zip file's directory can be long, and is read before anything is decoded.
#[test]
fn a_signal_ends_the_search_of_a_zip_file() {
    let (_file, source) = source(&zip_of(b"", 0, 0, true));
    let cancel = Cancel::new();
    zip::find_image(&source, &cancel).unwrap();
    cancel.cancel();
    let stopped = zip::find_image(&source, &cancel);
    assert!(matches!(stopped, Err(BaseError::Cancelled(_))), "{stopped:?}");
}

/// What unpacks to far more than it is shows how much it is by now.
#[test]
fn the_size_so_far_is_reported() {
    #[derive(Default)]
    struct Sizes(std::sync::Mutex<Vec<u64>>);
    impl BuildProgress for Sizes {
        fn begin(&self, _: BuildStage, _: u64) {}
        fn advance(&self, _: u64) {}
        fn end(&self) {}
        fn decoded(&self, bytes: u64) {
            self.0.lock().unwrap().push(bytes);
        }
    }
    let (_file, gz) = source(&gzip(100 << 20));
    let cancel = Cancel::new();
    let head = gz.head().unwrap();
    let job = DecodeJob::new(&gz, BaseFormat::Gzip, &head, None, &cancel).unwrap();
    let sizes = Sizes::default();
    let done = job.run(&tempfile::tempfile().unwrap(), Path::new("/"), false, &sizes, &cancel);
    assert!(done.is_ok());
    let sizes = sizes.0.into_inner().unwrap();
    assert_eq!(sizes, [0, 16, 32, 48, 64, 80, 96].map(|mib| mib << 20));
}
