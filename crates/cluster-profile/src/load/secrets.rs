//! Masks passwords and their hashes in a profile's text, so that messages can show it.
//!
//! A masked text has the same length in bytes and in characters, so all places stay where
//! they are.

use std::ops::Range;

use crate::yaml::{Key, Kind, Value};

/// The places of a profile's secrets, in bytes.
pub(super) struct Secrets(Vec<Range<usize>>);

/// Returns the places of all values that may be passwords: those below `users`, apart from
/// public keys, and those of every key with such a name.
pub(super) fn in_profile(text: &str, profile: &Value) -> Secrets {
    let mut secrets = Vec::new();
    collect(text, profile, Part::Public, &mut secrets);
    secrets.sort_by_key(|secret| secret.start);
    Secrets(secrets)
}

/// Returns the places of all values that may be passwords in a text that is not valid YAML:
/// the rest of each line after such a key.
pub(super) fn in_lines(text: &str) -> Secrets {
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

/// The part of a profile that a value belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Not below `users`, or a key below it whose value is not secret.
    Public,
    /// Below `users`, where scalars are secret unless their key says otherwise.
    Users,
    /// Below a password's key, where everything is secret.
    Secret,
}

fn collect(text: &str, value: &Value, part: Part, secrets: &mut Vec<Range<usize>>) {
    match &value.kind {
        Kind::Null => {}
        Kind::Scalar(_) if part == Part::Public => {}
        Kind::Scalar(_) => secrets.push(value.place.span.clone()),
        // `ssh.users` is a list of names.
        Kind::List(items) if part == Part::Users => {
            let maps = items.iter().filter(|item| matches!(item.kind, Kind::Map(_)));
            maps.for_each(|item| collect(text, item, part, secrets));
        }
        Kind::List(items) => items.iter().for_each(|item| collect(text, item, part, secrets)),
        Kind::Map(entries) => {
            for (key, value) in entries {
                // YAML reads a password in braces as a mapping.
                if part == Part::Secret {
                    secrets.push(key.place.span.clone());
                }
                let part = match key.name.as_str() {
                    _ if part == Part::Secret => part,
                    name if NAMES.contains(&name) => Part::Secret,
                    "authorized_keys" | "locked" => Part::Public,
                    "create" | "groups" | "shell" | "sudo" | "uid" if part == Part::Users => {
                        Part::Public
                    }
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

/// Returns the place between a key's colon and its value, if there is any text. YAML reads
/// the beginning of a password that starts with `!` or `&` as a tag or an anchor.
fn before(text: &str, key: &Key, value: &Value) -> Option<Range<usize>> {
    let end = key.place.span.end;
    let colon = end + text.get(end..)?.find(':')? + 1;
    (colon < value.place.span.start).then_some(colon..value.place.span.start)
}

impl Secrets {
    /// Returns the text with the secrets masked.
    pub fn hidden_in(&self, text: &str) -> String {
        let mut ahead = self.0.iter().peekable();
        let mut mask = |(at, c): (usize, char)| {
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
        text.char_indices().map(&mut mask).collect()
    }
}
