//! The paths of a `source` line, as wordexp(3) with `WRDE_NOCMD` expands them.

use crate::{SystemError, SystemFiles, pattern};

/// What a `source` line comes to.
pub(super) enum Expanded {
    /// Paths, in order; one that matches nothing stays as it is written.
    Paths(Vec<String>),
    /// wordexp refuses it: a command, or a character that needs quoting.
    Refused,
    /// It has a variable or a home directory that only the running system knows.
    Undecided,
}

/// Expands words. A relative one is taken from the working directory of services, `/`.
pub(super) fn expand(files: &dyn SystemFiles, text: &str) -> Result<Expanded, SystemError> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut any, mut quote) = (String::new(), false, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\'', None) | ('"', None) => (quote, any) = (Some(c), true),
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => {
                any = true;
                let Some(next) = chars.next() else { return Ok(Expanded::Refused) };
                // A quoted special character is no pattern.
                word.extend(['\\', next]);
            }
            ('`', None | Some('"')) => return Ok(Expanded::Refused),
            ('$', None | Some('"')) => {
                let command = chars.as_str().starts_with('(');
                return Ok(if command { Expanded::Refused } else { Expanded::Undecided });
            }
            ('~', None) if !any => return Ok(Expanded::Undecided),
            ('|' | '&' | ';' | '<' | '>' | '(' | ')' | '{' | '}' | '\n', None) => {
                return Ok(Expanded::Refused);
            }
            (' ' | '\t', None) => {
                if any {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            (c, Some(_)) if matches!(c, '*' | '?' | '[' | '\\') => word.extend(['\\', c]),
            (c, _) => {
                any = true;
                word.push(c);
            }
        }
    }
    if quote.is_some() {
        return Ok(Expanded::Refused);
    }
    if any {
        words.push(word);
    }
    let mut paths = Vec::new();
    for word in words.into_iter().take(1000) {
        let whole = if word.starts_with('/') { word } else { format!("/{word}") };
        let found = pattern::glob(files, &whole)?;
        if found.is_empty() {
            paths.push(whole.replace('\\', ""));
        }
        paths.extend(found);
    }
    Ok(Expanded::Paths(paths))
}
