//! The `[Match]` sections of .network and .link files.
//!
//! Source: systemd's src/shared/net-condition.c (`net_match_config`, `net_condition_test_strv`,
//! `config_parse_match_ifnames`).

use std::collections::BTreeMap;

use crate::{
    pattern::fnmatch,
    units::{Entry, words},
};

/// Whether a file is about an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It surely is.
    Yes,
    /// A driver, a hardware address or another property of the board decides.
    Perhaps,
    /// It surely is not.
    No,
}

impl Fit {
    pub(super) fn decided(fits: bool) -> Self {
        if fits { Fit::Yes } else { Fit::No }
    }

    pub(super) fn not(self) -> Self {
        match self {
            Fit::Yes => Fit::No,
            Fit::Perhaps => Fit::Perhaps,
            Fit::No => Fit::Yes,
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Fit::Yes, _) | (_, Fit::Yes) => Fit::Yes,
            (Fit::No, Fit::No) => Fit::No,
            _ => Fit::Perhaps,
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        self.not().or(other.not()).not()
    }
}

/// Keys of both kinds of files; unknown ones are ignored.
const KEYS: [&str; 12] = [
    "MACAddress",
    "PermanentMACAddress",
    "Path",
    "Driver",
    "Type",
    "Kind",
    "Property",
    "Host",
    "Virtualization",
    "KernelCommandLine",
    "KernelVersion",
    "Architecture",
];
/// Keys that came later, and those of .network files alone.
const OTHER_KEYS: [&str; 5] = ["Credential", "Firmware", "SSID", "BSSID", "WLANInterfaceType"];

/// What a file has in its `[Match]` sections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Matches(Vec<(String, String)>);

impl Matches {
    /// Returns those of a file's assignments; `name` is the key for names, which differs between
    /// the kinds of files.
    pub fn read(all: &[Entry], name: &str) -> Self {
        let mut found = Vec::new();
        for entry in all.iter().filter(|entry| entry.section == "Match") {
            let key = entry.key.as_str();
            if key != name && !KEYS.contains(&key) && !OTHER_KEYS.contains(&key) {
                continue;
            }
            if entry.value.is_empty() {
                found.retain(|(other, _)| other != key);
            } else {
                found.push((key.to_owned(), entry.value.clone()));
            }
        }
        Matches(found)
    }

    /// Returns whether the file is about an interface of this name, as far as an image
    /// shows it. A name that begins with `wl` stands for Wi-Fi, all others for Ethernet.
    pub fn fits(&self, interface: &str) -> Fit {
        if self.is_empty() {
            // A file without anything in [Match] is ignored.
            return Fit::No;
        }
        let mut merged: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (key, value) in &self.0 {
            merged.entry(key).or_default().push(value);
        }
        let wireless = interface.starts_with("wl");
        let kind = if wireless { "wlan" } else { "ether" };
        let mut result = Fit::Yes;
        for (key, values) in merged {
            let fit = match key {
                "Name" | "OriginalName" => Fit::decided(list(&values, interface)),
                "Type" => Fit::decided(list(&values, kind)),
                // Wired interfaces of a board are no bridges or tunnels, and have no SSID.
                "Kind" => Fit::decided(list(&values, "")),
                "SSID" | "BSSID" | "WLANInterfaceType" if !wireless => Fit::No,
                _ => Fit::Perhaps,
            };
            match fit {
                Fit::No => return Fit::No,
                Fit::Perhaps => result = Fit::Perhaps,
                Fit::Yes => {}
            }
        }
        result
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the names and patterns of interfaces.
    pub fn names(&self) -> Vec<String> {
        let values = self.0.iter().filter(|(key, _)| key == "Name" || key == "OriginalName");
        values.flat_map(|(_, value)| words(value)).collect()
    }

    /// Returns whether names decide alone.
    pub fn are_names(&self) -> bool {
        self.0.iter().all(|(key, _)| key == "Name" || key == "OriginalName")
    }

    /// Returns whether the file is about all interfaces, whatever their names.
    pub fn are_general(&self) -> bool {
        self.0.iter().all(|(key, value)| key == "OriginalName" && value == "*")
    }
}

impl FromIterator<(String, String)> for Matches {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Matches(pairs.into_iter().collect())
    }
}

/// Patterns separated by white space. An exclamation mark before a list negates all of it.
fn list(values: &[&str], word: &str) -> bool {
    let (mut fits, mut positive) = (false, false);
    for value in values {
        let (negated, value) = match value.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, *value),
        };
        let patterns = words(value);
        let any = patterns.iter().any(|pattern| fnmatch(pattern, word));
        if negated && any {
            return false;
        }
        positive |= !negated;
        fits |= !negated && any;
    }
    fits || !positive
}
