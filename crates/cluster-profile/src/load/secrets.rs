//! A profile's text as messages may show it: without passwords and their hashes.
//!
//! What is hidden keeps its length in bytes and in characters, so that places still
//! fit.

use std::ops::Range;

use crate::yaml::{Key, Kind, Value};

/// Where a profile's secrets are, in bytes.
pub(super) struct Secrets(Vec<Range<usize>>);

/// All that is a password by its place: what is below `users`, save for keys, and
/// whatever has such a name.
pub(super) fn of(text: &str, profile: &Value) -> Secrets {
    let mut secrets = Vec::new();
    collect(text, profile, Part::Open, &mut secrets);
    secrets.sort_by_key(|secret| secret.start);
    Secrets(secrets)
}

/// The same in text that is no YAML: what follows such a name on its line.
pub(super) fn of_lines(text: &str) -> Secrets {
    let mut secrets = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let named = NAMES.iter().filter_map(|name| Some(line.find(name)? + name.len())).min();
        if let Some(colon) = named.and_then(|at| Some(at + line.get(at..)?.find(':')? + 1)) {
            secrets.push(start + colon..start + line.len());
        }
        start += line.len();
    }
    Secrets(secrets)
}

const NAMES: [&str; 2] = ["password", "passwd"];

/// What a value is by its place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Anything else.
    Open,
    /// Of `users`: all values but some are secret.
    Users,
    /// A password, whatever it reads as.
    Secret,
}

fn collect(text: &str, value: &Value, part: Part, secrets: &mut Vec<Range<usize>>) {
    match &value.kind {
        Kind::Null => {}
        Kind::Scalar(_) if part == Part::Open => {}
        Kind::Scalar(_) => secrets.push(value.place.span.clone()),
        // `ssh.users` is a list of names.
        Kind::List(items) if part == Part::Users => {
            let maps = items.iter().filter(|item| matches!(item.kind, Kind::Map(_)));
            maps.for_each(|item| collect(text, item, part, secrets));
        }
        Kind::List(items) => items.iter().for_each(|item| collect(text, item, part, secrets)),
        Kind::Map(entries) => {
            for (key, value) in entries {
                // A password in braces reads as a mapping.
                if part == Part::Secret {
                    secrets.push(key.place.span.clone());
                }
                let part = match key.name.as_str() {
                    _ if part == Part::Secret => part,
                    name if NAMES.contains(&name) => Part::Secret,
                    "authorized_keys" | "locked" => Part::Open,
                    "users" => Part::Users,
                    _ => part,
                };
                if part == Part::Secret {
                    secrets.extend(before(text, key, value));
                }
                collect(text, value, part, secrets);
            }
        }
    }
}

/// What stands between a key's colon and the value: a password that begins with `!` or
/// `&` reads as a tag or an anchor.
fn before(text: &str, key: &Key, value: &Value) -> Option<Range<usize>> {
    let end = key.place.span.end;
    let colon = end + text.get(end..)?.find(':')? + 1;
    (colon < value.place.span.start).then_some(colon..value.place.span.start)
}

impl Secrets {
    /// The text without them.
    pub fn hidden_in(&self, text: &str) -> String {
        let mut ahead = self.0.iter().peekable();
        let mut show = |(at, c): (usize, char)| {
            while ahead.next_if(|secret| secret.end <= at).is_some() {}
            let is_secret = ahead.peek().is_some_and(|secret| secret.contains(&at));
            match c.len_utf8() {
                _ if c.is_whitespace() || !is_secret => c,
                1 => '*',
                2 => '\u{b7}',
                3 => '\u{2022}',
                _ => '\u{1f512}',
            }
        };
        text.char_indices().map(&mut show).collect()
    }
}
