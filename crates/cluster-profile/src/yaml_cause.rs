//! The likely cause of a syntax error in YAML. Parsers report where they could not go on, which
//! is often far behind the mistake.

/// A likely cause of a syntax error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// The byte of the text where the mistake is.
    pub at: usize,
    pub message: String,
    pub help: String,
}

/// Returns the likely cause of an error that a parser reported at a byte of the text.
pub(crate) fn find(text: &str, error: usize) -> Option<Cause> {
    let error = error.min(text.len());
    let lines = lines_up_to(text, error);
    let near = &lines[lines.len().saturating_sub(2)..];
    near.iter()
        .rev()
        .find_map(|(start, line)| tab(*start, line))
        .or_else(|| braces_in_a_name(text))
        .or_else(|| bracket(text))
        .or_else(|| near.iter().rev().find_map(|(start, line)| colon(*start, line)))
}

/// Returns the lines that begin at or before a byte, each with its first byte.
fn lines_up_to(text: &str, end: usize) -> Vec<(usize, &str)> {
    let mut start = 0;
    let mut lines = Vec::new();
    for line in text.split_inclusive('\n') {
        if start > end {
            break;
        }
        lines.push((start, line.trim_end()));
        start += line.len();
    }
    lines
}

fn tab(start: usize, line: &str) -> Option<Cause> {
    let indent = line.len() - line.trim_start().len();
    let tab = line.get(..indent)?.find('\t')?;
    (indent < line.len()).then(|| tab_at(start + tab))
}

/// Returns the cause that a tab is, at its byte of the text.
pub(crate) fn tab_at(at: usize) -> Cause {
    Cause {
        at,
        message: "tabs are not allowed in YAML here".into(),
        help: "replace the tab with spaces".into(),
    }
}

/// Finds `{count: 60, name: n{:02}}`: inside of braces, a value with braces needs quotes.
fn braces_in_a_name(text: &str) -> Option<Cause> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let found = line.find("{:0").or_else(|| line.find("{}"));
        if let Some(brace) = found.filter(|brace| *brace > 0) {
            let word = line[..brace].rfind([' ', ',', '{', ':']).map_or(0, |at| at + 1);
            let quoted = line[word..brace].contains(['\'', '"']);
            let in_braces = line[..word].contains('{');
            let end = line[brace..].find('}').map_or(line.trim_end().len(), |at| brace + at + 1);
            if !quoted && in_braces && word < brace {
                let name = line.get(word..end)?;
                return Some(Cause {
                    at: start + word,
                    message: format!("inside of braces, {name} needs quotes"),
                    help: format!("write '{name}'"),
                });
            }
        }
        start += line.len();
    }
    None
}

/// Finds a bracket or brace that is never closed, or that closes nothing.
fn bracket(text: &str) -> Option<Cause> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut quote: Option<char> = None;
    // Whether a new value may begin here: a bracket inside of a plain value is a part of it.
    let mut begins = true;
    let mut previous = '\n';
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if let Some(mark) = quote {
            match character {
                '\\' if mark == '"' => {
                    characters.next();
                }
                _ if character == mark => quote = None,
                _ => {}
            }
            previous = character;
            continue;
        }
        match character {
            '#' if previous.is_whitespace() => {
                while characters.peek().is_some_and(|(_, next)| *next != '\n') {
                    characters.next();
                }
            }
            '"' | '\'' if begins => {
                quote = Some(character);
                begins = false;
            }
            '[' | '{' if begins || !open.is_empty() => {
                open.push((at, character));
                begins = true;
            }
            ']' | '}' if !open.is_empty() => {
                let (start, opener) = open.pop()?;
                if (opener == '[') != (character == ']') {
                    return Some(never_closed(start, opener));
                }
                begins = false;
            }
            ']' | '}' if begins => return Some(closes_nothing(at, character)),
            ' ' | '\t' => {}
            '\n' => begins = true,
            ',' if !open.is_empty() => begins = true,
            ':' | '-' => begins = characters.peek().is_none_or(|(_, next)| next.is_whitespace()),
            _ => begins = false,
        }
        previous = character;
    }
    open.first().map(|(start, opener)| never_closed(*start, *opener))
}

