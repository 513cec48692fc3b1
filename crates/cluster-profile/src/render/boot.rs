//! The kernel command line and the Raspberry Pi's config.txt.

mod raspi_firmware;

use system_model::{CommandLineFormat, CommandLines, edit_command_line};

use super::{RenderError, context::Context, text};
use crate::{Attributes, BootPart, Change, Note, Purpose};

const COMMAND_LINE: Purpose = Purpose::Boot(BootPart::CommandLine);
const CONFIG: Purpose = Purpose::Boot(BootPart::Config);

/// Keys of config.txt that each line adds to. Of other keys the last line counts.
const REPEATED: [&str; 5] = ["dtoverlay", "dtparam", "gpio", "include", "initramfs"];

/// Arguments without which the Raspberry Pi's kernels leave the memory cgroup off, which
/// Docker needs for limits.
const MEMORY_CGROUP: [&str; 2] = ["cgroup_enable=memory", "cgroup_memory=1"];

/// Variable files to which arguments can be added where no file has any yet.
const ENVIRONMENTS: [&str; 4] = ["armbianEnv.txt", "orangepiEnv.txt", "dietpiEnv.txt", "uEnv.txt"];

/// Makes the profile's changes to boot files. It comes after what disarms programs there.
pub(super) fn write(to: &mut Context<'_>) -> Result<(), RenderError> {
    let cluster = to.cluster;
    let boot = &cluster.boot;
    if !boot.add.is_empty() || !boot.remove.is_empty() || cluster.swarm.is_some() {
        to.go_on(command_line)?;
    }
    if !boot.config.is_empty() {
        let path = config_txt(to)?.ok_or(RenderError::NoConfigTxt)?;
        let old = current(to, &path)?.unwrap_or_default();
        let new = boot
            .config
            .iter()
            .fold(text::decode(&old), |text, (key, values)| set(&text, key, values));
        write_if_changed(to, CONFIG, path, &old, text::encode(&new));
        raspi_firmware::keep_config(to)?;
    }
    Ok(())
}

/// Returns a file's contents after the edits so far.
fn current(from: &Context<'_>, path: &str) -> Result<Option<Vec<u8>>, RenderError> {
    let edits = from.rendered.edits.iter().rev();
    let written = edits.filter(|edit| edit.path == path).find_map(|edit| match &edit.change {
        Change::Write { contents, .. } => Some(contents.clone()),
        _ => None,
    });
    Ok(match written {
        Some(contents) => Some(contents),
        None => from.system.read(path)?,
    })
}

fn write_if_changed(
    to: &mut Context<'_>,
    purpose: Purpose,
    path: String,
    old: &[u8],
    new: Vec<u8>,
) {
    if old != new {
        to.write(purpose, path, new, Attributes::root(0o644));
    }
}

fn command_line(to: &mut Context<'_>) -> Result<(), RenderError> {
    let boot = &to.cluster.boot;
    let lines = CommandLines::read(to.system)?;
    let mut add: Vec<&str> = boot.add.iter().map(String::as_str).collect();
    if to.cluster.swarm.is_some() && is_raspberry_pi(to, &lines)? {
        let wanted = MEMORY_CGROUP.iter().filter(|one| {
            let removed = boot.remove.iter().any(|r| r == *one);
            !removed && !add.contains(one)
        });
        add.extend(wanted.copied().collect::<Vec<_>>());
    }
    let remove: Vec<&str> = boot.remove.iter().map(String::as_str).collect();
    if add.is_empty() && remove.is_empty() {
        return Ok(());
    }
    let is_script =
        |format: &CommandLineFormat| matches!(format, CommandLineFormat::BootScript { .. });
    let mut paths: Vec<String> = Vec::new();
    for line in lines.counting() {
        if is_script(&line.format) {
            let goes = |argument: &&system_model::Argument| {
                remove.iter().any(|one| argument.text == *one || argument.key == *one)
            };
            if let Some(argument) = line.arguments.iter().find(goes) {
                let (argument, path) = (argument.text.clone(), line.path.clone());
                to.note(Note::ArgumentStays { argument, path });
            }
        } else if !paths.contains(&line.path) {
            paths.push(line.path.clone());
        }
    }
    if paths.is_empty() {
        paths.extend(environment(to)?);
    }
    if paths.is_empty() {
        return Err(RenderError::NoCommandLine);
    }
    // config.ini's variables end up in the arguments that boot.ini sets.
    let has_boot_ini = paths.iter().any(|path| path.ends_with("/boot.ini"));
    for path in paths {
        let is_secondary = has_boot_ini && path.ends_with("/config.ini");
        let Some(old) = current(to, &path)? else { continue };
        let added = if is_secondary { &[] } else { add.as_slice() };
        match edit_command_line(&path, &old, added, &remove) {
            Some(new) => write_if_changed(to, COMMAND_LINE, path, &old, new),
            None => to.note(Note::NoPlaceForArguments { path }),
        }
    }
    raspi_firmware::keep_arguments(to, &add, &remove)
}

