//! Tests that need small limits.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use super::*;

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
    let job = DecodeJob::new(&source, BaseFormat::Gzip, &head).unwrap();
    assert_eq!(job.at_least(), Some(3 << 20));
    for (limit, fits) in [(3 << 20, true), ((3 << 20) - 1, false), (1, false)] {
        let cancel = Cancel::new();
        let mut decoder = ImageDecoder::new(&job, false, None, &cancel);
        decoder.limit = limit;
        decoder.start().unwrap();
        let to = tempfile::tempfile().unwrap();
        match write_sparse(&to, |buffer| decoder.fill_image(buffer)) {
            Ok(size) => assert!(fits && size == 3 << 20),
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
    let job = DecodeJob::new(&source, BaseFormat::Zstd, &source.head().unwrap());
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
        let job = DecodeJob::new(&source, BaseFormat::Xz, &source.head().unwrap()).unwrap();
        assert_eq!(job.at_least(), intact.then_some(100_000));
        // For the second round, spoil the index (its checksum is before the footer).
        let at = bytes.len() - 14;
        bytes[at] ^= 1;
    }
}
