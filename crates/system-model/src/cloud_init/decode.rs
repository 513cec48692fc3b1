//! Encodings that user-data and files to be written may have.

use std::io::Read;

use flate2::bufread::GzDecoder;

/// No text of a configuration is larger, in bytes.
const LARGEST: u64 = 16 << 20;

/// Compressed data, or what only looks like it.
pub(super) enum Gzip {
    /// The text. As for Python's gzip, zeros may follow a member.
    Text(Vec<u8>),
    /// It begins like gzip, but is damaged or too large, or only Python reads it.
    Unreadable,
    /// It is something else.
    No,
}

impl Gzip {
    /// Returns the text, if it could be read.
    pub fn text(self) -> Option<Vec<u8>> {
        match self {
            Gzip::Text(text) => Some(text),
            Gzip::Unreadable | Gzip::No => None,
        }
    }
}

/// Returns whether data begin like gzip.
pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Decompresses gzip, which may have several members.
pub(super) fn gunzip(bytes: &[u8]) -> Gzip {
    let mut rest = bytes;
    let mut text = Vec::new();
    if !is_gzip(bytes) {
        return Gzip::No;
    }
    while !rest.is_empty() {
        let mut member = GzDecoder::new(rest);
        let room = LARGEST - text.len() as u64 + 1;
        let read = member.by_ref().take(room).read_to_end(&mut text);
        if read.is_err() || text.len() as u64 > LARGEST {
            return Gzip::Unreadable;
        }
        rest = member.into_inner();
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        rest = rest.get(zeros..).unwrap_or_default();
    }
    Gzip::Text(text)
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
        decoded.extend(escapes(bare, b'='));
        if ends {
            decoded.push(b'\n');
        }
    }
    decoded
}

/// Replaces a mark and two hexadecimal digits by the byte that they stand for; what is not
/// well-formed stays as it is.
pub(super) fn escapes(text: &[u8], mark: u8) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let coded = after.first_chunk::<2>().filter(|_| *first == mark);
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
    decoded
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_begins_like_gzip_is_read_or_unreadable() {
        let [one, two] = [packed(b"one "), packed(b"two")];
        let text = |bytes: &[u8]| gunzip(bytes).text();
        assert_eq!(
            text(&[one.clone(), vec![0; 9], two, vec![0; 700]].concat()).unwrap(),
            b"one two"
        );
        let bomb = packed(&vec![b'#'; LARGEST as usize + 1]);
        let cut = &one[..one.len() - 3];
        let followed = [&one[..], b"x"].concat();
        for bytes in [&bomb[..], cut, &followed] {
            assert!(matches!(gunzip(bytes), Gzip::Unreadable));
        }
        assert!(matches!(gunzip(b"#cloud-config"), Gzip::No));
    }
}
