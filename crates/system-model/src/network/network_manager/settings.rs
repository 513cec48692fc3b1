//! NetworkManager.conf and the files that add to it, as one.
//!
//! Source: NetworkManager's src/core/nm-config.c (`read_config`, `read_entire_config`).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    devices,
    keyfile::{Entry, KeyFile},
};
use crate::{FileKind, FileLine, SystemError, SystemFiles};

pub(super) const MAIN: &str = "/etc/NetworkManager/NetworkManager.conf";
/// An old name, which comes before the other.
const OLD_MAIN: &str = "/etc/NetworkManager/nm-system-settings.conf";
const PACKAGES: &str = "/usr/lib/NetworkManager/conf.d";
const RUNTIME: &str = "/run/NetworkManager/conf.d";
const OWN: &str = "/etc/NetworkManager/conf.d";

/// Packages' file by which NetworkManager cares for Wi-Fi and modems only.
const RESTRICTION: &str = "10-globally-managed-devices.conf";

/// The plug-in of a NetworkManager whose settings name none, as Debian builds it. The one for
/// keyfiles is always there.
const DEFAULT_PLUGINS: [&str; 1] = ["ifupdown"];

/// A value, or an element of a list, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub value: String,
    pub at: FileLine,
}

/// A key's value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Plain(Setting),
    List(Vec<Setting>),
}

/// A section's keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub name: String,
    keys: Vec<(String, Value)>,
}

impl Section {
    /// Returns a key's value.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        match self.value(key)? {
            Value::Plain(setting) => Some(setting),
            Value::List(_) => None,
        }
    }

    /// Returns the elements of a list; `None` where it is not set.
    pub fn list(&self, key: &str) -> Option<&[Setting]> {
        match self.value(key)? {
            Value::Plain(_) => None,
            Value::List(list) => Some(list),
        }
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.keys.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    fn set(&mut self, key: &str, value: Value) {
        match self.keys.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = value,
            None => self.keys.push((key.to_owned(), value)),
        }
    }
}

/// All settings, as NetworkManager joins them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// In the order in which they were first named.
    sections: Vec<Section>,
    /// Where each of them is.
    places: BTreeMap<String, usize>,
}

impl Settings {
    /// Reads all files in their order. With `lifted`, netplan has written an empty file over the
    /// one that restricts NetworkManager.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(
        files: &dyn SystemFiles,
        lifted: bool,
    ) -> Result<Result<Self, FileLine>, SystemError> {
        let mut paths = Vec::new();
        let mut above: BTreeSet<String> = BTreeSet::new();
        for directory in [OWN, RUNTIME, PACKAGES] {
            let names = files.list(directory)?.unwrap_or_default();
            let names: Vec<String> = names
                .into_iter()
                .filter(|name| name.ends_with(".conf") && !above.contains(name))
                .collect();
            above.extend(names.iter().cloned());
            if directory == RUNTIME && lifted {
                above.insert(RESTRICTION.to_owned());
            }
            paths.push(names.into_iter().map(|name| format!("{directory}/{name}")).collect());
        }
        let [own, runtime, packages]: [Vec<String>; 3] = paths.try_into().unwrap_or_default();
        let main = if files.read(OLD_MAIN)?.is_some() { OLD_MAIN } else { MAIN };
        let mut settings = Settings::default();
        let all = packages.into_iter().chain(runtime).chain([main.to_owned()]).chain(own);
        for path in all {
            let Some(text) = files.read_text(&path)? else {
                let found = files.metadata(&path)?;
                let leads_nowhere = found.is_some_and(|found| found.kind == FileKind::Symlink)
                    && files.read_link(&path)?.is_none_or(|target| target != "/dev/null");
                if path == main && (found.is_none() || leads_nowhere) {
                    continue;
                }
                // A symlink to /dev/null hides nothing: NetworkManager does not start.
                return Ok(Err(FileLine::new(path, 1)));
            };
            match KeyFile::parse(&text) {
                Ok(file) if path == main || is_enabled(&file) => settings.add(&file, &path),
                Ok(_) => {}
                Err(line) => return Ok(Err(FileLine::new(path, line))),
            }
        }
        Ok(Ok(settings))
    }

    /// Returns a section.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.get(*self.places.get(name)?)
    }

    /// Returns the sections about devices, those first that are asked first.
    pub fn device_sections(&self) -> impl Iterator<Item = &Section> {
        let numbered = self.sections.iter().rev();
        let named = numbered.filter(|one| one.name.starts_with("device") && one.name != "device");
        named.chain(self.section("device"))
    }

    /// Returns the names of the plug-ins.
    pub fn plugins(&self) -> Vec<&str> {
        let named = self.section("main").and_then(|main| main.list("plugins"));
        let named = named.filter(|list| !list.is_empty());
        named.map_or(DEFAULT_PLUGINS.to_vec(), |list| {
            list.iter().map(|one| one.value.as_str()).collect()
        })
    }

    fn add(&mut self, file: &KeyFile, path: &str) {
        let (devices, others): (Vec<_>, Vec<_>) =
            file.groups().partition(|(name, _)| name.starts_with("device"));
        // Sections about devices are asked from the last file to the first, but in the order in
        // which they are in one file.
        for (name, entries) in others.into_iter().chain(devices.into_iter().rev()) {
            if !matches!(name, "main" | "keyfile" | "ifupdown") && !name.starts_with("device") {
                continue;
            }
            let index = self.index(name);
            let Some(section) = self.sections.get_mut(index) else { continue };
            for entry in entries {
                apply(section, entry, path);
            }
        }
    }

    fn index(&mut self, name: &str) -> usize {
        *self.places.entry(name.to_owned()).or_insert_with(|| {
            self.sections.push(Section { name: name.to_owned(), keys: Vec::new() });
            self.sections.len() - 1
        })
    }
}

