//! What systemd starts at boot, from unit files, links and the kernel command line.
//!
//! Sources: systemd.unit(5), systemd.special(7), systemd.preset(5), machine-id(5),
//! systemd-sysv-generator(8), systemd-rc-local-generator(8), systemd-getty-generator(8).
//! Left out, since the image does not decide them: units that D-Bus activates, udev's
//! `SYSTEMD_WANTS`, what a running program starts with systemctl, and other generators.

mod condition;
mod generators;
mod preset;
mod search;
mod unit_file;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use condition::ConditionState;
use generators::Generated;
use preset::Presets;
use search::{Found, Search};
pub use unit_file::Assignment;
use unit_file::{UnitText, names};

use crate::{Disarm, Location, SystemError, SystemFiles, command_line::CommandLines};

/// Units that are followed before a system counts as hostile.
const MAX_UNITS: usize = 20_000;

/// Targets without a file are taken to be as systemd ships them, so that a partial tree is
/// understood as well: (target, what it pulls in).
const STANDARD_TARGETS: [(&str, &[&str]); 5] = [
    ("graphical.target", &["multi-user.target"]),
    ("multi-user.target", &["basic.target", "getty.target", "remote-fs.target"]),
    (
        "basic.target",
        &["sysinit.target", "sockets.target", "timers.target", "paths.target", "slices.target"],
    ),
    ("sysinit.target", &["local-fs.target", "swap.target"]),
    ("local-fs.target", &["local-fs-pre.target"]),
];

/// A command of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// The directive: `ExecStart`, `ExecStartPre`, …
    pub directive: String,
    /// The command as written, specifiers expanded, prefixes (`-`, `@`, `+`, …) removed.
    pub command: String,
    /// Where it is written.
    pub location: Location,
}

/// What pulls a unit in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is the target that systemd starts.
    DefaultTarget,
    /// A link in a `.wants`, `.requires` or `.upholds` directory.
    Link {
        /// The link.
        path: String,
    },
    /// A directive of another unit.
    Dependency {
        /// The other unit.
        unit: String,
        /// Where the directive is.
        location: Location,
    },
    /// A socket, timer or path unit starts it.
    Activation {
        /// The unit that activates it.
        unit: String,
    },
    /// A preset enables it, as this is the first boot.
    Preset {
        /// The preset's rule; `None` where no rule names the unit.
        rule: Option<Location>,
    },
    /// A generator makes it.
    Generator {
        /// The generator.
        generator: String,
        /// The links that it acts on, for System V scripts.
        links: Vec<String>,
    },
}

/// A unit that systemd starts at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedUnit {
    /// The name, aliases resolved.
    pub name: String,
    /// The unit file. A generated unit has none.
    pub file: Option<String>,
    /// The drop-ins that apply.
    pub drop_ins: Vec<String>,
    /// The commands that it runs.
    pub execs: Vec<Exec>,
    /// What pulls it in, the first that was found first.
    pub reasons: Vec<Reason>,
    /// What is known of its conditions.
    pub condition: ConditionState,
}

impl StartedUnit {
    /// Returns whether the unit does anything, as far as the image says.
    pub fn runs(&self) -> bool {
        !matches!(self.condition, ConditionState::Fails(_))
    }
}

/// What a unit name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitState {
    /// No unit file.
    Missing,
    /// A link to /dev/null or an empty file, at this path.
    Masked(String),
    /// A unit file that nothing starts.
    Installed(String),
    /// A unit that starts.
    Started(String),
}

/// The units of an image and those that start.
#[derive(Debug, Clone)]
pub struct Systemd {
    first_boot: bool,
    default_target: String,
    started: Vec<StartedUnit>,
    /// Every unit with an entry or an enablement link: its state and its enablement links.
    known: BTreeMap<String, (UnitState, Vec<String>)>,
    aliases: BTreeMap<String, String>,
    /// Whether presets or something else would start a unit again whose links are removed.
    persistent: BTreeSet<String>,
}

