//! Known programs that a unit or a System V script starts.

use super::{KnownProgram, Look, Settled};
use crate::{Disarm, Effect, Effect::*, Family, Location, Reason, SystemError};

/// A unit that is known.
struct Entry {
    family: Option<Family>,
    unit: &'static str,
    /// One of these is in a command of the unit or the unit's file; empty for a name that
    /// only one program has.
    content: &'static [&'static str],
    what: &'static str,
    effects: &'static [Effect],
}

const fn entry(
    family: Family,
    unit: &'static str,
    content: &'static [&'static str],
    what: &'static str,
    effects: &'static [Effect],
) -> Entry {
    Entry { family: Some(family), unit, content, what, effects }
}

const fn shared(
    unit: &'static str,
    content: &'static [&'static str],
    what: &'static str,
    effects: &'static [Effect],
) -> Entry {
    Entry { family: None, unit, content, what, effects }
}

const ENTRIES: &[Entry] = &[
    shared("regenerate_ssh_host_keys.service", &[], "replaces the host keys", &[HostKeys]),
    shared("ssh-regenerate-host-keys.service", &[], "replaces the host keys", &[HostKeys]),
    shared("resize2fs_once.service", &[], "grows the root filesystem", &[Sizes]),
    shared("resize2fs.service", &["resize2fs"], "grows the root filesystem", &[Sizes]),
    entry(
        Family::RaspberryPiOs,
        "userconfig.service",
        &[],
        "renames the user with the ID 1000, or asks for a name on the console",
        &[Users, Passwords, Console],
    ),
    entry(
        Family::RaspberryPiOs,
        "rpi-preseed.service",
        &[],
        "applies rpi-preseed.toml of the boot partition",
        &[HostName, Users, Passwords, UserKeys, Address, SshServer],
    ),
    entry(
        Family::Armbian,
        "armbian-resize-filesystem.service",
        &[],
        "resizes the root partition and filesystem",
        &[Sizes],
    ),
    entry(Family::Armbian, "armbian-firstrun.service", &[], "replaces the host keys", &[HostKeys]),
    entry(
        Family::DietPi,
        "dietpi-fs_partition_resize.service",
        &[],
        "resizes the root partition and filesystem, and adds a journal",
        &[Sizes],
    ),
    entry(
        Family::DietPi,
        "dietpi-firstboot.service",
        &[],
        "applies /boot/dietpi.txt: host name, passwords, machine id, host keys, network",
        &[HostName, Hosts, Passwords, MachineId, HostKeys, UserKeys, Address],
    ),
    entry(
        Family::DebianRaspi,
        "rpi-set-sysconf.service",
        &[],
        "applies sysconf.txt of the boot partition",
        &[HostName, Hosts, Passwords, UserKeys],
    ),
    entry(
        Family::DebianRaspi,
        "rpi-generate-ssh-host-keys.service",
        &[],
        "makes host keys",
        &[HostKeys],
    ),
    entry(
        Family::DebianRaspi,
        "rpi-resizerootfs.service",
        &[],
        "resizes the root partition and filesystem",
        &[Sizes],
    ),
    entry(
        Family::Hardkernel,
        "firstboot.service",
        &["/root/firstboot.sh"],
        "resizes the root filesystem and makes host keys",
        &[Sizes, HostKeys],
    ),
    entry(
        Family::OrangePi,
        "orangepi-resize-filesystem.service",
        &[],
        "deletes the last partition and recreates it, smaller where a boot partition comes first",
        &[Sizes],
    ),
    entry(
        Family::OrangePi,
        "orangepi-firstrun.service",
        &[],
        "replaces the host keys",
        &[HostKeys],
    ),
    entry(
        Family::OrangePi,
        "orangepi-firstrun-config.service",
        &[],
        "configures users and network",
        &[Users, Passwords, Address],
    ),
    entry(
        Family::BeagleBoard,
        "bbbio-set-sysconf.service",
        &[],
        "applies sysconf.txt of the boot partition",
        &[Users, Passwords, UserKeys, HostName, Hosts],
    ),
    entry(
        Family::BeagleBoard,
        "grow_partition.service",
        &["grow_partition"],
        "grows the root partition",
        &[Sizes],
    ),
    entry(
        Family::BeagleBoard,
        "resize_filesystem.service",
        &["resize2fs", "resize_filesystem"],
        "grows the root filesystem",
        &[Sizes],
    ),
];

/// Finds the entries whose unit runs at this boot.
pub(super) fn units(
    look: &Look<'_>,
    found: &mut Vec<KnownProgram>,
    settled: &mut Settled,
) -> Result<(), SystemError> {
    rpi_resize(look, found, settled);
    for entry in ENTRIES {
        let Some(unit) = look.systemd.running(entry.unit) else { continue };
        // A System V script is known by its text.
        let mut text = String::new();
        for exec in &unit.execs {
            text.push_str(&exec.command);
            text.push('\n');
            if let Some(program) = exec.command.split_whitespace().next()
                && program.starts_with("/etc/init.d/")
            {
                text.push_str(&look.text(program)?.unwrap_or_default());
            }
        }
        if !entry.content.is_empty() && !entry.content.iter().any(|one| text.contains(one)) {
            continue;
        }
        let evidence = match (&unit.file, unit.execs.first()) {
            (Some(file), _) => Location::new(file, 0),
            (None, Some(exec)) => exec.location.clone(),
            (None, None) => continue,
        };
        let mut program = KnownProgram {
            family: entry.family,
            name: entry.unit.to_owned(),
            what: entry.what,
            effects: entry.effects.to_vec(),
            evidence,
            disarm: look.systemd.disarm(entry.unit),
        };
        let armed = special(look, &mut program)?;
        let mut effects = entry.effects.to_vec();
        if entry.unit == "armbian-firstrun.service" {
            effects.push(HostName);
        }
        settled.push((entry.unit.to_owned(), effects));
        if armed {
            found.push(program);
        }
    }
    Ok(())
}

