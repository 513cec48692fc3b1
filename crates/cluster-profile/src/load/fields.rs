//! Takes the fields of a mapping, key by key, and collects problems.

use std::{cell::RefCell, collections::HashMap, net::Ipv4Addr, str::FromStr};

use crate::{
    problem::{Place, Problem, RelatedPlace},
    yaml::{Key, Kind, Value},
};

/// The problems found so far.
#[derive(Default)]
pub(crate) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    /// Adds a problem with one place. An empty `help` stands for no help.
    pub fn add(&self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.push(place, message.into(), help.into(), Vec::new());
    }

    /// Adds a problem with a second place and its label.
    pub fn conflict(
        &self,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
        (other, label): (&Place, &str),
    ) {
        let related = RelatedPlace { place: other.clone(), label: label.to_owned() };
        self.push(place, message.into(), help.into(), vec![related]);
    }

    fn push(&self, place: &Place, message: String, help: String, related: Vec<RelatedPlace>) {
        let help = (!help.is_empty()).then_some(help);
        self.0.borrow_mut().push(Problem { message, place: place.clone(), related, help });
    }

    /// Returns the number of problems so far.
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Returns all problems, in the order of their places.
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort_by_key(|problem| problem.place.span.start);
        problems
    }
}

/// Removes every entry from mappings whose key appeared earlier in the same mapping, and
/// reports it.
pub(crate) fn remove_repeated_keys(value: &mut Value, problems: &Problems) {
    match &mut value.kind {
        Kind::Null | Kind::Scalar(_) => {}
        Kind::List(items) => {
            items.iter_mut().for_each(|item| remove_repeated_keys(item, problems));
        }
        Kind::Map(entries) => {
            let mut first: HashMap<String, Place> = HashMap::new();
            entries.retain(|(key, _)| {
                if let Some(place) = first.get(&key.name) {
                    problems.conflict(
                        &key.place,
                        format!("the key `{}` appears twice", key.name),
                        "keep one of them",
                        (place, "first used here"),
                    );
                    return false;
                }
                first.insert(key.name.clone(), key.place.clone());
                true
            });
            entries.iter_mut().for_each(|(_, value)| remove_repeated_keys(value, problems));
        }
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Spanned<T> {
    pub value: T,
    pub place: Place,
}

/// A mapping whose keys are taken one by one. Those left at the end are unknown.
pub(crate) struct Fields<'a> {
    entries: Vec<(Key, Value)>,
    known: Vec<&'static str>,
    /// Required keys that are not there, each with an example.
    missing: Vec<(&'static str, String)>,
    place: Place,
    /// What messages call the mapping: `the profile`, `a node`, …
    name: &'static str,
    pub problems: &'a Problems,
}

impl<'a> Fields<'a> {
    /// Returns the fields of a mapping that messages call `name`. Anything else is a problem.
    pub fn of(value: Value, name: &'static str, problems: &'a Problems) -> Option<Self> {
        let Value { kind, place } = value;
        match kind {
            Kind::Map(entries) => {
                let (known, missing) = (Vec::new(), Vec::new());
                Some(Fields { entries, known, missing, place, name, problems })
            }
            other => {
                problems.add(
                    &place,
                    format!("{name} must be a mapping of keys to values, not {}", other.describe()),
                    "write `key: value` lines or {key: value, …}",
                );
                None
            }
        }
    }

    /// Takes the value of a key, if it is present and not null.
    pub fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        let at = self.entries.iter().position(|(key, _)| key.name == name)?;
        let (_, value) = self.entries.remove(at);
        (!matches!(value.kind, Kind::Null)).then_some(value)
    }

    /// Takes a key that has a meaning without a value too. Returns the place of the key, and
    /// the value.
    pub fn take_entry(&mut self, name: &'static str) -> Option<(Place, Option<Value>)> {
        self.known.push(name);
        let at = self.entries.iter().position(|(key, _)| key.name == name)?;
        let (key, value) = self.entries.remove(at);
        Some((key.place, (!matches!(value.kind, Kind::Null)).then_some(value)))
    }

    /// Returns whether no key has a value.
    pub fn is_empty(&self) -> bool {
        self.entries.iter().all(|(_, value)| matches!(value.kind, Kind::Null))
    }

    /// Takes the value of a required key. A missing one is reported at the end, unless an
    /// unknown key is taken for it.
    pub fn require(&mut self, name: &'static str, example: &str) -> Option<Value> {
        let value = self.take(name);
        if value.is_none() {
            self.missing.push((name, example.to_owned()));
        }
        value
    }

    /// Takes a single value.
    pub fn scalar(&mut self, name: &'static str) -> Option<Spanned<String>> {
        let value = self.take(name)?;
        scalar(value, name, self.problems)
    }

    /// Takes a required single value.
    pub fn require_scalar(&mut self, name: &'static str, example: &str) -> Option<Spanned<String>> {
        let value = self.require(name, example)?;
        scalar(value, name, self.problems)
    }

    /// Takes a list. A single value is a list of one.
    pub fn list(&mut self, name: &'static str) -> Vec<Value> {
        match self.take(name) {
            Some(Value { kind: Kind::List(items), .. }) => items,
            Some(value @ Value { kind: Kind::Scalar(_), .. }) => vec![value],
            Some(other) => {
                let message = format!("`{name}` must be a list, not {}", other.kind.describe());
                self.problems.add(&other.place, message, "write [one, two] or `- one` lines");
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Takes a list of single values.
    pub fn scalars(&mut self, name: &'static str) -> Vec<Spanned<String>> {
        let items = self.list(name);
        items.into_iter().filter_map(|item| scalar(item, name, self.problems)).collect()
    }

    /// Returns the key and the value of an entry such as `name node1`, which YAML reads as a key
    /// with two words, or of `name:node1`.
    fn without_colon<'k>(&self, key: &'k Key, value: &Value) -> Option<(&'k str, &'k str)> {
        let (known, rest) = key.name.split_once([' ', ':'])?;
        let is_known = self.known.contains(&known) && matches!(value.kind, Kind::Null);
        is_known.then(|| (known, rest.trim_start()))
    }

    /// Returns whether the mapping has this key.
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(key, _)| key.name == name)
    }

    /// Returns the place of the mapping.
    pub fn place(&self) -> Place {
        self.place.clone()
    }

    /// Reports every key that was not taken. Keys that begin with `x-` are the user's own: they
    /// hold what other places refer to by YAML's anchors.
    pub fn finish(mut self) {
        for (key, value) in self.entries.iter().filter(|(key, _)| !key.name.starts_with("x-")) {
            if let Some((known, rest)) = self.without_colon(key, value) {
                let message = format!("the colon after `{known}` is missing");
                self.problems.add(&key.place, message, format!("write `{known}: {rest}`"));
                continue;
            }
            let near = self.known.iter().map(|known| (distance(known, &key.name), *known)).min();
            let help = match near {
                Some((steps, known)) if steps <= 2 => {
                    self.missing.retain(|(name, _)| *name != known);
                    format!("did you mean `{known}`?")
                }
                _ => format!("{} has these keys: {}", self.name, self.known.join(", ")),
            };
            self.problems.add(&key.place, format!("unknown key `{}`", key.name), help);
        }
    }
}

/// Reports the keys that are missing.
impl Drop for Fields<'_> {
    fn drop(&mut self) {
        for (name, example) in &self.missing {
            let message = format!("{} has no `{name}`", self.name);
            self.problems.add(&self.place, message, format!("add it, for example: `{example}`"));
        }
    }
}