fn never_closed(at: usize, opener: char) -> Cause {
    let closer = if opener == '[' { ']' } else { '}' };
    Cause {
        at,
        message: format!("this `{opener}` is never closed"),
        help: format!("add the missing `{closer}`"),
    }
}

fn closes_nothing(at: usize, closer: char) -> Cause {
    Cause { at, message: format!("this `{closer}` closes nothing"), help: "remove it".into() }
}

/// Finds `card 8GB`, which lacks its colon, and `card:8GB`, which lacks the space behind it.
fn colon(start: usize, line: &str) -> Option<Cause> {
    let item = line.trim_start();
    let item = item.strip_prefix("- ").unwrap_or(item).trim_start();
    if item.starts_with(['#', '-', '[', '{', '"', '\'']) || item.contains(": ") {
        return None;
    }
    let word = item.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')?;
    let (key, rest) = item.split_at(word);
    if key.is_empty() {
        return None;
    }
    let at = start + line.len() - item.len();
    let value = rest.trim_start_matches(':').trim_start();
    if value.is_empty() || value.starts_with("//") {
        return None;
    }
    let missing = match rest.chars().next() {
        Some(':') => "the space after",
        Some(' ') => "the colon after",
        _ => return None,
    };
    Some(Cause {
        at,
        message: format!("{missing} `{key}` is missing",),
        help: format!("write `{key}: {value}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the message of the cause, and the text from its place on.
    fn cause(text: &str, error: usize) -> Option<(String, &str)> {
        find(text, error).map(|cause| (cause.message, &text[cause.at..]))
    }

    #[test]
    fn what_is_never_closed_is_found_where_it_opens() {
        for (text, rest) in [
            ("a: 1\nb: {c: 1\nd: 2\n", "{c: 1"),
            ("a: [1, {b: 2]\n", "{b: 2]"),
            ("a: [1, 2\nb: \"]\"\n", "[1, 2"),
            ("a: {b: 1 # }\n", "{b: 1 #"),
        ] {
            let (message, found) = cause(text, text.len()).expect(text);
            assert!(message.ends_with("is never closed"), "{text}: {message}");
            assert!(found.starts_with(rest), "{text}: {found}");
        }
        assert_eq!(bracket("a: [1, {b: '}'}]\nc: x{y\nd: it's [\n"), None);
        assert_eq!(cause("a: 1\n}\n", 5).unwrap().0, "this `}` closes nothing");
    }

    #[test]
    fn tabs_and_colons_are_found() {
        assert_eq!(cause("a:\n\tb: 1\n", 3).unwrap().0, "tabs are not allowed in YAML here");
        let text = "cluster mc1\ncard: 8GB\n";
        assert_eq!(cause(text, 12), Some(("the colon after `cluster` is missing".into(), text)));
        let (message, _) = cause("a: 1\ncard:8GB\nb: 1\n", 14).unwrap();
        assert_eq!(message, "the space after `card` is missing");
        assert_eq!(cause("base: https://x.org/a\n", 5), None);
    }

    #[test]
    fn names_with_braces_need_quotes() {
        let text = "nodes: {count: 60, name: n{:02}, first_address: 10.0.0.1}\n";
        let (message, found) = cause(text, 30).unwrap();
        assert_eq!(message, "inside of braces, n{:02} needs quotes");
        assert!(found.starts_with("n{:02}"), "{found}");
        assert_eq!(braces_in_a_name("nodes: {name: 'n{:02}'}\n"), None);
        assert_eq!(braces_in_a_name("nodes:\n  name: n{:02}\n"), None);
    }

    #[test]
    fn any_text_is_searched() {
        for text in ["", "\t", "é: {", "{", "a'b: [\"", "\\", "-", ":", "\"\\"] {
            for error in 0..text.len() + 2 {
                if let Some(cause) = find(text, error) {
                    assert!(text.is_char_boundary(cause.at), "{text} {error}");
                }
            }
        }
    }
}