impl Systemd {
    /// Reads the units of an image.
    ///
    /// `first_boot` overrides what /etc/machine-id says, for an image that is to get a machine id.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(
        files: &dyn SystemFiles,
        command_lines: &CommandLines,
        first_boot: Option<bool>,
    ) -> Result<Self, SystemError> {
        let first_boot = match (first_boot, boot_argument(command_lines)) {
            (Some(given), _) => given,
            (None, Some(argument)) => argument,
            (None, None) => is_first_boot(files)?,
        };
        Start::new(files, command_lines, first_boot)?.run()
    }

    /// Returns whether the next boot counts as the first (machine-id(5)).
    pub fn first_boot(&self) -> bool {
        self.first_boot
    }

    /// Returns the target that systemd starts.
    pub fn default_target(&self) -> &str {
        &self.default_target
    }

    /// Returns the units that start, those whose conditions fail included.
    pub fn started(&self) -> &[StartedUnit] {
        &self.started
    }

    /// Returns a unit that starts and whose conditions do not fail, by any of its names.
    pub fn running(&self, name: &str) -> Option<&StartedUnit> {
        let name = self.aliases.get(name).map_or(name, String::as_str);
        self.started.iter().find(|unit| unit.name == name && unit.runs())
    }

    /// Returns what a name leads to, by any of its names.
    pub fn state(&self, name: &str) -> UnitState {
        let name = self.aliases.get(name).map_or(name, String::as_str);
        self.known.get(name).map_or(UnitState::Missing, |(state, _)| state.clone())
    }

    /// Returns how a unit is kept from starting: its links are removed where that is
    /// enough, otherwise it is masked.
    pub fn disarm(&self, name: &str) -> Vec<Disarm> {
        let name = self.aliases.get(name).map_or(name, String::as_str);
        let mut steps = Vec::new();
        let mut mask = self.persistent.contains(name);
        if let Some((_, links)) = self.known.get(name) {
            let removable = |link: &&String| link.starts_with("/etc/");
            let removed: Vec<String> = links.iter().filter(removable).cloned().collect();
            mask |= removed.len() != links.len();
            if !removed.is_empty() {
                steps.push(Disarm::DisableUnit { unit: name.to_owned(), links: removed });
            }
        }
        let unit = self.started.iter().find(|unit| unit.name == name);
        let sysv: Vec<&String> = unit
            .iter()
            .flat_map(|unit| &unit.reasons)
            .flat_map(|reason| match reason {
                Reason::Generator { links, .. } => links.iter(),
                _ => [].iter(),
            })
            .collect();
        if !sysv.is_empty() {
            let remove = |path: &String| Disarm::RemoveSysvLink { path: path.clone() };
            return sysv.into_iter().map(remove).collect();
        }
        if mask {
            let path = format!("/etc/systemd/system/{name}");
            steps.push(Disarm::MaskUnit { unit: name.to_owned(), path });
        }
        steps
    }
}

/// machine-id(5), "First Boot Semantics": no file, or the word `uninitialized`. An empty
/// file does not make a first boot.
fn is_first_boot(files: &dyn SystemFiles) -> Result<bool, SystemError> {
    Ok(match files.read_text("/etc/machine-id")? {
        None => true,
        Some(text) => text.trim() == "uninitialized",
    })
}

fn boot_argument(command_lines: &CommandLines) -> Option<bool> {
    let argument = command_lines.last("systemd.condition_first_boot")?;
    Some(argument.value.as_deref().is_none_or(unit_file::is_true))
}

/// The target to start: `systemd.unit=` and the words of systemd(1), else default.target.
fn default_target(search: &Search<'_>, lines: &CommandLines) -> Result<String, SystemError> {
    let mut named = None;
    for argument in lines.arguments() {
        named = match (argument.key.as_str(), argument.value.as_deref()) {
            ("systemd.unit", Some(unit)) if search::is_unit_name(unit) => Some(unit.to_owned()),
            ("emergency" | "-b", None) => Some("emergency.target".to_owned()),
            ("rescue" | "single" | "s" | "S" | "1", None) => Some("rescue.target".to_owned()),
            ("2" | "3" | "4", None) => Some("multi-user.target".to_owned()),
            ("5", None) => Some("graphical.target".to_owned()),
            _ => named,
        };
    }
    let name = search.canonical(&named.unwrap_or_else(|| "default.target".to_owned()));
    Ok(match search.find(&name)? {
        Found::Missing if name == "default.target" => "graphical.target".to_owned(),
        _ => name,
    })
}

/// The run through the units.
struct Start<'a> {
    search: Search<'a>,
    lines: &'a CommandLines,
    first_boot: bool,
    /// Units that presets enable: the unit that pulls them in to (unit, rule).
    presets: BTreeMap<String, Vec<(String, Option<Location>)>>,
    generated: Vec<Generated>,
    units: BTreeMap<String, StartedUnit>,
    order: Vec<String>,
    queue: VecDeque<(String, Reason)>,
}

