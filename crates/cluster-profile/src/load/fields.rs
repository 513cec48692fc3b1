//! Taking a mapping apart, key by key, and gathering what is wrong.

use std::{cell::RefCell, net::Ipv4Addr, str::FromStr};

use crate::{
    problem::{Place, Problem},
    yaml::{Key, Kind, Value},
};

/// Everything found wrong so far.
#[derive(Default)]
pub(crate) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    pub fn add(&self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.push(place, message.into(), help.into(), None);
    }

    /// A problem between two places.
    pub fn clash(
        &self,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
        also: (&Place, &str),
    ) {
        self.push(place, message.into(), help.into(), Some((also.0.clone(), also.1.to_owned())));
    }

    fn push(&self, place: &Place, message: String, help: String, also: Option<(Place, String)>) {
        let help = (!help.is_empty()).then_some(help);
        self.0.borrow_mut().push(Problem { message, help, place: place.clone(), also });
    }

    /// All of them, in the order of their places.
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort_by_key(|problem| problem.place.span.start);
        problems
    }
}

/// A value that was read, and its place.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub value: T,
    pub place: Place,
}

/// A mapping whose keys are taken one by one; what is left at the end is unknown.
pub(crate) struct Fields<'a> {
    entries: Vec<(Key, Value)>,
    known: Vec<&'static str>,
    place: Place,
    /// What a message calls the mapping: `the profile`, `a node`, …
    what: &'static str,
    pub problems: &'a Problems,
}

impl<'a> Fields<'a> {
    /// A mapping's fields; for anything else a problem, and no fields.
    pub fn of(value: Value, what: &'static str, problems: &'a Problems) -> Option<Self> {
        let Value { kind, place } = value;
        match kind {
            Kind::Map(entries) => {
                Some(Fields { entries, known: Vec::new(), place, what, problems })
            }
            other => {
                problems.add(
                    &place,
                    format!("{what} is a mapping of keys to values, not {}", other.describe()),
                    "write it as `key: value` lines or as {key: value, …}",
                );
                None
            }
        }
    }

    /// Takes a key's value, if it is there and not null.
    pub fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        let at = self.entries.iter().position(|(key, _)| key.name == name)?;
        let (_, value) = self.entries.remove(at);
        (!matches!(value.kind, Kind::Null)).then_some(value)
    }

    /// Takes a key that means something without a value too: its place, and its value.
    pub fn take_entry(&mut self, name: &'static str) -> Option<(Place, Option<Value>)> {
        self.known.push(name);
        let at = self.entries.iter().position(|(key, _)| key.name == name)?;
        let (key, value) = self.entries.remove(at);
        Some((key.place, (!matches!(value.kind, Kind::Null)).then_some(value)))
    }

    /// Whether no key has a value.
    pub fn is_empty(&self) -> bool {
        self.entries.iter().all(|(_, value)| matches!(value.kind, Kind::Null))
    }

    /// Takes a key that has to be there.
    pub fn require(&mut self, name: &'static str, example: &str) -> Option<Value> {
        let value = self.take(name);
        if value.is_none() {
            let message = format!("{} has no `{name}`", self.what);
            self.problems.add(&self.start(), message, format!("add a line such as `{example}`"));
        }
        value
    }

    /// Takes a single value.
    pub fn scalar(&mut self, name: &'static str) -> Option<At<String>> {
        let value = self.take(name)?;
        scalar(value, name, self.problems)
    }

    /// Takes a single value that has to be there.
    pub fn require_scalar(&mut self, name: &'static str, example: &str) -> Option<At<String>> {
        let value = self.require(name, example)?;
        scalar(value, name, self.problems)
    }

    /// Takes a list; one value alone is a list of one.
    pub fn list(&mut self, name: &'static str) -> Vec<Value> {
        match self.take(name) {
            Some(Value { kind: Kind::List(items), .. }) => items,
            Some(value @ Value { kind: Kind::Scalar(_), .. }) => vec![value],
            Some(other) => {
                let message = format!("`{name}` is a list, not {}", other.kind.describe());
                self.problems.add(
                    &other.place,
                    message,
                    "write it as [one, two] or as `- one` lines",
                );
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Takes a list of single values.
    pub fn scalars(&mut self, name: &'static str) -> Vec<At<String>> {
        let items = self.list(name);
        items.into_iter().filter_map(|item| scalar(item, name, self.problems)).collect()
    }

    /// Where the mapping begins: its first key, for a block has no mark of its own.
    pub fn start(&self) -> Place {
        self.place.clone()
    }

    /// Names every key that nobody took.
    pub fn finish(self) {
        for (key, _) in &self.entries {
            let near = self.known.iter().map(|known| (distance(known, &key.name), *known)).min();
            let help = match near {
                Some((steps, known)) if steps <= 2 => format!("did you mean `{known}`?"),
                _ => format!("{} knows these keys: {}", self.what, self.known.join(", ")),
            };
            self.problems.add(&key.place, format!("unknown key `{}`", key.name), help);
        }
    }
}

/// A single value; for anything else a problem.
pub(crate) fn scalar(value: Value, name: &str, problems: &Problems) -> Option<At<String>> {
    match value.kind {
        Kind::Scalar(text) => Some(At { value: text, place: value.place }),
        other => {
            let message = format!("`{name}` wants a single value, not {}", other.describe());
            problems.add(&value.place, message, "write one value, in quotes if need be");
            None
        }
    }
}

/// An IPv4 address; for anything else a problem.
pub(crate) fn address(text: &At<String>, problems: &Problems) -> Option<At<Ipv4Addr>> {
    match Ipv4Addr::from_str(&text.value) {
        Ok(value) => Some(At { value, place: text.place.clone() }),
        Err(_) => {
            let shown = &text.value;
            if text.value.parse::<std::net::Ipv6Addr>().is_ok() {
                let message = format!("{shown} is an IPv6 address");
                problems.add(&text.place, message, "only IPv4 addresses can be set so far");
            } else if text.value.contains('/') {
                let message = format!("{shown} is not an address");
                problems.add(&text.place, message, "the prefix goes into `network: {prefix: …}`");
            } else {
                let message = format!("{shown} is not an IPv4 address");
                problems.add(
                    &text.place,
                    message,
                    "write four numbers from 0 to 255, such as 192.168.1.80",
                );
            }
            None
        }
    }
}

/// How many letters have to be changed, added or left out between two words.
fn distance(a: &str, b: &str) -> usize {
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
