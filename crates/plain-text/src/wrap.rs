//! Breaking text into lines.

/// Breaks text into lines of at most `width` characters, and indents all but the first by
/// `indent` spaces. Every line of `text` starts a new line, with its own leading spaces.
///
/// Breaks are between words only, and never inside backticks if what they quote fits a line:
/// it is meant to be copied. A longer word has a line of its own.
///
/// ```
/// let note = "note: set `users: {root: {locked: true}}` in the profile";
/// assert_eq!(
///     plain_text::wrap(note, 40, 2),
///     "note: set\n  `users: {root: {locked: true}}` in the\n  profile"
/// );
/// ```
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for part in text.lines() {
        let start = part.len() - part.trim_start_matches(' ').len();
        let mut line = part[..start].to_owned();
        for word in words(part, width.saturating_sub(indent)) {
            let is_first = line.trim_start().is_empty();
            if !is_first && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            } else if !is_first {
                line.push(' ');
            }
            line += &word;
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// Returns the words of a line. What is in backticks is one word, if it has at most `longest`
/// characters.
fn words(line: &str, longest: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let is_open = |text: &str| text.matches('`').count() % 2 == 1;
        let whole = rest
            .match_indices(char::is_whitespace)
            .map(|(at, _)| at)
            .chain([rest.len()])
            .find(|&at| !is_open(&rest[..at]))
            .filter(|&at| rest[..at].chars().count() <= longest);
        let (word, more) = rest.split_at(whole.unwrap_or(end));
        words.push(word.to_owned());
        rest = more.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_long_as_they_may_be() {
        assert_eq!(wrap("one two three", 7, 2), "one two\n  three");
        assert_eq!(wrap("one two three", 13, 2), "one two three");
        assert_eq!(wrap("  fix: ab cd", 9, 4), "  fix: ab\n    cd");
        assert_eq!(wrap("a\n  b c", 3, 0), "a\n  b\nc");
        assert_eq!(wrap("äö üä", 5, 0), "äö üä");
        assert_eq!(wrap("", 5, 0), "");
    }

    #[test]
    fn what_cannot_be_broken_is_not() {
        assert_eq!(wrap("a longer-than-that b", 6, 1), "a\n longer-than-that\n b");
        assert_eq!(wrap("run `a b`, or c", 9, 0), "run\n`a b`, or\nc");
        // Too long for a line, or not closed.
        assert_eq!(wrap("`aaa bbb ccc`", 8, 0), "`aaa bbb\nccc`");
        assert_eq!(wrap("`aaa bbb", 5, 0), "`aaa\nbbb");
    }
}