impl<'a> Start<'a> {
    fn new(
        files: &'a dyn SystemFiles,
        lines: &'a CommandLines,
        first_boot: bool,
    ) -> Result<Self, SystemError> {
        let search = Search::read(files)?;
        let mut presets: BTreeMap<String, Vec<_>> = BTreeMap::new();
        if first_boot {
            let rules = Presets::read(files)?;
            for name in search.all().map(str::to_owned).collect::<Vec<_>>() {
                if search.canonical(&name) != name {
                    continue;
                }
                let (enabled, rule) = rules.enables(&name);
                let Found::File(path) = search.find(&name)? else { continue };
                if !enabled {
                    continue;
                }
                let (text, _) = search.load(&name, Some(&path))?;
                let mut unit = name.clone();
                if name.contains("@.") {
                    match text.last("Install", "DefaultInstance") {
                        Some(instance) => {
                            unit = name.replace("@.", &format!("@{}.", instance.value))
                        }
                        None => continue,
                    }
                }
                for key in ["WantedBy", "RequiredBy", "UpheldBy"] {
                    for one in text.list("Install", key) {
                        for by in names(&one.value) {
                            let by = search.canonical(&by);
                            presets.entry(by).or_default().push((unit.clone(), rule.clone()));
                        }
                    }
                }
            }
        }
        let mut generated = generators::sysv(&search)?;
        generated.extend(generators::rc_local(&search)?);
        generated.extend(generators::consoles(lines));
        generated.extend(generators::cloud_init(&search, lines)?);
        Ok(Start {
            search,
            lines,
            first_boot,
            presets,
            generated,
            units: BTreeMap::new(),
            order: Vec::new(),
            queue: VecDeque::new(),
        })
    }

    fn run(mut self) -> Result<Systemd, SystemError> {
        let target = default_target(&self.search, self.lines)?;
        self.queue.push_back((target.clone(), Reason::DefaultTarget));
        while let Some((name, reason)) = self.queue.pop_front() {
            self.start(&name, reason)?;
        }
        let mut known = BTreeMap::new();
        let mut aliases = BTreeMap::new();
        let mut persistent = BTreeSet::new();
        let all: BTreeSet<String> =
            self.search.all().map(str::to_owned).chain(self.order.iter().cloned()).collect();
        for name in all {
            let canonical = self.search.canonical(&name);
            if canonical != name {
                aliases.insert(name, canonical);
                continue;
            }
            let state = match self.search.find(&name)? {
                Found::Missing => UnitState::Missing,
                Found::Masked(path) => UnitState::Masked(path),
                Found::File(path) if self.units.contains_key(&name) => UnitState::Started(path),
                Found::File(path) => UnitState::Installed(path),
            };
            known.insert(name.clone(), (state, self.search.links_to(&name)));
        }
        for unit in self.units.values() {
            let stays = |reason: &Reason| match reason {
                Reason::Link { .. } => false,
                Reason::Generator { links, .. } => links.is_empty(),
                _ => true,
            };
            if unit.reasons.iter().any(stays) {
                persistent.insert(unit.name.clone());
            }
        }
        let mut started = Vec::new();
        for name in &self.order {
            started.extend(self.units.remove(name));
        }
        Ok(Systemd {
            first_boot: self.first_boot,
            default_target: target,
            started,
            known,
            aliases,
            persistent,
        })
    }

    fn start(&mut self, name: &str, reason: Reason) -> Result<(), SystemError> {
        let name = self.search.canonical(name);
        if let Some(unit) = self.units.get_mut(&name) {
            if !unit.reasons.contains(&reason) {
                unit.reasons.push(reason);
            }
            return Ok(());
        }
        if self.units.len() >= MAX_UNITS || !search::is_unit_name(&name) {
            return Ok(());
        }
        let mut execs = Vec::new();
        let mut is_generated = false;
        for one in self.generated.iter().filter(|one| one.name == name) {
            execs.extend(one.execs.iter().cloned());
            is_generated |= !one.execs.is_empty();
        }
        let file = match self.search.find(&name)? {
            Found::Masked(_) => return Ok(()),
            Found::File(path) => Some(path),
            Found::Missing if name.ends_with(".target") || is_generated => None,
            Found::Missing => return Ok(()),
        };
        let (text, drop_ins) = self.search.load(&name, file.as_deref())?;
        execs.extend(unit_execs(&name, &text));
        let facts = condition::Facts {
            files: self.search.files,
            command_lines: self.lines,
            first_boot: self.first_boot,
        };
        let condition = condition::judge(&text, &facts)?;
        self.follow(&name, &text, file.is_none())?;
        let reasons = vec![reason];
        self.order.push(name.clone());
        self.units
            .insert(name.clone(), StartedUnit { name, file, drop_ins, execs, reasons, condition });
        Ok(())
    }

