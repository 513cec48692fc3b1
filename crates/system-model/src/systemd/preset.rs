//! Presets (systemd.preset(5)), which systemd applies on the first boot of a system without a
//! machine id: units that no preset disables are enabled, and none is disabled
//! (`unit_file_preset_all` with `UNIT_FILE_PRESET_ENABLE_ONLY` in systemd's core/main.c).

use super::search::template_of;
use crate::{Location, SystemError, SystemFiles, glob, search_path};

const DIRECTORIES: [&str; 4] = [
    "/etc/systemd/system-preset",
    "/usr/local/lib/systemd/system-preset",
    "/lib/systemd/system-preset",
    "/usr/lib/systemd/system-preset",
];

struct Rule {
    enable: bool,
    pattern: String,
    location: Location,
}

/// The rules of all preset files, in order.
pub(crate) struct Presets(Vec<Rule>);

impl Presets {
    pub(crate) fn read(files: &dyn SystemFiles) -> Result<Self, SystemError> {
        let mut rules = Vec::new();
        for path in search_path::by_name(files, &DIRECTORIES, ".preset")?.into_values() {
            let text = files.read_text(&path)?.unwrap_or_default();
            for (index, line) in text.lines().enumerate() {
                let mut words = line.split_whitespace();
                let enable = match words.next() {
                    Some("enable") => true,
                    Some("disable" | "ignore") => false,
                    _ => continue,
                };
                if let Some(pattern) = words.next() {
                    let location = Location::new(&path, index + 1);
                    rules.push(Rule { enable, pattern: pattern.to_owned(), location });
                }
            }
        }
        Ok(Presets(rules))
    }

    /// Returns whether presets enable a unit, and the rule that says so. Without a rule a unit
    /// is enabled.
    pub(crate) fn enables(&self, unit: &str) -> (bool, Option<Location>) {
        let template = template_of(unit).map(|(template, _)| template);
        let rule = self.0.iter().find(|rule| {
            glob::matches(&rule.pattern, unit)
                || template.as_ref().is_some_and(|name| glob::matches(&rule.pattern, name))
        });
        match rule {
            Some(rule) => (rule.enable, Some(rule.location.clone())),
            None => (true, None),
        }
    }
}
