//! Programs that run at boot or at a login, and that no unit names: generators of systemd, what
//! udev's rules, ifupdown, dispatchers of the network and cron run, what systemd's own programs
//! are configured to change, and what PAM runs and a shell reads when somebody logs in.
//!
//! Sources: systemd.generator(7); udev(7), `RUN` and `PROGRAM`; interfaces(5), `up` and the others;
//! run-parts(8); bash(1), "INVOCATION".

mod cron;
mod dispatchers;
mod pam;
mod settings;

use crate::{
    Effect, FileKind, Location, Origin, Program, SystemError, SystemFiles, Systemd,
    accounts::Accounts,
    effects::{Place, Scan, Touch},
    network::Interfaces,
    search_path::unmasked,
    udev,
};

/// Where generators are; of those with one name that of the first directory counts.
const GENERATORS: [&str; 4] = [
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
    "/lib/systemd/system-generators",
];
/// What ifup runs for each interface.
const IF_UP: [&str; 2] = ["/etc/network/if-pre-up.d", "/etc/network/if-up.d"];
/// What a login shell reads for every user.
const PROFILE: [&str; 2] = ["/etc/profile", "/etc/bash.bashrc"];
/// What it reads in a home.
const IN_HOME: [&str; 6] =
    [".profile", ".bash_profile", ".bash_login", ".bashrc", ".zprofile", ".zshrc"];

/// Adds all of them that change something.
pub(crate) fn find(
    files: &dyn SystemFiles,
    systemd: &Systemd,
    programs: &mut Vec<Program>,
) -> Result<(), SystemError> {
    let mut found = Vec::new();
    generators(files, &mut found)?;
    udev(files, systemd, &mut found)?;
    ifupdown(files, systemd, &mut found)?;
    dispatchers::find(files, systemd, &mut found)?;
    cron::find(files, systemd, &mut found)?;
    settings::find(files, systemd, &mut found)?;
    pam::find(files, &mut found)?;
    logins(files, &mut found)?;
    programs.extend(found.into_iter().filter(|program| !program.touches.is_empty()));
    Ok(())
}

fn program(name: &str, origin: Origin, (touches, scripts): (Vec<Touch>, Vec<String>)) -> Program {
    Program { name: name.to_owned(), origin, scripts, touches, disarm: Vec::new() }
}

/// Reads a script, and what it runs.
pub(crate) fn of_script(
    files: &dyn SystemFiles,
    path: &str,
    origin: Origin,
) -> Result<Program, SystemError> {
    let mut scan = Scan::new(files);
    scan.script(path)?;
    Ok(program(path, origin, scan.finish()))
}

/// Reads the command of a line, and what it runs.
fn of_command(
    files: &dyn SystemFiles,
    command: &str,
    at: &Location,
    origin: Origin,
) -> Result<Program, SystemError> {
    let mut scan = Scan::new(files);
    scan.command(command, at)?;
    Ok(program(&at.to_string(), origin, scan.finish()))
}

/// Returns the scripts of a directory that run-parts runs: their names have no dot.
fn run_parts(files: &dyn SystemFiles, directory: &str) -> Result<Vec<String>, SystemError> {
    let mut scripts = Vec::new();
    for name in files.list(directory)?.unwrap_or_default() {
        let path = format!("{directory}/{name}");
        if !name.contains('.') && is_executable(files, &path)? {
            scripts.push(path);
        }
    }
    Ok(scripts)
}

pub(crate) fn is_executable(files: &dyn SystemFiles, path: &str) -> Result<bool, SystemError> {
    let found = files.metadata(path)?;
    Ok(found.is_some_and(|found| found.kind == FileKind::Regular && found.mode & 0o111 != 0))
}

fn generators(files: &dyn SystemFiles, found: &mut Vec<Program>) -> Result<(), SystemError> {
    for path in unmasked(files, &GENERATORS, "")?.into_values() {
        if is_executable(files, &path)? {
            found.push(of_script(files, &path, Origin::Generator)?);
        }
    }
    Ok(())
}

fn udev(
    files: &dyn SystemFiles,
    systemd: &Systemd,
    found: &mut Vec<Program>,
) -> Result<(), SystemError> {
    if systemd.running("systemd-udevd.service").is_none()
        && systemd.running("systemd-udev-trigger.service").is_none()
        && !files.exists("/etc/udev/rules.d")?
    {
        return Ok(());
    }
    for path in unmasked(files, &udev::RULES, ".rules")?.into_values() {
        let text = files.read_text(&path)?.unwrap_or_default();
        for (begins, line) in udev::rules(&text) {
            let at = Location::new(&path, begins);
            let mut scan = Scan::new(files);
            for command in commands_of_rule(&line) {
                // A name without a directory is one of udev's own programs.
                let command = if command.starts_with('/') {
                    command
                } else {
                    format!("/usr/lib/udev/{command}")
                };
                scan.command(&command, &at)?;
            }
            found.push(program(&at.to_string(), Origin::Udev, scan.finish()));
        }
    }
    Ok(())
}