    /// Queues what a unit pulls in. A condition that fails does not keep its dependencies
    /// from starting: systemd looks at conditions last.
    fn follow(&mut self, name: &str, text: &UnitText, no_file: bool) -> Result<(), SystemError> {
        for key in ["Wants", "Requires", "BindsTo", "Upholds", "Requisite"] {
            // Requisite only fails the unit; systemd starts nothing for it.
            if key == "Requisite" {
                continue;
            }
            for one in text.all("Unit", key) {
                for unit in names(&expand(&one.value, name)) {
                    let location = one.location.clone();
                    let reason = Reason::Dependency { unit: name.to_owned(), location };
                    self.queue.push_back((unit, reason));
                }
            }
        }
        for (path, unit) in self.search.links(name) {
            // A link to a template in a directory of instances takes the instance.
            let unit = match (unit.contains("@."), search::template_of(name)) {
                (true, Some((_, instance))) => unit.replace("@.", &format!("@{instance}.")),
                (true, None) => continue,
                (false, _) => unit,
            };
            self.queue.push_back((unit, Reason::Link { path }));
        }
        for (unit, rule) in self.presets.get(name).cloned().unwrap_or_default() {
            self.queue.push_back((unit, Reason::Preset { rule }));
        }
        for one in self.generated.iter().filter(|one| one.target == name) {
            let generator = one.by.to_owned();
            let reason = Reason::Generator { generator, links: one.links.clone() };
            self.queue.push_back((one.name.clone(), reason));
        }
        if no_file {
            for (_, pulled) in STANDARD_TARGETS.iter().filter(|(target, _)| *target == name) {
                for unit in *pulled {
                    let location = Location::new("systemd.special(7)", 0);
                    let reason = Reason::Dependency { unit: name.to_owned(), location };
                    self.queue.push_back(((*unit).to_owned(), reason));
                }
            }
        }
        self.activate(name, text);
        let by_default = text
            .last("Unit", "DefaultDependencies")
            .is_none_or(|one| unit_file::is_true(&one.value));
        if by_default && name.ends_with(".service") {
            let location = Location::new("systemd.service(5)", 0);
            let reason = Reason::Dependency { unit: name.to_owned(), location };
            self.queue.push_back(("sysinit.target".to_owned(), reason));
        }
        Ok(())
    }

    /// Queues what a socket, timer or path unit starts, and a service's sockets.
    fn activate(&mut self, name: &str, text: &UnitText) {
        let Some((stem, suffix)) = name.rsplit_once('.') else { return };
        let (section, key) = match suffix {
            "socket" => ("Socket", "Service"),
            "timer" => ("Timer", "Unit"),
            "path" => ("Path", "Unit"),
            "service" => {
                for one in text.list("Service", "Sockets") {
                    for unit in names(&one.value) {
                        let location = one.location.clone();
                        let reason = Reason::Dependency { unit: name.to_owned(), location };
                        self.queue.push_back((unit, reason));
                    }
                }
                return;
            }
            _ => return,
        };
        let accepts = text.last("Socket", "Accept").is_some_and(|a| unit_file::is_true(&a.value));
        let unit = match text.last(section, key).filter(|one| !one.value.is_empty()) {
            Some(one) => expand(&one.value, name),
            // One instance for each connection; any will do to read the template.
            None if accepts => format!("{stem}@0.service"),
            None => format!("{stem}.service"),
        };
        self.queue.push_back((unit, Reason::Activation { unit: name.to_owned() }));
    }
}

fn unit_execs(name: &str, text: &UnitText) -> Vec<Exec> {
    const KEYS: [&str; 6] =
        ["ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecStop", "ExecStopPost"];
    let mut execs = Vec::new();
    for section in ["Service", "Socket", "Swap", "Mount"] {
        for key in KEYS.iter().chain(&["ExecStopPre"]) {
            for one in text.list(section, key) {
                execs.push(Exec {
                    directive: (*key).to_owned(),
                    command: expand(
                        one.value.trim_start_matches(['-', '@', ':', '+', '!', '|']),
                        name,
                    ),
                    location: one.location.clone(),
                });
            }
        }
    }
    execs
}

/// Expands the specifiers that depend on the unit's name only (systemd.unit(5), "Specifiers").
fn expand(value: &str, name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let mut out = String::new();
    let mut letters = value.chars();
    while let Some(c) = letters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match letters.next() {
            Some('i') => out.push_str(instance),
            Some('I') => out.push_str(&instance.replace('-', "/")),
            Some('n') => out.push_str(name),
            Some('N') => out.push_str(stem),
            Some('p' | 'P') => out.push_str(prefix),
            Some('j' | 'J') => out.push_str(prefix.rsplit('-').next().unwrap_or_default()),
            Some('f') => {
                let path = if instance.is_empty() { prefix } else { instance };
                out.push('/');
                out.push_str(&path.replace('-', "/"));
            }
            Some('%') => out.push('%'),
            Some('t') => out.push_str("/run"),
            Some('S') => out.push_str("/var/lib"),
            Some('E') => out.push_str("/etc"),
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}

#[cfg(test)]
mod tests;
