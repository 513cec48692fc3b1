//! Which commands change what.

mod disks;
mod network;
mod services;

use super::{
    paths::{matching, protected},
    shell::{Command, absolute, base},
};
use crate::Effect;

/// What is known of a command.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// What it changes.
    pub(super) effects: Vec<Effect>,
    /// Whether the rules know the program, so that what it does not change is known as well.
    pub(super) is_known: bool,
    /// Whether it writes or removes files at all.
    pub(super) writes: bool,
}

/// Programs that only look, or that change nothing that files of a card are about.
const READERS: [&str; 92] = [
    ".",
    "source",
    "[",
    "[[",
    "test",
    "true",
    "false",
    ":",
    "echo",
    "printf",
    "print",
    "cat",
    "tac",
    "less",
    "more",
    "head",
    "tail",
    "grep",
    "egrep",
    "fgrep",
    "zgrep",
    "ls",
    "stat",
    "file",
    "wc",
    "sort",
    "uniq",
    "cut",
    "tr",
    "paste",
    "join",
    "diff",
    "cmp",
    "comm",
    "md5sum",
    "sha256sum",
    "cksum",
    "od",
    "hexdump",
    "xxd",
    "strings",
    "base64",
    "readlink",
    "realpath",
    "dirname",
    "basename",
    "pwd",
    "cd",
    "pushd",
    "popd",
    "read",
    "mapfile",
    "readarray",
    "export",
    "local",
    "declare",
    "set",
    "shift",
    "unset",
    "return",
    "exit",
    "break",
    "continue",
    "sleep",
    "wait",
    "trap",
    "mkdir",
    "chmod",
    "chown",
    "chgrp",
    "mountpoint",
    "mount",
    "umount",
    "getent",
    "id",
    "who",
    "date",
    "sync",
    "logger",
    "systemd-cat",
    "wall",
    "mktemp",
    "ssh",
    "scp",
    "ping",
    "jq",
    "yq",
    "env",
    "which",
    "type",
    "command",
    "ssh-keyscan",
];

/// The arguments of a command, and where it runs.
pub(super) struct Arguments<'c> {
    all: &'c [String],
    directory: Option<&'c str>,
}

impl<'c> Arguments<'c> {
    fn has(&self, word: &str) -> bool {
        self.all.iter().any(|argument| argument == word)
    }

    fn has_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.has(word))
    }

    fn mentions(&self, text: &str) -> bool {
        self.all.iter().any(|word| word.contains(text))
    }

    /// Returns the arguments that are no options.
    fn operands(&self) -> impl DoubleEndedIterator<Item = &'c String> + use<'c> {
        self.all.iter().filter(|word| !word.starts_with('-') || word.len() == 1)
    }

    fn first(&self) -> &'c str {
        self.operands().next().map_or("", String::as_str)
    }

    /// Returns whether a letter is among the short options.
    fn has_letter(&self, letter: char) -> bool {
        let is_cluster =
            |word: &&String| word.starts_with('-') && !word.starts_with("--") && word.len() < 12;
        self.all.iter().filter(is_cluster).any(|word| word.contains(letter))
    }

    /// Returns the value of an option: behind it, or of its long form.
    fn value(&self, short: &str, long: &str) -> Option<&'c str> {
        let at = self.all.iter().position(|word| word == short || word == long);
        let behind = at.and_then(|at| self.all.get(at + 1)).map(String::as_str);
        let joined = || {
            let mut values = self.all.iter().filter_map(|word| word.strip_prefix(long));
            values.find_map(|rest| rest.strip_prefix('='))
        };
        behind.or_else(joined)
    }

    /// Returns what a path is about.
    fn about(&self, word: &str, is_tree: bool) -> Vec<Effect> {
        if word.is_empty() {
            return Vec::new();
        }
        if word.starts_with(['$', '~']) {
            return matching(word, is_tree);
        }
        let whole = absolute(word, self.directory);
        matching(whole.as_deref().unwrap_or(word), is_tree)
    }

    /// Returns what all operands are about.
    fn named(&self, is_tree: bool) -> Vec<Effect> {
        self.operands().flat_map(|word| self.about(word, is_tree)).collect()
    }

    /// Returns what a copy to the last operand, or the directory of `-t`, is about.
    fn copied(&self) -> Vec<Effect> {
        let mut sources: Vec<&String> = self.operands().collect();
        let target = match self.value("-t", "--target-directory") {
            Some(directory) => directory,
            None => match sources.pop() {
                Some(last) => last,
                None => return Vec::new(),
            },
        };
        let mut effects = self.about(target, false);
        for source in sources {
            let name = base(source.trim_end_matches('/'));
            effects.extend(self.about(&format!("{target}/{name}"), false));
        }
        effects
    }
}

