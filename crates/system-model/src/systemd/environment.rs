//! What the commands of a unit start with (systemd.exec(5)): variables, and a directory.

use super::{specifiers::expand, unit_file::UnitText};
use crate::{
    SystemError, SystemFiles,
    service_command::{self, EnvironmentLines},
};

/// Returns the variables of a unit.
///
/// # Errors
/// [`SystemError`] if a file cannot be read.
pub(super) fn variables(
    name: &str,
    text: &UnitText,
    files: &dyn SystemFiles,
) -> Result<Vec<(String, String)>, SystemError> {
    let lines =
        |key| text.list("Service", key).iter().map(|one| expand(&one.value, name)).collect();
    let lines = EnvironmentLines {
        set: lines("Environment"),
        files: lines("EnvironmentFile"),
        unset: lines("UnsetEnvironment"),
    };
    service_command::environment(files, &lines)
}

/// Returns the directory that a unit's commands run in.
pub(super) fn directory(name: &str, text: &UnitText) -> String {
    let value = text.last("Service", "WorkingDirectory").map(|one| one.value.as_str());
    match value.map(|value| value.trim_start_matches('-')) {
        Some("~") => "/root".to_owned(),
        Some(path) if path.starts_with(['/', '%']) => expand(path, name),
        _ => "/".to_owned(),
    }
}
