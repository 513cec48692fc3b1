//! The users that cloud-init makes and changes (distros/ug_util.py `normalize_users_groups`).

use super::{Value, merge::merge_many};
use crate::{SystemError, SystemFiles};

/// A user that the configuration names.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) name: String,
    /// What the configuration says of it, hyphens in keys made underscores.
    config: Value,
    /// The same to versions before 26.2, for which the distribution's settings of the default user
    /// win.
    older: Value,
    /// Whether `password`, `ssh_authorized_keys` and the like are for it.
    pub(super) is_default: bool,
    /// Whether the image has it.
    pub(super) exists: bool,
    /// Whether its password is locked in the image.
    pub(super) is_locked: bool,
    /// Whether it has a password in the image, locked or not.
    pub(super) has_password: bool,
}

impl User {
    /// Returns whether a setting is one that Python takes for true.
    pub(super) fn has(&self, key: &str) -> bool {
        [&self.config, &self.older].iter().any(|one| one.get(key).is_some_and(Value::is_truthy))
    }

    /// cloud-init locks a password unless told not to.
    pub(super) fn locks(&self) -> bool {
        [&self.config, &self.older].iter().any(|one| locks(one))
    }

    /// Returns whether the password is unlocked, as since 24.3.
    pub(super) fn unlocks(&self) -> bool {
        self.exists && self.is_locked && self.has_password && !locks(&self.config)
    }

    /// Returns the passwords that are given and not locked again, each with its key.
    pub(super) fn given(&self) -> Vec<(&'static str, String)> {
        let variants = [&self.config, &self.older].into_iter().filter(|one| !locks(one));
        let given = variants.filter_map(|one| {
            let text = |key: &&str| one.get(key).and_then(Value::text).filter(|t| !t.is_empty());
            self.password_keys().iter().find_map(|key| Some((*key, text(key)?)))
        });
        let mut given: Vec<_> = given.collect();
        given.dedup();
        given
    }

    /// Returns the settings that give the user a password. Only a user that is new gets `passwd`.
    pub(super) fn password_keys(&self) -> &'static [&'static str] {
        const KEYS: &[&str] = &["plain_text_passwd", "hashed_passwd", "passwd"];
        if self.exists { &KEYS[..2] } else { KEYS }
    }

    /// Returns whether cc_users_groups.py stops at this user: keys need the home that others
    /// forbid.
    fn is_refused(&self) -> bool {
        let any = |keys: &[&str]| keys.iter().any(|key| self.has(key));
        any(&["no_create_home", "system"])
            && any(&["ssh_authorized_keys", "ssh_import_id", "ssh_redirect_user"])
    }
}

/// Returns the users that the module `users_groups` comes to, and the default user.
pub(super) fn read(
    config: &Value,
    files: &dyn SystemFiles,
) -> Result<(Vec<User>, Option<String>), SystemError> {
    let passwd = files.read_text("/etc/passwd")?.unwrap_or_default();
    let shadow = files.read_text("/etc/shadow")?.unwrap_or_default();
    let (named, default) = normalize(config, true);
    let (older, _) = normalize(config, false);
    let mut users = Vec::new();
    for ((name, config), (_, older)) in named.into_iter().zip(older) {
        let begins = format!("{name}:");
        let field = shadow.lines().find_map(|line| line.strip_prefix(&begins));
        let user = User {
            is_default: default.as_ref() == Some(&name),
            exists: passwd.lines().any(|line| line.starts_with(&begins)),
            is_locked: field.is_some_and(|rest| rest.starts_with('!')),
            has_password: field.is_some_and(|rest| !rest.trim_start_matches('!').starts_with(':')),
            name,
            config,
            older,
        };
        if user.is_refused() {
            break;
        }
        users.push(user);
    }
    Ok((users, default))
}

type Named = Vec<(String, Value)>;

fn locks(config: &Value) -> bool {
    config.get("lock_passwd").is_none_or(Value::is_truthy)
}

/// Returns the users and the name of the default user. Since 26.2 what `users` says of it wins
/// over what the distribution says.
fn normalize(config: &Value, is_new: bool) -> (Named, Option<String>) {
    let user = match config.get("user") {
        Some(Value::Text(name)) if !name.is_empty() => named(name),
        Some(map @ Value::Map(_)) => map.clone(),
        _ => Value::Null,
    };
    let own = config.at(&["system_info", "default_user"]).cloned().unwrap_or(Value::Null);
    let default = merge_many([user.clone(), own]);
    let mut users: Named = Vec::new();
    match config.get("users") {
        Some(Value::List(list)) => list.iter().for_each(|one| add(&mut users, one)),
        Some(Value::Map(map)) => {
            for (name, value) in map {
                match value {
                    Value::Map(_) => {
                        let mut one = without(value, "name");
                        one.push((Value::from("name"), name.clone()));
                        add(&mut users, &Value::Map(one));
                    }
                    other if other.is_true() => {
                        add(&mut users, &Value::List(vec![name.clone()]));
                    }
                    _ => {}
                }
            }
        }
        Some(text @ Value::Text(_)) => add(&mut users, text),
        _ => {}
    }
    if user.is_truthy() {
        add(&mut users, &Value::Text("default".to_owned()));
    }
    for (_, value) in &mut users {
        *value = underscored(value);
    }
    let Some(at) = users.iter().position(|(name, _)| name == "default") else {
        return (users, None);
    };
    let (_, given) = users.remove(at);
    let Some(name) = default.get("name").and_then(Value::text) else { return (users, None) };
    let own = users.iter().position(|(other, _)| *other == name);
    let own = own.map_or(Value::Null, |at| users.remove(at).1);
    let default = Value::Map(without(&default, "name"));
    let layers = if is_new { [own, given, default] } else { [default, given, own] };
    users.push((name.clone(), merge_many(layers)));
    (users, Some(name))
}

/// Adds an entry of `users`.
fn add(users: &mut Named, one: &Value) {
    let names: Vec<String> = match one {
        Value::Text(list) => list.trim().split(',').map(str::to_owned).collect(),
        Value::List(names) => names.iter().filter_map(Value::text).collect(),
        Value::Map(_) => {
            let name = one.get("name").and_then(Value::text);
            let name = name.unwrap_or_else(|| "default".to_owned());
            let new = Value::Map(without(one, "name"));
            match users.iter_mut().find(|(other, _)| *other == name) {
                Some((_, config)) => *config = merge_many([config.clone(), new]),
                None => users.push((name, new)),
            }
            return;
        }
        _ => return,
    };
    for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        if users.iter().all(|(other, _)| other != name) {
            users.push((name.to_owned(), Value::Map(Vec::new())));
        }
    }
}

fn named(name: &str) -> Value {
    Value::Map(vec![(Value::from("name"), Value::from(name))])
}

fn without(value: &Value, key: &str) -> Vec<(Value, Value)> {
    value.entries().iter().filter(|(other, _)| *other != *key).cloned().collect()
}

fn underscored(value: &Value) -> Value {
    let mut entries: Vec<(Value, Value)> = Vec::new();
    for (key, value) in value.entries() {
        let key = Value::Text(key.text().unwrap_or_default().replace('-', "_").trim().to_owned());
        entries.retain(|(other, _)| *other != key);
        entries.push((key, value.clone()));
    }
    Value::Map(entries)
}
