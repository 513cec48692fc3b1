//! Known programs that an argument of the kernel, a file or a console starts.

use super::{KnownProgram, Look, Settled};
use crate::{Disarm, Effect::*, Family, Location, SystemError};

/// Arguments of the kernel's command line.
pub(super) fn arguments(look: &Look<'_>, found: &mut Vec<KnownProgram>) {
    for line in look.lines.counting() {
        for argument in &line.arguments {
            let value = argument.value.as_deref().unwrap_or_default();
            let (family, what, effects) = match (argument.key.as_str(), value) {
                ("init", value) if value.ends_with("raspberrypi-sys-mods/firstboot") => (
                    Family::RaspberryPiOs,
                    "replaces the host keys and the disk id, grows the root partition, and applies \
                     custom.toml",
                    vec![HostKeys, DiskId, Sizes],
                ),
                ("init", value) if value.ends_with("raspi-config/init_resize.sh") => (
                    Family::RaspberryPiOs,
                    "grows the root partition and replaces the disk id",
                    vec![Sizes, DiskId],
                ),
                // A word of Raspberry Pi OS: only scripts of its initramfs know it.
                ("resize", "") if argument.value.is_none() => (
                    Family::RaspberryPiOs,
                    "makes the initramfs grow the root partition and replace the disk id",
                    vec![Sizes, DiskId],
                ),
                ("systemd.run", value) if value.contains("firstrun.sh") => (
                    Family::RaspberryPiOs,
                    "runs firstrun.sh of Raspberry Pi Imager",
                    vec![HostName, Hosts, Users, Passwords, UserKeys, Address],
                ),
                _ => continue,
            };
            let remove = |argument: &str| Disarm::RemoveArgument {
                path: line.path.clone(),
                argument: argument.to_owned(),
            };
            let mut disarm = vec![remove(&argument.text)];
            if argument.key == "systemd.run" {
                // The Imager adds these with it; alone they would halt the boot.
                for other in &line.arguments {
                    let with = other.key.starts_with("systemd.run_")
                        || other.text == "systemd.unit=kernel-command-line.target";
                    if with {
                        disarm.push(remove(&other.text));
                    }
                }
            }
            found.push(KnownProgram {
                family: Some(family),
                name: argument.text.clone(),
                what,
                effects,
                evidence: Location::new(&line.path, line.line),
                disarm,
            });
        }
    }
}

/// Files that a program acts on as long as they are there.
pub(super) fn markers(
    look: &Look<'_>,
    found: &mut Vec<KnownProgram>,
    settled: &mut Settled,
) -> Result<(), SystemError> {
    hardkernel(look, found, settled)?;
    let remove = |path: &str| vec![Disarm::RemoveFile { path: path.to_owned() }];
    const LOGIN: &str = "/root/.not_logged_in_yet";
    if look.exists(LOGIN)? {
        let family = match look.family {
            Some(Family::OrangePi) => Family::OrangePi,
            _ => Family::Armbian,
        };
        found.push(KnownProgram {
            family: Some(family),
            name: LOGIN.to_owned(),
            what: "makes root's first login ask for new passwords and a user",
            effects: vec![Console, Passwords, Users],
            evidence: Location::new(LOGIN, 0),
            disarm: remove(LOGIN),
        });
    }
    for (path, what, effect) in [
        ("/etc/bbb.io/growpart", "makes the first boot grow the root partition", Sizes),
        ("/etc/bbb.io/ssh_regenerate", "makes the first boot replace the host keys", HostKeys),
        ("/etc/ssh/ssh.regenerate", "makes the first boot replace the host keys", HostKeys),
    ] {
        if look.exists(path)? {
            found.push(KnownProgram {
                family: Some(Family::BeagleBoard),
                name: path.to_owned(),
                what,
                effects: vec![effect],
                evidence: Location::new(path, 0),
                disarm: remove(path),
            });
        }
    }
    for partition in look.files.boot_partitions() {
        let path = format!("{}/before.txt", partition.prefix);
        let words = ["add_user", "resize_root", "regenerate_ssh_hostkey", "disable_service"];
        let text = look.text(&path)?.unwrap_or_default();
        let line = text.lines().position(|line| {
            line.split_whitespace().next().is_some_and(|word| words.contains(&word))
        });
        if let Some(line) = line {
            found.push(KnownProgram {
                family: Some(Family::Radxa),
                evidence: Location::new(&path, line + 1),
                what: "adds a user, resizes root, replaces the host keys, and disables sshd",
                effects: vec![Users, Passwords, Sizes, HostKeys, SshServer, HostName],
                disarm: remove(&path),
                name: path,
            });
        }
    }
    const STAGE: &str = "/boot/dietpi/.install_stage";
    let stage = look.text(STAGE)?.unwrap_or_default();
    if matches!(stage.trim(), "-1" | "0" | "1") && look.exists("/boot/dietpi/dietpi-login")? {
        found.push(KnownProgram {
            family: Some(Family::DietPi),
            name: STAGE.to_owned(),
            what: "makes dietpi-login run updates and installations at the first login",
            effects: vec![Console],
            evidence: Location::new(STAGE, 1),
            disarm: vec![Disarm::WriteFile { path: STAGE.to_owned(), contents: "2\n".to_owned() }],
        });
    }
    Ok(())
}

