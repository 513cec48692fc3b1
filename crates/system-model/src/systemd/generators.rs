//! Units that generators make when systemd starts: rc.local, System V scripts, consoles.

use std::collections::BTreeMap;

use super::search::{Found, Search};
use crate::{Exec, FileKind, Location, SystemError, command_line::CommandLines};

/// The generator of System V scripts.
pub(crate) const SYSV: &str = "systemd-sysv-generator";

/// A unit that a generator makes, and what pulls it in.
pub(crate) struct Generated {
    pub(crate) name: String,
    pub(crate) by: &'static str,
    /// Empty if only other units can pull it in.
    pub(crate) target: String,
    /// Whether it makes the unit, and not only what pulls it in.
    pub(crate) is_unit: bool,
    /// Whether the target does not start without it.
    pub(crate) is_required: bool,
    /// Commands, where no unit file has them.
    pub(crate) execs: Vec<Exec>,
    /// The links that make a generator act, for System V scripts.
    pub(crate) links: Vec<String>,
}

fn executable(search: &Search<'_>, path: &str) -> Result<bool, SystemError> {
    let meta = search.files.metadata(path)?;
    Ok(meta.is_some_and(|meta| meta.kind == FileKind::Regular && meta.mode & 0o111 != 0))
}

/// systemd-rc-local-generator(8).
pub(crate) fn rc_local(search: &Search<'_>) -> Result<Option<Generated>, SystemError> {
    const SCRIPT: &str = "/etc/rc.local";
    if !executable(search, SCRIPT)? {
        return Ok(None);
    }
    let execs = match search.find("rc-local.service")? {
        Found::Missing => vec![Exec {
            directive: "ExecStart".to_owned(),
            command: format!("{SCRIPT} start"),
            location: Location::new(SCRIPT, 0),
        }],
        _ => Vec::new(),
    };
    Ok(Some(Generated {
        name: "rc-local.service".to_owned(),
        by: "systemd-rc-local-generator",
        target: "multi-user.target".to_owned(),
        is_unit: !execs.is_empty(),
        is_required: false,
        execs,
        links: Vec::new(),
    }))
}

/// systemd-sysv-generator(8) and its src/sysv-generator/sysv-generator.c (`rcnd_table`), with
/// Debian's addition of rcS.d. A script whose name a native
/// unit has, even a masked one, is left alone.
pub(crate) fn sysv(search: &Search<'_>) -> Result<Vec<Generated>, SystemError> {
    let mut units: BTreeMap<String, Generated> = BTreeMap::new();
    for (level, target) in [
        ("rcS.d", "sysinit.target"),
        ("rc1.d", "rescue.target"),
        ("rc2.d", "multi-user.target"),
        ("rc3.d", "multi-user.target"),
        ("rc4.d", "multi-user.target"),
        ("rc5.d", "graphical.target"),
    ] {
        let directory = format!("/etc/{level}");
        for link in search.files.list(&directory)?.unwrap_or_default() {
            let Some(script) = script_of(&link) else { continue };
            let name = format!("{}.service", script.strip_suffix(".sh").unwrap_or(script));
            let path = format!("{directory}/{link}");
            if let Some(unit) = units.get_mut(&name) {
                unit.links.push(path);
                continue;
            }
            // The link's target is what runs; generators look for /etc/init.d/NAME.
            let file = format!("/etc/init.d/{script}");
            if search.find(&search.canonical(&name))? != Found::Missing
                || !executable(search, &file)?
            {
                continue;
            }
            let unit = sysv_unit(&name, &file, target, vec![path]);
            units.insert(name, unit);
        }
    }
    // A script without links becomes a unit as well, which others may want.
    for script in search.files.list("/etc/init.d")?.unwrap_or_default() {
        let name = format!("{}.service", script.strip_suffix(".sh").unwrap_or(&script));
        let file = format!("/etc/init.d/{script}");
        if units.contains_key(&name)
            || search.find(&search.canonical(&name))? != Found::Missing
            || !executable(search, &file)?
        {
            continue;
        }
        let unit = sysv_unit(&name, &file, "", Vec::new());
        units.insert(name, unit);
    }
    Ok(units.into_values().collect())
}

fn sysv_unit(name: &str, script: &str, target: &str, links: Vec<String>) -> Generated {
    let execs = vec![Exec {
        directive: "ExecStart".to_owned(),
        command: format!("{script} start"),
        location: Location::new(script, 0),
    }];
    let (name, target) = (name.to_owned(), target.to_owned());
    Generated { name, by: SYSV, target, is_unit: true, is_required: false, execs, links }
}

/// Returns `NAME` of a start link `S01NAME`.
pub(crate) fn script_of(link: &str) -> Option<&str> {
    let rest = link.strip_prefix('S')?;
    let digits = rest.get(..2)?;
    (digits.bytes().all(|b| b.is_ascii_digit()) && rest.len() > 2).then(|| &rest[2..])
}

/// cloud-init-generator, which links cloud-init.target unless cloud-init is off.
pub(crate) fn cloud_init(
    search: &Search<'_>,
    command_lines: &CommandLines,
) -> Result<Option<Generated>, SystemError> {
    let mut there = false;
    for directory in ["/lib", "/usr/lib"] {
        let path = format!("{directory}/systemd/system-generators/cloud-init-generator");
        there |= search.files.exists(&path)?;
    }
    let argument = command_lines.last("cloud-init").and_then(|one| one.value.clone());
    let off = match argument.as_deref() {
        Some("disabled") => true,
        Some("enabled") => false,
        _ => {
            !search.files.exists("/etc/cloud/cloud-init.enabled")?
                && search.files.exists("/etc/cloud/cloud-init.disabled")?
        }
    };
    Ok((there && !off).then(|| Generated {
        name: "cloud-init.target".to_owned(),
        by: "cloud-init-generator",
        target: "multi-user.target".to_owned(),
        is_unit: false,
        is_required: false,
        execs: Vec::new(),
        links: Vec::new(),
    }))
}

/// systemd-getty-generator(8): a serial getty for each console of the command line.
pub(crate) fn consoles(command_lines: &CommandLines) -> Vec<Generated> {
    let mut units: Vec<Generated> = Vec::new();
    for argument in command_lines.arguments().filter(|argument| argument.key == "console") {
        let tty = argument.value.as_deref().unwrap_or_default();
        let tty = tty.split(',').next().unwrap_or_default();
        let virtual_console =
            tty.strip_prefix("tty").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
        let known = tty.chars().all(|c| c.is_ascii_alphanumeric());
        if tty.is_empty() || virtual_console || !known || tty == "null" {
            continue;
        }
        // The firmware of a Raspberry Pi replaces serial0.
        let tty = if tty == "serial0" { "ttyS0" } else { tty };
        let name = format!("serial-getty@{tty}.service");
        if units.iter().all(|unit| unit.name != name) {
            let by = "systemd-getty-generator";
            let target = "getty.target".to_owned();
            let (execs, links) = (Vec::new(), Vec::new());
            units.push(Generated {
                name,
                by,
                target,
                is_unit: false,
                is_required: false,
                execs,
                links,
            });
        }
    }
    units
}
