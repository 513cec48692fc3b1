//! What systemd starts a service's programs with, once their environment is filled in.
//!
//! Sources: systemd.service(5), "COMMAND LINES"; systemd.exec(5), `Environment=`,
//! `EnvironmentFile=`; systemd's src/basic/extract-word.c, env-util.c (`replace_env_argv`) and
//! env-file.c (`parse_env_file_internal`).

use std::collections::BTreeMap;

use crate::{FileLine, SystemError, SystemFiles, glob, systemd::expand_specifiers, units};

/// A command that a service runs.
pub(crate) struct ServiceCommand {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// The line that says so.
    pub at: FileLine,
    /// The line in an environment file with the arguments, where a variable holds some.
    pub options_at: Option<FileLine>,
}

/// The value of a variable, and its line in an environment file.
#[derive(Debug, Clone)]
struct Variable {
    value: String,
    at: Option<FileLine>,
}

/// Variables that are kept.
const MAX_VARIABLES: usize = 1000;

type Variables = BTreeMap<String, Variable>;

/// The lines of a unit that make its environment, specifiers expanded.
#[derive(Debug, Default)]
pub(crate) struct EnvironmentLines {
    /// `Environment=`
    pub set: Vec<String>,
    /// `EnvironmentFile=`
    pub files: Vec<String>,
    /// `UnsetEnvironment=`
    pub unset: Vec<String>,
}

/// Returns what `ExecStart=` of a service and its drop-ins runs.
pub(crate) fn commands(
    files: &dyn SystemFiles,
    unit: &str,
) -> Result<Vec<ServiceCommand>, SystemError> {
    let lines = |key| -> Result<Vec<String>, SystemError> {
        let values = units::values(files, unit, "Service", key)?.into_iter();
        Ok(values.map(|(line, _)| expand_specifiers(&line, unit)).collect())
    };
    let environment = variables(
        files,
        &EnvironmentLines {
            set: lines("Environment")?,
            files: lines("EnvironmentFile")?,
            unset: lines("UnsetEnvironment")?,
        },
    )?;
    let mut found = Vec::new();
    for (line, at) in units::values(files, unit, "Service", "ExecStart")? {
        let bare = line.trim_start_matches(['-', '@', ':', '+', '!', '|']);
        let prefixes = line.get(..line.len() - bare.len()).unwrap_or_default();
        let mut words = words(bare);
        if prefixes.contains('@') && words.len() > 1 {
            // The name that the program sees.
            words.remove(1);
        }
        for word in &mut words {
            *word = expand_specifiers(word, unit);
        }
        let mut options_at = None;
        if !prefixes.contains(':') {
            let whole = words.iter().filter_map(|word| environment.get(word.strip_prefix('$')?));
            let given = whole.filter(|variable| !variable.value.is_empty());
            options_at = given.filter_map(|variable| variable.at.clone()).next_back();
            words = substituted(words, &environment);
        }
        found.push(ServiceCommand { words, at, options_at });
    }
    Ok(found)
}

/// Returns the variables that a service starts with.
///
/// # Errors
/// [`SystemError`] if a file cannot be read.
pub(crate) fn environment(
    files: &dyn SystemFiles,
    lines: &EnvironmentLines,
) -> Result<Vec<(String, String)>, SystemError> {
    let variables = variables(files, lines)?.into_iter();
    Ok(variables.map(|(name, variable)| (name, variable.value)).collect())
}

/// Files outrank the unit.
fn variables(files: &dyn SystemFiles, lines: &EnvironmentLines) -> Result<Variables, SystemError> {
    let mut variables = Variables::new();
    let mut set = |name: &str, value: &str, at: Option<FileLine>| {
        if is_name(name) && (variables.len() < MAX_VARIABLES || variables.contains_key(name)) {
            variables.insert(name.to_owned(), Variable { value: value.to_owned(), at });
        }
    };
    for word in lines.set.iter().flat_map(|line| words(line)) {
        if let Some((name, value)) = word.split_once('=') {
            set(name, value, None);
        }
    }
    for path in &lines.files {
        let path = path.strip_prefix('-').unwrap_or(path);
        for path in glob::expand(files, path)? {
            let text = files.read_text(&path)?.unwrap_or_default();
            for one in environment_file(&text) {
                set(&one.name, &one.value, Some(FileLine::new(&path, one.line)));
            }
        }
    }
    for word in lines.unset.iter().flat_map(|line| words(line)) {
        match word.split_once('=') {
            Some((name, value)) if variables.get(name).is_some_and(|old| old.value != value) => {}
            Some((name, _)) => drop(variables.remove(name)),
            None => drop(variables.remove(&word)),
        }
    }
    Ok(variables)
}

fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(is_letter)
}