/// `/aafirstboot`, while `/.first_boot` is there, makes partition 2 again, smaller than the
/// filesystem in it; its second run resizes the filesystem.
fn hardkernel(
    look: &Look<'_>,
    found: &mut Vec<KnownProgram>,
    settled: &mut Settled,
) -> Result<(), SystemError> {
    const SCRIPT: &str = "/aafirstboot";
    const MARK: &str = "/.first_boot";
    if !look.exists(SCRIPT)? {
        return Ok(());
    }
    let caller = look.systemd.started().iter().filter(|unit| unit.runs()).find_map(|unit| {
        unit.execs
            .iter()
            .find(|exec| exec.command.contains("aafirstboot"))
            .map(|exec| &exec.location)
    });
    let by_rc_local = match look.systemd.running("rc-local.service") {
        Some(_) => look.line_with("/etc/rc.local", "aafirstboot")?,
        None => None,
    };
    let evidence = match (caller, by_rc_local) {
        (Some(location), _) => location.clone(),
        (None, Some(line)) => Location::new("/etc/rc.local", line),
        (None, None) => return Ok(()),
    };
    // The call in rc.local asks for the mark first.
    let asks = look.line_with(&evidence.path, ".first_boot")?.is_some();
    settled.push((SCRIPT.to_owned(), vec![Sizes, HostKeys]));
    if asks && !look.exists(MARK)? {
        return Ok(());
    }
    let mut disarm = vec![Disarm::RemoveFile { path: SCRIPT.to_owned() }];
    if look.exists(MARK)? {
        disarm.push(Disarm::RemoveFile { path: MARK.to_owned() });
    }
    found.push(KnownProgram {
        family: Some(Family::Hardkernel),
        name: SCRIPT.to_owned(),
        what: "deletes the root partition and recreates it at the size of the device",
        effects: vec![Sizes, HostKeys],
        evidence,
        disarm,
    });
    Ok(())
}

/// Consoles that log somebody in without a password.
pub(super) fn consoles(look: &Look<'_>, found: &mut Vec<KnownProgram>) -> Result<(), SystemError> {
    for unit in look.systemd.started().iter().filter(|unit| unit.runs()) {
        for exec in &unit.execs {
            let words: Vec<&str> = exec.command.split_whitespace().collect();
            let getty = words.first().is_some_and(|word| word.ends_with("getty"));
            let logs_in = words.iter().any(|word| *word == "-a" || word.starts_with("--autologin"));
            if !getty || !logs_in || exec.directive != "ExecStart" {
                continue;
            }
            let path = &exec.location.path;
            let disarm = if Some(path) == unit.file.as_ref() {
                look.systemd.disarm(&unit.name)
            } else {
                vec![Disarm::RemoveFile { path: path.clone() }]
            };
            // Two consoles may share a drop-in.
            if found.iter().any(|program| program.evidence == exec.location) {
                continue;
            }
            found.push(KnownProgram {
                family: look.family,
                name: unit.name.clone(),
                what: "logs in on the console without a password",
                effects: vec![Console],
                evidence: exec.location.clone(),
                disarm,
            });
        }
    }
    Ok(())
}
