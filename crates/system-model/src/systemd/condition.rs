//! `Condition…=` and `Assert…=` (systemd.unit(5)), as far as the image decides them.

use super::unit_file::{UnitText, is_true};
use crate::{FileKind, Location, SystemError, SystemFiles, command_line::CommandLines, glob};

/// What is known of the conditions of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConditionState {
    /// The unit has none, or all hold.
    Holds,
    /// One does not hold: the unit does nothing.
    Fails(Location),
    /// One depends on the running system (hardware, /run, …), so the unit may run.
    Open(Location),
}

/// What conditions are judged by.
pub(crate) struct Facts<'a> {
    pub(crate) files: &'a dyn SystemFiles,
    pub(crate) command_lines: &'a CommandLines,
    pub(crate) first_boot: bool,
}

/// Directories whose contents are made when the system runs.
const VOLATILE: [&str; 5] = ["/run/", "/proc/", "/sys/", "/dev/", "/tmp/"];

pub(crate) fn judge(unit: &UnitText, facts: &Facts<'_>) -> Result<ConditionState, SystemError> {
    for prefix in ["Assert", "Condition"] {
        let state = judge_kind(unit, prefix, facts)?;
        if state != ConditionState::Holds {
            return Ok(state);
        }
    }
    Ok(ConditionState::Holds)
}

fn judge_kind(
    unit: &UnitText,
    prefix: &str,
    facts: &Facts<'_>,
) -> Result<ConditionState, SystemError> {
    // An empty assignment of any condition takes back those of every kind.
    let mut list = Vec::new();
    for one in unit.assignments.iter().filter(|a| a.section == "Unit") {
        if let Some(kind) = one.key.strip_prefix(prefix) {
            if one.value.is_empty() { list.clear() } else { list.push((kind, one)) }
        }
    }
    let mut open = None;
    let mut triggers: Option<ConditionState> = None;
    for (kind, one) in list {
        let (trigger, value) = match one.value.strip_prefix('|') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, one.value.as_str()),
        };
        let (negated, value) = match value.strip_prefix('!') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, value),
        };
        let holds = decide(kind, value, facts)?.map(|holds| holds != negated);
        let here = || one.location.clone();
        if trigger {
            triggers = Some(match (triggers, holds) {
                (Some(ConditionState::Holds), _) | (_, Some(true)) => ConditionState::Holds,
                (Some(ConditionState::Open(at)), _) => ConditionState::Open(at),
                (_, None) => ConditionState::Open(here()),
                (Some(failed), Some(false)) => failed,
                (None, Some(false)) => ConditionState::Fails(here()),
            });
        } else {
            match holds {
                Some(true) => {}
                Some(false) => return Ok(ConditionState::Fails(here())),
                None => open = open.or_else(|| Some(here())),
            }
        }
    }
    Ok(match (triggers, open) {
        (Some(ConditionState::Fails(at)), _) => ConditionState::Fails(at),
        (_, Some(at)) => ConditionState::Open(at),
        (Some(state), None) => state,
        (None, None) => ConditionState::Holds,
    })
}

/// Returns whether a condition holds, or `None` where the image does not decide it.
fn decide(kind: &str, value: &str, facts: &Facts<'_>) -> Result<Option<bool>, SystemError> {
    let files = facts.files;
    let volatile = VOLATILE.iter().any(|directory| value.starts_with(directory));
    if volatile && (kind.starts_with("Path") || kind.contains("File") || kind.contains("Directory"))
    {
        return Ok(None);
    }
    if value.contains('%') {
        return Ok(None);
    }
    let kind_of = |path: &str| files.metadata(path);
    Ok(Some(match kind {
        "PathExists" => kind_of(value)?.is_some_and(|meta| meta.kind != FileKind::Symlink),
        "PathExistsGlob" => glob::exists(files, value)?,
        "PathIsDirectory" => kind_of(value)?.is_some_and(|meta| meta.kind == FileKind::Directory),
        "PathIsSymbolicLink" => files.read_link(value)?.is_some(),
        "FileNotEmpty" => {
            kind_of(value)?.is_some_and(|meta| meta.kind == FileKind::Regular && meta.size > 0)
        }
        "FileIsExecutable" => kind_of(value)?
            .is_some_and(|meta| meta.kind == FileKind::Regular && meta.mode & 0o111 != 0),
        "DirectoryNotEmpty" => files.list(value)?.is_some_and(|names| !names.is_empty()),
        "KernelCommandLine" => {
            if !facts.command_lines.is_known() {
                return Ok(None);
            }
            match value.split_once('=') {
                Some(_) => facts.command_lines.arguments().any(|a| a.text == value),
                None => facts.command_lines.arguments().any(|a| a.key == value),
            }
        }
        "FirstBoot" => facts.first_boot == is_true(value),
        "Null" => is_true(value),
        _ => return Ok(None),
    }))
}
