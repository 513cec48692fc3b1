//! Passwords that cloud-init gives users.
//!
//! Sources: cloudinit/config/cc_set_passwords.py (`handle`), cc_users_groups.py,
//! distros/__init__.py (`create_user`).

use super::{CloudInit, Value};
use crate::Location;

/// A password that cloud-init gives a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudPassword {
    /// The user.
    pub user: String,
    /// The password.
    pub password: GivenPassword,
    /// Where the configuration says so.
    pub location: Location,
}

/// A password as a configuration gives it.
#[derive(Clone, PartialEq, Eq)]
pub enum GivenPassword {
    /// The password itself.
    Plain(String),
    /// A hash for /etc/shadow.
    Hash(String),
}

// Neither belongs in a log.
impl std::fmt::Debug for GivenPassword {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(match self {
            GivenPassword::Plain(_) => "Plain",
            GivenPassword::Hash(_) => "Hash",
        })
    }
}

impl CloudInit {
    /// Returns the passwords that cloud-init gives users at the next boot; none while it is off.
    /// Random ones are left out.
    pub fn passwords(&self) -> Vec<CloudPassword> {
        let mut found = Vec::new();
        if self.is_enabled() && self.modules.iter().any(|one| one.name == "users_groups") {
            self.of_users(&mut found);
        }
        if self.is_enabled() && self.modules.iter().any(|one| one.name == "set_passwords") {
            self.of_chpasswd(&mut found);
        }
        found
    }

    fn of_users(&self, found: &mut Vec<CloudPassword>) {
        let at = self.location("users");
        for user in &self.users {
            for (key, text) in user.given() {
                let plain = key == "plain_text_passwd";
                let password =
                    if plain { GivenPassword::Plain(text) } else { GivenPassword::Hash(text) };
                found.push(CloudPassword {
                    user: user.name.clone(),
                    password,
                    location: at.clone(),
                });
            }
        }
    }

    fn of_chpasswd(&self, found: &mut Vec<CloudPassword>) {
        let mut given: Vec<(String, String, bool)> = Vec::new();
        let chpasswd = self.config.get("chpasswd");
        for (name, kind, password) in self.listed_passwords() {
            given.push((name, password, kind == "hash"));
        }
        let Some(lines) = self.password_lines() else { return };
        given.extend(lines.into_iter().map(|(user, password)| {
            let hash = is_hash(&password);
            (user, password, hash)
        }));
        let mut at = self.location("chpasswd");
        let listed = chpasswd.and_then(|one| one.get("users")).is_some_and(Value::is_truthy);
        if given.is_empty()
            && !listed
            && let (Some(user), Some(password)) =
                (self.default_user.clone(), self.config.get("password").and_then(Value::text))
        {
            at = self.location("password");
            let hash = is_hash(&password);
            given.push((user, password, hash));
        }
        for (user, password, hash) in given {
            if matches!(password.as_str(), "R" | "RANDOM" | "") {
                continue;
            }
            // The first of two that set it counts last.
            found.retain(|other| other.user != user);
            let password =
                if hash { GivenPassword::Hash(password) } else { GivenPassword::Plain(password) };
            found.push(CloudPassword { user, password, location: at.clone() });
        }
    }

    /// Returns the names and passwords of the lines of `chpasswd`; `None` where one of them is not
    /// a name and a password, at which the module fails.
    pub(super) fn password_lines(&self) -> Option<Vec<(String, String)>> {
        let line = |line: &str| {
            let (user, password) = line.split_once(':')?;
            Some((user.to_owned(), password.to_owned()))
        };
        match self.config.at(&["chpasswd", "list"]) {
            Some(Value::List(lines)) => {
                let lines = lines.iter().map(|one| match one {
                    Value::Text(text) => line(text),
                    _ => None,
                });
                lines.collect()
            }
            Some(other) if other.is_truthy() => {
                other.text().unwrap_or_default().lines().map(line).collect()
            }
            _ => Some(Vec::new()),
        }
    }

    /// Returns the name, type and password of each entry of `chpasswd` that counts. One without a
    /// password gets a random one.
    pub(super) fn listed_passwords(&self) -> impl Iterator<Item = (String, String, String)> {
        let users = self.config.at(&["chpasswd", "users"]).map(Value::list).unwrap_or_default();
        users.iter().filter_map(|user| {
            let text = |key: &str| user.get(key).and_then(Value::text);
            let kind = text("type").unwrap_or_else(|| "hash".to_owned());
            let password = match kind.as_str() {
                "text" | "hash" => text("password").unwrap_or_else(|| "RANDOM".to_owned()),
                "RANDOM" => kind.clone(),
                _ => return None,
            };
            Some((text("name")?, kind, password))
        })
    }
}

/// Returns whether cloud-init takes a password for a hash: `\$(1|2a|2y|5|6)(\$.+){2}`.
fn is_hash(password: &str) -> bool {
    let mut parts = password.split('$');
    !password.contains(':')
        && parts.next() == Some("")
        && matches!(parts.next(), Some("1" | "2a" | "2y" | "5" | "6"))
        && parts.filter(|part| !part.is_empty()).count() >= 2
}
