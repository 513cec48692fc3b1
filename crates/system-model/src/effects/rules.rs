//! Which commands change what.

use super::shell::{Command, base};
use crate::Effect;

/// Returns what of a card a file belongs to.
pub(crate) fn protected(path: &str) -> Option<Effect> {
    let path = path.trim_matches(['"', '\'']);
    let ends = |end: &str| path.ends_with(end);
    Some(if path.contains("ssh_host") || path.contains("/etc/dropbear") {
        Effect::HostKeys
    } else if ends("/etc/hostname") {
        Effect::HostName
    } else if ends("/etc/machine-id") || ends("/dbus/machine-id") {
        Effect::MachineId
    } else if ends("/etc/hosts") {
        Effect::Hosts
    } else if ends("/etc/shadow") {
        Effect::Passwords
    } else if ends("/etc/passwd") {
        Effect::Users
    } else if path.contains("authorized_keys") {
        Effect::UserKeys
    } else if [
        "/etc/network/interfaces",
        "/etc/netplan",
        "/etc/systemd/network",
        "/etc/NetworkManager/system-connections",
        "/etc/dhcpcd.conf",
    ]
    .iter()
    .any(|start| path.contains(start))
    {
        Effect::Address
    } else {
        return None;
    })
}

/// Returns what a command changes.
pub(super) fn command(command: &Command) -> Vec<Effect> {
    let mut effects: Vec<Effect> =
        command.writes.iter().filter_map(|path| protected(path)).collect();
    let Some((first, rest)) = command.words.split_first() else { return effects };
    effects.extend(program(base(first), rest));
    // A function of the script's own in front: `run rm -f …`.
    let wraps = ["run", "try", "exec", "do", "safe", "must"];
    if wraps.iter().any(|word| *word == first || first.starts_with(&format!("{word}_")))
        && let Some((second, rest)) = rest.split_first()
    {
        effects.extend(program(base(second), rest));
    }
    // DietPi's G_CONFIG_INJECT changes a line of a file.
    if first.contains("INJECT") {
        effects.extend(rest.iter().filter_map(|word| protected(word)));
    }
    effects.sort_unstable();
    effects.dedup();
    effects
}

/// Returns what a line in another language than the shell's changes, by commands as words and
/// files that it opens for writing.
pub(super) fn words(words: &[String]) -> Vec<Effect> {
    const STRONG: [&str; 18] = [
        "ssh-keygen",
        "chpasswd",
        "usermod",
        "useradd",
        "adduser",
        "resize2fs",
        "parted",
        "sfdisk",
        "growpart",
        "sgdisk",
        "dropbearkey",
        "hostnamectl",
        "dpkg-reconfigure",
        "rm",
        "sed",
        "systemd-machine-id-setup",
        "nmcli",
        "tee",
    ];
    let mut effects = Vec::new();
    for (index, word) in words.iter().enumerate() {
        if STRONG.contains(&base(word)) {
            effects.extend(program(base(word), &words[index + 1..]));
        }
    }
    let writes = words.iter().any(|word| {
        matches!(word.as_str(), "w" | "a" | "wb" | "ab" | "w+" | "a+" | "wt")
            || [
                "os.remove",
                "os.unlink",
                "unlink",
                "write_text",
                "write_file",
                "write_bytes",
                "shutil.copy",
                "os.rename",
                "os.replace",
                "writeFile",
                "copyfile",
            ]
            .iter()
            .any(|call| word.ends_with(call))
    });
    if writes {
        effects.extend(words.iter().filter_map(|word| protected(word)));
    }
    effects.sort_unstable();
    effects.dedup();
    effects
}

