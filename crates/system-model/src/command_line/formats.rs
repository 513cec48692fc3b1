//! The syntax of each kind of file that holds a command line.

use std::{collections::BTreeSet, ops::Range};

use super::{Argument, CommandLine, CommandLineFormat};

/// Files of `NAME=value` lines.
pub(super) const ENVIRONMENT_FILES: [&str; 5] =
    ["armbianEnv.txt", "orangepiEnv.txt", "dietpiEnv.txt", "uEnv.txt", "config.ini"];

/// Variables of such files that hold kernel arguments.
const ENVIRONMENT_VARIABLES: [&str; 7] = [
    "extraargs",
    "extraboardargs",
    "consoleargs",
    "optargs",
    "cmdline",
    "bootargs",
    "user_bootargs",
];

/// Splits `bytes[span]` into arguments as the kernel does: at white space outside of double
/// quotes.
pub(super) fn arguments(bytes: &[u8], span: Range<usize>) -> Vec<Argument> {
    let mut found = Vec::new();
    let mut at = span.start;
    while at < span.end {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let start = at;
        let mut quoted = false;
        while at < span.end && (quoted || !bytes[at].is_ascii_whitespace()) {
            quoted ^= bytes[at] == b'"';
            at += 1;
        }
        let text = String::from_utf8_lossy(&bytes[start..at]).into_owned();
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.trim_matches('"').to_owned())),
            None => (text.clone(), None),
        };
        // A variable of U-Boot's, filled in by a script.
        if !key.starts_with('$') {
            found.push(Argument { text, key, value, span: start..at });
        }
    }
    found
}

/// Returns the spans of the lines, without their ends.
pub(super) fn lines(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let end = start + line.len();
        let mut trimmed = end;
        while trimmed > start && matches!(bytes[trimmed - 1], b'\n' | b'\r') {
            trimmed -= 1;
        }
        spans.push(start..trimmed);
        start = end;
    }
    spans
}

fn trim(bytes: &[u8], mut span: Range<usize>) -> Range<usize> {
    while span.start < span.end && bytes[span.start].is_ascii_whitespace() {
        span.start += 1;
    }
    while span.end > span.start && bytes[span.end - 1].is_ascii_whitespace() {
        span.end -= 1;
    }
    span
}

/// The firmware reads the first line only.
pub(super) fn plain(path: &str, bytes: &[u8]) -> CommandLine {
    let span = trim(bytes, lines(bytes).into_iter().next().unwrap_or(0..0));
    CommandLine {
        path: path.to_owned(),
        line: 1,
        format: CommandLineFormat::Plain,
        arguments: arguments(bytes, span.clone()),
        counts: false,
        span,
    }
}

/// Returns the first word of a line in lower case and the span of the rest.
fn directive(bytes: &[u8], span: Range<usize>) -> (String, Range<usize>) {
    let span = trim(bytes, span);
    let length = bytes[span.clone()].iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
    let word = String::from_utf8_lossy(&bytes[span.start..span.start + length]);
    (word.to_ascii_lowercase(), trim(bytes, span.start + length..span.end))
}

/// Every label's `append`. The one of `default` counts, or of the first label; `append` before
/// any label counts for all.
pub(super) fn extlinux(path: &str, bytes: &[u8]) -> Vec<CommandLine> {
    let mut default: Option<String> = None;
    let mut label = String::new();
    let mut first = None;
    let mut found = Vec::new();
    for (index, span) in lines(bytes).into_iter().enumerate() {
        let (word, rest) = directive(bytes, span);
        let text = || String::from_utf8_lossy(&bytes[rest.clone()]).into_owned();
        match word.as_str() {
            "default" | "ontimeout" => default = default.or(Some(text())),
            "label" => {
                label = text();
                first.get_or_insert_with(|| label.clone());
            }
            "append" => found.push(CommandLine {
                path: path.to_owned(),
                line: index + 1,
                format: CommandLineFormat::Extlinux { label: label.clone() },
                arguments: arguments(bytes, rest.clone()),
                counts: false,
                span: rest,
            }),
            _ => {}
        }
    }
    let default = default.or(first).unwrap_or_default();
    for line in &mut found {
        if let CommandLineFormat::Extlinux { label } = &line.format {
            line.counts = label.is_empty() || *label == default;
        }
    }
    found
}

