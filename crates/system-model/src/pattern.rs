//! Shell patterns, as fnmatch(3) and glob(3) read them.

use crate::{FileKind, SystemError, SystemFiles};

/// More paths than any configuration includes. What is beyond is left out.
const MAX_PATHS: usize = 4096;

/// One element of a pattern.
enum Token<'a> {
    /// This character.
    Literal(char),
    /// `?`
    Any,
    /// `*`
    Many,
    /// `[…]`: its contents, and whether they are negated.
    Class(&'a [char], bool),
}

/// Returns the first element of a pattern and the rest.
fn token(pattern: &[char]) -> Option<(Token<'_>, &[char])> {
    let (first, rest) = pattern.split_first()?;
    Some(match first {
        '*' => (Token::Many, rest),
        '?' => (Token::Any, rest),
        '\\' => match rest.split_first() {
            Some((escaped, rest)) => (Token::Literal(*escaped), rest),
            None => (Token::Literal('\\'), rest),
        },
        '[' => {
            let negated = matches!(rest.first(), Some('!' | '^'));
            let inside = if negated { rest.get(1..).unwrap_or_default() } else { rest };
            let end = class_end(inside);
            match end.and_then(|end| Some((inside.get(..end)?, inside.get(end + 1..)?))) {
                Some((class, rest)) => (Token::Class(class, negated), rest),
                None => (Token::Literal('['), rest),
            }
        }
        other => (Token::Literal(*other), rest),
    })
}

/// Returns where a bracket expression ends. A bracket that comes first is an element.
fn class_end(inside: &[char]) -> Option<usize> {
    let mut at = 0;
    loop {
        match (inside.get(at)?, inside.get(at + 1)) {
            (']', _) if at > 0 => return Some(at),
            ('[', Some(':')) => {
                let rest = inside.get(at + 2..)?;
                let end = rest.windows(2).position(|pair| pair == [':', ']']);
                at += end.map_or(1, |end| end + 4);
            }
            _ => at += 1,
        }
    }
}

/// Returns whether a bracket expression has a character.
fn in_class(class: &[char], c: char) -> bool {
    let mut rest = class;
    while let Some((&first, after)) = rest.split_first() {
        if let ('[', Some(':')) = (first, after.first()) {
            let end = after.windows(2).position(|pair| pair == [':', ']']);
            if let Some(name) = end.and_then(|end| after.get(1..end)) {
                let name: String = name.iter().collect();
                if named_class(&name, c) {
                    return true;
                }
                rest = after.get(end.map_or(0, |end| end + 2)..).unwrap_or_default();
                continue;
            }
        }
        match after {
            ['-', last, beyond @ ..] => {
                if first <= c && c <= *last {
                    return true;
                }
                rest = beyond;
            }
            _ => {
                if first == c {
                    return true;
                }
                rest = after;
            }
        }
    }
    false
}

fn named_class(name: &str, c: char) -> bool {
    match name {
        "alpha" => c.is_ascii_alphabetic(),
        "digit" => c.is_ascii_digit(),
        "alnum" => c.is_ascii_alphanumeric(),
        "upper" => c.is_ascii_uppercase(),
        "lower" => c.is_ascii_lowercase(),
        "space" => c.is_ascii_whitespace(),
        "punct" => c.is_ascii_punctuation(),
        "xdigit" => c.is_ascii_hexdigit(),
        _ => false,
    }
}

/// Returns whether a shell pattern matches a whole string (fnmatch(3) without flags).
///
/// The time is at most the product of both lengths.
pub fn fnmatch(pattern: &str, string: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let string: Vec<char> = string.chars().collect();
    let (mut rest, mut ahead) = (pattern.as_slice(), string.as_slice());
    // Where the last `*` may take one character more.
    let mut retry: Option<(&[char], &[char])> = None;
    loop {
        let matched = match (token(rest), ahead.split_first()) {
            (Some((Token::Many, after)), _) => {
                retry = Some((after, ahead));
                rest = after;
                continue;
            }
            (None, None) => return true,
            (None, Some(_)) | (Some(_), None) => None,
            (Some((token, after)), Some((&c, beyond))) => {
                let fits = match token {
                    Token::Literal(literal) => literal == c,
                    Token::Any => true,
                    Token::Class(class, negated) => in_class(class, c) != negated,
                    Token::Many => true,
                };
                fits.then_some((after, beyond))
            }
        };
        (rest, ahead) = match (matched, retry) {
            (Some(next), _) => next,
            (None, Some((after, from))) => match from.split_first() {
                Some((_, from)) => {
                    retry = Some((after, from));
                    (after, from)
                }
                None => return false,
            },
            (None, None) => return false,
        };
    }
}

