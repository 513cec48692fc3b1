//! The format of connections and settings: GLib's key files.
//!
//! Source: GLib's glib/gkeyfile.c (`g_key_file_parse_line`, `g_key_file_parse_value_as_string`).

use std::collections::BTreeMap;

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub key: String,
    /// As it is written.
    pub value: String,
    /// Number of the line, from 1.
    pub line: usize,
}

/// A file's groups in the order in which they first appear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeyFile {
    groups: Vec<(String, Vec<Entry>)>,
    /// Where each of them is.
    places: BTreeMap<String, usize>,
}

impl KeyFile {
    /// Reads a file.
    ///
    /// # Errors
    /// The number of the line because of which GLib refuses the whole file.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let mut file = KeyFile::default();
        let mut current = None;
        for (index, line) in text.split('\n').enumerate() {
            let number = index + 1;
            let line = line.strip_suffix('\r').unwrap_or(line);
            let line = line.trim_start_matches(is_space);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = group(line) {
                if !is_group_name(name) {
                    return Err(number);
                }
                current = Some(file.group_mut(name));
                continue;
            }
            let (key, value) = line.split_once('=').ok_or(number)?;
            let key = key.trim_end_matches(is_space);
            let group = current.and_then(|index: usize| file.groups.get_mut(index));
            let (_, entries) = group.ok_or(number)?;
            let is_translated = key.ends_with(']');
            if !is_key_name(key) {
                return Err(number);
            }
            if !is_translated {
                let value = value.trim_start_matches(is_space).to_owned();
                entries.push(Entry { key: key.to_owned(), value, line: number });
            }
        }
        Ok(file)
    }

    fn group_mut(&mut self, name: &str) -> usize {
        *self.places.entry(name.to_owned()).or_insert_with(|| {
            self.groups.push((name.to_owned(), Vec::new()));
            self.groups.len() - 1
        })
    }

    /// Returns the groups, with the last entry of each key, in the order of the file.
    pub fn groups(&self) -> impl Iterator<Item = (&str, Vec<&Entry>)> {
        self.groups.iter().map(|(name, entries)| {
            let last: BTreeMap<&str, usize> =
                entries.iter().map(|entry| (entry.key.as_str(), entry.line)).collect();
            let counts = |entry: &&Entry| last.get(entry.key.as_str()) == Some(&entry.line);
            (name.as_str(), entries.iter().filter(counts).collect())
        })
    }

    /// Returns whether there is a group of one of these names.
    pub fn has_group(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.places.contains_key(*name))
    }

    /// Returns the entries of the groups of these names.
    pub fn entries<'a>(&'a self, names: &'a [&'a str]) -> impl Iterator<Item = &'a Entry> {
        let own = self.groups.iter().filter(|(name, _)| names.contains(&name.as_str()));
        own.flat_map(|(_, entries)| entries)
    }

    /// Returns the entry of a key that counts.
    pub fn get(&self, group: &str, key: &str) -> Option<&Entry> {
        let (_, entries) = self.groups.get(*self.places.get(group)?)?;
        entries.iter().rfind(|entry| entry.key == key)
    }

    /// Returns the string that a key stands for.
    pub fn string(&self, group: &str, key: &str) -> Option<String> {
        self.get(group, key).and_then(Entry::string)
    }
}

impl Entry {
    /// Returns the string that the value stands for; `None` if GLib does not know an escape in it.
    pub fn string(&self) -> Option<String> {
        let mut string = String::new();
        let mut rest = self.value.chars();
        while let Some(c) = rest.next() {
            string.push(match c {
                '\\' => match rest.next()? {
                    's' => ' ',
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    '\\' => '\\',
                    _ => return None,
                },
                other => other,
            });
        }
        Some(string)
    }

    /// Returns the strings of a list, which a character ends or separates.
    pub fn strings(&self, separator: char) -> Vec<String> {
        let (mut found, mut word) = (Vec::new(), String::new());
        let mut rest = self.value.chars();
        while let Some(c) = rest.next() {
            match c {
                '\\' => word.push(match rest.next() {
                    Some('s') => ' ',
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some(other) => other,
                    None => break,
                }),
                c if c == separator => found.push(std::mem::take(&mut word)),
                c => word.push(c),
            }
        }
        if !word.is_empty() {
            found.push(word);
        }
        found
    }
}

fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\u{b}'
}

/// Returns the name in a line that is a group's.
fn group(line: &str) -> Option<&str> {
    let (name, rest) = line.strip_prefix('[')?.split_once(']')?;
    rest.trim_matches([' ', '\t']).is_empty().then_some(name)
}

fn is_group_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '[' || c.is_ascii_control())
}

/// Returns whether a key is one, perhaps with a language in brackets.
fn is_key_name(key: &str) -> bool {
    let (name, language) =
        key.split_once('[').map_or((key, None), |(name, rest)| (name, Some(rest)));
    let is_language = |rest: &str| {
        rest.strip_suffix(']').is_some_and(|language| {
            language.chars().all(|c| c.is_alphanumeric() || "-_.@".contains(c))
        })
    };
    !name.is_empty()
        && !name.starts_with(' ')
        && !name.ends_with(' ')
        && language.is_none_or(is_language)
}
