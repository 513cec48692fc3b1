//! What the commands of a unit start with (systemd.exec(5)): variables, and a directory.

use super::{specifiers::expand, unit_file::UnitText};
use crate::{SystemError, SystemFiles};

/// Variables that a unit may have.
const MAX_VARIABLES: usize = 1000;

/// Returns the variables of a unit: those of files count before those of the unit itself.
pub(super) fn variables(
    name: &str,
    text: &UnitText,
    files: &dyn SystemFiles,
) -> Result<Vec<(String, String)>, SystemError> {
    let mut variables = Vec::new();
    for one in text.list("Service", "Environment") {
        for word in words(&expand(&one.value, name)) {
            variables.extend(assignment(&word));
        }
    }
    for one in text.list("Service", "EnvironmentFile") {
        let path = expand(one.value.trim_start_matches('-'), name);
        // A file that is too large, or a loop of links, is none.
        let Ok(Some(text)) = files.read_text(&path) else { continue };
        for line in text.lines().map(str::trim_start) {
            if line.starts_with(['#', ';']) {
                continue;
            }
            let Some((name, value)) = assignment(line) else { continue };
            let value = value.trim().trim_matches(['"', '\'']).to_owned();
            variables.push((name, value));
        }
    }
    variables.truncate(MAX_VARIABLES);
    Ok(variables)
}

/// Returns the directory that a unit's commands run in.
pub(super) fn directory(name: &str, text: &UnitText) -> String {
    let value = text.last("Service", "WorkingDirectory").map(|one| one.value.as_str());
    match value.map(|value| value.trim_start_matches('-')) {
        Some("~") => "/root".to_owned(),
        Some(path) if path.starts_with(['/', '%']) => expand(path, name),
        _ => "/".to_owned(),
    }
}

fn assignment(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_valid = !name.is_empty() && name.chars().all(is_name);
    is_valid.then(|| (name.to_owned(), value.to_owned()))
}

/// Splits a value at blanks outside of quotes, which are removed.
fn words(value: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut letters = value.chars();
    while let Some(c) = letters.next() {
        match (c, quote) {
            ('\\', _) => word.extend(letters.next()),
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            (c, None) if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            (c, _) => word.push(c),
        }
    }
    words.push(word);
    words
}
