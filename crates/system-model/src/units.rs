//! The texts of systemd's units, as far as programs' arguments need them.

use std::collections::BTreeSet;

use crate::{FileLine, SystemError, SystemFiles, search_path};

/// Where units are, the first that has one counts (systemd.unit(5)).
const DIRECTORIES: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Returns the path of a unit's file, or `None` without one; a masked unit has none.
pub(crate) fn path(files: &dyn SystemFiles, unit: &str) -> Result<Option<String>, SystemError> {
    for directory in DIRECTORIES {
        let path = format!("{directory}/{unit}");
        if files.read_link(&path)?.as_deref() == Some("/dev/null") {
            return Ok(None);
        }
        if let Some(text) = files.read(&path)? {
            return Ok((!text.is_empty()).then_some(path));
        }
    }
    Ok(None)
}

/// Returns the values of a key in a unit and its drop-ins, in order. An empty value resets
/// the list.
pub(crate) fn values(
    files: &dyn SystemFiles,
    unit: &str,
    section: &str,
    key: &str,
) -> Result<Vec<(String, FileLine)>, SystemError> {
    let Some(main) = path(files, unit)? else { return Ok(Vec::new()) };
    let mut paths = vec![main];
    paths.extend(drop_ins(files, &DIRECTORIES.map(|d| format!("{d}/{unit}.d")))?);
    let mut found = Vec::new();
    for path in paths {
        let text = files.read_text(&path)?.unwrap_or_default();
        for entry in entries(&text, &path) {
            if entry.section == section && entry.key == key {
                if entry.value.is_empty() {
                    found.clear();
                } else {
                    found.push((entry.value, entry.at));
                }
            }
        }
    }
    Ok(found)
}

/// Returns the files of a unit: its own, then its drop-ins in their order, each with its name.
pub(crate) fn parts(
    files: &dyn SystemFiles,
    unit: &str,
) -> Result<Vec<(String, String)>, SystemError> {
    let Some(main) = path(files, unit)? else { return Ok(Vec::new()) };
    let mut parts = vec![(unit.to_owned(), main)];
    let directories = DIRECTORIES.map(|directory| format!("{directory}/{unit}.d"));
    parts.extend(search_path::unmasked(files, &directories, ".conf")?);
    Ok(parts)
}

/// Returns the `.conf` files of drop-in directories in the order in which they apply: by
/// name, and of files with one name that of the first directory.
pub(crate) fn drop_ins(
    files: &dyn SystemFiles,
    directories: &[String],
) -> Result<Vec<String>, SystemError> {
    Ok(search_path::unmasked(files, directories, ".conf")?.into_values().collect())
}

/// The drop-ins of many files in the same directories, which are listed once: looking for each
/// file's own in a large directory takes as long as all files are many.
pub(crate) struct DropIns<'a> {
    files: &'a dyn SystemFiles,
    directories: &'a [&'a str],
    /// Names of directories of drop-ins, `NAME.d`.
    names: BTreeSet<String>,
}

impl<'a> DropIns<'a> {
    pub fn read(
        files: &'a dyn SystemFiles,
        directories: &'a [&'a str],
    ) -> Result<Self, SystemError> {
        let names = search_path::by_name(files, directories, ".d")?.into_keys().collect();
        Ok(DropIns { files, directories, names })
    }

    /// Returns those of one file, as [`drop_ins`] does.
    fn of(&self, name: &str) -> Result<Vec<String>, SystemError> {
        let own = format!("{name}.d");
        if !self.names.contains(&own) {
            return Ok(Vec::new());
        }
        let paths: Vec<String> = self.directories.iter().map(|d| format!("{d}/{own}")).collect();
        drop_ins(self.files, &paths)
    }

    /// Returns the assignments of a file and its drop-ins; none of an empty file, which masks
    /// those of the same name, and none if systemd refuses one of them.
    pub fn entries_of(&self, name: &str, path: &str) -> Result<Vec<Entry>, SystemError> {
        let mut all = Vec::new();
        for path in [path.to_owned()].into_iter().chain(self.of(name)?) {
            let text = self.files.read_text(&path)?.unwrap_or_default();
            if text.is_empty() && all.is_empty() || is_refused(&text) {
                return Ok(Vec::new());
            }
            all.extend(entries(&text, &path));
        }
        Ok(all)
    }
}

/// An assignment in a file of systemd's syntax (systemd.syntax(7)).
pub(crate) struct Entry {
    pub section: String,
    /// The line where the section begins.
    pub begins: usize,
    pub key: String,
    pub value: String,
    pub at: FileLine,
}

/// Returns the lines of a file without comments, those that end with a backslash joined, each
/// with the number of its first line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut pending: Option<(String, usize)> = None;
    for (number, line) in text.split('\n').enumerate() {
        let trimmed = line.trim_matches([' ', '\t', '\r']);
        // A comment inside a continued line is skipped.
        if trimmed.starts_with(['#', ';']) {
            continue;
        }
        let (mut whole, first) = match pending.take() {
            Some((before, first)) => (before + " " + trimmed, first),
            None => (trimmed.to_owned(), number + 1),
        };
        if whole.ends_with('\\') {
            whole.pop();
            // Joined lines have no use beyond systemd's own limit of 1 MiB.
            if whole.len() < 1 << 20 {
                pending = Some((whole, first));
            }
            continue;
        }
        found.push((first, whole));
    }
    found
}

/// Returns the assignments of a file.
pub(crate) fn entries(text: &str, path: &str) -> Vec<Entry> {
    let (mut section, mut begins) = (String::new(), 0);
    let mut found = Vec::new();
    for (first, whole) in logical_lines(text) {
        if let Some(name) = whole.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            (section, begins) = (name.to_owned(), first);
        } else if let Some((key, value)) = whole.split_once('=') {
            found.push(Entry {
                section: section.clone(),
                begins,
                key: key.trim_ascii().to_owned(),
                value: value.trim_ascii().to_owned(),
                at: FileLine::new(path, first),
            });
        }
    }
    found
}

/// Returns whether a line begins like a section and is none, for which systemd's parser refuses
/// the whole file (src/shared/conf-parser.c, `parse_line`).
fn is_refused(text: &str) -> bool {
    let mut lines = logical_lines(text).into_iter();
    lines.any(|(_, line)| line.starts_with('[') && !line.ends_with(']'))
}

/// Returns what systemd takes for true or false (src/basic/parse-util.c, `parse_boolean`).
pub(crate) fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

/// Returns the words of a value: quotation marks have no meaning, and a backslash takes what
/// follows as it is (src/basic/extract-word.c without flags).
pub(crate) fn words(value: &str) -> Vec<String> {
    let (mut found, mut word) = (Vec::new(), String::new());
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => word.extend(rest.next()),
            c if c.is_ascii_whitespace() => found.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    found.push(word);
    found.retain(|word| !word.is_empty());
    found
}
