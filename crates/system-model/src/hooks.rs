//! Programs that run at boot or at a login, and that no unit names: generators of systemd, what
//! udev's rules and ifupdown run, and what a shell reads when somebody logs in.
//!
//! Sources: systemd.generator(7); udev(7), `RUN` and `PROGRAM`; interfaces(5), `up` and the others;
//! run-parts(8); bash(1), "INVOCATION".

use crate::{
    Effect, FileKind, Location, Origin, Program, SystemError, SystemFiles, Systemd,
    accounts::Accounts,
    effects::{Scan, Touch},
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
    logins(files, &mut found)?;
    programs.extend(found.into_iter().filter(|program| !program.touches.is_empty()));
    Ok(())
}

fn program(name: &str, origin: Origin, (touches, scripts): (Vec<Touch>, Vec<String>)) -> Program {
    Program { name: name.to_owned(), origin, scripts, touches, disarm: Vec::new() }
}

fn is_executable(files: &dyn SystemFiles, path: &str) -> Result<bool, SystemError> {
    let found = files.metadata(path)?;
    Ok(found.is_some_and(|found| found.kind == FileKind::Regular && found.mode & 0o111 != 0))
}

fn generators(files: &dyn SystemFiles, found: &mut Vec<Program>) -> Result<(), SystemError> {
    for path in unmasked(files, &GENERATORS, "")?.into_values() {
        if is_executable(files, &path)? {
            let mut scan = Scan::new(files);
            scan.script(&path)?;
            found.push(program(&path, Origin::Generator, scan.finish()));
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
        for name in files.list(directory)?.unwrap_or_default() {
            let path = format!("{directory}/{name}");
            // Names that run-parts runs have no dot.
            if !name.contains('.') && is_executable(files, &path)? {
                let mut scan = Scan::new(files);
                scan.script(&path)?;
                let (mut touches, scripts) = scan.finish();
                // What is done to the interface that ifup brings up, whichever that is.
                touches
                    .retain(|touch| touch.effect != Effect::Address || !touch.text.contains("$"));
                found.push(program(&path, Origin::Ifup, (touches, scripts)));
            }
        }
    }
    Ok(())
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
        let at = |line| Location::new(&path, line);
        scan.text(&text, at)?;
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
mod tests {
    use super::*;
    use crate::{BootModel, MemoryFiles};

    fn threats(files: &MemoryFiles) -> Vec<(String, Effect)> {
        let model = BootModel::read(files).unwrap();
        let threats = model.threats(&Effect::ALL).into_iter();
        threats.map(|threat| (threat.location.to_string(), threat.effect)).collect()
    }

    #[test]
    fn a_generator_counts_unless_it_is_masked() {
        let path = "/usr/lib/systemd/system-generators/name";
        let mut files = MemoryFiles::new();
        files.write(path, "#!/bin/sh\nhostnamectl set-hostname pi\n").own(path, 0o755, 0, 0);
        assert_eq!(threats(&files), [(format!("{path}, line 2"), Effect::HostName)]);
        files.symlink("/etc/systemd/system-generators/name", "/dev/null");
        assert_eq!(threats(&files), []);
        files.remove("/etc/systemd").own(path, 0o644, 0, 0);
        assert_eq!(threats(&files), [], "one that is not executable");
    }

    #[test]
    fn rules_run_programs() {
        let mut files = MemoryFiles::new();
        files
            .write("/opt/net", "#!/bin/sh\nip addr add 10.0.0.5/24 dev eth0\n")
            .write("/usr/lib/udev/keys", "#!/bin/sh\nrm -f /etc/ssh/ssh_host_*\n")
            .write(
                "/etc/udev/rules.d/9.rules",
                "# RUN+=\"/opt/net\"\nSUBSYSTEM==\"net\", \\\n KERNEL==\"eth0\", RUN+=\"/opt/net up\"\n\
                 PROGRAM==\"keys %k\", SYMLINK+=\"x\"\n",
            )
            .write("/etc/udev/rules.d/8", "RUN+=\"/opt/net\"\n");
        assert_eq!(
            threats(&files),
            [
                ("/opt/net, line 2".to_owned(), Effect::Address),
                ("/usr/lib/udev/keys, line 2".to_owned(), Effect::HostKeys),
            ]
        );
    }

    #[test]
    fn ifup_runs_commands_and_scripts() {
        let unit = "/etc/systemd/system/multi-user.target.wants/networking.service";
        let (script, other) = ("/etc/network/if-up.d/more", "/etc/network/if-up.d/more.bak");
        let mut files = MemoryFiles::new();
        files
            .write("/lib/systemd/system/networking.service", "[Service]\nExecStart=/sbin/ifup -a\n")
            .symlink(unit, "/lib/systemd/system/networking.service")
            .write(
                "/etc/network/interfaces",
                "auto lo\niface lo inet loopback\n up ip addr add 10.0.0.9/24 dev eth0\n\
                 auto eth1\niface eth1 inet manual\n up ip addr add 10.1.0.9/24 dev eth1\n\
                 up ip addr add 10.1.0.8/24 dev $IFACE\n post-up rm -f /etc/machine-id\n",
            )
            .write(script, "#!/bin/sh\nip addr flush dev $IFACE\ndhclient eth0\n")
            .own(script, 0o755, 0, 0)
            .write(other, "#!/bin/sh\nresize2fs /dev/x\n")
            .own(other, 0o755, 0, 0);
        assert_eq!(
            threats(&files),
            [
                ("/etc/network/interfaces, line 3".to_owned(), Effect::Address),
                ("/etc/network/interfaces, line 8".to_owned(), Effect::MachineId),
                (format!("{script}, line 3"), Effect::Address),
            ]
        );
        files.remove(unit);
        assert_eq!(threats(&files), [], "nothing runs ifup");
    }

    #[test]
    fn a_wizard_of_the_first_login_counts_while_its_mark_is_there() {
        let mark = "/var/lib/first";
        let mut files = MemoryFiles::new();
        files
            .write("/etc/passwd", "root:x:0:0::/root:/bin/bash\n")
            .write(
                "/etc/profile.d/first.sh",
                format!("if [ -f {mark} ]; then\n  /opt/wizard\nfi\n"),
            )
            .write("/opt/wizard", "#!/bin/sh\npasswd root\n")
            .write("/root/.bash_login", "hostnamectl set-hostname pi\n");
        let of_root = ("/root/.bash_login, line 1".to_owned(), Effect::HostName);
        assert_eq!(threats(&files), std::slice::from_ref(&of_root));
        files.write(mark, "");
        assert_eq!(
            threats(&files),
            [("/opt/wizard, line 2".to_owned(), Effect::Passwords), of_root]
        );
        let model = BootModel::read(&files).unwrap();
        assert!(model.threats(&Effect::ALL).iter().all(|threat| threat.at_login));
    }
}
