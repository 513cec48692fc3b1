//! Which units start: from the target that systemd starts, along links, dependencies, presets
//! and generators.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    Reason, StartedUnit, Systemd, UnitState, condition, environment,
    exec::unit_execs,
    fstab,
    generators::{self, Generated},
    kernel::{KernelArgument, KernelUnits},
    mount_names,
    preset::Presets,
    search::{self, Found, Search},
    specifiers::expand,
    unit_file::{self, UnitText, names},
};
use crate::{Location, SystemError, SystemFiles, command_line::CommandLines};

/// What systemd starts if it cannot start the unit that it should.
const RESCUE: &str = "rescue.target";

/// Units that are followed before a system counts as hostile.
const MAX_UNITS: usize = 20_000;

/// Targets without a file are taken to be as systemd ships them, so that a partial tree is
/// understood as well: (target, what it pulls in).
const STANDARD_TARGETS: [(&str, &[&str]); 7] = [
    ("graphical.target", &["multi-user.target"]),
    ("multi-user.target", &["basic.target", "getty.target", "remote-fs.target"]),
    (
        "basic.target",
        &["sysinit.target", "sockets.target", "timers.target", "paths.target", "slices.target"],
    ),
    ("sysinit.target", &["local-fs.target", "swap.target"]),
    ("local-fs.target", &["local-fs-pre.target"]),
    (RESCUE, &["sysinit.target", "rescue.service"]),
    ("emergency.target", &["emergency.service"]),
];

/// The unit to start: the one that the kernel's command line names, or else default.target.
/// Without it, or if it is masked, systemd starts its rescue target.
fn default_target(
    search: &Search<'_>,
    kernel: &KernelUnits,
) -> Result<(String, Option<KernelArgument>), SystemError> {
    let (named, argument) = match &kernel.default {
        Some((unit, argument)) => (unit.as_str(), Some(argument.clone())),
        None => ("default.target", None),
    };
    let name = search.canonical(named);
    let is_standard = STANDARD_TARGETS.iter().any(|(target, _)| *target == name);
    let name = match search.find(&name)? {
        Found::Missing if name == "default.target" => "graphical.target".to_owned(),
        // As the files of a partial tree have it, and not systemd itself.
        Found::Missing if argument.is_none() || is_standard => name,
        Found::Masked(_) | Found::MaskedByArgument(_) | Found::Missing => RESCUE.to_owned(),
        Found::File(_) => name,
    };
    Ok((name, argument))
}

/// The run through the units.
pub(super) struct Start<'a> {
    search: Search<'a>,
    lines: &'a CommandLines,
    kernel: KernelUnits,
    first_boot: bool,
    /// Units that presets enable: the unit that pulls them in to (unit, rule).
    presets: BTreeMap<String, Vec<(String, Option<Location>)>>,
    generated: Vec<Generated>,
    units: BTreeMap<String, StartedUnit>,
    order: Vec<String>,
    queue: VecDeque<(String, Reason)>,
}

impl<'a> Start<'a> {
    pub fn new(
        files: &'a dyn SystemFiles,
        lines: &'a CommandLines,
        first_boot: bool,
    ) -> Result<Self, SystemError> {
        let kernel = KernelUnits::read(lines);
        let search = Search::read(files, &kernel)?;
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
        generated.extend(fstab::generated(files, lines)?);
        Ok(Start {
            search,
            lines,
            kernel,
            first_boot,
            presets,
            generated,
            units: BTreeMap::new(),
            order: Vec::new(),
            queue: VecDeque::new(),
        })
    }

