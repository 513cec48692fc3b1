//! Host name, /etc/hosts and host keys.

use super::{super::state::host_name_set, Finder, Value};
use crate::{Effect, Location, SystemError};

impl Finder<'_> {
    /// util.get_hostname_fqdn: `fqdn` and `hostname`, else the data source's local-hostname;
    /// without any the system's own name stays.
    pub(super) fn host_name(&mut self, module: &str) -> Result<(), SystemError> {
        if self.get("preserve_hostname").is_some_and(Value::is_true) {
            return Ok(());
        }
        let text = |key: &str| self.get(key).filter(|v| v.is_truthy()).and_then(Value::text);
        let (name, location) = match (text("hostname"), text("fqdn")) {
            (Some(name), _) => (name, self.model.location("hostname")),
            (None, Some(fqdn)) => (fqdn, self.model.location("fqdn")),
            (None, None) => {
                let data = &self.model.data;
                let name = data.meta_data.get("local-hostname").filter(|name| name.is_truthy());
                let name = name.and_then(Value::text);
                let meta = name.map(|name| (name, Location::new(&data.meta_path, 0)));
                match meta {
                    Some(found) => found,
                    None => return Ok(()),
                }
            }
        };
        let short = name.split('.').next().unwrap_or_default().to_owned();
        let prefers_fqdn = self.get("prefer_fqdn_over_hostname").is_some_and(Value::is_true);
        let current = self.files.read_text("/etc/hostname")?.unwrap_or_default();
        let current = current.trim();
        if current == short && !prefers_fqdn || current == name {
            return Ok(());
        }
        if module == "set_hostname"
            && let Some((known, domain)) = host_name_set(self.files)?
            && known == short
            && text("fqdn").unwrap_or_else(|| name.clone()) == domain
        {
            return Ok(());
        }
        // update_hostname changes only a name that cloud-init itself has set (distros/__init__.py).
        if module == "update_hostname" && !current.is_empty() {
            const PREVIOUS: &str = "/var/lib/cloud/data/previous-hostname";
            let previous = self.files.read_text(PREVIOUS)?.unwrap_or_default();
            if previous.trim() != current {
                return Ok(());
            }
        }
        self.add(Effect::HostName, module, location, format!("sets the host name to {name}"));
        Ok(())
    }

    pub(super) fn hosts(&mut self) -> Result<(), SystemError> {
        let Some(value) = self.get("manage_etc_hosts") else { return Ok(()) };
        let word = value.text().unwrap_or_default();
        if value.is_true() || word.trim().eq_ignore_ascii_case("template") {
            let text = "writes /etc/hosts from a template at every boot";
            self.by_key(Effect::Hosts, "update_etc_hosts", "manage_etc_hosts", text);
        } else if word == "localhost" {
            let text = "writes the line of 127.0.1.1 in /etc/hosts at every boot";
            self.by_key(Effect::Hosts, "update_etc_hosts", "manage_etc_hosts", text);
        }
        Ok(())
    }

    pub(super) fn ssh(&mut self) -> Result<(), SystemError> {
        const MODULE: &str = "ssh";
        if self.get("ssh_deletekeys").is_none_or(Value::is_truthy) {
            let text = "removes all host keys and makes others";
            self.by_key(Effect::HostKeys, MODULE, "ssh_deletekeys", text);
        }
        if let Some(keys) = self.get("ssh_keys") {
            if keys.is_truthy() {
                self.by_key(Effect::HostKeys, MODULE, "ssh_keys", "writes host keys");
            }
        } else {
            let kinds: Vec<String> = match self.get("ssh_genkeytypes") {
                Some(Value::Text(text)) => text.split_whitespace().map(str::to_owned).collect(),
                Some(list) => list.list().iter().filter_map(Value::text).collect(),
                None => ["rsa", "ecdsa", "ed25519"].map(str::to_owned).to_vec(),
            };
            let mut missing = Vec::new();
            for kind in kinds {
                if !self.files.exists(&format!("/etc/ssh/ssh_host_{kind}_key"))? {
                    missing.push(kind);
                }
            }
            if !missing.is_empty() {
                let text = format!("makes host keys of the kinds {}", missing.join(", "));
                self.by_key(Effect::HostKeys, MODULE, "ssh_genkeytypes", text);
            }
        }
        if self.get("ssh_authorized_keys").is_some_and(Value::is_truthy) {
            let text = "adds keys to the default user and root";
            self.by_key(Effect::UserKeys, MODULE, "ssh_authorized_keys", text);
        }
        let imports = self.get("allow_public_ssh_keys").is_none_or(Value::is_true);
        let data = &self.model.data;
        if imports && data.meta_data.get("public-keys").is_some_and(Value::is_truthy) {
            let at = Location::new(&data.meta_path, 0);
            self.add(Effect::UserKeys, MODULE, at, "adds the public-keys of meta-data");
        }
        Ok(())
    }
}
