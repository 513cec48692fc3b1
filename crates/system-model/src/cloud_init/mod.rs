//! What cloud-init will do, read as it reads its own files.
//!
//! Sources: canonical/cloud-init: cloudinit/stages.py, helpers.py (`ConfigMerger`), util.py
//! (`read_conf_with_confd`, `mergemanydict`), mergers/,
//! sources/DataSourceNoCloud.py, config/cc_*.py,
//! systemd/cloud-init-generator.tmpl.

mod changes;
mod kernel;
mod merge;
mod passwords;
mod pyyaml;
mod seed;
mod users;
mod value;

pub use changes::CloudChange;
use merge::merge_many;
pub use passwords::{CloudPassword, GivenPassword};
pub use seed::{Script, Seed};
pub use value::Value;

use crate::{
    CommandLines, Disarm, Location, SystemError, SystemFiles,
    systemd::{Systemd, UnitState},
};

/// Where the configuration lies.
const CONFIG: &str = "/etc/cloud/cloud.cfg";
/// The file that turns cloud-init off.
const DISABLED: &str = "/etc/cloud/cloud-init.disabled";

/// A stage of cloud-init's boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// `cloud_init_modules`.
    Init,
    /// `cloud_config_modules`.
    Config,
    /// `cloud_final_modules`.
    Final,
}

/// A module that runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    /// The stage.
    pub stage: Stage,
    /// The name, with underscores.
    pub name: String,
    /// What the list of modules gives it.
    pub arguments: Vec<Value>,
}

/// What cloud-init will do at the next boot.
#[derive(Debug, Clone)]
pub struct CloudInit {
    off: Option<Location>,
    /// What outranks the file that turns it off.
    insists: Vec<Disarm>,
    system: Value,
    config: Value,
    sources: Vec<(String, Value, String)>,
    seed: Option<Seed>,
    modules: Vec<Module>,
    users: Vec<users::User>,
    default_user: Option<String>,
    /// The network configuration of the kernel's command line.
    kernel_network: Option<(Location, Value)>,
    unreadable: Vec<(Location, String)>,
    changes: Vec<CloudChange>,
}

/// Reads documents, and keeps what could not be read.
pub(crate) struct Reader<'a> {
    files: &'a dyn SystemFiles,
    unreadable: Vec<(Location, String)>,
}

impl Reader<'_> {
    /// Parses a document; cloud-init goes on without one that does not parse.
    fn document(&mut self, path: &str, text: &str) -> Value {
        match Value::parse(text) {
            Ok(value) => value,
            Err(error) => {
                let first = error.lines().next().unwrap_or_default().to_owned();
                self.unreadable.push((Location::new(path, 0), format!("not YAML: {first}")));
                Value::Null
            }
        }
    }
}

