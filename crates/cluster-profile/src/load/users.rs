//! The profile's `users:`.

use super::{
    fields::{At, Fields, Problems, scalar},
    inputs::Inputs,
    ssh::{authorized_keys, is_user_name},
};
use crate::{
    cluster::{Account, Password},
    passwords::{HashError, MAKE_HASH, PasswordHash},
    yaml::{Key, Kind, Value},
};

const EXAMPLE: &str = "such as `users: {odroid: {locked: true}}`";

pub(super) fn read(fields: &mut Fields<'_>, inputs: &Inputs) -> Vec<Account> {
    let problems = fields.problems;
    let Some(value) = fields.take("users") else { return Vec::new() };
    let place = value.place.clone();
    let Kind::Map(entries) = value.kind else {
        let message = format!(
            "`users` maps login names to what they get and is not {}",
            value.kind.describe()
        );
        problems.add(&place, message, EXAMPLE);
        return Vec::new();
    };
    entries.into_iter().filter_map(|(key, value)| account(key, value, inputs, problems)).collect()
}

fn account(key: Key, value: Value, inputs: &Inputs, problems: &Problems) -> Option<Account> {
    if !is_user_name(&key.name) {
        let message = format!("{:?} is no user's name", key.name);
        problems.add(&key.place, message, "write a login name, such as root or odroid");
    }
    let mut fields = Fields::of(value, "a user", problems)?;
    if fields.is_empty() {
        let message = format!("nothing is said of {}", key.name);
        let help = "give `password: HASH`, `locked: true` or `authorized_keys`, or remove the name";
        problems.add(&key.place, message, help);
    }
    let hash = fields.take("password");
    let locked = fields.scalar("locked");
    let (authorized_keys, _) = authorized_keys(&mut fields, inputs);
    fields.finish();
    if let (Some(hash), Some(locked)) = (&hash, &locked) {
        problems.clash(
            &locked.place,
            "a user has either `password` or `locked`, not both",
            "`locked: true` is for users whom no password lets in",
            (&hash.place, "the password"),
        );
    }
    let hash = hash
        .and_then(|hash| scalar(hash, "password", problems))
        .and_then(|hash| self::hash(&hash, problems));
    let locked = locked.is_some_and(|locked| is_true(&locked, problems));
    let password = match locked {
        true => Some(Password::Locked),
        false => hash.map(Password::Hash),
    };
    Some(Account { name: key.name, password, authorized_keys })
}

/// Nothing of what is written goes into a message.
fn hash(at: &At<String>, problems: &Problems) -> Option<PasswordHash> {
    match PasswordHash::new(&at.value) {
        Ok(hash) => Some(hash),
        Err(HashError::Empty) => {
            let help = format!("{MAKE_HASH}; `locked: true` is for users without one");
            problems.add(&at.place, HashError::Empty.to_string(), help);
            None
        }
        Err(error) => {
            problems.add(&at.place, error.to_string(), MAKE_HASH);
            None
        }
    }
}

/// `false` would be read as "let in by the old password", which leaving the key out says.
fn is_true(at: &At<String>, problems: &Problems) -> bool {
    let is_true = at.value == "true";
    if !is_true {
        let help = "remove the key for a user whose password stays as it is in the image";
        problems.add(&at.place, "`locked` is `true` or left out", help);
    }
    is_true
}