/// Returns the programs that a rule runs.
fn commands_of_rule(line: &str) -> Vec<String> {
    const KEYS: [&str; 5] =
        ["RUN", "RUN{program}", "PROGRAM", "IMPORT{program}", "IMPORT{PROGRAM}"];
    let mut commands = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let Some((key, after)) = rest.split_once('"') else { break };
        let Some((value, next)) = after.split_once('"') else { break };
        let key = key.trim_matches(|c: char| c.is_whitespace() || ",+=:!".contains(c));
        if KEYS.contains(&key) {
            commands.push(value.to_owned());
        }
        rest = next.trim_start_matches([',', ' ', '\t']);
    }
    commands
}

/// Commands in stanzas of interfaces(5), and the scripts of ifup's directories. What a stanza
/// does to its own interface is judged with the addresses.
fn ifupdown(
    files: &dyn SystemFiles,
    systemd: &Systemd,
    found: &mut Vec<Program>,
) -> Result<(), SystemError> {
    if systemd.running("networking.service").is_none() {
        return Ok(());
    }
    let Some(interfaces) = Interfaces::read(files)? else { return Ok(()) };
    for stanza in &interfaces.stanzas {
        let own = stanza.name.split(':').next().unwrap_or_default();
        for option in &stanza.options {
            if !matches!(option.name.as_str(), "up" | "pre-up" | "post-up") {
                continue;
            }
            let at = Location::new(&option.at.path, option.at.line);
            let mut scan = Scan::new(files);
            scan.command(&option.value, &at)?;
            let (mut touches, scripts) = scan.finish();
            let is_own = option.value.split_whitespace().any(|word| {
                let name = word.split(':').next().unwrap_or_default();
                matches!(name, "$IFACE" | "${IFACE}" | "\"$IFACE\"") || name == own
            });
            touches.retain(|touch| {
                touch.effect != Effect::Address || (!is_own || touch.location != at)
            });
            found.push(program(&at.to_string(), Origin::Ifup, (touches, scripts)));
        }
    }
    for directory in IF_UP {
        for path in run_parts(files, directory)? {
            found.push(without_own_interface(of_script(files, &path, Origin::Ifup)?));
        }
    }
    Ok(())
}

/// Removes what a script does to the interface that is being brought up, whichever that is.
fn without_own_interface(mut program: Program) -> Program {
    program.touches.retain(|touch| touch.effect != Effect::Address || !touch.text.contains('$'));
    program
}

fn logins(files: &dyn SystemFiles, found: &mut Vec<Program>) -> Result<(), SystemError> {
    let mut paths: Vec<String> = PROFILE.map(str::to_owned).into();
    for name in files.list("/etc/profile.d")?.unwrap_or_default() {
        if name.ends_with(".sh") {
            paths.push(format!("/etc/profile.d/{name}"));
        }
    }
    for user in Accounts::read(files)?.users().iter().filter(|user| user.has_home()) {
        paths.extend(IN_HOME.map(|name| user.in_home(name)));
    }
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        // A loop of links, or something that is too large, is no script.
        let Ok(Some(text)) = files.read_text(&path) else { continue };
        if waits_for_a_mark(files, &text)? || is_of_known_wizard(&path) {
            continue;
        }
        let mut scan = Scan::new(files);
        scan.text(&text, &Place::from_line(&path, 1))?;
        found.push(program(&path, Origin::Login, scan.finish()));
    }
    Ok(())
}

/// Returns whether a script asks for a file that is not there, as wizards of a first login do
/// once they have run.
fn waits_for_a_mark(files: &dyn SystemFiles, text: &str) -> Result<bool, SystemError> {
    for line in text.lines().map(str::trim_start).filter(|line| line.starts_with("if ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.windows(2) {
            let [test, path] = pair else { continue };
            let path = path.trim_matches(['"', '\'', ';']);
            if matches!(*test, "-f" | "-e") && path.starts_with('/') && !path.contains(['$', '*']) {
                return Ok(!files.exists(path)?);
            }
        }
    }
    Ok(false)
}

/// Scripts of families whose wizard is judged by its own marks.
fn is_of_known_wizard(path: &str) -> bool {
    ["armbian", "orangepi", "dietpi"].iter().any(|name| path.contains(name))
}

#[cfg(test)]
mod tests;
