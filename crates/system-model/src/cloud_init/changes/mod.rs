//! What each module of cloud-init changes of a card (cloudinit/config/cc_*.py).

mod accounts;
mod identity;
mod mounts;
mod network;
mod programs;
mod written;

use super::{CloudInit, Layer, Module, ScriptKind, Value};
use crate::{Effect, Location, SystemError, SystemFiles};

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
    // Whether the module runs or not (cmd/main.py `_maybe_set_hostname`).
    finder.host_name("set_hostname")?;
    finder.seed_scripts(ScriptKind::BootHook, "boothook")?;
    for module in &model.modules {
        if !model.state.has_run(files, &module.name, module.frequency)? {
            finder.module(module)?;
        }
    }
    Ok(finder.found)
}

impl Finder<'_> {
    fn module(&mut self, module: &Module) -> Result<(), SystemError> {
        match module.name.as_str() {
            "update_hostname" => self.host_name("update_hostname"),
            "update_etc_hosts" => self.hosts(),
            "ssh" => self.ssh(),
            "users_groups" => self.users(),
            "set_passwords" => self.passwords(),
            "ssh_import_id" => self.import_id(),
            "growpart" | "resizefs" | "disk_setup" => self.sizes(module),
            "mounts" => {
                self.mounts();
                Ok(())
            }
            "bootcmd" => self.commands("bootcmd", "bootcmd"),
            "snap" if self.is_verified("snap", &["ubuntu"]) => {
                self.inner_commands("snap", &["snap", "commands"])
            }
            "seed_random" => self.inner_command("seed_random", &["random_seed", "command"]),
            "power_state_change" => {
                self.inner_command("power_state_change", &["power_state", "condition"])
            }
            // runcmd only writes the script that scripts_user runs.
            "scripts_user" => {
                if self.model.modules.iter().any(|one| one.name == "runcmd") {
                    self.commands("scripts_user", "runcmd")?;
                }
                self.seed_scripts(ScriptKind::User, "scripts_user")?;
                self.instance_scripts()
            }
            "write_files" | "write_files_deferred" => self.write_files(&module.name),
            name @ ("scripts_per_once"
            | "scripts_per_boot"
            | "scripts_per_instance"
            | "scripts_vendor") => self.scripts(name),
            _ => Ok(()),
        }
    }

    /// Returns whether a module that is made for some distributions runs on this one.
    fn is_verified(&self, module: &str, distributions: &[&str]) -> bool {
        let config = &self.model.config;
        let own = config.at(&["system_info", "distro"]).and_then(Value::text);
        let forced = config.get("unverified_modules").map(Value::list).unwrap_or_default();
        distributions.contains(&own.as_deref().unwrap_or("ubuntu"))
            || forced.iter().any(|name| *name == *module)
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.model.config.get(key)
    }

    fn push(&mut self, change: CloudChange) {
        if !self.found.contains(&change) {
            self.found.push(change);
        }
    }

    fn add(&mut self, effect: Effect, module: &str, location: Location, text: impl Into<String>) {
        let (module, text) = (module.to_owned(), text.into());
        self.push(CloudChange { effect, module, location, text, new_user: None });
    }

    fn by_key(&mut self, effect: Effect, module: &str, key: &str, text: impl Into<String>) {
        let location = self.model.location(key);
        self.add(effect, module, location, text);
    }
}