/// Returns what is known of a command.
pub(super) fn judge(command: &Command) -> Verdict {
    let arguments = Arguments { all: command.arguments(), directory: command.directory.as_deref() };
    let mut effects: Vec<Effect> =
        command.writes.iter().flat_map(|path| arguments.about(path, false)).collect();
    let writes = |path: &String| !path.starts_with("/dev/") && !path.is_empty();
    let mut verdict = Verdict { writes: command.writes.iter().any(writes), ..Verdict::default() };
    let found = program(command.name(), &arguments).or_else(|| wrapped(command));
    verdict.is_known = found.is_some() || command.words.is_empty();
    verdict.writes |= found.is_some() && !READERS.contains(&command.name());
    effects.extend(found.unwrap_or_default());
    effects.sort_unstable();
    effects.dedup();
    verdict.effects = effects;
    verdict
}

/// Returns what a command changes that a function of the script's own runs: `run rm -f …`.
fn wrapped(command: &Command) -> Option<Vec<Effect>> {
    const WRAPS: [&str; 6] = ["run", "try", "exec", "do", "safe", "must"];
    let (first, second) = (command.words.first()?, command.words.get(1)?);
    let is_wrapper = WRAPS.iter().any(|word| {
        first.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    });
    if !is_wrapper {
        return None;
    }
    let directory = command.directory.as_deref();
    program(base(second), &Arguments { all: &command.words[2..], directory })
}

fn if_any(condition: bool, effect: Effect) -> Vec<Effect> {
    if condition { vec![effect] } else { Vec::new() }
}

/// Returns what a program with these arguments changes, or `None` for a program that the rules do
/// not know.
fn program(name: &str, arguments: &Arguments<'_>) -> Option<Vec<Effect>> {
    files(name, arguments)
        .or_else(|| identity(name, arguments))
        .or_else(|| accounts(name, arguments))
        .or_else(|| disks::judge(name, arguments))
        .or_else(|| network::judge(name, arguments))
        .or_else(|| services::judge(name, arguments))
        .or_else(|| READERS.contains(&name).then(Vec::new))
}

