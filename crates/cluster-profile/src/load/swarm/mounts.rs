//! The mounts and environment variables of services.

use crate::{
    load::fields::{Fields, Problems, Spanned, is_yes, scalar},
    swarm::{Mount, MountKind},
    yaml::{Kind, Value},
};

/// Reads one entry of a service's `mounts`.
pub(super) fn mount(value: Value, problems: &Problems) -> Option<Mount> {
    let mut fields = Fields::of(value, "a mount", problems)?;
    let place = fields.place();
    let kind = fields.scalar("type").map(|at| match at.value.as_str() {
        "bind" => Some(MountKind::Bind),
        "volume" => Some(MountKind::Volume),
        "tmpfs" => Some(MountKind::Tmpfs),
        other => {
            let help = "write `bind` (a path on the node), `volume` or `tmpfs` (memory)";
            problems.add(&at.place, format!("{other:?} is not a type of mount"), help);
            None
        }
    });
    let source = fields.scalar("source");
    let target = fields.require_scalar("target", "target: /data");
    let read_only = fields.scalar("read_only").map(|at| boolean(&at, problems));
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
            problems.add(&place, "a bind mount has no `source`", help);
            return None;
        }
        (MountKind::Volume, Some(source)) => Some(volume(source, problems)?),
        (MountKind::Volume, None) => None,
        (MountKind::Tmpfs, None) => None,
        (MountKind::Tmpfs, Some(source)) => {
            let help = "remove `source`";
            problems.add(&source.place, "a tmpfs mount cannot have a `source`", help);
            return None;
        }
    };
    Some(Mount { kind, source, target, read_only: read_only.unwrap_or(Some(false))? })
}

fn boolean(at: &Spanned<String>, problems: &Problems) -> Option<bool> {
    match at.value.as_str() {
        yes if is_yes(yes) => Some(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        other => {
            let help = "write `true` or `false`";
            problems.add(&at.place, format!("{other:?} is neither true nor false"), help);
            None
        }
    }
}

/// Reads an absolute path that `docker service create --mount` accepts. Its syntax cannot
/// quote a comma.
fn path(at: &Spanned<String>, problems: &Problems) -> Option<String> {
    let path = &at.value;
    let odd = |c: char| c.is_control() || matches!(c, ',' | '"');
    if !path.starts_with('/') || path.contains(odd) {
        let message = format!("{path:?} cannot be mounted");
        problems.add(&at.place, message, "write an absolute path without commas or quotes");
        return None;
    }
    Some(path.clone())
}

fn volume(at: Spanned<String>, problems: &Problems) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let first = at.value.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if !first || !at.value.chars().all(fits) {
        let message = format!("{:?} is not the name of a volume", at.value);
        let help = "use letters, digits, dots and hyphens; a path on the node starts with /";
        problems.add(&at.place, message, help);
        return None;
    }
    Some(at.value)
}

/// Reads a service's `env`: a mapping of names to values.
pub(super) fn env(value: Value, problems: &Problems) -> Vec<(String, String)> {
    let Kind::Map(entries) = value.kind else {
        let message =
            format!("`env` must be a mapping of names to values, not {}", value.kind.describe());
        problems.add(&value.place, message, "write {NAME: value}");
        return Vec::new();
    };
    let mut env = Vec::new();
    for (key, value) in entries {
        let digit_first = key.name.starts_with(|c: char| c.is_ascii_digit());
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if key.name.is_empty() || digit_first || !key.name.chars().all(fits) {
            let message = format!("{:?} is not the name of a variable", key.name);
            problems.add(&key.place, message, "use letters, digits and _");
        } else if let Some(value) = scalar(value, "env", problems) {
            if value.value.contains(['\n', '\0']) {
                let message = "the value of a variable cannot have more than one line";
                problems.add(&value.place, message, "");
            } else {
                env.push((key.name, value.value));
            }
        }
    }
    env
}
