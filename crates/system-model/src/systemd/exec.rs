//! The commands of a unit (systemd.service(5), "COMMAND LINES").

use super::{specifiers::expand, unit_file::UnitText};
use crate::Location;

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

/// Returns the commands of a unit.
pub(super) fn unit_execs(name: &str, text: &UnitText) -> Vec<Exec> {
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