/// Splits a line into words: quotation marks are removed, and escapes as in C are resolved.
fn words(line: &str) -> Vec<String> {
    split(line, unescape)
}

/// Splits the value of a variable into words: quotation marks are removed, and a backslash takes
/// what follows as it is.
fn unquoted(value: &str) -> Vec<String> {
    split(value, |rest, word| word.extend(rest.next()))
}

/// Splits text at white space outside of quotation marks; what follows a backslash is the
/// caller's.
fn split(text: &str, escaped: fn(&mut std::str::Chars<'_>, &mut String)) -> Vec<String> {
    let (mut found, mut word, mut is_word, mut quote) = (Vec::new(), String::new(), false, None);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\\', _) => {
                is_word = true;
                escaped(&mut rest, &mut word);
            }
            ('"' | '\'', None) => (quote, is_word) = (Some(c), true),
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_ascii_whitespace() => {
                if is_word {
                    found.push(std::mem::take(&mut word));
                }
                is_word = false;
            }
            (c, _) => {
                is_word = true;
                word.push(c);
            }
        }
    }
    if is_word {
        found.push(word);
    }
    found
}

/// Resolves what follows a backslash; what is no escape stays.
fn unescape(rest: &mut std::str::Chars<'_>, to: &mut String) {
    let before = rest.clone();
    let number = |rest: &mut std::str::Chars<'_>, digits: usize, radix: u32| {
        let text: String = rest.by_ref().take(digits).collect();
        let value = u32::from_str_radix(&text, radix).ok().filter(|_| text.len() == digits);
        value.and_then(char::from_u32).filter(|c| *c != '\0')
    };
    let one = match rest.next() {
        Some('a') => Some('\u{7}'),
        Some('b') => Some('\u{8}'),
        Some('f') => Some('\u{c}'),
        Some('n') => Some('\n'),
        Some('r') => Some('\r'),
        Some('t') => Some('\t'),
        Some('v') => Some('\u{b}'),
        Some('s') => Some(' '),
        Some(same @ ('\\' | '"' | '\'')) => Some(same),
        Some('x') => number(rest, 2, 16),
        Some('u') => number(rest, 4, 16),
        Some('U') => number(rest, 8, 16),
        Some('0'..='7') => {
            *rest = before.clone();
            number(rest, 3, 8)
        }
        _ => None,
    };
    match one {
        Some(c) => to.push(c),
        None => {
            *rest = before;
            to.push('\\');
            to.extend(rest.next());
        }
    }
}

fn value<'v>(variables: &'v Variables, name: &str) -> &'v str {
    variables.get(name).map(|variable| variable.value.as_str()).unwrap_or_default()
}

/// Fills in variables: `$NAME` that is a whole word becomes the words of the value, `${NAME}` is
/// replaced within a word, and `$$` is a dollar sign.
fn substituted(words: Vec<String>, environment: &Variables) -> Vec<String> {
    let mut found = Vec::new();
    for word in words {
        match word.strip_prefix('$').filter(|rest| !rest.starts_with(['{', '$'])) {
            Some(name) => {
                let value = value(environment, name);
                found.extend(unquoted(value));
            }
            None => found.push(filled(&word, environment)),
        }
    }
    found
}

fn filled(word: &str, environment: &Variables) -> String {
    let (mut out, mut rest) = (String::new(), word);
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        rest = match (after.strip_prefix('$'), braced) {
            (Some(after), _) => {
                out.push('$');
                after
            }
            (None, Some((name, after))) => {
                out.push_str(value(environment, name));
                after
            }
            (None, None) => {
                out.push('$');
                after
            }
        };
    }
    out + rest
}

/// Where a reader of an environment file is.
enum Reading {
    Key,
    Value,
    Plain,
    Quoted(char),
    Comment,
}

/// An assignment of an environment file.
#[derive(Debug, PartialEq, Eq)]
struct Assignment {
    name: String,
    value: String,
    /// The line of its name, counted from 1.
    line: usize,
}