/// Returns whether a pattern of `*` and `?` alone matches a whole string (GLib's
/// `g_pattern_match_simple`).
pub(crate) fn simple(pattern: &str, string: &str) -> bool {
    let mut escaped = String::new();
    for c in pattern.chars() {
        if matches!(c, '[' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    fnmatch(&escaped, string)
}

/// Returns whether a word has characters that make it a pattern.
pub(crate) fn is_pattern(word: &str) -> bool {
    word.contains(['*', '?', '['])
}

/// Returns whether a shell pattern matches a whole string, operators like `@(a|b)` included
/// (fnmatch(3) with `FNM_EXTMATCH`). One that takes too long to decide matches nothing.
pub(crate) fn fnmatch_extended(pattern: &str, string: &str) -> bool {
    if !["?(", "*(", "+(", "@(", "!("].iter().any(|operator| pattern.contains(operator)) {
        return fnmatch(pattern, string);
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let string: Vec<char> = string.chars().collect();
    let mut left = MAX_STEPS;
    extended(&pattern, &string, &mut left).unwrap_or(false)
}

/// As many steps are made, for patterns that would take a time exponential in their length.
const MAX_STEPS: usize = 2_000;

/// Returns whether a pattern matches a string; `None` if there are too many steps.
fn extended(pattern: &[char], string: &[char], left: &mut usize) -> Option<bool> {
    *left = left.checked_sub(1)?;
    let Some(first) = pattern.first() else { return Some(string.is_empty()) };
    if let Some((alternatives, rest)) = group(pattern) {
        if matches!(first, '?' | '*') && extended(rest, string, left)? {
            return Some(true);
        }
        for at in 0..=string.len() {
            let (head, tail) = string.split_at(at);
            let mut any = false;
            for alternative in &alternatives {
                any = any || extended(alternative, head, left)?;
            }
            if any == (*first == '!') {
                continue;
            }
            // Another repetition has to be of something.
            let again = matches!(first, '*' | '+') && at > 0;
            if extended(rest, tail, left)? || again && extended(pattern, tail, left)? {
                return Some(true);
            }
        }
        return Some(false);
    }
    let Some((token, rest)) = token(pattern) else { return Some(false) };
    if let Token::Many = token {
        for at in 0..=string.len() {
            if extended(rest, string.split_at(at).1, left)? {
                return Some(true);
            }
        }
        return Some(false);
    }
    let Some((c, beyond)) = string.split_first() else { return Some(false) };
    let fits = match token {
        Token::Literal(literal) => literal == *c,
        Token::Class(class, negated) => in_class(class, *c) != negated,
        Token::Any | Token::Many => true,
    };
    if fits { extended(rest, beyond, left) } else { Some(false) }
}

/// Splits `@(a|b)c` into the alternatives and what follows; `None` without a whole group.
fn group(pattern: &[char]) -> Option<(Vec<&[char]>, &[char])> {
    let ['?' | '*' | '+' | '@' | '!', '(', inside @ ..] = pattern else { return None };
    let (mut depth, mut start, mut alternatives) = (0_usize, 0, Vec::new());
    for (at, c) in inside.iter().enumerate() {
        match c {
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ')' => {
                alternatives.push(inside.get(start..at)?);
                return Some((alternatives, inside.get(at + 1..)?));
            }
            '|' if depth == 0 => {
                alternatives.push(inside.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    None
}

/// Returns the paths that a pattern matches, sorted, as glob(3) without flags finds them:
/// hidden names only where the pattern has the dot.
///
/// # Errors
/// [`SystemError`] if the filesystem is damaged.
pub(crate) fn glob(files: &dyn SystemFiles, pattern: &str) -> Result<Vec<String>, SystemError> {
    let absolute = pattern.starts_with('/');
    if !absolute {
        return Ok(Vec::new());
    }
    let mut paths = vec![String::new()];
    let components: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    for (at, component) in components.iter().enumerate() {
        let last = at + 1 == components.len();
        let mut next = Vec::new();
        for path in paths {
            if !is_pattern(component) {
                let name = component.replace('\\', "");
                let whole = format!("{path}/{name}");
                // In the middle of a path the existence of what follows decides.
                if !last || exists(files, &whole)? {
                    next.push(whole);
                }
                continue;
            }
            let directory = if path.is_empty() { "/" } else { path.as_str() };
            for name in files.list(directory)?.unwrap_or_default() {
                let hidden = name.starts_with('.') && !component.starts_with('.');
                if hidden || !fnmatch(component, &name) {
                    continue;
                }
                let whole = format!("{path}/{name}");
                if last || is_directory(files, &whole)? {
                    next.push(whole);
                }
                if next.len() >= MAX_PATHS {
                    break;
                }
            }
        }
        next.truncate(MAX_PATHS);
        paths = next;
    }
    paths.sort();
    Ok(paths)
}

fn exists(files: &dyn SystemFiles, path: &str) -> Result<bool, SystemError> {
    files.exists(path)
}

fn is_directory(files: &dyn SystemFiles, path: &str) -> Result<bool, SystemError> {
    Ok(files.metadata(path)?.is_some_and(|found| found.kind == FileKind::Directory))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    #[test]
    fn patterns_match_as_fnmatch_does() {
        for (pattern, string, expected) in [
            ("eth*", "eth0", true),
            ("eth?", "eth", false),
            ("e[nt]*", "eth0", true),
            ("e[!n]*", "enp1s0", false),
            ("e[a-z]h[0-9]", "eth7", true),
            ("*a*b*c", "xaybzc", true),
            ("*a*b*c", "xaybz", false),
            ("", "", true),
            ("*", "", true),
            ("[", "[", true),
            ("[]]", "]", true),
            ("lan[!0-9]", "lan1", false),
            ("*.conf", "a.confx", false),
            ("[[:digit:]]", "5", true),
            ("[[:digit:]x]", "y", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
        ] {
            assert_eq!(fnmatch(pattern, string), expected, "{pattern} {string}");
        }
        let (pattern, string) = ("*a".repeat(2000), "a".repeat(1999) + "b");
        assert!(!fnmatch(&pattern, &string));
    }

    #[test]
    fn extended_patterns_match_as_fnmatch_does() {
        for (pattern, string, expected) in [
            ("@(eth0|eth1)", "eth0", true),
            ("@(eth0|eth1)", "eth2", false),
            ("!(eth1|lo)", "eth0", true),
            ("!(eth1|lo)", "lo", false),
            ("eth+([0-9])", "eth12", true),
            ("eth+([0-9])", "eth", false),
            ("eth*([0-9])", "eth", true),
            ("e?(t)h0", "eh0", true),
            ("@(e@(th|n)0)", "en0", true),
            ("@(eth0", "@(eth0", true),
            ("eth*", "eth0", true),
        ] {
            assert_eq!(fnmatch_extended(pattern, string), expected, "{pattern} {string}");
        }
        let long = "+(+(+(a)))".repeat(20) + "b";
        assert!(!fnmatch_extended(&long, &"a".repeat(200)));
    }

    #[test]
    fn paths_are_found_as_glob_does() {
        let mut files = MemoryFiles::new();
        for path in ["/etc/a.d/x/eth0", "/etc/b.d/y/eth0", "/etc/b.d/.z/eth0", "/etc/c.d"] {
            files.write(path, "");
        }
        files.symlink("/etc/d.d/broken", "/nowhere");
        let found = |pattern: &str| glob(&files, pattern).expect("readable");
        assert_eq!(found("/etc/*.d/*/eth*"), ["/etc/a.d/x/eth0", "/etc/b.d/y/eth0"]);
        assert_eq!(found("/etc/d.d/*"), ["/etc/d.d/broken"]);
        assert_eq!(found("/etc/b.d/.*/eth0"), ["/etc/b.d/.z/eth0"]);
        assert_eq!(found("/etc/none/*"), Vec::<String>::new());
        assert_eq!(found("etc/*"), Vec::<String>::new());
    }
}
