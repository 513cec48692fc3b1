//! What cloud-init has done at earlier boots and does not do again.
//!
//! Sources: cloudinit/helpers.py (`FileSemaphores`, `Runners`, `Paths`), stages.py
//! (`is_new_instance`, `apply_network_config`), settings.py.

use super::value::Value;
use crate::{SystemError, SystemFiles};

/// Where cloud-init keeps its state.
const STATE: &str = "/var/lib/cloud";

/// How often a module runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frequency {
    /// At every boot.
    Always,
    /// Once for each instance.
    Instance,
    /// Once.
    Once,
}

impl Frequency {
    /// Returns what a list of modules calls so.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        match word.trim() {
            "always" => Some(Frequency::Always),
            "once-per-instance" => Some(Frequency::Instance),
            "once" => Some(Frequency::Once),
            _ => None,
        }
    }

    /// Returns how often a module runs unless the list says otherwise.
    pub(super) fn of_module(name: &str) -> Self {
        match name {
            "bootcmd" | "chef" | "growpart" | "resizefs" | "scripts_per_boot"
            | "update_etc_hosts" | "update_hostname" | "final_message" => Frequency::Always,
            "scripts_per_once" => Frequency::Once,
            _ => Frequency::Instance,
        }
    }
}

/// The state of one instance.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// The directory of the instance.
    directory: String,
    /// Whether the last boot was another instance's, or there was none.
    pub(super) is_new: bool,
}

impl State {
    pub(super) fn read(files: &dyn SystemFiles, instance: &str) -> Result<Self, SystemError> {
        let previous = files.read_text(&format!("{STATE}/data/instance-id"))?;
        Ok(State {
            directory: format!("{STATE}/instances/{}", instance.replace('/', "_")),
            is_new: previous.is_none_or(|previous| previous.trim() != instance),
        })
    }

    /// Returns whether a module has run and does not run again.
    pub(super) fn has_run(
        &self,
        files: &dyn SystemFiles,
        module: &str,
        frequency: Frequency,
    ) -> Result<bool, SystemError> {
        match frequency {
            Frequency::Always => Ok(false),
            Frequency::Instance => files.exists(&format!("{}/sem/config_{module}", self.directory)),
            Frequency::Once => files.exists(&format!("{STATE}/sem/config_{module}.once")),
        }
    }

    /// Returns whether the network is configured at this boot, `config` being the configuration
    /// without the instance's user-data.
    pub(super) fn configures_network(&self, config: &Value) -> bool {
        let when = config.at(&["updates", "network", "when"]).map(Value::list).unwrap_or_default();
        self.is_new || when.iter().any(|event| *event == *"boot" || *event == *"boot-legacy")
    }
}

/// Returns the host name and domain that cloud-init has set before (cc_set_hostname.py).
pub(super) fn host_name_set(
    files: &dyn SystemFiles,
) -> Result<Option<(String, String)>, SystemError> {
    let text = files.read_text(&format!("{STATE}/data/set-hostname"))?.unwrap_or_default();
    let known: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let word = |key: &str| Some(known.as_ref()?.get(key)?.as_str()?.to_owned());
    Ok(word("hostname").zip(word("fqdn")))
}