/// `setenv NAME "…"` lines of boot.ini or a boot script: bootargs, and the variables that it
/// is made of.
pub(super) fn set_environment(path: &str, bytes: &[u8], script: bool) -> Vec<CommandLine> {
    let mut all = Vec::new();
    for (index, span) in lines(bytes).into_iter().enumerate() {
        // A line may hold several statements: `if …; then setenv bootargs "…"; fi`.
        let mut start = span.start;
        while start < span.end {
            let mut end = start;
            let mut quote = None;
            while end < span.end {
                match (quote, bytes[end]) {
                    (None, b';') => break,
                    (None, b'"' | b'\'') => quote = Some(bytes[end]),
                    (Some(open), byte) if open == byte => quote = None,
                    _ => {}
                }
                end += 1;
            }
            let (mut word, mut rest) = directive(bytes, start..end);
            while matches!(word.as_str(), "then" | "else" | "do") {
                (word, rest) = directive(bytes, rest);
            }
            if word == "setenv" {
                let (_, value) = directive(bytes, rest.clone());
                let name_end = rest.start
                    + bytes[rest.clone()].iter().take_while(|b| !b.is_ascii_whitespace()).count();
                let name = String::from_utf8_lossy(&bytes[rest.start..name_end]).into_owned();
                let mut value = value;
                if value.len() >= 2
                    && matches!(bytes[value.start], b'"' | b'\'')
                    && bytes[value.end - 1] == bytes[value.start]
                {
                    value = value.start + 1..value.end - 1;
                }
                all.push((index + 1, name, value));
            }
            start = end + 1;
        }
    }
    // The variables that bootargs is made of, however deep.
    let mut wanted: BTreeSet<String> = BTreeSet::from(["bootargs".to_owned()]);
    loop {
        let before = wanted.len();
        for (_, name, value) in &all {
            if wanted.contains(name) {
                wanted.extend(variables(&String::from_utf8_lossy(&bytes[value.clone()])));
            }
        }
        if wanted.len() == before {
            break;
        }
    }
    let held = all.into_iter().filter(|(_, name, _)| wanted.contains(name));
    held.map(|(line, variable, span)| CommandLine {
        path: path.to_owned(),
        line,
        format: if script {
            CommandLineFormat::BootScript { variable }
        } else {
            CommandLineFormat::BootIni { variable }
        },
        arguments: arguments(bytes, span.clone()),
        counts: true,
        span,
    })
    .collect()
}

/// Returns the variables whose words a boot script takes over into bootargs, however deep: those
/// that it names as words of their own (`${extraargs}`, and not `root=${rootdev}`). `None` if the
/// script sets no bootargs.
pub(super) fn taken_over(script: &[u8]) -> Option<BTreeSet<String>> {
    let lines = set_environment("", script, true);
    let mut taken = BTreeSet::from(["bootargs".to_owned()]);
    loop {
        let before = taken.len();
        for line in &lines {
            let CommandLineFormat::BootScript { variable } = &line.format else { continue };
            if !taken.contains(variable) {
                continue;
            }
            let text = String::from_utf8_lossy(&script[line.span.clone()]).into_owned();
            taken.extend(text.split_whitespace().filter_map(|word| {
                let name = word.strip_prefix('$')?;
                let inside = name.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
                let name = inside.unwrap_or(name);
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                name.chars().all(is_name).then(|| name.to_owned())
            }));
        }
        if taken.len() == before {
            break;
        }
    }
    (!lines.is_empty()).then_some(taken)
}

/// Returns the names in `${name}` and `$name`.
fn variables(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for part in text.split('$').skip(1) {
        let part = part.strip_prefix('{').unwrap_or(part);
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        names.push(part[..end.unwrap_or(part.len())].to_owned());
    }
    names
}

/// The variables of `NAME=value` lines that hold kernel arguments.
pub(super) fn environment(path: &str, bytes: &[u8]) -> Vec<CommandLine> {
    let mut found: Vec<CommandLine> = Vec::new();
    for (index, span) in lines(bytes).into_iter().enumerate() {
        let span = trim(bytes, span);
        let Some(equals) = bytes[span.clone()].iter().position(|byte| *byte == b'=') else {
            continue;
        };
        let name = String::from_utf8_lossy(&bytes[span.start..span.start + equals]);
        let name = name.trim();
        let name = name.strip_prefix("setenv ").unwrap_or(name).trim();
        if !ENVIRONMENT_VARIABLES.contains(&name) {
            continue;
        }
        let mut value = trim(bytes, span.start + equals + 1..span.end);
        if value.len() >= 2 && bytes[value.start] == b'"' && bytes[value.end - 1] == b'"' {
            value = value.start + 1..value.end - 1;
        }
        // The last assignment of a variable wins.
        for line in &mut found {
            if line.format == (CommandLineFormat::Environment { variable: name.to_owned() }) {
                line.counts = false;
            }
        }
        found.push(CommandLine {
            path: path.to_owned(),
            line: index + 1,
            format: CommandLineFormat::Environment { variable: name.to_owned() },
            arguments: arguments(bytes, value.clone()),
            counts: true,
            span: value,
        });
    }
    found
}
