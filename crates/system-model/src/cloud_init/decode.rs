//! Encodings that user-data and files to be written may have.

use std::io::Read;

use flate2::read::MultiGzDecoder;

/// No text of a configuration is larger, in bytes.
const LARGEST: u64 = 16 << 20;

/// Decompresses gzip; `None` if it is something else, or too large.
pub(super) fn gunzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let count = MultiGzDecoder::new(bytes).take(LARGEST + 1).read_to_end(&mut text).ok()?;
    (count as u64 <= LARGEST).then_some(text)
}

/// Decodes base64 as Python's binascii does: other characters are skipped, and nothing counts
/// behind the padding.
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let is_one = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let end = text.iter().position(|byte| *byte == b'=').unwrap_or(text.len());
    let (digits, padding) = text.split_at(end);
    let digits: Vec<u8> = digits.iter().copied().filter(is_one).collect();
    let marks = padding.iter().filter(|byte| **byte == b'=').count();
    let is_padded = match digits.len() % 4 {
        0 => true,
        1 => false,
        rest => marks >= 4 - rest,
    };
    if !is_padded {
        return None;
    }
    let mut specification = data_encoding::BASE64_NOPAD.specification();
    specification.check_trailing_bits = false;
    specification.encoding().ok()?.decode(&digits).ok()
}

/// Decodes quoted-printable text; what is not well-formed stays as it is.
pub(super) fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.trim_ascii_end();
        let (bare, ends) = match bare.strip_suffix(b"=") {
            Some(bare) => (bare, false),
            None => (bare, line.ends_with(b"\n")),
        };
        let mut rest = bare;
        while let [first, after @ ..] = rest {
            let coded = after.first_chunk::<2>().filter(|_| *first == b'=');
            let byte = coded.and_then(|two| data_encoding::HEXLOWER_PERMISSIVE.decode(two).ok());
            match byte.as_deref() {
                Some([byte]) => {
                    decoded.push(*byte);
                    rest = after.get(2..).unwrap_or_default();
                }
                _ => {
                    decoded.push(*first);
                    rest = after;
                }
            }
        }
        if ends {
            decoded.push(b'\n');
        }
    }
    decoded
}