/// Returns a single value. Anything else is a problem.
pub(crate) fn scalar(value: Value, name: &str, problems: &Problems) -> Option<Spanned<String>> {
    match value.kind {
        Kind::Scalar(text) => Some(Spanned { value: text, place: value.place }),
        other => {
            let message = format!("`{name}` must be a single value, not {}", other.describe());
            problems.add(&value.place, message, "write one value, in quotes if necessary");
            None
        }
    }
}

/// Returns whether a value says yes, as YAML 1.1 or 1.2 spells it.
pub(crate) fn is_yes(value: &str) -> bool {
    matches!(value, "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON")
}

/// Returns an IPv4 address. Anything else is a problem.
pub(crate) fn address(text: &Spanned<String>, problems: &Problems) -> Option<Spanned<Ipv4Addr>> {
    match Ipv4Addr::from_str(&text.value) {
        Ok(value) => Some(Spanned { value, place: text.place.clone() }),
        Err(_) => {
            let written = &text.value;
            let (message, help) = if written.parse::<std::net::Ipv6Addr>().is_ok() {
                (format!("{written} is an IPv6 address"), "write an IPv4 address")
            } else if written.contains('/') {
                let help = "write the prefix length as `network: {prefix: …}`";
                (format!("{written} is not an address"), help)
            } else {
                let help = "write four numbers from 0 to 255, such as 192.168.1.80";
                (format!("{written} is not an IPv4 address"), help)
            };
            problems.add(&text.place, message, help);
            None
        }
    }
}

/// Returns the Levenshtein distance of two words.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (cb, above) in b.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(ca != *cb)).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances_count_letters() {
        for (a, b, steps) in
            [("nodes", "nodes", 0), ("nodes", "node", 1), ("card", "crad", 2), ("", "ab", 2)]
        {
            assert_eq!(distance(a, b), steps, "{a} {b}");
        }
    }
}
