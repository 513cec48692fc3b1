//! Configuration by which systemd's own programs change files and the host name at boot.
//!
//! Sources: tmpfiles.d(5); sysctl.d(5); systemd.mount(5), `x-systemd.growfs`; repart.d(5).

use super::program;
use crate::{
    Effect, Location, Origin, Program, SystemError, SystemFiles, Systemd,
    effects::{Touch, matching},
    search_path::unmasked,
};

const TMPFILES: [&str; 4] =
    ["/etc/tmpfiles.d", "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d", "/lib/tmpfiles.d"];
const SYSCTL: [&str; 4] =
    ["/etc/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

/// Adds the lines that change something.
pub(super) fn find(
    files: &dyn SystemFiles,
    systemd: &Systemd,
    found: &mut Vec<Program>,
) -> Result<(), SystemError> {
    let mut add = |directories: &[&str], effects: &dyn Fn(&str) -> Vec<Effect>| {
        for path in unmasked(files, directories, ".conf")?.into_values() {
            let Ok(Some(text)) = files.read_text(&path) else { continue };
            for (index, line) in text.lines().enumerate() {
                let at = Location::new(&path, index + 1);
                let touch = |effect| {
                    let text = line.trim().chars().take(300).collect();
                    Touch { effect, location: at.clone(), text, only_names: false }
                };
                let touches: Vec<Touch> = effects(line).into_iter().map(touch).collect();
                found.push(program(&at.to_string(), Origin::Setting, (touches, Vec::new())));
            }
        }
        Ok(())
    };
    if systemd.running("systemd-tmpfiles-setup.service").is_some() {
        add(&TMPFILES, &of_tmpfiles)?;
    }
    if systemd.running("systemd-sysctl.service").is_some() {
        add(&SYSCTL, &of_sysctl)?;
    }
    fstab(files, found)
}

/// systemd-fstab-generator(8) has filesystems with this option grown to their partitions.
fn fstab(files: &dyn SystemFiles, found: &mut Vec<Program>) -> Result<(), SystemError> {
    const FSTAB: &str = "/etc/fstab";
    let text = files.read_text(FSTAB)?.unwrap_or_default();
    for (index, line) in text.lines().enumerate() {
        let mut fields = line.split_ascii_whitespace();
        let is_comment = line.trim_start().starts_with('#');
        let options = fields.nth(3).unwrap_or_default();
        if is_comment || !options.split(',').any(|option| option == "x-systemd.growfs") {
            continue;
        }
        let location = Location::new(FSTAB, index + 1);
        let text = line.trim().chars().take(300).collect();
        let name = location.to_string();
        let touch = Touch { effect: Effect::Sizes, location, text, only_names: false };
        found.push(program(&name, Origin::Setting, (vec![touch], Vec::new())));
    }
    Ok(())
}

/// Returns what a line of tmpfiles.d changes of what exists.
fn of_tmpfiles(line: &str) -> Vec<Effect> {
    let mut words = line.split_whitespace();
    let (Some(kind), Some(path)) = (words.next(), words.next()) else { return Vec::new() };
    let path = path.trim_matches(['"', '\'']);
    let mut letters = kind.chars();
    let letter = letters.next().unwrap_or_default();
    let replaces = letters.any(|c| c == '+');
    let is_tree = matches!(letter, 'R' | 'D');
    match letter {
        'w' | 'F' | 'r' | 'R' | 'D' => {}
        // These make what is missing, unless told to replace what is there.
        'f' | 'L' | 'C' | 'p' | 'c' | 'b' if replaces => {}
        _ => return Vec::new(),
    }
    matching(path, is_tree)
}

/// Returns what a line of sysctl.d changes: the kernel's host name is set after /etc/hostname
/// was read.
fn of_sysctl(line: &str) -> Vec<Effect> {
    let name = line.split('=').next().unwrap_or_default().trim().trim_start_matches('-');
    let is_name = line.contains('=') && matches!(name, "kernel.hostname" | "kernel/hostname");
    if is_name { vec![Effect::HostName] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_replace_or_remove_count() {
        use Effect::{Address, HostKeys, HostName, Hosts, MachineId, SshServer, UserKeys};
        for (line, effects) in [
            ("f+ /etc/hostname 0644 - - - board", vec![HostName]),
            ("f /etc/hostname 0644 - - - board", vec![]),
            ("F! \"/etc/hosts\" - - - - x", vec![Hosts]),
            ("w /etc/machine-id - - - - x", vec![MachineId]),
            ("r! /etc/ssh/ssh_host_*", vec![HostKeys]),
            ("r /etc/*/ssh_host_ed25519_key", vec![HostKeys]),
            ("R /etc/ssh", vec![HostKeys, SshServer]),
            ("r /etc/ssh", vec![]),
            ("D /root/.ssh 0700 root root", vec![UserKeys]),
            ("d /root/.ssh 0700 root root", vec![]),
            ("L+ /etc/hosts - - - - /run/hosts", vec![Hosts]),
            ("L /etc/hosts - - - - /run/hosts", vec![]),
            ("C+ /etc/netplan - - - - /usr/share/netplan", vec![Address]),
            ("#r /etc/hosts", vec![]),
            ("r", vec![]),
        ] {
            assert_eq!(of_tmpfiles(line), effects, "{line}");
        }
        assert_eq!(of_sysctl("kernel.hostname = board"), [HostName]);
        assert_eq!(of_sysctl(" -kernel/hostname=board"), [HostName]);
        assert_eq!(of_sysctl("# kernel.hostname = board"), []);
        assert_eq!(of_sysctl("kernel.hostname"), []);
        assert_eq!(of_sysctl("kernel.domainname=x"), []);
    }
}