/// Returns the assignments of an environment file, in its order. A value may have quoted parts,
/// and go on in the next line behind a backslash.
fn environment_file(text: &str) -> Vec<Assignment> {
    let mut found = Vec::new();
    let (mut number, mut line) = (1, 1);
    let (mut key, mut value) = (String::new(), String::new());
    let mut state = Reading::Key;
    // Blanks at the end of a plain value do not count.
    let mut end = 0;
    let mut rest = text.chars().chain(['\n']).peekable();
    while let Some(c) = rest.next() {
        if matches!(state, Reading::Key) && key.is_empty() {
            line = number;
        }
        number += usize::from(c == '\n');
        state = match (state, c) {
            (Reading::Key, '\n') => {
                key.clear();
                Reading::Key
            }
            (Reading::Key, '#' | ';') if key.is_empty() => Reading::Comment,
            (Reading::Key, '=') => Reading::Value,
            (Reading::Key, c) => {
                if !(key.is_empty() && c.is_ascii_whitespace()) {
                    key.push(c);
                }
                Reading::Key
            }
            (Reading::Comment, '\n') => Reading::Key,
            (Reading::Comment, _) => Reading::Comment,
            (Reading::Value | Reading::Plain, '\n') => {
                value.truncate(end);
                let name = key.trim_ascii_end().to_owned();
                found.push(Assignment { name, value: std::mem::take(&mut value), line });
                key.clear();
                end = 0;
                Reading::Key
            }
            (Reading::Value, quote @ ('"' | '\'')) => Reading::Quoted(quote),
            (Reading::Value, c) if c.is_ascii_whitespace() => Reading::Value,
            (Reading::Value | Reading::Plain, '\\') => {
                let next = rest.next();
                number += usize::from(next == Some('\n'));
                value.extend(next.filter(|c| *c != '\n'));
                end = value.len();
                Reading::Plain
            }
            (Reading::Value | Reading::Plain, c) => {
                value.push(c);
                if !c.is_ascii_whitespace() {
                    end = value.len();
                }
                Reading::Plain
            }
            (Reading::Quoted(quote), c) if c == quote => Reading::Value,
            (Reading::Quoted('"'), '\\') => {
                match rest.next() {
                    Some('\n') => number += 1,
                    None => {}
                    Some(c @ ('"' | '\\' | '`' | '$')) => value.push(c),
                    Some(c) => value.extend(['\\', c]),
                }
                end = value.len();
                Reading::Quoted('"')
            }
            (Reading::Quoted(quote), c) => {
                value.push(c);
                end = value.len();
                Reading::Quoted(quote)
            }
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    fn started(unit: &str, more: &[(&str, &str)]) -> Vec<Vec<String>> {
        let mut files = MemoryFiles::new();
        files.write("/lib/systemd/system/x.service", format!("[Service]\n{unit}"));
        for (path, text) in more {
            files.write(path, *text);
        }
        let all = commands(&files, "x.service").expect("readable");
        all.into_iter().map(|one| one.words).collect()
    }

    #[test]
    fn variables_are_filled_in_as_systemd_does() {
        let unit = "Environment='A=a b' B=1\nEnvironment=\"C=it's \\\"so\\\"\"\n\
                    ExecStart=@/bin/x name $A ${A} \"$A\" x$A ${B}${C} $$A $NONE ${NONE}\n";
        assert_eq!(
            started(unit, &[]),
            [["/bin/x", "a", "b", "a b", "a", "b", "x$A", "1it's \"so\"", "$A", ""]]
        );
        assert_eq!(started("Environment=A=1\nExecStart=:/bin/x $A\n", &[]), [["/bin/x", "$A"]]);
        assert_eq!(
            started("ExecStart=-/bin/x a\\x20b \\\"c %N %%\n", &[])[0][1..],
            ["a b", "\"c", "x", "%"]
        );
    }

    #[test]
    fn files_outrank_the_unit_and_an_empty_value_resets_the_list() {
        let unit = "Environment=A=1 B=1 C=1\nEnvironmentFile=/gone\nEnvironmentFile=\n\
                    EnvironmentFile=-/etc/default/*.env\nUnsetEnvironment=C\nExecStart=/bin/x $A $B $C\n";
        let more = [("/gone", "A=9\n"), ("/etc/default/1.env", "A=2\n")];
        assert_eq!(started(unit, &more), [["/bin/x", "2", "1"]]);
        let drop_in = ("/etc/systemd/system/x.service.d/a.conf", "[Service]\nEnvironment=\n");
        assert_eq!(started(unit, &[drop_in]), [["/bin/x"; 1]]);
    }

    #[test]
    fn environment_files_are_read_as_systemd_reads_them() {
        let text = "# c=1\n; d=1\nA=a b  \nB = \"x \\\"y\\\"\" 'z'\\n\nC=one\\\n two\nexport D=1\nE='q\nr'\nF=";
        let expected = [
            ("A", "a b", 3),
            ("B", "x \"y\"zn", 4),
            ("C", "one two", 5),
            ("export D", "1", 7),
            ("E", "q\nr", 8),
            ("F", "", 10),
        ];
        let found = environment_file(text);
        let found: Vec<_> = found.iter().map(|one| (&*one.name, &*one.value, one.line)).collect();
        assert_eq!(found, expected);
        for text in ["\\", "A=\\", "A=\"\\", "A='", "=", "\\\n=\\\n"] {
            environment_file(text);
            words(text);
        }
    }
}
