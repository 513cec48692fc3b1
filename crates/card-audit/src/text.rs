//! Text of a card as it can be shown.

/// Control characters escaped, cut where it gets long.
pub(crate) fn printable(text: &str) -> String {
    const LONGEST: usize = 160;
    let show = |c: char| match c.is_control() && c != '\t' {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    let mut shown: String = text.chars().take(LONGEST).map(show).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// A size in binary units.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1 << 10 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    // Whole numbers without a point.
    match value.fract() == 0.0 {
        true => format!("{value:.0} {}", UNITS[unit]),
        false => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// A thing in the singular or the plural: `1 error`, `2 errors`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// A word, such as a path, as it can be pasted into a shell.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/-+,@%=".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(512), "512 bytes");
        assert_eq!(size(64 << 20), "64 MiB");
        assert_eq!(size((7 << 30) + (1 << 29)), "7.5 GiB");
    }

    #[test]
    fn nothing_reaches_the_terminal_raw() {
        assert_eq!(printable("a\x1b[31m\tb"), "a\\u{1b}[31m\tb");
        assert_eq!(printable(&"x".repeat(200)).chars().count(), 161);
    }
}