/// Returns whether the Raspberry Pi's firmware passes the command line.
fn is_raspberry_pi(from: &Context<'_>, lines: &CommandLines) -> Result<bool, RenderError> {
    for line in lines.counting().filter(|line| line.format == CommandLineFormat::Plain) {
        let directory = line.path.trim_end_matches(|c| c != '/').trim_end_matches('/');
        // Ubuntu keeps cmdline.txt in current/, below config.txt.
        let above = directory.rsplit_once('/').map_or("", |(above, _)| above);
        for directory in [directory, above] {
            if from.exists(&format!("{directory}/config.txt"))? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Returns the directories in which boot files may be.
fn directories(from: &Context<'_>) -> Vec<String> {
    let partitions = from.system.boot_partitions();
    let mut directories: Vec<String> = partitions.into_iter().map(|boot| boot.prefix).collect();
    for fixed in ["/boot/firmware", "/boot"] {
        if !directories.iter().any(|directory| directory == fixed) {
            directories.push(fixed.to_owned());
        }
    }
    directories
}

fn first_of(from: &Context<'_>, names: &[&str]) -> Result<Option<String>, RenderError> {
    for directory in directories(from) {
        for name in names {
            let path = format!("{directory}/{name}");
            if from.system.read(&path)?.is_some() {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

fn environment(from: &Context<'_>) -> Result<Option<String>, RenderError> {
    first_of(from, &ENVIRONMENTS)
}

fn config_txt(from: &Context<'_>) -> Result<Option<String>, RenderError> {
    first_of(from, &["config.txt"])
}

/// Returns the text of config.txt in which a key has these values for every board: under
/// `[all]`, or before the first filter. Lines that are there already stay where they are.
fn set(text: &str, key: &str, values: &[String]) -> String {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut lines: Vec<String> = text::lines(text).iter().map(|line| (*line).to_owned()).collect();
    let mut applies = true;
    // The lines of this key that apply to every board, with their values.
    let mut found: Vec<(usize, String)> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(filter) = line.strip_prefix('[') {
            applies = filter.starts_with("all]");
        } else if let Some((name, value)) = line.split_once('=')
            && applies
            && name.trim() == key
        {
            found.push((index, value.trim().to_owned()));
        }
    }
    let mut missing: Vec<&String> = Vec::new();
    match (values, found.as_slice()) {
        ([value], [.., (last, old)]) if !REPEATED.contains(&key) => {
            if old != value
                && let Some(line) = lines.get_mut(*last)
            {
                *line = format!("{key}={value}{}", line_end(line));
            }
        }
        _ => missing.extend(values.iter().filter(|v| !found.iter().any(|(_, old)| old == *v))),
    }
    if missing.is_empty() {
        return lines.concat();
    }
    if let Some(last) = lines.last_mut()
        && line_end(last).is_empty()
    {
        last.push_str(end);
    }
    if !applies {
        lines.push(format!("[all]{end}"));
    }
    lines.extend(missing.into_iter().map(|value| format!("{key}={value}{end}")));
    lines.concat()
}

fn line_end(line: &str) -> &'static str {
    match line {
        line if line.ends_with("\r\n") => "\r\n",
        line if line.ends_with('\n') => "\n",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str, key: &str, values: &[&str]) -> String {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        let once = set(text, key, &values);
        assert_eq!(set(&once, key, &values), once, "a second time changes something");
        once
    }

    #[test]
    fn one_key_changes_and_everything_else_stays() {
        assert_eq!(with("", "a", &["1"]), "a=1\n");
        assert_eq!(with("# x\na=0 # old\nb=2", "a", &["1"]), "# x\na=1\nb=2");
        assert_eq!(with("a=0\na=2\n", "a", &["1"]), "a=0\na=1\n", "the last line counts");
        assert_eq!(with("b=2", "a", &["1"]), "b=2\na=1\n");
        assert_eq!(with("b=2\r\n", "a", &["1"]), "b=2\r\na=1\r\n");
        assert_eq!(with("#a=1\n", "a", &["1"]), "#a=1\na=1\n");
    }

    #[test]
    fn filters_are_left_alone() {
        let text = "a=0\n[pi4]\na=4\n";
        assert_eq!(with(text, "a", &["1"]), "a=1\n[pi4]\na=4\n");
        assert_eq!(with("[pi4]\na=4\n", "a", &["1"]), "[pi4]\na=4\n[all]\na=1\n");
        assert_eq!(with("[pi4]\na=4\n[all]\nb=1\n", "a", &["1"]), "[pi4]\na=4\n[all]\nb=1\na=1\n");
    }

    #[test]
    fn repeated_keys_have_no_doubles() {
        let text = "dtoverlay=vc4-kms-v3d\n[cm4]\ndtoverlay=dwc2\n";
        assert_eq!(
            with(text, "dtoverlay", &["vc4-kms-v3d", "dwc2"]),
            "dtoverlay=vc4-kms-v3d\n[cm4]\ndtoverlay=dwc2\n[all]\ndtoverlay=dwc2\n"
        );
        assert_eq!(
            with("dtparam=audio=on\n", "dtparam", &["i2c=on"]),
            "dtparam=audio=on\ndtparam=i2c=on\n"
        );
    }
}
