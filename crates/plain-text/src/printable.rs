//! Foreign strings on a terminal.

use std::{borrow::Cow, ops::RangeInclusive};

/// The longest string that is shown whole, in characters.
const LONGEST: usize = 160;

/// Characters that stand for the bytes 0x80 to 0xff where text is to keep bytes that are not UTF-8.
/// They are for private use. On a terminal each is shown as U+FFFD.
pub const NOT_TEXT: RangeInclusive<char> = '\u{f780}'..='\u{f7ff}';

/// Returns `text` with control characters and bidirectional controls escaped as
/// `\u{1b}`, so that it can neither move the cursor nor reorder what stands around it.
/// Tabs stay. A string of more than 160 characters is cut and ends in `…`.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (position, character) in text.chars().enumerate() {
        if position == LONGEST {
            shown.push('…');
            break;
        }
        push_escaped(&mut shown, character);
    }
    shown
}

/// Returns `text` escaped as by [`printable`], but whole, whatever its length.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    text.chars().for_each(|character| push_escaped(&mut shown, character));
    shown
}

/// Returns text of several lines escaped as by [`escaped`], with its ends of lines kept. This
/// is the last step of everything that goes to a terminal.
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    let is_fine = |character: char| {
        character == '\n' || !is_unsafe(character) && !NOT_TEXT.contains(&character)
    };
    if text.chars().all(is_fine) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_fine(character) {
            shown.push(character);
        } else {
            push_escaped(&mut shown, character);
        }
    }
    Cow::Owned(shown)
}

/// Returns a JSON document in which every character that acts on a terminal is escaped. The
/// standard asks for that only below U+0020.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    let is_fine = |character: char| {
        character == '\n' || !is_unsafe(character) && !NOT_TEXT.contains(&character)
    };
    if json.chars().all(is_fine) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        if is_fine(character) {
            shown.push(character);
        } else if NOT_TEXT.contains(&character) {
            shown.push(char::REPLACEMENT_CHARACTER);
        } else {
            // All of them are in the basic plane, and so one unit of UTF-16.
            shown += &format!("\\u{:04x}", u32::from(character));
        }
    }
    Cow::Owned(shown)
}

fn push_escaped(shown: &mut String, character: char) {
    if NOT_TEXT.contains(&character) {
        shown.push(char::REPLACEMENT_CHARACTER);
    } else if is_unsafe(character) {
        shown.extend(character.escape_unicode());
    } else {
        shown.push(character);
    }
}

/// Returns whether a character acts on the terminal or on the order of the text. The
/// bidirectional controls are those of Unicode Standard Annex 9; U+2028 and U+2029 end
/// lines for some terminals.
pub fn is_unsafe(character: char) -> bool {
    match character {
        '\t' => false,
        '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => true,
        _ => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_controls_of_every_kind() {
        assert_eq!(printable("a\x1b[31m\tb"), "a\\u{1b}[31m\tb");
        assert_eq!(printable("line\nnext\r"), "line\\u{a}next\\u{d}");
        assert_eq!(printable("c1\u{9b}2J"), "c1\\u{9b}2J");
        assert_eq!(printable("\u{202e}gpj.exe"), "\\u{202e}gpj.exe");
    }

    #[test]
    fn keeps_ordinary_text() {
        assert_eq!(printable("Kühlschrank 冷蔵庫"), "Kühlschrank 冷蔵庫");
    }

    #[test]
    fn escaping_alone_keeps_the_length() {
        let long = "x".repeat(200) + "\x1b";
        assert_eq!(escaped(&long), "x".repeat(200) + "\\u{1b}");
    }

    #[test]
    fn the_last_step_keeps_lines_and_nothing_else() {
        assert_eq!(escaped_lines("a\n\tb\n"), "a\n\tb\n");
        let every = (0..=0x2_ffff).filter_map(char::from_u32);
        let text: String = every.clone().filter(|&c| is_unsafe(c)).collect();
        assert!(text.chars().count() > 64 + 10, "{}", text.chars().count());
        let shown = escaped_lines(&text);
        assert!(shown.chars().all(|c| c == '\n' || c.is_ascii_graphic()), "{shown}");
        let json = escaped_json("\"\u{7f}\u{9b}\u{202e}\"\n");
        assert_eq!(json, "\"\\u007f\\u009b\\u202e\"\n");
    }

    #[test]
    fn cuts_long_text() {
        let cut = printable(&"x".repeat(200));
        assert_eq!(cut.chars().count(), LONGEST + 1);
        assert!(cut.ends_with('…'));
    }
}
