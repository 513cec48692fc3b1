//! Files that are not profiles: documents, scripts, profiles of other programs.

use crate::{
    problem::NotAProfile,
    yaml::{Kind, Value},
};

/// The keys of a profile.
const KEYS: [&str; 15] = [
    "cluster",
    "base",
    "card",
    "network",
    "nodes",
    "ssh",
    "users",
    "hosts",
    "files",
    "cloud_init",
    "user_data",
    "boot",
    "swarm",
    "root",
    "keys",
];

/// Returns what a text is that is not YAML, if its first line shows that it was never meant to be
/// a profile.
pub(super) fn of_text(text: &str) -> Option<NotAProfile> {
    let line = first_line(text)?;
    let word = line.split([':', ' ']).next().unwrap_or_default();
    let is_word = |key: &str| key.trim().chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_key = line.split_once(':').is_some_and(|(key, _)| is_word(key));
    // A colon may be what is missing.
    let is_yaml = is_key || KEYS.contains(&word) || line.starts_with(['{', '-', '%', '"', '\'']);
    (!is_yaml).then(|| NotAProfile::Text(shortened(line)))
}

/// Returns what a document of YAML is that has nothing of a profile.
pub(super) fn of_value(text: &str, value: &Value) -> Option<NotAProfile> {
    match &value.kind {
        Kind::Scalar(_) => of_text(text),
        Kind::Map(entries) => {
            // The name of a key may be misspelt, and hold what follows if its colon is missing.
            let is_near = |name: &str| {
                let name = name.split([' ', ':']).next().unwrap_or_default();
                KEYS.iter().any(|key| super::fields::distance(key, name) <= 2)
            };
            let (first, _) = entries.first()?;
            let is_other = entries.iter().all(|(key, _)| !is_near(&key.name));
            is_other.then(|| NotAProfile::OtherKeys(shortened(&first.name)))
        }
        _ => None,
    }
}

/// Returns the first line that is neither empty nor a comment.
fn first_line(text: &str) -> Option<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Returns the start of a line, to be shown.
fn shortened(line: &str) -> String {
    line.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{Cluster, ProfileError};

    /// Returns what a text is taken for, or `None` if it is taken for a profile with mistakes.
    fn found(text: &str) -> Option<String> {
        match Cluster::parse(text, Path::new("README.md")).unwrap_err() {
            ProfileError::NotAProfile { found, .. } => Some(found.to_string()),
            _ => None,
        }
    }

    #[test]
    fn other_files_are_called_what_they_are() {
        for (text, begins) in [
            (
                "# nodecard\n\nnodecard prepares cards. From: one\n\n    cluster: mc1\n",
                "nodecard p",
            ),
            ("#!/bin/sh\nset -e\nfor a in b; do\n", "set -e"),
            ("just some words\n", "just some words"),
            ("<html>\n<body a='b: c'>\n", "<html>"),
        ] {
            let said = found(text).unwrap_or_else(|| panic!("{text}"));
            assert!(said.starts_with(&format!("it is text that begins with \"{begins}")), "{said}");
        }
        let compose = "version: '3'\nservices: {web: {image: nginx}}\n";
        let said = found(compose).unwrap();
        assert_eq!(said, "it has none of the keys of a profile; its first key is `version`");
    }

    #[test]
    fn profiles_with_mistakes_are_still_profiles() {
        for text in [
            "cluster mc1\nbase: a\n",
            "clustr: mc1\n",
            "cluster:mc1\n",
            "cluster: [\n",
            "nodes: {name: a{}}\n",
            "\tcluster: a\n",
            "- cluster: a\n",
            "",
            "# nothing\n",
        ] {
            assert_eq!(found(text), None, "{text:?}");
        }
    }
}
