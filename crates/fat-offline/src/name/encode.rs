//! From a name to directory entries.

use super::{ENTRY, LONG, LOWER_EXTENSION, LOWER_STEM, UNITS, checksum, unit_places};
use crate::FatError;

/// The longest name in UTF-16 units.
const MAX_UNITS: usize = 255;

/// A name as a directory holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// The pieces of the long name, in the order of the directory; none where the short
    /// name says it all.
    pub pieces: Vec<[u8; ENTRY]>,
    pub short: [u8; 11],
    /// The lower case flags of the short name, byte 12 of its entry.
    pub case: u8,
}

/// Encodes a name. `is_taken` says whether the directory has a short name already.
pub(crate) fn encode(
    name: &str,
    is_taken: impl Fn(&[u8; 11]) -> bool,
) -> Result<Encoded, FatError> {
    check(name)?;
    if let Some((short, case)) = as_short(name)
        && !is_taken(&short)
    {
        return Ok(Encoded { pieces: Vec::new(), short, case });
    }
    let invalid = |reason| FatError::Name { name: name.to_owned(), reason };
    let short = numbered(name, is_taken).ok_or_else(|| invalid("too many names are like it"))?;
    Ok(Encoded { pieces: pieces(name, checksum(&short)), short, case: 0 })
}

/// Errors unless FAT can store the name as a long one.
fn check(name: &str) -> Result<(), FatError> {
    let invalid = |reason| Err(FatError::Name { name: name.to_owned(), reason });
    if name.is_empty() || name == "." || name == ".." {
        return invalid("it is not the name of a file");
    }
    if name.chars().any(|c| c < ' ' || c == '\x7f' || r#""*/:<>?\|"#.contains(c)) {
        return invalid(r#"control characters and " * / : < > ? \ | are not allowed"#);
    }
    if name.ends_with(['.', ' ']) || name.starts_with(' ') {
        return invalid("it begins with a space or ends in a dot or space");
    }
    if name.encode_utf16().count() > MAX_UNITS {
        return invalid("it is longer than 255 characters");
    }
    Ok(())
}

/// Returns whether a short name may hold this byte.
fn is_short_byte(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"!#$%&'()-@^_`{}~".contains(&byte)
}

/// Returns the short name and its case flags, if these say all that the name says.
fn as_short(name: &str) -> Option<([u8; 11], u8)> {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    if stem.is_empty() || stem.len() > 8 || extension.len() > 3 {
        return None;
    }
    if extension.is_empty() && name.contains('.') {
        return None;
    }
    let mut short = [b' '; 11];
    let mut case = 0;
    for (part, at, flag) in [(stem, 0, LOWER_STEM), (extension, 8, LOWER_EXTENSION)] {
        let lower = part.bytes().any(|byte| byte.is_ascii_lowercase());
        if lower && part.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        if lower {
            case |= flag;
        }
        for (place, byte) in short.iter_mut().skip(at).zip(part.bytes()) {
            *place = byte.to_ascii_uppercase();
            if !is_short_byte(*place) {
                return None;
            }
        }
    }
    Some((short, case))
}

/// Returns a short name for a long one: what can be kept of it, then `~` and the first
/// number that makes it unique.
fn numbered(name: &str, is_taken: impl Fn(&[u8; 11]) -> bool) -> Option<[u8; 11]> {
    let (stem, extension) = match name.trim_start_matches('.').rsplit_once('.') {
        Some((stem, extension)) => (stem, extension),
        None => (name, ""),
    };
    let kept = |part: &str, length: usize| -> Vec<u8> {
        let characters = part.chars().filter(|c| !matches!(c, ' ' | '.'));
        let bytes = characters.map(|c| match u8::try_from(c.to_ascii_uppercase()) {
            Ok(byte) if is_short_byte(byte) => byte,
            _ => b'_',
        });
        bytes.take(length).collect()
    };
    let mut stem = kept(stem, 8);
    if stem.is_empty() {
        stem.push(b'_');
    }
    let extension = kept(extension, 3);
    (1..1_000_000u32).find_map(|number| {
        let tail = format!("~{number}");
        let mut short = [b' '; 11];
        let head = stem.iter().copied().take(8 - tail.len());
        for (place, byte) in short.iter_mut().zip(head.chain(tail.bytes())) {
            *place = byte;
        }
        for (place, &byte) in short.iter_mut().skip(8).zip(&extension) {
            *place = byte;
        }
        (!is_taken(&short)).then_some(short)
    })
}

/// Returns the pieces of a long name, the last one of the name first.
fn pieces(name: &str, sum: u8) -> Vec<[u8; ENTRY]> {
    let units: Vec<u16> = name.encode_utf16().collect();
    let mut pieces = Vec::new();
    for (number, chunk) in (1u8..).zip(units.chunks(UNITS)) {
        let mut entry = [0; ENTRY];
        entry[0] = number;
        entry[11] = LONG;
        entry[13] = sum;
        // A name that ends within a piece is followed by a zero, the rest by FFFF.
        let padding = [0].into_iter().chain(std::iter::repeat(0xffff));
        for (unit, at) in chunk.iter().copied().chain(padding).zip(unit_places()) {
            entry[at..at + 2].copy_from_slice(&u16::to_le_bytes(unit));
        }
        pieces.push(entry);
    }
    if let Some(last) = pieces.last_mut() {
        last[0] |= 0x40;
    }
    pieces.reverse();
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(name: &str, taken: &[&[u8; 11]]) -> (String, usize, u8) {
        let encoded = encode(name, |short| taken.contains(&short)).unwrap();
        let text = String::from_utf8(encoded.short.to_vec()).unwrap();
        (text, encoded.pieces.len(), encoded.case)
    }

    #[test]
    fn a_name_in_one_case_needs_no_long_name() {
        assert_eq!(short("CONFIG.TXT", &[]), ("CONFIG  TXT".into(), 0, 0));
        assert_eq!(short("cmdline.txt", &[]), ("CMDLINE TXT".into(), 0, 0x18));
        assert_eq!(short("zImage", &[]), ("ZIMAGE~1   ".into(), 1, 0));
        assert_eq!(short("ssh", &[]), ("SSH        ".into(), 0, 0x08));
    }

    #[test]
    fn long_names_get_numbers() {
        assert_eq!(short("network-config", &[]), ("NETWOR~1   ".into(), 2, 0));
        let taken = b"NETWOR~1   ";
        assert_eq!(short("network-config", &[taken]), ("NETWOR~2   ".into(), 2, 0));
        assert_eq!(short("a b.c+d.conf", &[]), ("ABC_D~1 CON".into(), 1, 0));
        assert_eq!(short(".profile", &[]).0, "PROFIL~1   ");
        assert_eq!(short("ü.txt", &[]).0, "_~1     TXT");
    }

    #[test]
    fn impossible_names_are_rejected() {
        let long = "x".repeat(256);
        for name in ["", ".", "..", "a/b", "a:b", "a.", "a ", " a", "a\nb", long.as_str()] {
            assert!(encode(name, |_| false).is_err(), "{name:?}");
        }
    }
}
