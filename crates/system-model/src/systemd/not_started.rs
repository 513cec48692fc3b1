//! Why a unit does not start.

use std::fmt;

use super::{ConditionState, KernelArgument, Systemd, UnitState};
use crate::Location;

/// The target that has what a system usually starts.
const USUAL: &str = "multi-user.target";

/// Why a unit does not start at boot. `Display` says it in words that follow the unit's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotStarted {
    /// A link to /dev/null, or an empty file, at this path.
    Masked(String),
    /// `systemd.mask=` on the kernel's command line.
    MaskedByArgument(KernelArgument),
    /// One of its conditions fails.
    Condition(Location),
    /// The system boots to a target that does not lead to multi-user.target.
    OtherTarget {
        /// The target.
        target: String,
        /// The argument of the kernel that chooses it.
        argument: Option<KernelArgument>,
    },
    /// Nothing pulls it in.
    NotEnabled,
}

impl Systemd {
    /// Returns why a unit does not start, or `None` if it does.
    pub fn why_not_started(&self, unit: &str) -> Option<NotStarted> {
        if self.running(unit).is_some() {
            return None;
        }
        match self.state(unit) {
            UnitState::MaskedByArgument(argument) => {
                return Some(NotStarted::MaskedByArgument(argument));
            }
            UnitState::Masked(path) => return Some(NotStarted::Masked(path)),
            _ => {}
        }
        let name = self.aliases.get(unit).map_or(unit, String::as_str);
        let found = self.started.iter().find(|unit| unit.name == name);
        if let Some(ConditionState::Fails(at)) = found.map(|unit| &unit.condition) {
            return Some(NotStarted::Condition(at.clone()));
        }
        if self.running(USUAL).is_none() {
            let (target, argument) = (self.default_target.clone(), self.target_argument.clone());
            return Some(NotStarted::OtherTarget { target, argument });
        }
        Some(NotStarted::NotEnabled)
    }
}

impl NotStarted {
    /// Returns whether an argument of the kernel is the reason.
    pub fn is_by_argument(&self) -> bool {
        self.argument().is_some()
    }

    fn argument(&self) -> Option<&KernelArgument> {
        match self {
            NotStarted::MaskedByArgument(argument) => Some(argument),
            NotStarted::OtherTarget { argument, .. } => argument.as_ref(),
            _ => None,
        }
    }

    /// Returns the file that says so.
    pub fn location(&self) -> Option<Location> {
        match self {
            NotStarted::Masked(path) => Some(Location::new(path, 0)),
            NotStarted::Condition(at) => Some(at.clone()),
            other => other.argument().map(|argument| argument.location.clone()),
        }
    }

    /// Returns what to do about it.
    pub fn fix(&self, unit: &str) -> String {
        match self {
            NotStarted::Masked(_) => format!("run `systemctl unmask {unit}` in the base image"),
            NotStarted::Condition(at) => {
                format!("let the condition hold, or remove it ({at}) in the base image")
            }
            NotStarted::NotEnabled => format!("run `systemctl enable {unit}` in the base image"),
            other => match other.argument() {
                Some(argument) => format!(
                    "set `boot: {{cmdline: {{remove: ['{}']}}}}` in the profile",
                    argument.text
                ),
                None => format!("run `systemctl set-default {USUAL}` in the base image"),
            },
        }
    }
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotStarted::Masked(path) => write!(f, "is masked ({path})"),
            NotStarted::MaskedByArgument(KernelArgument { text, location }) => {
                write!(f, "is masked by `{text}` ({location})")
            }
            NotStarted::Condition(at) => write!(f, "has a condition that fails ({at})"),
            NotStarted::OtherTarget { target, argument: Some(argument) } => {
                let KernelArgument { text, location } = argument;
                write!(f, "is not a part of {target}, to which `{text}` boots ({location})")
            }
            NotStarted::OtherTarget { target, argument: None } => {
                write!(f, "is not a part of {target}, to which the system boots")
            }
            NotStarted::NotEnabled => f.write_str("is not enabled"),
        }
    }
}
