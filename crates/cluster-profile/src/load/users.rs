//! The profile's `users:`.

use super::{
    fields::{Fields, Problems, Spanned, is_yes, scalar},
    inputs::Inputs,
    ssh::{authorized_keys, is_user_name},
};
use crate::{
    cluster::{Account, Password},
    passwords::PasswordHash,
    yaml::{Key, Kind, Value},
};

const EXAMPLE: &str = "for example: `users: {odroid: {locked: true}}`";

pub(super) fn read(fields: &mut Fields<'_>, inputs: &Inputs) -> Vec<Account> {
    let problems = fields.problems;
    let Some(value) = fields.take("users") else { return Vec::new() };
    let place = value.place.clone();
    let Kind::Map(entries) = value.kind else {
        let message = format!(
            "`users` must be a mapping of login names to settings, not {}",
            value.kind.describe()
        );
        problems.add(&place, message, EXAMPLE);
        return Vec::new();
    };
    entries.into_iter().filter_map(|(key, value)| account(key, value, inputs, problems)).collect()
}

fn account(key: Key, value: Value, inputs: &Inputs, problems: &Problems) -> Option<Account> {
    if !is_user_name(&key.name) {
        let message = format!("{:?} is not a user name", key.name);
        problems.add(&key.place, message, "write a login name, such as root or odroid");
    }
    let mut fields = Fields::of(value, "a user", problems)?;
    if fields.is_empty() {
        let message = format!("{} has no settings", key.name);
        let help = "add `password: HASH`, `locked: true` or `authorized_keys`, or remove the user";
        problems.add(&key.place, message, help);
    }
    let create = fields.scalar("create").is_some_and(|create| is_create(&create, problems));
    let groups = groups(&mut fields);
    let shell = fields.scalar("shell").and_then(|shell| self::shell(shell, problems));
    let sudo = fields.scalar("sudo").is_some_and(|sudo| is_nopasswd(&sudo, problems));
    let uid = fields.scalar("uid").and_then(|uid| self::uid(&uid, create, problems));
    let hash = fields.take("password");
    let locked = fields.scalar("locked");
    let (authorized_keys, _) = authorized_keys(&mut fields, inputs);
    fields.finish();
    if let (Some(hash), Some(locked)) = (&hash, &locked) {
        problems.conflict(
            &locked.place,
            "a user cannot have both `password` and `locked`",
            "keep `locked: true` for a user who must not log in with a password",
            (&hash.place, "the password is set here"),
        );
    }
    let hash = hash
        .and_then(|hash| scalar(hash, "password", problems))
        .and_then(|hash| self::hash(&hash, problems));
    let locked = locked.is_some_and(|locked| is_true(&locked, problems));
    let password = if locked { Some(Password::Locked) } else { hash.map(Password::Hash) };
    let name = key.name;
    Some(Account { name, create, groups, shell, sudo, uid, password, authorized_keys })
}

/// Reads `create`.
fn is_create(at: &Spanned<String>, problems: &Problems) -> bool {
    let is_true = is_yes(&at.value);
    if !is_true {
        let help = "remove `create` if the image has this user";
        problems.add(&at.place, "`create` can only be `true`", help);
    }
    is_true
}

fn groups(fields: &mut Fields<'_>) -> Vec<String> {
    let mut groups: Vec<String> = Vec::new();
    for group in fields.scalars("groups") {
        if !is_user_name(&group.value) {
            let message = format!("{:?} is not the name of a group", group.value);
            fields.problems.add(&group.place, message, "write names, such as [sudo, docker]");
        } else if !groups.contains(&group.value) {
            groups.push(group.value);
        }
    }
    groups
}

fn shell(at: Spanned<String>, problems: &Problems) -> Option<String> {
    let fits = |c: char| c.is_ascii_graphic() && c != ':';
    if !at.value.starts_with('/') || !at.value.chars().all(fits) {
        let message = format!("{:?} is not the path of a shell", at.value);
        problems.add(&at.place, message, "write an absolute path, such as /bin/bash");
        return None;
    }
    Some(at.value)
}

/// Reads `sudo`, which has one value: whoever can be asked for a password needs no line of
/// their own, but the group sudo.
fn is_nopasswd(at: &Spanned<String>, problems: &Problems) -> bool {
    let is_nopasswd = at.value == "nopasswd";
    if !is_nopasswd {
        let help = "for sudo with a password, write `groups: [sudo]` instead";
        problems.add(&at.place, "`sudo` can only be `nopasswd`", help);
    }
    is_nopasswd
}

fn uid(at: &Spanned<String>, create: bool, problems: &Problems) -> Option<u32> {
    let uid = at.value.parse().ok().filter(|uid| (1..=60_000).contains(uid));
    if uid.is_none() {
        let message = format!("{:?} is not the number of a user", at.value);
        problems.add(&at.place, message, "write a number from 1 to 60000, such as 1001");
    } else if !create {
        let help = "add `create: true`, or remove `uid`: users of the image keep their numbers";
        problems.add(&at.place, "`uid` needs `create`", help);
    }
    uid
}

/// Returns a password's hash. Messages do not quote it, since it may be the password itself.
fn hash(at: &Spanned<String>, problems: &Problems) -> Option<PasswordHash> {
    match PasswordHash::new(&at.value) {
        Ok(hash) => Some(hash),
        Err(error) => {
            problems.add(&at.place, error.to_string(), error.fix().unwrap_or_default());
            None
        }
    }
}

/// Reads `locked`. `false` is rejected: readers would expect it to keep the old password,
/// which is what leaving the key out does.
fn is_true(at: &Spanned<String>, problems: &Problems) -> bool {
    let is_true = is_yes(&at.value);
    if !is_true {
        let help = "remove `locked` to keep the password of the image";
        problems.add(&at.place, "`locked` can only be `true`", help);
    }
    is_true
}
