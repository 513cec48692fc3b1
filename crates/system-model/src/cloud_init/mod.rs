//! What cloud-init will do, read as it reads its own files.
//!
//! Sources: canonical/cloud-init: cloudinit/stages.py, helpers.py (`ConfigMerger`), util.py
//! (`read_conf_with_confd`, `mergemanydict`), mergers/,
//! sources/DataSourceNoCloud.py, config/cc_*.py,
//! systemd/cloud-init-generator.tmpl.

mod changes;
mod decode;
mod kernel;
mod merge;
mod message;
mod passwords;
mod pyyaml;
mod seed;
mod state;
mod user_data;
mod users;
mod value;

pub use changes::CloudChange;
use merge::merge_many;
pub use passwords::{CloudPassword, GivenPassword};
pub use seed::Seed;
pub use state::Frequency;
pub use user_data::{Script, ScriptKind};
pub use value::Value;

use crate::{
    CommandLines, Disarm, Location, SystemError, SystemFiles,
    systemd::{Systemd, UnitState},
};

/// Where the configuration lies.
const CONFIG: &str = "/etc/cloud/cloud.cfg";
/// The file that turns cloud-init off.
const DISABLED: &str = "/etc/cloud/cloud-init.disabled";
/// The data source of the last boot.
const CACHE: &str = "/var/lib/cloud/instance/obj.pkl";
/// Where programs for parts of user-data lie.
const HANDLERS: &str = "/var/lib/cloud/handlers";

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
    /// How often it runs.
    pub frequency: Frequency,
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
    sources: Vec<Layer>,
    seed: Option<Seed>,
    /// What the data source gives: the seed, or what the configuration has for where there is none.
    data: Seed,
    /// The files of user-data and vendor-data.
    seed_files: Vec<String>,
    scripts: Vec<Script>,
    state: state::State,
    modules: Vec<Module>,
    users: Vec<users::User>,
    default_user: Option<String>,
    /// The network configuration of the kernel's command line.
    kernel_network: Option<(Location, Value)>,
    unreadable: Vec<(Location, String)>,
    changes: Vec<CloudChange>,
}

/// A configuration that is merged with others.
#[derive(Debug, Clone)]
struct Layer {
    path: String,
    value: Value,
    /// The text, for finding a line in it.
    text: String,
}

/// Reads documents, and keeps what could not be read.
pub(crate) struct Reader<'a> {
    files: &'a dyn SystemFiles,
    unreadable: Vec<(Location, String)>,
    /// The configuration that data sources have their settings in.
    path_of_config: String,
}