/// Programs that write, move and remove files.
fn files(name: &str, arguments: &Arguments<'_>) -> Option<Vec<Effect>> {
    Some(match name {
        "rm" | "srm" | "wipe" => {
            let is_tree = arguments.has_letter('r')
                || arguments.has_letter('R')
                || arguments.has("--recursive");
            arguments.named(is_tree)
        }
        "shred" | "unlink" | "truncate" | "tee" | "ed" | "ex" | "sponge" | "patch"
        | "fallocate" | "chattr" | "nano" | "vipw" => arguments.named(false),
        "crudini" | "augtool" | "ini-file" => arguments.named(false),
        "touch" => {
            let mut effects = arguments.named(false);
            // Of the rest only the times change.
            effects.retain(|effect| *effect == Effect::SshServer && arguments.mentions("nologin"));
            effects
        }
        "mv" | "rename" | "mmv" => {
            let mut effects = arguments.copied();
            let sources = arguments.operands().rev().skip(1);
            effects.extend(sources.flat_map(|word| arguments.about(word, true)));
            effects
        }
        "cp" | "ln" | "link" | "install" | "rsync" | "cpio" => arguments.copied(),
        "wget" => {
            written_by(arguments, &[("-O", "--output-document"), ("-P", "--directory-prefix")])
        }
        "curl" => written_by(arguments, &[("-o", "--output")]),
        "tar" | "bsdtar" => {
            let extracts = arguments.all.iter().any(|word| {
                word == "--extract"
                    || (!word.starts_with("--") && !word.contains('/') && word.contains('x'))
            });
            let into = arguments.value("-C", "--directory").filter(|_| extracts);
            into.map(|directory| in_directory(arguments, directory)).unwrap_or_default()
        }
        "unzip" => {
            let into = arguments.value("-d", "-d");
            into.map(|directory| in_directory(arguments, directory)).unwrap_or_default()
        }
        "find" => {
            if arguments.has("-delete") {
                let names = arguments.all.windows(2).filter(|two| two[0] == "-name");
                let names: Vec<&str> = names.map(|two| two[1].as_str()).collect();
                let roots = arguments.all.iter().take_while(|word| !word.starts_with('-'));
                let mut effects = Vec::new();
                for root in roots {
                    if names.is_empty() {
                        effects.extend(arguments.about(root, true));
                    }
                    for name in &names {
                        effects.extend(arguments.about(&format!("{root}/{name}"), false));
                    }
                }
                effects
            } else {
                Vec::new()
            }
        }
        "sed" | "gsed" | "perl" | "awk" | "gawk" | "mawk" => {
            let in_place = arguments.all.iter().any(|word| {
                word.starts_with("--in-place")
                    || word == "inplace"
                    || (word.starts_with('-')
                        && !word.starts_with("--")
                        && word.len() < 12
                        && word.contains('i'))
            });
            if !in_place && (name == "perl") {
                return None;
            }
            // The first operand is the script, which may mention other files, unless an option
            // has it.
            let options = ["-e", "-f", "--expression", "--file", "-pe", "-pie", "-ie", "-ne"];
            let has_script = arguments.all.iter().any(|word| {
                options.contains(&word.as_str())
                    || word.starts_with("--expression=")
                    || (name == "perl" && word.starts_with('-') && word.ends_with('e'))
            });
            let files = arguments.operands().skip(if has_script { 0 } else { 1 });
            let effects = files.flat_map(|word| arguments.about(word, false));
            if in_place { effects.collect() } else { Vec::new() }
        }
        "dd" => {
            let target = arguments.all.iter().find_map(|word| word.strip_prefix("of="));
            let mut effects =
                target.map(|target| arguments.about(target, false)).unwrap_or_default();
            let is_disk =
                target.is_some_and(|target| target.starts_with("/dev/") || target.starts_with('$'));
            let is_id = arguments.has("seek=440") || arguments.has("bs=440");
            effects.extend(if_any(is_disk && is_id, Effect::DiskId));
            effects
        }
        // DietPi's G_CONFIG_INJECT changes a line of a file.
        name if name.contains("INJECT") => {
            arguments.all.iter().filter_map(|word| protected(word)).collect()
        }
        _ => return None,
    })
}

fn written_by(arguments: &Arguments<'_>, options: &[(&str, &str)]) -> Vec<Effect> {
    let values = options.iter().filter_map(|(short, long)| {
        let value = arguments.value(short, long);
        // `-so FILE`.
        let letter = short.trim_start_matches('-');
        let is_cluster = |word: &String| {
            word.starts_with('-') && !word.starts_with("--") && word.ends_with(letter)
        };
        let behind = || Some(arguments.all.iter().position(is_cluster)? + 1);
        value.or_else(|| arguments.all.get(behind()?).map(String::as_str))
    });
    values.flat_map(|path| arguments.about(path, false)).collect()
}

/// What is unpacked into a directory may be any file of it; one that holds much else says nothing.
fn in_directory(arguments: &Arguments<'_>, directory: &str) -> Vec<Effect> {
    let directory = absolute(directory, arguments.directory);
    let directory = directory.as_deref().unwrap_or_default().trim_end_matches('/');
    match directory.matches('/').count() {
        0 | 1 => Vec::new(),
        _ => matching(&format!("{directory}/*"), false),
    }
}

