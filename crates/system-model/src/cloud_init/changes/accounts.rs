//! Users, their passwords and keys.

use super::{CloudChange, Finder, Value};
use crate::{Effect, SystemError};

impl Finder<'_> {
    /// distros/__init__.py create_user.
    pub(super) fn users(&mut self) -> Result<(), SystemError> {
        const MODULE: &str = "users_groups";
        let model = self.model;
        for user in &model.users {
            let name = &user.name;
            let is_of_user = user.is_default && model.config.get("user").is_some();
            let key = if is_of_user { "user" } else { "users" };
            if !user.exists {
                let text = format!("makes the user {name}");
                self.push(CloudChange {
                    effect: Effect::Users,
                    module: MODULE.to_owned(),
                    location: model.location(key),
                    text,
                    new_user: Some(name.clone()),
                });
            }
            if user.password_keys().iter().any(|key| user.has(key)) {
                let text = format!("sets the password of {name}");
                self.by_key(Effect::Passwords, MODULE, key, text);
            } else if user.exists && !user.is_locked && user.locks() {
                let text = format!("locks the password of {name}");
                self.by_key(Effect::Passwords, MODULE, key, text);
            }
            if user.unlocks() {
                let text = format!("unlocks the password of {name}");
                self.by_key(Effect::Passwords, MODULE, key, text);
            }
            if user.has("ssh_authorized_keys") || user.has("ssh_import_id") {
                let text = format!("adds keys to {name}");
                self.by_key(Effect::UserKeys, MODULE, key, text);
            }
        }
        if self.get("groups").is_some_and(Value::is_truthy) {
            self.by_key(Effect::Users, MODULE, "groups", "makes groups");
        }
        Ok(())
    }

    pub(super) fn passwords(&mut self) -> Result<(), SystemError> {
        const MODULE: &str = "set_passwords";
        if self.model.password_lines().is_none() {
            return Ok(());
        }
        let chpasswd = self.get("chpasswd").cloned().unwrap_or(Value::Null);
        let given = |key: &str| chpasswd.get(key).is_some_and(Value::is_truthy);
        if given("list") || self.model.listed_passwords().next().is_some() {
            let lines = self.model.password_lines().unwrap_or_default();
            let listed = self.model.listed_passwords().map(|(name, ..)| name);
            let mut names: Vec<String> = Vec::new();
            for name in lines.into_iter().map(|(name, _)| name).chain(listed) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            let mut text = match names.as_slice() {
                [] => "sets passwords".to_owned(),
                names => format!("sets the password of {}", names.join(", ")),
            };
            if chpasswd.get("expire").is_none_or(Value::is_true) {
                text += ", to be changed at the first login";
            }
            self.by_key(Effect::Passwords, MODULE, "chpasswd", text);
        } else if !given("users")
            && self.model.default_user.is_some()
            && self.get("password").is_some_and(Value::is_truthy)
        {
            let text = "sets the password of the default user";
            self.by_key(Effect::Passwords, MODULE, "password", text);
        }
        if self.get("ssh_pwauth").is_some_and(|value| value.is_true() || value.is_false()) {
            let text = "writes PasswordAuthentication for sshd";
            self.by_key(Effect::SshServer, MODULE, "ssh_pwauth", text);
        }
        Ok(())
    }

    pub(super) fn import_id(&mut self) -> Result<(), SystemError> {
        if self.get("ssh_import_id").is_some_and(Value::is_truthy) {
            let text = "adds keys from the network to the default user";
            self.by_key(Effect::UserKeys, "ssh_import_id", "ssh_import_id", text);
        }
        Ok(())
    }
}