impl CloudInit {
    /// Reads cloud-init's state and configuration. `None` stands for no cloud-init.
    pub(crate) fn read(
        files: &dyn SystemFiles,
        lines: &CommandLines,
        systemd: &Systemd,
    ) -> Result<Option<Self>, SystemError> {
        if !files.exists(CONFIG)? {
            return Ok(None);
        }
        let off = is_off(files, lines, systemd)?;
        let mut reader = Reader { files, unreadable: Vec::new() };
        let mut sources = Vec::new();
        // The command line wins over all files.
        for (line, text) in kernel::configurations(lines) {
            let value = reader.document(&line.path, &text);
            sources.push((line.path.clone(), value, String::new()));
        }
        // Of the system's files the last by name wins, and all win over cloud.cfg.
        let mut names = files.list("/etc/cloud/cloud.cfg.d")?.unwrap_or_default();
        names.retain(|name| name.ends_with(".cfg"));
        names.sort_unstable_by(|a, b| b.cmp(a));
        let drop_ins = names.iter().map(|name| format!("/etc/cloud/cloud.cfg.d/{name}"));
        for path in drop_ins.chain([CONFIG.to_owned()]) {
            if let Some(text) = reader.text(&path)? {
                if text.trim_start().to_ascii_lowercase().starts_with("## template:") {
                    let why = "a jinja template".to_owned();
                    reader.unreadable.push((Location::new(&path, 1), why));
                }
                let value = reader.document(&path, &text);
                sources.push((path, value, text));
            }
        }
        let system = merge_many(sources.iter().map(|(_, value, _)| value.clone()));
        let seed = seed::find(&mut reader, &system, lines)?;
        let mut layers = Vec::new();
        if let Some(seed) = &seed {
            let allows = system.get("allow_userdata").is_none_or(Value::is_true);
            let user = seed.user.as_ref().filter(|_| allows);
            let values = user.map(|(value, _)| value.clone()).into_iter();
            let given = merge_many(values.chain([system.clone()]));
            let vendor = seed.vendor.as_ref().filter(|_| allows_vendor(&given));
            for (value, path) in user.into_iter().chain(vendor) {
                let text = reader.text(path)?.unwrap_or_default();
                layers.push((path.clone(), value.clone(), text));
            }
        }
        let mut all: Vec<Value> = layers.iter().map(|(_, value, _)| value.clone()).collect();
        all.push(system.clone());
        let config = merge_many(all);
        layers.extend(sources);
        let modules = modules(&config, systemd);
        let (users, default_user) = users::read(&config, files)?;
        let kernel_network = kernel::network(lines)
            .map(|(line, value)| (Location::new(&line.path, line.line), value));
        let mut model = CloudInit {
            off,
            insists: insists(files, lines)?,
            system,
            config,
            sources: layers,
            seed,
            modules,
            users,
            default_user,
            kernel_network,
            unreadable: reader.unreadable,
            changes: Vec::new(),
        };
        if model.off.is_none() {
            model.changes = changes::find(&model, files)?;
        }
        Ok(Some(model))
    }

    /// Returns whether cloud-init runs at boot. On boards, which have no DMI data, it runs even
    /// if it finds no data source (tools/ds-identify, `DI_DEFAULT_POLICY_NO_DMI`).
    pub fn is_enabled(&self) -> bool {
        self.off.is_none()
    }

    /// Returns what turns cloud-init off.
    pub fn off(&self) -> Option<&Location> {
        self.off.as_ref()
    }

    /// Returns the configuration as cloud-init merges it, user-data included.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// Returns the configuration of the system alone: cloud.cfg and cloud.cfg.d.
    pub fn system_config(&self) -> &Value {
        &self.system
    }

    /// Returns the seed that the NoCloud data source finds.
    pub fn seed(&self) -> Option<&Seed> {
        self.seed.as_ref()
    }

    /// Returns the modules that run, in order.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Returns what cloud-init reads and this model cannot, and why.
    pub fn unreadable(&self) -> &[(Location, String)] {
        &self.unreadable
    }

    /// Returns what cloud-init changes of a card at the next boot.
    pub fn changes(&self) -> &[CloudChange] {
        &self.changes
    }

    /// Returns how cloud-init is turned off as a whole.
    pub fn disarm(&self) -> Vec<Disarm> {
        let mut steps = self.insists.clone();
        steps.push(Disarm::WriteFile { path: DISABLED.to_owned(), contents: String::new() });
        steps
    }

    /// Returns the files of user-data and vendor-data that are merged over the system's own
    /// configuration.
    pub fn overriding_files(&self) -> Vec<&str> {
        let Some(seed) = &self.seed else { return Vec::new() };
        seed.user.iter().chain(&seed.vendor).map(|(_, path)| path.as_str()).collect()
    }

    /// Returns where a top-level key that counts is written: in the first source that has it.
    fn location(&self, key: &str) -> Location {
        for (path, value, text) in &self.sources {
            if value.get(key).is_some() {
                let begins = |line: &str| {
                    let line = line.trim_start_matches(['{', '"', '\'', ' ']);
                    line.strip_prefix(key).is_some_and(|rest| {
                        rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':')
                    })
                };
                let line = text.lines().position(begins).map_or(0, |index| index + 1);
                return Location::new(path, line);
            }
        }
        Location::new(CONFIG, 0)
    }
}

/// Returns whether vendor-data counts (stages.py `_consume_vendordata`).
fn allows_vendor(config: &Value) -> bool {
    match config.get("vendor_data") {
        None => true,
        Some(map @ Value::Map(_)) => map.get("enabled").is_none_or(Value::is_true),
        Some(_) => false,
    }
}