/// Programs that make keys, names and ids.
fn identity(name: &str, arguments: &Arguments<'_>) -> Option<Vec<Effect>> {
    Some(match name {
        "ssh-keygen" => {
            let reads = arguments.has_any(&["-l", "-lf", "-y", "-F", "-R", "-e", "-B"]);
            let makes = arguments.has("-A") || arguments.mentions("ssh_host");
            if_any(!reads && makes, Effect::HostKeys)
        }
        "dropbearkey" | "dropbearconvert" => if_any(!arguments.has("-y"), Effect::HostKeys),
        "regenerate_ssh_host_keys" | "regenerate_ssh_hostkey" => vec![Effect::HostKeys],
        "dpkg-reconfigure" => if_any(
            arguments.mentions("openssh-server") || arguments.mentions("dropbear"),
            Effect::HostKeys,
        ),
        "hostnamectl" => {
            let sets = arguments.has_any(&["set-hostname", "hostname"]);
            let value = arguments.operands().count() > 1;
            if_any(sets && value, Effect::HostName)
        }
        "hostname" => {
            // `hostname -F /etc/hostname` and `hostname "$(cat /etc/hostname)"` set what is there.
            let value = match arguments.value("-b", "--boot") {
                Some(value) => value,
                None => arguments.first(),
            };
            let is_file = arguments.has_any(&["-F", "--file"]);
            let is_own = value.to_ascii_lowercase().contains("hostname");
            let is_name =
                value.chars().all(|c| c.is_ascii_alphanumeric() || "-._$(){} /|'".contains(c));
            if_any(!value.is_empty() && !is_file && !is_own && is_name, Effect::HostName)
        }
        "sysctl" => {
            let is_name = |word: &String| {
                word.starts_with("kernel.hostname=") || word.starts_with("kernel/hostname=")
            };
            if_any(arguments.all.iter().any(is_name), Effect::HostName)
        }
        "systemd-machine-id-setup" => {
            // Without --commit it makes an id only where one is missing; with root it is
            // somebody else's.
            if_any(!arguments.has_any(&["--commit", "--print"]), Effect::MachineId)
        }
        "systemd-firstboot" => {
            let mut effects = Vec::new();
            if arguments.has_any(&["--force", "--reset"]) {
                for (option, effect) in [
                    ("--hostname", Effect::HostName),
                    ("--machine-id", Effect::MachineId),
                    ("--setup-machine-id", Effect::MachineId),
                    ("--root-password", Effect::Passwords),
                    ("--reset", Effect::HostName),
                ] {
                    effects.extend(if_any(arguments.mentions(option), effect));
                }
            }
            effects
        }
        "raspi-config" => {
            let mut effects = if_any(arguments.mentions("do_hostname"), Effect::HostName);
            effects.extend(if_any(arguments.mentions("rootfs"), Effect::Sizes));
            let disables = arguments.has("do_ssh") && arguments.has("1");
            effects.extend(if_any(disables, Effect::SshServer));
            effects
        }
        _ => return None,
    })
}

/// Programs that change accounts and their passwords.
fn accounts(name: &str, arguments: &Arguments<'_>) -> Option<Vec<Effect>> {
    let is_given = !arguments.all.is_empty();
    Some(match name {
        "chpasswd" => vec![Effect::Passwords],
        "passwd" | "chage" => {
            let reads = arguments.all.is_empty()
                || arguments.has_any(&["-S", "--status", "-h", "--list"])
                || (name == "chage" && arguments.has("-l"));
            if_any(!reads, Effect::Passwords)
        }
        "usermod" => {
            let password =
                arguments.has_any(&["-p", "--password", "-L", "-U", "--lock", "--unlock"]);
            vec![if password { Effect::Passwords } else { Effect::Users }]
        }
        "useradd" | "adduser" | "userdel" | "deluser" | "newusers" | "groupmod" | "add_user"
        | "chsh" => if_any(is_given, Effect::Users),
        "ssh-import-id" | "ssh-import-id-gh" | "ssh-import-id-lp" | "ssh-copy-id" => {
            vec![Effect::UserKeys]
        }
        "agetty" | "getty" | "mingetty" => {
            let logs_in = arguments.all.iter().any(|word| {
                word == "-a"
                    || word.starts_with("--autologin")
                    || word.starts_with("--login-program")
            });
            if_any(logs_in, Effect::Console)
        }
        _ => return None,
    })
}
