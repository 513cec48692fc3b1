//! Lines and fields, as glibc's `nss/nss_files/files-parse.c` takes them apart.

/// Returns the lines that count, with their numbers: leading white space is skipped, empty
/// lines and comments are not entries.
pub(super) fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('\n')
        .enumerate()
        .map(|(at, line)| {
            // What follows a NUL is not seen by C.
            let line = line.split('\0').next().unwrap_or_default();
            (at + 1, line.trim_start_matches(is_space))
        })
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// Returns the field before the next colon, and what follows it.
pub(super) fn string(line: &str) -> (&str, &str) {
    line.split_once(':').unwrap_or((line, ""))
}

/// Returns the number before the next colon, and what follows it; `None` where there is
/// no number, or something after it.
pub(super) fn number(line: &str) -> Option<(u32, &str)> {
    let (value, rest) = leading_number(line)?;
    Some((value?, after(rest)?))
}

/// Returns the number before the next colon, or `None` for an empty field, and what
/// follows it; nothing at all where the line has ended before or the field is no number.
pub(super) fn number_or_empty(line: &str) -> Option<(Option<i32>, &str)> {
    if line.is_empty() {
        return None;
    }
    let (value, rest) = leading_number(line)?;
    // It is kept in an int.
    let value = match value {
        Some(value) => Some(i32::try_from(value).ok()?),
        None => None,
    };
    Some((value, after(rest)?))
}

fn after(rest: &str) -> Option<&str> {
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(':') }
}

/// As strtoul(3) reads; `None` for what is negative or does not fit in 32 bits, which makes
/// the line void.
fn leading_number(line: &str) -> Option<(Option<u32>, &str)> {
    let trimmed = line.trim_start_matches(is_space);
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (number, rest) = digits.split_at(end);
    if number.is_empty() {
        return Some((None, line));
    }
    let value = number.parse::<u32>().ok().filter(|value| !negative || *value == 0)?;
    Some((Some(value), rest))
}
