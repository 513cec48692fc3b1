//! Configuration files as text of which every byte survives.
//!
//! Programs read such files as ASCII, but names and comments in them may be in any encoding.
//! What is UTF-8 stays what it is, so that notes can show it. Each byte that is not becomes a
//! `char` of [`NOT_TEXT`], so lines can be handled as `str`, and written back they are the same
//! bytes. Only ASCII white space may be searched for in such text.

use plain_text::NOT_TEXT;

/// Returns text, with a `char` of its own for each byte that is not UTF-8.
pub(super) fn decode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if NOT_TEXT.contains(&c) {
                // The same character in the file must not become a byte.
                text.extend(c.encode_utf8(&mut [0; 4]).bytes().map(stand_in));
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().copied().map(stand_in));
    }
    text
}

/// Returns the `char` that stands for a byte from 0x80 on.
fn stand_in(byte: u8) -> char {
    let number = u32::from(*NOT_TEXT.start()) + u32::from(byte) - 0x80;
    char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Returns the bytes of text from [`decode`].
pub(super) fn encode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        if NOT_TEXT.contains(&c) {
            let number = u32::from(c) - u32::from(*NOT_TEXT.start()) + 0x80;
            bytes.extend(u8::try_from(number));
        } else {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    bytes
}

/// Returns lines with their line ends.
pub(super) fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Splits a line where its comment begins.
pub(super) fn split_comment(line: &str) -> (&str, &str) {
    line.split_at(line.find('#').unwrap_or(line.len()))
}

/// Adds a line end to `text` if its last line has none.
pub(super) fn end_last_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

/// Returns `line` without its words that are `unwanted`, and without the white space before
/// each. Every other byte is kept.
pub(super) fn without_words(line: &str, unwanted: impl Fn(&str) -> bool) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let blank = rest.find(|c: char| !c.is_ascii_whitespace()).unwrap_or(rest.len());
        let (space, after) = rest.split_at(blank);
        let end = after.find(|c: char| c.is_ascii_whitespace()).unwrap_or(after.len());
        let (word, after) = after.split_at(end);
        if word.is_empty() || !unwanted(word) {
            kept.push_str(space);
            kept.push_str(word);
        }
        rest = after;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(encode(&decode(&all)), all);
        // Every byte after every other, and characters that stand for bytes.
        let pairs: Vec<u8> = all.iter().flat_map(|a| all.iter().flat_map(|b| [*a, *b])).collect();
        assert_eq!(encode(&decode(&pairs)), pairs);
        let stand_ins: String = NOT_TEXT.collect();
        assert_eq!(encode(&decode(stand_ins.as_bytes())), stand_ins.as_bytes());
    }

    #[test]
    fn what_is_utf_8_can_be_shown() {
        assert_eq!(decode("ß→\n".as_bytes()), "ß→\n");
        assert_eq!(encode("ß→"), "ß→".as_bytes());
        assert_eq!(plain_text::printable(&decode(b"K\xfchl \xc3\xbc")), "K\u{fffd}hl ü");
    }

    #[test]
    fn words_go_with_the_space_before_them() {
        assert_eq!(without_words("auto\teth0  eth1 \n", |w| w == "eth0"), "auto  eth1 \n");
        assert_eq!(without_words("a b c\r\n", |w| w == "c"), "a b\r\n");
    }
}