    pub fn run(mut self) -> Result<Systemd, SystemError> {
        let (target, target_argument) = default_target(&self.search, &self.kernel)?;
        self.queue.push_back((target.clone(), Reason::DefaultTarget));
        // The generator makes links for the unit that was to start, whatever starts instead.
        let named = self.kernel.default.as_ref().map_or("default.target", |(unit, _)| unit);
        if target != RESCUE || self.search.canonical(named) == RESCUE {
            for (unit, argument) in self.kernel.wants.clone() {
                if !self.is_kept_off(&unit, &target)? {
                    self.queue.push_back((unit, Reason::Argument(argument)));
                }
            }
        }
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
                Found::MaskedByArgument(argument) => UnitState::MaskedByArgument(argument),
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
            target_argument,
            started,
            known,
            aliases,
            persistent,
        })
    }

    /// Returns whether a unit that the kernel's command line wants is not started with a target:
    /// sysinit.target, which most units need, conflicts with the emergency target; and a link to
    /// /dev/null for the target's own name outranks the generator's for default.target.
    fn is_kept_off(&self, unit: &str, target: &str) -> Result<bool, SystemError> {
        if target == "emergency.target" {
            let name = self.search.canonical(unit);
            let Found::File(path) = self.search.find(&name)? else { return Ok(true) };
            let (text, _) = self.search.load(&name, Some(&path))?;
            let by_default = text.last("Unit", "DefaultDependencies");
            return Ok(by_default.is_none_or(|one| unit_file::is_true(&one.value)));
        }
        Ok(self.kernel.default.is_none() && self.search.hides(target, unit))
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
        // A masked unit that is required fails the job, seen with local-fs.target and fstab.
        let required = self.generated.iter().filter(|one| one.target == name && one.is_required);
        for one in required {
            let found = self.search.find(&one.name)?;
            if matches!(found, Found::Masked(_) | Found::MaskedByArgument(_)) {
                return Ok(());
            }
        }
        let mut execs = Vec::new();
        let mut is_generated = false;
        for one in self.generated.iter().filter(|one| one.name == name) {
            execs.extend(one.execs.iter().cloned());
            is_generated |= one.is_unit;
        }
        let file = match self.search.find(&name)? {
            Found::Masked(_) | Found::MaskedByArgument(_) => return Ok(()),
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
        let unit = StartedUnit {
            environment: environment::variables(&name, &text, self.search.files)?,
            directory: environment::directory(&name, &text),
            name: name.clone(),
            file,
            drop_ins,
            execs,
            reasons: vec![reason],
            condition,
        };
        self.order.push(name.clone());
        self.units.insert(name, unit);
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
        self.follow_mounts(name, text);
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
            // Its links come last.
            if one.by == generators::SYSV && self.search.hides(name, &one.name) {
                continue;
            }
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
        let kinds = [".service", ".socket", ".timer", ".path"];
        if by_default && kinds.iter().any(|kind| name.ends_with(kind)) {
            let location = Location::new("systemd.special(7)", 0);
            let reason = Reason::Dependency { unit: name.to_owned(), location };
            self.queue.push_back(("sysinit.target".to_owned(), reason));
        }
        Ok(())
    }

    /// Queues the mounts on the way to paths that a unit needs. Those without a unit are not
    /// started, as with any other name.
    fn follow_mounts(&mut self, name: &str, text: &UnitText) {
        let mut wanted: Vec<(String, Location)> = Vec::new();
        if let Some(stem) = name.strip_suffix(".mount") {
            // The parents of its own directory.
            let point = mount_names::unescaped(stem);
            let parent = point.rsplit_once('/').map_or("", |(parent, _)| parent);
            wanted.push((parent.to_owned(), Location::new("systemd.mount(5)", 0)));
        }
        // The last two imply the first.
        let keys = [
            ("Unit", "RequiresMountsFor"),
            ("Unit", "WantsMountsFor"),
            ("Service", "WorkingDirectory"),
            ("Service", "RootDirectory"),
        ];
        for one in keys.iter().flat_map(|(section, key)| text.all(section, key)) {
            let paths = names(&one.value);
            let paths = paths.map(|path| expand(path.trim_start_matches('-'), name));
            wanted.extend(paths.map(|path| (path, one.location.clone())));
        }
        for (path, location) in wanted {
            let Some(path) = mount_names::simplified(&path).filter(|path| path != "/") else {
                continue;
            };
            let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
            for end in ends {
                let unit = mount_names::escaped(path.get(..end).unwrap_or_default());
                let reason =
                    Reason::Dependency { unit: name.to_owned(), location: location.clone() };
                self.queue.push_back((format!("{unit}.mount"), reason));
            }
        }
    }

    /// Queues what a socket, timer or path unit starts, and a service's sockets.
    fn activate(&mut self, name: &str, text: &UnitText) {
        let Some((stem, suffix)) = name.rsplit_once('.') else { return };
        let (section, key) = match suffix {
            "socket" => ("Socket", "Service"),
            "timer" => ("Timer", "Unit"),
            "path" => ("Path", "Unit"),
            "automount" => {
                let reason = Reason::Activation { unit: name.to_owned() };
                self.queue.push_back((format!("{stem}.mount"), reason));
                return;
            }
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
