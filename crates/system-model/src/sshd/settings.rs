//! The values that sshd keeps while it reads its configuration.

use std::collections::BTreeMap;

use super::keywords;
use crate::FileLine;

/// A line of sshd_config that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The arguments.
    pub words: Vec<String>,
    /// Where it is.
    pub at: FileLine,
    /// Whether it is in a Match block that this login matches.
    pub in_match: bool,
}

/// Keywords whose lines add up. Of all others the first line counts.
const ADDED_UP: [&str; 11] = [
    "port",
    "listenaddress",
    "hostkey",
    "hostcertificate",
    "allowusers",
    "denyusers",
    "allowgroups",
    "denygroups",
    "acceptenv",
    "subsystem",
    "setenv",
];

/// The lines that count, by keyword in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings(BTreeMap<String, Vec<Setting>>);

impl Settings {
    pub fn add(&mut self, keyword: &str, setting: Setting) {
        let keyword = keywords::canonical(keyword);
        let lines = self.0.entry(keyword.to_owned()).or_default();
        if lines.is_empty() || ADDED_UP.contains(&keyword) {
            lines.push(setting);
        }
    }

    pub fn all(&self, keyword: &str) -> &[Setting] {
        self.0.get(keyword).map(Vec::as_slice).unwrap_or_default()
    }

    /// Puts the settings of Match blocks over the global ones.
    pub fn override_with(&mut self, matched: Settings) {
        self.0.extend(matched.0);
    }
}
