//! udev's rules that name network interfaces.

use crate::{FileLine, pattern::fnmatch, udev};

use super::{Fit, Renaming};

/// A rule with `NAME=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    conditions: Vec<Condition>,
    /// The name; `None` for one that only the running system knows.
    pub new: Option<String>,
    at: FileLine,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    key: String,
    negated: bool,
    value: String,
}

/// Returns the rules of a file that name interfaces.
pub(super) fn naming(text: &str, path: &str) -> Vec<Rule> {
    if !text.contains("NAME") {
        return Vec::new();
    }
    let rules = udev::rules(text).into_iter();
    rules.filter_map(|(begins, line)| rule(&line, FileLine::new(path, begins))).collect()
}

/// Reads a rule; `None` if it does not name an interface.
fn rule(line: &str, at: FileLine) -> Option<Rule> {
    let mut conditions = Vec::new();
    let mut name = None;
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (head, after) = rest.split_once('"')?;
        let (value, next) = after.split_once('"')?;
        // The letter in front of the quotation mark, in newer versions, turns on escapes.
        let head = head.trim_end_matches(['e', 'i']).trim();
        let at = head.find(['=', '!', '+', '-', ':'])?;
        let (key, operator) = head.split_at(at);
        let (key, operator) = (key.trim(), operator.trim());
        match (key, operator) {
            ("NAME", "=" | ":=") => name = Some(value.to_owned()),
            // These fail if the program or the file does.
            (key, _) if key.starts_with("PROGRAM") || key.starts_with("IMPORT") => {
                let (key, value) = (key.to_owned(), value.to_owned());
                conditions.push(Condition { key, negated: false, value });
            }
            (key, "==" | "!=") => conditions.push(Condition {
                key: key.to_owned(),
                negated: operator == "!=",
                value: value.to_owned(),
            }),
            _ => {}
        }
        rest = next.trim_start_matches([',', ' ', '\t']);
    }
    let name = name?;
    let is_net = |one: &Condition| one.key == "SUBSYSTEM" && !one.negated && one.value == "net";
    let is_of_interface = |one: &Condition| one.key == "KERNEL" && !one.negated;
    // Rules for other devices may not name them, but they may try.
    if !conditions.iter().any(|one| is_net(one) || is_of_interface(one)) {
        return None;
    }
    let new = (!name.contains(['%', '$']) || name == "%k" || name == "$kernel").then_some(name);
    Some(Rule { conditions, new, at })
}

impl Rule {
    /// Returns the name that an interface gets, which may be the one that it has.
    pub fn renaming(&self, interface: &str) -> Option<Renaming> {
        let mut certain = true;
        for condition in &self.conditions {
            match condition.fits(interface) {
                Fit::No => return None,
                Fit::Perhaps => certain = false,
                Fit::Yes => {}
            }
        }
        let new = match self.new.as_deref()? {
            "" => return None,
            "%k" | "$kernel" => interface,
            new => new,
        };
        Some(Renaming { new: Some(new.to_owned()), at: self.at.clone(), certain })
    }
}

impl Condition {
    /// Returns whether the interface of a board fits, when it appears.
    fn fits(&self, interface: &str) -> Fit {
        let known = match self.key.as_str() {
            "ACTION" => "add",
            "SUBSYSTEM" => "net",
            "KERNEL" => interface,
            // Ethernet and Wi-Fi; the first port of a device; and some driver.
            "ATTR{type}" => "1",
            "ATTR{dev_id}" => "0x0",
            "DRIVERS" if self.value == "?*" => "x",
            "NAME" if self.value.is_empty() => "",
            _ => return Fit::Perhaps,
        };
        let any = self.value.split('|').any(|pattern| fnmatch(pattern, known));
        if any != self.negated { Fit::Yes } else { Fit::No }
    }
}