/// The keys that are read, beside lists.
const KEYS: [&str; 6] = ["path", "managed", "stop-match", "dns", "rc-manager", "systemd-resolved"];

fn apply(section: &mut Section, entry: &Entry, path: &str) {
    let at = || FileLine::new(path, entry.line);
    let (key, change) = match entry.key.strip_suffix(['+', '-']) {
        Some(base) if !base.is_empty() => (base, entry.key.chars().last()),
        _ => (entry.key.as_str(), None),
    };
    let is_strings = (section.name.as_str(), key) == ("main", "plugins");
    let is_specs = match section.name.as_str() {
        "main" => key == "no-auto-default",
        "keyfile" => key == "unmanaged-devices",
        name => name.starts_with("device") && matches!(key, "match-device" | "allowed-connections"),
    };
    let words = if is_strings {
        entry.strings(',').into_iter().map(|word| word.trim().to_owned()).collect()
    } else if is_specs {
        devices::split(&entry.value)
    } else {
        if change.is_none() && KEYS.contains(&key) {
            let value = entry.string().unwrap_or_default();
            section.set(key, Value::Plain(Setting { value, at: at() }));
        }
        return;
    };
    let new: Vec<Setting> = words.into_iter().map(|value| Setting { value, at: at() }).collect();
    let old = || section.list(key).unwrap_or_default().to_vec();
    let values = |list: &[Setting]| -> BTreeSet<String> {
        list.iter().map(|one| one.value.clone()).collect()
    };
    let list = match change {
        None => new,
        Some('-') => {
            let gone = values(&new);
            old().into_iter().filter(|one| !gone.contains(&one.value)).collect()
        }
        Some(_) => {
            let known = values(&old());
            let added = new.into_iter().filter(|one| !known.contains(&one.value));
            old().into_iter().chain(added).collect()
        }
    };
    section.set(key, Value::List(list));
}

/// Conditions about versions are judged for this one.
const VERSION: (u32, u32) = (1, 50);

fn parse_version(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim().split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next().unwrap_or(Some(0))?))
}

/// Returns whether a file counts (`[.config] enable=`).
fn is_enabled(file: &KeyFile) -> bool {
    let Some(entry) = file.get(".config", "enable") else { return true };
    if let Some(enabled) = entry.string().as_deref().and_then(boolean) {
        return enabled;
    }
    let fits = |spec: &str| match spec.split_once(':') {
        Some(("nm-version-min", version)) => parse_version(version).is_some_and(|v| v <= VERSION),
        Some(("nm-version-max", version)) => parse_version(version).is_some_and(|v| v >= VERSION),
        _ => false,
    };
    let (mut included, mut excepted, mut only_exceptions) = (false, false, true);
    for spec in devices::split(&entry.value) {
        match spec.strip_prefix("except:") {
            Some(rest) => excepted |= fits(rest),
            None => {
                only_exceptions = false;
                included |= fits(&spec);
            }
        }
    }
    !entry.value.trim().is_empty() && (included || only_exceptions) && !excepted
}

/// Returns what a word of the settings says, in upper or lower case.
pub(super) fn boolean(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Some(true),
        "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}