impl Reader<'_> {
    /// Parses a document; cloud-init goes on without one that does not parse.
    fn document(&mut self, path: &str, text: &str) -> Value {
        match Value::parse(text) {
            Ok(value) => value,
            Err(error) => {
                let first = error.lines().next().unwrap_or_default().to_owned();
                self.unread(path, &format!("YAML error: {first}"));
                Value::Null
            }
        }
    }

    /// Keeps that something of a file cannot be read.
    fn unread(&mut self, path: &str, why: &str) {
        let one = (Location::new(path, 0), why.to_owned());
        if !self.unreadable.contains(&one) {
            self.unreadable.push(one);
        }
    }

    /// Returns a text file, if it is there.
    fn text(&self, path: &str) -> Result<Option<String>, SystemError> {
        self.files.read_text(path)
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
        let mut reader =
            Reader { files, unreadable: Vec::new(), path_of_config: CONFIG.to_owned() };
        let system_layers = system_layers(&mut reader, lines)?;
        let values = system_layers.iter().map(|layer| layer.value.clone());
        let system = merge_many(values);
        let of_sources = system_layers.iter().find(|one| one.value.get("datasource").is_some());
        if let Some(layer) = of_sources {
            reader.path_of_config = layer.path.clone();
        }
        let seed = seed::find(&mut reader, &system, lines)?;
        let instance = match &seed {
            Some(seed) => seed.instance_id(),
            None => "iid-datasource-none".to_owned(),
        };
        let given = match &seed {
            Some(seed) => seed.clone(),
            None => seed::fallback(&reader, &system),
        };
        if system.get("manual_cache_clean").is_some_and(Value::is_true) && files.exists(CACHE)? {
            reader.unread(CACHE, "the data source of an earlier boot, kept by manual_cache_clean");
        }
        if files.list(HANDLERS)?.unwrap_or_default().iter().any(|name| name.ends_with(".py")) {
            reader.unread(HANDLERS, "part handlers");
        }
        let mut layers = Vec::new();
        let mut scripts = Vec::new();
        let allows = system.get("allow_userdata").is_none_or(Value::is_true);
        if let Some(user) = given.user.as_ref().filter(|_| allows) {
            let (layer, of_user) = user.process(&mut reader, false, &[])?;
            layers.extend(layer);
            scripts.extend(of_user);
        }
        if let Some(vendor) = &given.vendor {
            let values = layers.iter().map(|layer: &Layer| layer.value.clone());
            let known = merge_many(values.chain([system.clone()]));
            if allows_vendor(&known) {
                let excluded = known.at(&["vendor_data", "disabled_handlers"]);
                let excluded = excluded.map(Value::list).unwrap_or_default();
                let excluded: Vec<String> = excluded.iter().filter_map(Value::text).collect();
                let (layer, of_vendor) = vendor.process(&mut reader, true, &excluded)?;
                layers.extend(layer);
                scripts.extend(of_vendor);
            }
        }
        let mut all: Vec<Value> = layers.iter().map(|layer| layer.value.clone()).collect();
        all.push(system.clone());
        let config = merge_many(all);
        layers.extend(system_layers);
        let seed_files = given.user.iter().chain(&given.vendor).filter_map(|data| data.file());
        let seed_files = seed_files.map(str::to_owned).collect();
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
            data: given,
            seed_files,
            scripts,
            state: state::State::read(files, &instance)?,
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
    /// if it finds no data source before 25.1.3 (tools/ds-identify, `DI_DEFAULT_POLICY_NO_DMI`);
    /// of later versions this is assumed too, since labels of partitions are not at hand.
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

    /// Returns the files of user-data and vendor-data, which outrank the system's own
    /// configuration.
    pub fn overriding_files(&self) -> Vec<&str> {
        self.seed_files.iter().map(String::as_str).collect()
    }

    /// Returns the parts of user-data and vendor-data that run as programs.
    pub fn scripts(&self) -> &[Script] {
        &self.scripts
    }

    /// Returns where a top-level key that counts is written: in the first source that has it.
    fn location(&self, key: &str) -> Location {
        for Layer { path, value, text, .. } in &self.sources {
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

/// Reads the configuration of the system and of the command line, what wins first.
fn system_layers(reader: &mut Reader<'_>, lines: &CommandLines) -> Result<Vec<Layer>, SystemError> {
    let mut layers = Vec::new();
    for (line, text) in kernel::configurations(lines) {
        let value = reader.document(&line.path, &text);
        let (path, text) = (line.path.clone(), String::new());
        layers.push(Layer { path, value, text });
    }
    // Only cloud.cfg can name another directory.
    let main = reader.text(CONFIG)?.map(|text| reader.document(CONFIG, &text));
    let directory = match main.as_ref().and_then(|main| main.get("conf_d")) {
        Some(directory) => directory.text().unwrap_or_default().trim().to_owned(),
        None => "/etc/cloud/cloud.cfg.d".to_owned(),
    };
    // Of the system's files the last by name wins, and all win over cloud.cfg.
    let mut names = reader.files.list(&directory)?.unwrap_or_default();
    names.retain(|name| name.ends_with(".cfg"));
    names.sort_unstable_by(|a, b| b.cmp(a));
    let drop_ins = names.iter().map(|name| format!("{directory}/{name}"));
    for path in drop_ins.chain([CONFIG.to_owned()]) {
        let Some(text) = reader.text(&path)? else { continue };
        let is_template =
            text.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("## template:"));
        if is_template && user_data::rendered(&text).is_none() {
            reader.unread(&path, "a jinja template");
        }
        let value = reader.document(&path, &text);
        layers.push(Layer { path, value, text });
    }
    Ok(layers)
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
    if let Some(at) = disabling_policy(files, lines)? {
        return Ok(Some(at));
    }
    Ok(match systemd.state("cloud-init.target") {
        UnitState::Masked(path) => Some(Location::new(path, 0)),
        UnitState::MaskedByArgument(argument) => Some(argument.location),
        _ => None,
    })
}

/// Returns the policy that keeps cloud-init from running (tools/ds-identify, `read_config`). What
/// ds-identify finds or not is left out: on a board it finds a seed, or tries without one.
fn disabling_policy(
    files: &dyn SystemFiles,
    lines: &CommandLines,
) -> Result<Option<Location>, SystemError> {
    const POLICY: &str = "/etc/cloud/ds-identify.cfg";
    let text = files.read_text(POLICY)?.unwrap_or_default();
    let mut policy = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        if let Some((key, value)) = line.split_once(':')
            && key.trim() == "policy"
        {
            let value = value.trim().trim_matches(['"', '\'']).to_owned();
            policy = Some((Location::new(POLICY, index + 1), value));
        }
    }
    if let Some((line, argument)) = lines.find("ci.di.policy") {
        let value = argument.value.clone().unwrap_or_default();
        policy = Some((Location::new(&line.path, line.line), value));
    }
    let modes = ["enabled", "disabled", "search", "report"];
    Ok(policy.and_then(|(at, policy)| {
        let mode = policy.split(',').rfind(|word| modes.contains(word))?;
        (mode == "disabled").then_some(at)
    }))
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
        let masked = |unit: &&str| {
            let state = systemd.state(unit);
            matches!(state, UnitState::Masked(_) | UnitState::MaskedByArgument(_))
        };
        let there = |unit: &&str| systemd.state(unit) != UnitState::Missing;
        let known: Vec<&&str> = units.iter().filter(|unit| there(unit)).collect();
        if !known.is_empty() && known.iter().all(|unit| masked(unit)) {
            continue;
        }
        for module in config.get(key).map(Value::list).unwrap_or_default() {
            let word = |value: Option<&Value>| match value {
                Some(Value::Text(text)) => Some(text.trim().to_owned()),
                _ => None,
            };
            let (name, frequency, arguments) = match module {
                Value::List(values) => {
                    (word(values.first()), word(values.get(1)), values.get(2..).unwrap_or_default())
                }
                Value::Map(_) => (
                    word(module.get("name")),
                    word(module.get("frequency")),
                    module.get("args").map(Value::list).unwrap_or_default(),
                ),
                other => (word(Some(other)), None, &[][..]),
            };
            if let Some(name) = name {
                let name = form_name(&name);
                let frequency = frequency.and_then(|word| Frequency::of_word(&word));
                let frequency = frequency.unwrap_or_else(|| Frequency::of_module(&name));
                modules.push(Module { stage, name, frequency, arguments: arguments.to_vec() });
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
