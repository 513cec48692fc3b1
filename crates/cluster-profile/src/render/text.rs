//! Configuration files as text whose every byte survives.
//!
//! Such files are ASCII as far as their programs care, but comments in them may
//! be in any encoding. Each byte is taken as the `char` of the same number, so
//! lines can be handled as `str`, and written back they are the same bytes.
//! Only ASCII white space may be looked for in such text.

/// One `char` for each byte.
pub(super) fn decode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The bytes of text that [`decode`] gave; any other `char` is written as UTF-8.
pub(super) fn encode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u8::try_from(c) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// Text of an image as it can be shown: control characters escaped.
pub(super) fn printable(text: &str) -> String {
    let show = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(show).collect()
}

/// Lines with their line ends.
pub(super) fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// A line split where its comment begins.
pub(super) fn split_comment(line: &str) -> (&str, &str) {
    line.split_at(line.find('#').unwrap_or(line.len()))
}

/// Ends the last line of `text`, if it has one that is not ended.
pub(super) fn end_last_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

/// `line` without those of its words that are `unwanted`, and without the
/// white space before each; every other byte is kept.
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

/// Whether a shell's pattern of `*`, `?` and `[…]` fits all of `name`. One with a bracket
/// that is not closed fits nothing.
pub(super) fn glob(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().take(256).collect();
    let name: Vec<char> = name.chars().take(256).collect();
    glob_chars(&pattern, &name)
}

fn glob_chars(pattern: &[char], name: &[char]) -> bool {
    // Where the last star was, and how much of the name it has eaten so far.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        let step = match (pattern.get(p), name.get(n)) {
            (Some('*'), _) => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            (Some('?'), Some(_)) => Some(1),
            (Some('['), Some(c)) => set(pattern.get(p..).unwrap_or_default(), *c),
            (Some(a), Some(b)) if a == b => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                n += 1;
            }
            (None, Some((at, eaten))) => {
                star = Some((at, eaten + 1));
                p = at + 1;
                n = eaten + 1;
            }
            (None, None) => return false,
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

/// The length of the set `[…]` that begins `pattern`, if `c` is in it.
fn set(pattern: &[char], c: char) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let first = 1 + usize::from(negated);
    // A bracket right at the beginning is a member.
    let close = pattern.iter().skip(first + 1).position(|c| *c == ']')? + first + 1;
    let members = pattern.get(first..close)?;
    let mut inside = false;
    let mut rest = members;
    while let Some((low, after)) = rest.split_first() {
        match after {
            ['-', high, after @ ..] => {
                inside |= (*low..=*high).contains(&c);
                rest = after;
            }
            _ => {
                inside |= *low == c;
                rest = after;
            }
        }
    }
    (inside != negated).then_some(close + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(encode(&decode(&all)), all);
        assert_eq!(encode("ß→"), b"\xdf\xe2\x86\x92");
    }

    #[test]
    fn words_go_with_the_space_before_them() {
        assert_eq!(without_words("auto\teth0  eth1 \n", |w| w == "eth0"), "auto  eth1 \n");
        assert_eq!(without_words("a b c\r\n", |w| w == "c"), "a b\r\n");
    }

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, name, fits) in [
            ("eth*", "eth0", true),
            ("e*", "wlan0", false),
            ("*", "", true),
            ("en*s?", "enp3s0", true),
            ("lan[0-9]*", "lan12", true),
            ("lan[!0-9]", "lan1", false),
            ("[]x]", "]", true),
            ("*a*b*c", "xxaxxbxxbc", true),
            ("*.conf", "a.confx", false),
        ] {
            assert_eq!(glob(pattern, name), fits, "{pattern} {name}");
        }
    }
}