/// Returns what turns cloud-init off (systemd/cloud-init-generator.tmpl).
fn is_off(
    files: &dyn SystemFiles,
    lines: &CommandLines,
    systemd: &Systemd,
) -> Result<Option<Location>, SystemError> {
    if let Some((line, argument)) = lines.find("cloud-init") {
        match argument.value.as_deref() {
            Some("disabled") => return Ok(Some(Location::new(&line.path, line.line))),
            Some("enabled") => return Ok(None),
            _ => {}
        }
    }
    if !files.exists("/etc/cloud/cloud-init.enabled")? && files.exists(DISABLED)? {
        return Ok(Some(Location::new(DISABLED, 0)));
    }
    const POLICY: &str = "/etc/cloud/ds-identify.cfg";
    let policy = files.read_text(POLICY)?.unwrap_or_default();
    let disabled = policy.lines().position(|line| {
        line.trim().strip_prefix("policy:").is_some_and(|rest| rest.trim() == "disabled")
    });
    if let Some(index) = disabled {
        return Ok(Some(Location::new(POLICY, index + 1)));
    }
    if let UnitState::Masked(path) = systemd.state("cloud-init.target") {
        return Ok(Some(Location::new(path, 0)));
    }
    Ok(None)
}

/// Returns how what outranks [`DISABLED`] is removed (systemd/cloud-init-generator.tmpl).
fn insists(files: &dyn SystemFiles, lines: &CommandLines) -> Result<Vec<Disarm>, SystemError> {
    const ENABLED: &str = "/etc/cloud/cloud-init.enabled";
    let mut steps = Vec::new();
    for line in lines.counting() {
        for argument in line.arguments.iter().filter(|one| one.text == "cloud-init=enabled") {
            steps.push(Disarm::RemoveArgument {
                path: line.path.clone(),
                argument: argument.text.clone(),
            });
        }
    }
    if files.exists(ENABLED)? {
        steps.push(Disarm::RemoveFile { path: ENABLED.to_owned() });
    }
    Ok(steps)
}

/// Returns the modules of the stages whose units are not masked.
fn modules(config: &Value, systemd: &Systemd) -> Vec<Module> {
    let mut modules = Vec::new();
    for (stage, key, units) in [
        (Stage::Init, "cloud_init_modules", &["cloud-init.service", "cloud-init-network.service"]),
        (Stage::Config, "cloud_config_modules", &["cloud-config.service", ""]),
        (Stage::Final, "cloud_final_modules", &["cloud-final.service", ""]),
    ] {
        let masked = |unit: &&str| matches!(systemd.state(unit), UnitState::Masked(_));
        let there = |unit: &&str| systemd.state(unit) != UnitState::Missing;
        let known: Vec<&&str> = units.iter().filter(|unit| there(unit)).collect();
        if !known.is_empty() && known.iter().all(|unit| masked(unit)) {
            continue;
        }
        for module in config.get(key).map(Value::list).unwrap_or_default() {
            let (name, arguments) = match module {
                Value::List(values) => {
                    (values.first().and_then(Value::text), values.get(2..).unwrap_or_default())
                }
                Value::Map(_) => (
                    module.get("name").and_then(Value::text),
                    module.get("args").map(Value::list).unwrap_or_default(),
                ),
                other => (other.text(), &[][..]),
            };
            if let Some(name) = name {
                let name = form_name(&name);
                modules.push(Module { stage, name, arguments: arguments.to_vec() });
            }
        }
    }
    modules
}

/// Returns a module's name without what cloud-init adds or removes (modules.py
/// `form_module_name`).
fn form_name(name: &str) -> String {
    let name = name.replace('-', "_");
    let bare = match name.len().checked_sub(3).and_then(|at| name.split_at_checked(at)) {
        Some((bare, end)) if end.eq_ignore_ascii_case(".py") => bare,
        _ => &name,
    };
    let bare = bare.trim();
    bare.strip_prefix("cc_").unwrap_or(bare).to_owned()
}

#[cfg(test)]
mod tests;