/// Returns what a program with these arguments changes.
fn program(name: &str, arguments: &[String]) -> Vec<Effect> {
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let has_any = |words: &[&str]| words.iter().any(|word| has(word));
    let first = arguments.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
    let named = || arguments.iter().filter_map(|word| protected(word)).collect::<Vec<_>>();
    let mentions = |text: &str| arguments.iter().any(|word| word.contains(text));
    let if_any =
        |condition: bool, effect: Effect| if condition { vec![effect] } else { Vec::new() };
    match name {
        "ssh-keygen" => {
            let reads = has_any(&["-l", "-lf", "-y", "-F", "-R", "-e", "-B"]);
            if_any(!reads && (has("-A") || mentions("ssh_host")), Effect::HostKeys)
        }
        "dropbearkey" | "dropbearconvert" => if_any(!has("-y"), Effect::HostKeys),
        "regenerate_ssh_host_keys" | "regenerate_ssh_hostkey" => vec![Effect::HostKeys],
        "dpkg-reconfigure" => {
            if_any(mentions("openssh-server") || mentions("dropbear"), Effect::HostKeys)
        }
        "rm" | "shred" | "unlink" | "truncate" | "tee" | "mv" | "ed" | "rsync" => {
            let mut effects = named();
            // `rm -rf /etc/ssh/*`: everything there.
            if matches!(name, "rm" | "shred") && has_any(&["/etc/ssh/*", "/etc/ssh"]) {
                effects.push(Effect::HostKeys);
            }
            effects
        }
        "find" => {
            if has("-delete") || has("rm") {
                let mut effects = named();
                effects.extend(if_any(mentions("ssh_host"), Effect::HostKeys));
                effects
            } else {
                Vec::new()
            }
        }
        "cp" | "install" | "ln" => {
            arguments.iter().rev().take(1).filter_map(|word| protected(word)).collect()
        }
        "sed" | "perl" | "awk" | "gawk" => {
            let in_place = arguments.iter().any(|word| {
                word.starts_with("--in-place")
                    || word == "inplace"
                    || (word.starts_with('-')
                        && !word.starts_with("--")
                        && word.len() < 12
                        && word.contains('i'))
            });
            // The last words are the files; the script may mention others.
            if in_place {
                arguments
                    .iter()
                    .rev()
                    .take_while(|word| word.starts_with('/'))
                    .filter_map(|word| protected(word))
                    .collect()
            } else {
                Vec::new()
            }
        }
        "dd" => {
            let target = arguments.iter().find_map(|word| word.strip_prefix("of="));
            let mut effects: Vec<Effect> = target.and_then(protected).into_iter().collect();
            let disk =
                target.is_some_and(|target| target.starts_with("/dev/") || target.starts_with('$'));
            effects.extend(if_any(disk && (has("seek=440") || has("bs=440")), Effect::DiskId));
            effects
        }
        "hostnamectl" => {
            if_any(has_any(&["set-hostname", "hostname"]) && arguments.len() > 1, Effect::HostName)
        }
        "hostname" => {
            // `hostname -F /etc/hostname` and `hostname "$(cat /etc/hostname)"` set what is there.
            let sets = !first.is_empty()
                && arguments.len() == 1
                && !first.starts_with(['$', '/', '=', '&', '|']);
            if_any(
                sets && first.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
                Effect::HostName,
            )
        }
        "raspi-config" => {
            let mut effects = if_any(mentions("do_hostname"), Effect::HostName);
            effects.extend(if_any(mentions("rootfs"), Effect::Sizes));
            effects
        }
        "systemd-machine-id-setup" => {
            // Without --commit it makes an id only where one is missing; with root it is
            // somebody else's.
            if_any(!has_any(&["--commit", "--print"]), Effect::MachineId)
        }
        "chpasswd" => vec![Effect::Passwords],
        "passwd" | "chage" => {
            let reads = arguments.is_empty()
                || has_any(&["-S", "--status", "-S", "-h", "--list"])
                || (name == "chage" && has("-l"));
            if_any(!reads, Effect::Passwords)
        }
        "usermod" => {
            let password = has_any(&["-p", "--password", "-L", "-U", "--lock", "--unlock"]);
            vec![if password { Effect::Passwords } else { Effect::Users }]
        }
        "useradd" | "adduser" | "userdel" | "deluser" | "newusers" | "groupmod" | "add_user" => {
            if_any(!arguments.is_empty(), Effect::Users)
        }
        "ssh-import-id" | "ssh-import-id-gh" | "ssh-import-id-lp" => vec![Effect::UserKeys],
        "resize2fs" | "growpart" | "xfs_growfs" | "resize.f2fs" | "resize_root" => {
            vec![Effect::Sizes]
        }
        "parted" => {
            let words = ["resizepart", "mkpart", "rm", "resize", "mklabel", "mktable"];
            let changes = arguments.iter().flat_map(|word| word.split_whitespace());
            let fed = arguments.iter().all(|word| word.starts_with(['-', '/', '$']));
            let lists = mentions("print") || has_any(&["-l", "-v", "--version"]);
            let mut changed = false;
            for word in changes {
                changed |= words.contains(&word);
            }
            if_any(changed || (fed && !lists && !arguments.is_empty()), Effect::Sizes)
        }
        "sfdisk" | "sgdisk" => {
            let reads = has_any(&[
                "-l",
                "-d",
                "-J",
                "-s",
                "-g",
                "-F",
                "-V",
                "-p",
                "-v",
                "--dump",
                "--list",
                "--json",
                "--show-size",
                "--print",
                "--verify",
                "--part-type",
                "--part-uuid",
            ]);
            let id = has("--disk-id") || has("-G") || has("--randomize-guids");
            match (id, reads) {
                (true, _) => if_any(arguments.len() > 2 || name == "sgdisk", Effect::DiskId),
                (false, reads) => if_any(!reads && !arguments.is_empty(), Effect::Sizes),
            }
        }
        "fdisk" | "gdisk" | "cfdisk" => {
            let lists = arguments.iter().any(|word| word.starts_with("-l") || word == "--list");
            if_any(!lists && !arguments.is_empty(), Effect::Sizes)
        }
        "btrfs" => if_any(has("resize"), Effect::Sizes),
        "tune2fs" => if_any(has("-U"), Effect::DiskId),
        "netplan" => if_any(has("set"), Effect::Address),
        "nmcli" => {
            let connection = arguments
                .iter()
                .any(|word| !word.is_empty() && "connection".starts_with(word.as_str()));
            if_any(
                connection
                    && has_any(&["add", "modify", "mod", "delete", "del", "clone", "import"]),
                Effect::Address,
            )
        }
        "ip" => {
            let address = matches!(first, "addr" | "address" | "a" | "ad" | "add");
            if_any(
                address && has_any(&["add", "change", "replace", "flush", "del", "delete"]),
                Effect::Address,
            )
        }
        "ifconfig" => {
            let sets = arguments.len() > 1
                && !arguments[1..].iter().all(|word| {
                    matches!(word.as_str(), "up" | "down" | "promisc" | "-promisc" | "multicast")
                });
            if_any(sets && !first.is_empty() && first != "lo", Effect::Address)
        }
        "dhclient" | "udhcpc" | "dhcpcd" | "pump" => {
            if_any(!has_any(&["-r", "-x", "-k", "--release"]) && !first.is_empty(), Effect::Address)
        }
        "systemctl" | "update-rc.d" | "deb-systemd-helper" => {
            let off = has_any(&["disable", "stop", "mask", "remove"]);
            let sshd = [
                "ssh",
                "sshd",
                "ssh.service",
                "sshd.service",
                "ssh.socket",
                "dropbear",
                "dropbear.service",
            ];
            if_any(off && sshd.iter().any(|unit| has(unit)), Effect::SshServer)
        }
        "disable_service" => if_any(has("ssh"), Effect::SshServer),
        "agetty" | "getty" | "mingetty" => {
            let logs_in = arguments.iter().any(|word| {
                word == "-a"
                    || word.starts_with("--autologin")
                    || word.starts_with("--login-program")
            });
            if_any(logs_in, Effect::Console)
        }
        _ => Vec::new(),
    }
}
