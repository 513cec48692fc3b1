//! What each module of cloud-init changes of a card (cloudinit/config/cc_*.py).

use super::{CloudInit, Module, Value};
use crate::{
    Effect, Location, SystemError, SystemFiles,
    effects::{Scan, protected},
};

/// A change that cloud-init will make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudChange {
    /// What it changes.
    pub effect: Effect,
    /// The module; `network` stands for what cloud-init does before all modules.
    pub module: String,
    /// The line that says so, or the file where nothing does and a default applies.
    pub location: Location,
    /// What it does.
    pub text: String,
    /// The user that it makes, if it makes one.
    pub new_user: Option<String>,
}

struct Finder<'a> {
    model: &'a CloudInit,
    files: &'a dyn SystemFiles,
    found: Vec<CloudChange>,
}

pub(super) fn find(
    model: &CloudInit,
    files: &dyn SystemFiles,
) -> Result<Vec<CloudChange>, SystemError> {
    let mut finder = Finder { model, files, found: Vec::new() };
    finder.network()?;
    for module in &model.modules {
        match module.name.as_str() {
            name @ ("set_hostname" | "update_hostname") => finder.host_name(name)?,
            "update_etc_hosts" => finder.hosts(),
            "ssh" => finder.ssh()?,
            "users_groups" => finder.users(),
            "set_passwords" => finder.passwords(),
            "ssh_import_id" => finder.import_id(),
            "growpart" | "resizefs" | "disk_setup" => finder.sizes(module)?,
            "bootcmd" => finder.commands("bootcmd", "bootcmd")?,
            // runcmd only writes the script that scripts_user runs.
            "scripts_user" => {
                if model.modules.iter().any(|one| one.name == "runcmd") {
                    finder.commands("runcmd", "runcmd")?;
                }
                finder.user_scripts()?;
            }
            "write_files" | "write_files_deferred" => finder.write_files(&module.name),
            name @ ("scripts_per_once"
            | "scripts_per_boot"
            | "scripts_per_instance"
            | "scripts_vendor") => finder.scripts(name)?,
            _ => {}
        }
    }
    Ok(finder.found)
}

