//! The words of a line of sshd_config, as OpenSSH's misc.c splits it (`strdelim`,
//! `argv_split`).

/// Returns the keyword of a line in lower case and what follows it, or `None` for an empty
/// line and a comment.
pub(super) fn keyword(line: &str) -> Option<(String, &str)> {
    let line = line.trim_end_matches([' ', '\t', '\r', '\n', '\x0c']);
    let (mut word, mut rest) = delimited(line);
    if word.is_empty() {
        // Leading white space made the first word an empty one.
        (word, rest) = delimited(rest);
    }
    (!word.is_empty() && !word.starts_with('#')).then(|| (word.to_ascii_lowercase(), rest))
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Returns the text before the next delimiter (white space, or one `=`) and what follows.
fn delimited(line: &str) -> (&str, &str) {
    let Some(at) = line.find(|c| SPACE.contains(&c) || matches!(c, '=' | '"')) else {
        return (line, "");
    };
    let (word, rest) = line.split_at(at);
    if let Some(quoted) = rest.strip_prefix('"') {
        // A quoted keyword; anything else than that is no keyword either way.
        let (inside, rest) = quoted.split_once('"').unwrap_or((quoted, ""));
        return (if word.is_empty() { inside } else { word }, rest.trim_start_matches(SPACE));
    }
    let was_equals = rest.starts_with('=');
    let rest = rest.get(1..).unwrap_or_default().trim_start_matches(SPACE);
    match rest.strip_prefix('=').filter(|_| !was_equals) {
        Some(rest) => (word, rest.trim_start_matches(SPACE)),
        None => (word, rest),
    }
}

/// Returns the arguments after a keyword; `None` if a quotation mark is not closed. A word
/// that begins with `#` starts a comment.
pub(super) fn arguments(rest: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut chars = rest.chars().peekable();
    while let Some(&c) = chars.peek() {
        if matches!(c, ' ' | '\t') {
            chars.next();
            continue;
        }
        if c == '#' {
            break;
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(&c) = chars.peek() {
            if quote.is_none() && matches!(c, ' ' | '\t') {
                break;
            }
            chars.next();
            match c {
                '\\' => {
                    let escaped = chars.peek().copied().filter(|next| {
                        matches!(next, '\'' | '"' | '\\') || quote.is_none() && *next == ' '
                    });
                    word.push(escaped.unwrap_or('\\'));
                    if escaped.is_some() {
                        chars.next();
                    }
                }
                '"' | '\'' if quote.is_none() => quote = Some(c),
                _ if quote == Some(c) => quote = None,
                _ => word.push(c),
            }
        }
        if quote.is_some() {
            return None;
        }
        words.push(word);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_end_at_white_space_or_one_equals_sign() {
        for (line, expected) in [
            ("Port 22", Some(("port", "22"))),
            ("  PORT=22", Some(("port", "22"))),
            ("Port = 22  ", Some(("port", "22"))),
            ("Port == 22", Some(("port", "= 22"))),
            ("\"Port\" 22", Some(("port", "22"))),
            ("# Port 22", None),
            ("", None),
            ("   ", None),
        ] {
            let found = keyword(line);
            assert_eq!(found.as_ref().map(|(k, v)| (k.as_str(), *v)), expected, "{line:?}");
        }
    }

    #[test]
    fn arguments_are_split_as_openssh_does() {
        for (rest, expected) in [
            ("a b\tc", Some(vec!["a", "b", "c"])),
            ("\"a b\" 'c d'e", Some(vec!["a b", "c de"])),
            ("a\\ b \\\"c a\\d", Some(vec!["a b", "\"c", "a\\d"])),
            ("a # b", Some(vec!["a"])),
            ("a#b", Some(vec!["a#b"])),
            ("\"\"", Some(vec![""])),
            ("\"a", None),
        ] {
            let expected = expected.map(|words| words.into_iter().map(str::to_owned).collect());
            assert_eq!(arguments(rest), expected, "{rest:?}");
        }
    }
}
