//! What services mount, and the variables they are given.

use crate::{
    load::fields::{At, Fields, Problems, scalar},
    swarm::{Mount, MountKind},
    yaml::{Kind, Value},
};

/// One entry of a service's `mounts`.
pub(super) fn mount(value: Value, problems: &Problems) -> Option<Mount> {
    let mut fields = Fields::of(value, "a mount", problems)?;
    let start = fields.start();
    let kind = fields.scalar("type").map(|at| match at.value.as_str() {
        "bind" => Some(MountKind::Bind),
        "volume" => Some(MountKind::Volume),
        "tmpfs" => Some(MountKind::Tmpfs),
        other => {
            let help = "`bind` (a path of the node), `volume` or `tmpfs` (memory)";
            problems.add(&at.place, format!("{other:?} is no type of mount"), help);
            None
        }
    });
    let source = fields.scalar("source");
    let target = fields.require_scalar("target", "target: /data");
    let read_only = fields.scalar("read_only").map(|at| truth(&at, problems));
    fields.finish();
    let target = path(&target?, problems)?;
    let by_source = match &source {
        Some(source) if source.value.starts_with('/') => MountKind::Bind,
        _ => MountKind::Volume,
    };
    let kind = kind.unwrap_or(Some(by_source))?;
    let source = match (kind, source) {
        (MountKind::Bind, Some(source)) => Some(path(&source, problems)?),
        (MountKind::Bind, None) => {
            let help = "add `source: PATH`, or write `type: volume`";
            problems.add(&start, "a bind mount has no `source`", help);
            return None;
        }
        (MountKind::Volume, Some(source)) => Some(volume(source, problems)?),
        (MountKind::Volume, None) => None,
        (MountKind::Tmpfs, None) => None,
        (MountKind::Tmpfs, Some(source)) => {
            problems.add(&source.place, "memory has no `source`", "remove the key");
            return None;
        }
    };
    Some(Mount { kind, source, target, read_only: read_only.unwrap_or(Some(false))? })
}

fn truth(at: &At<String>, problems: &Problems) -> Option<bool> {
    match at.value.as_str() {
        "true" => Some(true),
        "false" => Some(false),
        other => {
            problems.add(&at.place, format!("{other:?} is neither true nor false"), "write true");
            None
        }
    }
}

/// An absolute path that survives Docker's own syntax, which has no way to quote a comma.
fn path(at: &At<String>, problems: &Problems) -> Option<String> {
    let path = &at.value;
    let odd = |c: char| c.is_control() || matches!(c, ',' | '"');
    if !path.starts_with('/') || path.contains(odd) {
        let message = format!("{path:?} cannot be mounted");
        problems.add(&at.place, message, "write an absolute path without commas and quotes");
        return None;
    }
    Some(path.clone())
}

fn volume(at: At<String>, problems: &Problems) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let first = at.value.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if !first || !at.value.chars().all(fits) {
        let message = format!("{:?} is no volume's name", at.value);
        let help = "write letters, digits, dots, hyphens; a path of the node begins with /";
        problems.add(&at.place, message, help);
        return None;
    }
    Some(at.value)
}

/// A service's `env`: a mapping of names to values.
pub(super) fn env(value: Value, problems: &Problems) -> Vec<(String, String)> {
    let Kind::Map(entries) = value.kind else {
        let message =
            format!("`env` is a mapping of names to values, not {}", value.kind.describe());
        problems.add(&value.place, message, "write it as {NAME: value}");
        return Vec::new();
    };
    let mut env = Vec::new();
    for (key, value) in entries {
        let digit_first = key.name.starts_with(|c: char| c.is_ascii_digit());
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if key.name.is_empty() || digit_first || !key.name.chars().all(fits) {
            let message = format!("{:?} is no variable's name", key.name);
            problems.add(&key.place, message, "write letters, digits and _");
        } else if let Some(value) = scalar(value, "env", problems) {
            if value.value.contains(['\n', '\0']) {
                problems.add(&value.place, "a variable's value is one line", "");
            } else {
                env.push((key.name, value.value));
            }
        }
    }
    env
}