impl Finder<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.model.config.get(key)
    }

    fn add(&mut self, effect: Effect, module: &str, location: Location, text: impl Into<String>) {
        let module = module.to_owned();
        let change = CloudChange { effect, module, location, text: text.into(), new_user: None };
        let is_same =
            |other: &CloudChange| CloudChange { new_user: None, ..other.clone() } == change;
        if !self.found.iter().any(is_same) {
            self.found.push(change);
        }
    }

    fn by_key(&mut self, effect: Effect, module: &str, key: &str, text: impl Into<String>) {
        let location = self.model.location(key);
        self.add(effect, module, location, text);
    }

    /// stages.py `_find_networking_config`: the command line and the initramfs, then the system's
    /// configuration, then the data source; else DHCP on the first interface.
    fn network(&mut self) -> Result<(), SystemError> {
        if self.files.exists("/var/lib/cloud/data/upgraded-network")? {
            return Ok(());
        }
        let model = self.model;
        let kernel = model.kernel_network.as_ref();
        let kernel = kernel.map(|(at, value)| (value, at.clone()));
        let system = model.system.get("network").map(|one| (one, model.location("network")));
        let seed = model.seed.as_ref().and_then(|seed| seed.network_config.as_ref());
        let seed = seed.map(|(value, path)| (value, Location::new(path, 1)));
        for (value, at) in kernel.into_iter().chain(system).chain(seed) {
            let value = value.get("network").unwrap_or(value);
            if matches!(value.get("config"), Some(Value::Text(text)) if text == "disabled") {
                return Ok(());
            }
            if value.is_truthy() {
                self.add(Effect::Address, "network", at, "writes this configuration");
                return Ok(());
            }
        }
        if let Some(seed) = &model.seed
            && seed.meta_data.get("network-interfaces").is_some()
        {
            let at = Location::new(&seed.meta_path, 0);
            self.add(Effect::Address, "network", at, "writes network-interfaces");
            return Ok(());
        }
        if !self.falls_back() {
            return Ok(());
        }
        let at = Location::new("/etc/cloud/cloud.cfg", 0);
        self.add(Effect::Address, "network", at, "configures DHCP, as no configuration is given");
        Ok(())
    }

    /// Returns whether cloud-init sets up DHCP where nothing configures the network. Two classes
    /// of distributions have a setting against it (distros/photon.py, raspberry_pi_os.py), which
    /// they read from `system_info` alone; the others do it whatever the configuration says.
    fn falls_back(&self) -> bool {
        let info = |key: &str| self.model.system.at(&["system_info", key]);
        let distro = info("distro").and_then(Value::text).unwrap_or_default().replace('_', "-");
        match distro.as_str() {
            "photon" | "raspberry-pi-os" => {
                info("disable_fallback_netcfg").is_some_and(|value| !value.is_truthy())
            }
            _ => true,
        }
    }

    /// util.get_hostname_fqdn: `fqdn` and `hostname`, else the data source's local-hostname;
    /// without any the system's own name stays.
    fn host_name(&mut self, module: &str) -> Result<(), SystemError> {
        if self.get("preserve_hostname").is_some_and(Value::is_true) {
            return Ok(());
        }
        let text = |key: &str| self.get(key).filter(|v| v.is_truthy()).and_then(Value::text);
        let (name, location) = match (text("hostname"), text("fqdn")) {
            (Some(name), _) => (name, self.model.location("hostname")),
            (None, Some(fqdn)) => (fqdn, self.model.location("fqdn")),
            (None, None) => {
                let seed = self.model.seed.as_ref();
                let meta = seed.and_then(|seed| {
                    let name = seed.meta_data.get("local-hostname").filter(|v| v.is_truthy())?;
                    let name = name.text()?;
                    Some((name, Location::new(&seed.meta_path, 0)))
                });
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

    fn hosts(&mut self) {
        let Some(value) = self.get("manage_etc_hosts") else { return };
        let word = value.text().unwrap_or_default();
        if value.is_true() || word.trim().eq_ignore_ascii_case("template") {
            let text = "writes /etc/hosts from a template at every boot";
            self.by_key(Effect::Hosts, "update_etc_hosts", "manage_etc_hosts", text);
        } else if word == "localhost" {
            let text = "writes the line of 127.0.1.1 in /etc/hosts at every boot";
            self.by_key(Effect::Hosts, "update_etc_hosts", "manage_etc_hosts", text);
        }
    }

    fn ssh(&mut self) -> Result<(), SystemError> {
        const MODULE: &str = "ssh";
        if self.get("ssh_deletekeys").is_none_or(Value::is_truthy) {
            let text = "removes all host keys and makes others";
            self.by_key(Effect::HostKeys, MODULE, "ssh_deletekeys", text);
        }
        if let Some(keys) = self.get("ssh_keys") {
            if keys.is_truthy() {
                self.by_key(Effect::HostKeys, MODULE, "ssh_keys", "writes these host keys");
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
            let text = "adds these keys to the default user and root";
            self.by_key(Effect::UserKeys, MODULE, "ssh_authorized_keys", text);
        }
        let imports = self.get("allow_public_ssh_keys").is_none_or(Value::is_true);
        if let Some(seed) = self.model.seed.as_ref().filter(|_| imports)
            && seed.meta_data.get("public-keys").is_some_and(Value::is_truthy)
        {
            let at = Location::new(&seed.meta_path, 0);
            self.add(Effect::UserKeys, MODULE, at, "adds the public-keys of meta-data");
        }
        Ok(())
    }

    /// distros/__init__.py create_user.
    fn users(&mut self) {
        const MODULE: &str = "users_groups";
        let model = self.model;
        for user in &model.users {
            let name = &user.name;
            let is_of_user = user.is_default && model.config.get("user").is_some();
            let key = if is_of_user { "user" } else { "users" };
            if !user.exists {
                let text = format!("makes the user {name}");
                self.by_key(Effect::Users, MODULE, key, text.as_str());
                for change in self.found.iter_mut().filter(|change| change.text == text) {
                    change.new_user = Some(name.clone());
                }
            }
            if user.password_keys().iter().any(|key| user.has(key)) {
                let text = format!("sets the password of {name}");
                self.by_key(Effect::Passwords, MODULE, key, text);
            } else if user.exists && !user.is_locked && user.locks() {
                let text = format!("locks the password of {name}");
                self.by_key(Effect::Passwords, MODULE, key, text);
            }
            if user.has("ssh_authorized_keys") || user.has("ssh_import_id") {
                let text = format!("adds keys to {name}");
                self.by_key(Effect::UserKeys, MODULE, key, text);
            }
        }
        if self.get("groups").is_some_and(Value::is_truthy) {
            self.by_key(Effect::Users, MODULE, "groups", "makes these groups");
        }
    }

    fn passwords(&mut self) {
        const MODULE: &str = "set_passwords";
        if self.model.password_lines().is_none() {
            return;
        }
        let chpasswd = self.get("chpasswd").cloned().unwrap_or(Value::Null);
        let given = |key: &str| chpasswd.get(key).is_some_and(Value::is_truthy);
        if given("list") || self.model.listed_passwords().next().is_some() {
            let text = if chpasswd.get("expire").is_none_or(Value::is_true) {
                "sets these passwords, which expire at the first login"
            } else {
                "sets these passwords"
            };
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
    }

    fn import_id(&mut self) {
        if self.get("ssh_import_id").is_some_and(Value::is_truthy) {
            let text = "adds keys from the network to the default user";
            self.by_key(Effect::UserKeys, "ssh_import_id", "ssh_import_id", text);
        }
    }

    fn sizes(&mut self, run: &Module) -> Result<(), SystemError> {
        let module = run.name.as_str();
        match module {
            "growpart" => {
                let growpart = match self.get("growpart") {
                    Some(map @ Value::Map(_)) => map.clone(),
                    Some(_) => return Ok(()),
                    None => Value::Null,
                };
                // Of other modes cloud-init says that it does not know them.
                let mode = growpart.get("mode").map_or(Some("auto".to_owned()), Value::text);
                let known =
                    mode.is_some_and(|mode| ["auto", "growpart", "gpart"].contains(&&*mode));
                let none = match growpart.get("devices") {
                    Some(Value::List(list)) => list.is_empty(),
                    other => other == Some(&Value::Null),
                };
                let heeds = growpart.get("ignore_growroot_disabled").is_none_or(Value::is_false);
                if !known || none || (heeds && self.files.exists("/etc/growroot-disabled")?) {
                    return Ok(());
                }
                let text = "grows the root partition to the end of the device";
                self.by_key(Effect::Sizes, module, "growpart", text);
            }
            "resizefs" => {
                let wanted = run.arguments.first().or(self.get("resize_rootfs"));
                let noblock = |value: &Value| {
                    value.text().is_some_and(|text| text.trim().eq_ignore_ascii_case("noblock"))
                };
                if !wanted.is_none_or(|value| value.is_true() || noblock(value)) {
                    return Ok(());
                }
                let text = "grows the root filesystem to its partition";
                self.by_key(Effect::Sizes, module, "resize_rootfs", text);
            }
            _ => {
                for key in ["disk_setup", "fs_setup"] {
                    if self.get(key).is_some_and(Value::is_truthy) {
                        let text = "partitions disks or makes filesystems";
                        self.by_key(Effect::Sizes, module, key, text);
                    }
                }
            }
        }
        Ok(())
    }

    /// Scans the commands of a list: each is text for a shell, or a list of words.
    fn commands(&mut self, module: &str, key: &str) -> Result<(), SystemError> {
        let Some(list) = self.get(key).cloned() else { return Ok(()) };
        let top = self.model.location(key);
        let source = self.model.sources.iter().find(|(path, ..)| *path == top.path);
        let source = source.map(|(_, _, text)| text.as_str()).unwrap_or_default();
        let mut scan = Scan::new(self.files);
        for one in list.list() {
            let text = match one {
                Value::List(words) => {
                    let words = words.iter().filter_map(Value::text);
                    let quoted: Vec<String> =
                        words.map(|word| format!("'{}'", word.replace('\'', ""))).collect();
                    quoted.join(" ")
                }
                other => other.text().unwrap_or_default(),
            };
            for line in text.lines() {
                // The line in the file, where it is written as it is.
                let bare = line.trim();
                let at = source.lines().position(|in_file| {
                    !bare.is_empty() && in_file.contains(bare.trim_matches('\''))
                });
                let line_number = at.map_or(top.line, |index| index + 1);
                scan.command(line, &Location::new(&top.path, line_number))?;
            }
        }
        self.take(module, scan);
        Ok(())
    }

    fn take(&mut self, module: &str, scan: Scan<'_>) {
        for touch in scan.finish().0 {
            self.add(touch.effect, module, touch.location, touch.text);
        }
    }

    fn user_scripts(&mut self) -> Result<(), SystemError> {
        let Some(seed) = &self.model.seed else { return Ok(()) };
        let mut scan = Scan::new(self.files);
        for script in &seed.scripts {
            let path = script.location.path.clone();
            scan.text(&script.text, |line| Location::new(&path, line))?;
        }
        self.take("scripts_user", scan);
        Ok(())
    }

    fn write_files(&mut self, module: &str) {
        let deferred = module == "write_files_deferred";
        let list = self.get("write_files").cloned().unwrap_or(Value::Null);
        for file in list.list() {
            let path = file.get("path").and_then(Value::text).unwrap_or_default();
            if file.get("defer").is_some_and(Value::is_true) != deferred {
                continue;
            }
            if let Some(effect) = protected(&path) {
                self.by_key(effect, module, "write_files", format!("writes {path}"));
            }
        }
    }

    /// Programs in /var/lib/cloud/scripts.
    fn scripts(&mut self, module: &str) -> Result<(), SystemError> {
        let kind = module.trim_start_matches("scripts_").replace('_', "-");
        let directory = format!("/var/lib/cloud/scripts/{kind}");
        let mut scan = Scan::new(self.files);
        for name in self.files.list(&directory)?.unwrap_or_default() {
            let path = format!("{directory}/{name}");
            if self.files.metadata(&path)?.is_some_and(|meta| meta.mode & 0o111 != 0) {
                scan.script(&path)?;
            }
        }
        self.take(module, scan);
        Ok(())
    }
}
