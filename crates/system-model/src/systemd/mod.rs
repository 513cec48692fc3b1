//! What systemd starts at boot, from unit files, links and the kernel command line.
//!
//! Sources: systemd.unit(5), systemd.special(7), systemd.preset(5), machine-id(5),
//! systemd-sysv-generator(8), systemd-rc-local-generator(8), systemd-getty-generator(8).
//! Left out, since the image does not decide them: units that D-Bus activates, udev's
//! `SYSTEMD_WANTS`, what a running program starts with systemctl, and other generators.

mod condition;
mod environment;
mod exec;
mod fstab;
mod generators;
mod kernel;
mod mount_names;
mod not_started;
mod preset;
mod search;
mod specifiers;
mod start;
mod unit_file;

use std::collections::{BTreeMap, BTreeSet};

pub use condition::ConditionState;
pub use exec::Exec;
pub(crate) use fstab::FstabMount;
pub use kernel::KernelArgument;
pub(crate) use mount_names::{simplified as simplified_path, unescaped as mount_point};
pub use not_started::NotStarted;
pub(crate) use specifiers::expand as expand_specifiers;
use start::Start;
pub use unit_file::Assignment;

use crate::{Disarm, Location, SystemError, SystemFiles, command_line::CommandLines};

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
    /// The kernel's command line asks for it.
    Argument(KernelArgument),
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
    /// The variables that its commands get: `Environment=` and the files of `EnvironmentFile=`.
    pub environment: Vec<(String, String)>,
    /// The directory that its commands run in.
    pub directory: String,
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
    /// `systemd.mask=` on the kernel's command line.
    MaskedByArgument(KernelArgument),
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
    target_argument: Option<KernelArgument>,
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

    /// Reads what starts at the boots after the first, with the kernel command line of the
    /// image.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_later_boots(files: &dyn SystemFiles) -> Result<Self, SystemError> {
        Systemd::read(files, &CommandLines::read(files)?, Some(false))
    }

    /// Returns the target that systemd starts.
    pub fn default_target(&self) -> &str {
        &self.default_target
    }

    /// Returns the argument of the kernel that chooses what systemd starts, if there is one.
    pub fn target_argument(&self) -> Option<&KernelArgument> {
        self.target_argument.as_ref()
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

    /// Returns a value of a unit with the specifiers that its name decides replaced.
    pub(crate) fn expanded(&self, value: &str, unit: &str) -> String {
        specifiers::expand(value, unit)
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

#[cfg(test)]
mod tests;