/// Raspberry Pi OS's rpi-resize.service does nothing itself: it pulls in systemd's own unit that
/// grows the root filesystem, and disables itself once it has run. systemd starts what a unit
/// wants even if the unit's own conditions fail (seen with a machine id on the card), so it is
/// armed as long as it is enabled.
fn rpi_resize(look: &Look<'_>, found: &mut Vec<KnownProgram>, settled: &mut Settled) {
    const UNIT: &str = "rpi-resize.service";
    const GROWS: &str = "systemd-growfs-root.service";
    let Some(unit) = look.systemd.started().iter().find(|unit| unit.name == UNIT) else { return };
    let pulls = look.systemd.running(GROWS).is_some_and(|unit| {
        let by =
            |reason: &Reason| matches!(reason, Reason::Dependency { unit, .. } if unit == UNIT);
        unit.reasons.iter().any(by)
    });
    if !unit.runs() && !pulls {
        return;
    }
    settled.push((GROWS.to_owned(), vec![Sizes]));
    found.push(KnownProgram {
        family: Some(Family::RaspberryPiOs),
        name: UNIT.to_owned(),
        what: "makes systemd grow the root filesystem",
        effects: vec![Sizes],
        evidence: Location::new(unit.file.as_deref().unwrap_or(UNIT), 0),
        disarm: look.systemd.disarm(UNIT),
    });
}

/// Adds what is peculiar to a program. Returns whether it is armed.
fn special(look: &Look<'_>, program: &mut KnownProgram) -> Result<bool, SystemError> {
    match program.name.as_str() {
        "armbian-resize-filesystem.service" | "orangepi-resize-filesystem.service" => {
            // The script asks for this file first.
            const MARK: &str = "/root/.no_rootfs_resize";
            if look.exists(MARK)? {
                return Ok(false);
            }
            let (path, contents) = (MARK.to_owned(), String::new());
            program.disarm.push(Disarm::WriteFile { path, contents });
        }
        "armbian-firstrun.service" => {
            // The rest of what it does (MAC addresses, locale) is left as it is.
            const DEFAULTS: &str = "/etc/default/armbian-firstrun";
            const NAME: &str = "OPENSSHD_REGENERATE_HOST_KEYS";
            let text = look.text(DEFAULTS)?.unwrap_or_default();
            let mut value = text.lines().filter_map(|line| {
                let (name, value) = line.trim().split_once('=')?;
                (name == NAME).then(|| value.trim_matches(['"', '\'']))
            });
            if value.next_back() == Some("false") {
                program.effects.clear();
                program.disarm.clear();
            } else {
                program.disarm = vec![Disarm::SetVariable {
                    path: DEFAULTS.to_owned(),
                    name: NAME.to_owned(),
                    value: "false".to_owned(),
                }];
            }
            // On an rpi4b it renames a host of that name.
            let name = look.text("/etc/hostname")?.unwrap_or_default();
            if name.trim() == "rpi4b" {
                program.effects.push(HostName);
                program.disarm = look.systemd.disarm("armbian-firstrun.service");
            }
            return Ok(!program.effects.is_empty());
        }
        "userconfig.service" => {
            // cancel-rename does the same when a user has been set up.
            const BANNER: &str = "/etc/ssh/sshd_config.d/rename_user.conf";
            if look.exists(BANNER)? {
                program.disarm.push(Disarm::RemoveFile { path: BANNER.to_owned() });
            }
            if look.systemd.running("getty@tty1.service").is_none() {
                program.disarm.push(Disarm::EnableUnit {
                    unit: "getty@tty1.service".to_owned(),
                    link: "/etc/systemd/system/getty.target.wants/getty@tty1.service".to_owned(),
                    target: "/lib/systemd/system/getty@.service".to_owned(),
                });
            }
        }
        "dietpi-firstboot.service" => {
            // -1 stands for an image whose first boot is to come. dietpi-login goes on with
            // its installation at 0 and 1, and lets everybody in at 2.
            let (path, contents) = ("/boot/dietpi/.install_stage".to_owned(), "2\n".to_owned());
            program.disarm.push(Disarm::WriteFile { path, contents });
        }
        "rpi-preseed.service" => {
            // Without its file it does nothing.
            let mut armed = look.lines.last("rpi_preseed.config").is_some();
            for partition in look.files.boot_partitions() {
                armed |= look.exists(&format!("{}/rpi-preseed.toml", partition.prefix))?;
            }
            return Ok(armed && !look.exists("/var/lib/rpi-preseed/applied")?);
        }
        _ => {}
    }
    Ok(true)
}
