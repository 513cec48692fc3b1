//! What a text names and may change, where nothing shows what it does with it.

use std::collections::BTreeMap;

use super::{Touch, paths::protected};
use crate::{Effect, Location};

/// What the texts of one program name.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    /// Whether they write or remove files at all.
    pub(super) writes: bool,
    /// What is handed to something that is not known: the first place.
    named: BTreeMap<Effect, (Location, String)>,
    /// What variables got: the first place.
    assigned: BTreeMap<Effect, (Location, String)>,
    /// What was handed to something that is known.
    decided: Vec<Effect>,
}

/// Returns what a word is about that is a path and no sentence.
fn about(word: &str) -> Option<Effect> {
    if word.len() > 300 || word.contains(char::is_whitespace) { None } else { protected(word) }
}

impl Mentions {
    /// A word goes to something whose effects are known.
    pub(super) fn decide(&mut self, word: &str) {
        if let Some(effect) = about(word)
            && !self.decided.contains(&effect)
        {
            self.decided.push(effect);
        }
    }

    /// A word goes to something that is not known.
    pub(super) fn name(&mut self, word: &str, at: &Location, text: impl FnOnce() -> String) {
        if let Some(effect) = about(word) {
            self.named.entry(effect).or_insert_with(|| (at.clone(), text()));
        }
    }

    /// A variable gets a value.
    pub(super) fn assign(&mut self, word: &str, at: &Location, text: impl FnOnce() -> String) {
        if let Some(effect) = about(word) {
            self.assigned.entry(effect).or_insert_with(|| (at.clone(), text()));
        }
    }

    /// Returns what may be changed.
    pub(super) fn finish(&mut self) -> Vec<Touch> {
        if !self.writes {
            return Vec::new();
        }
        let mut found = std::mem::take(&mut self.named);
        for (effect, place) in std::mem::take(&mut self.assigned) {
            // A value that came to be used was looked at there.
            if !self.decided.contains(&effect) {
                found.entry(effect).or_insert(place);
            }
        }
        let touch = |(effect, (location, text))| Touch { effect, location, text, only_names: true };
        found.into_iter().map(touch).collect()
    }
}
