//! dropbear, the server of DietPi and other small systems.
//!
//! Sources: dropbear's svr-runopts.c, svr-auth.c (`checkusername`), svr-authpubkey.c
//! (`checkpubkeyperms`); Debian's dropbear.service, dropbear.init and
//! /etc/default/dropbear.

use std::net::IpAddr;

use super::{
    admission::{Admission, home, usable_shell},
    authorized_keys,
    hindrance::{HindranceKind, Repair},
    host::SshHost,
    login::Login,
    permissions::{self, Rules},
};
use crate::{
    FileLine, SystemError, SystemFiles,
    accounts::{PASSWD, ShellState},
    effects::{Script, line_of_variable},
    service_command,
};

/// Debian's file with dropbear's arguments.
pub const DEFAULTS: &str = "/etc/default/dropbear";
/// Where dropbear looks for host keys that no argument names.
pub const HOST_KEYS: &str = "/etc/dropbear";

/// How dropbear is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DropbearConfig {
    /// All arguments.
    pub arguments: Vec<String>,
    /// The file that the arguments come from.
    pub source: Option<FileLine>,
    /// Where it listens: addresses (none for all) and ports.
    pub listen: Vec<(Option<String>, u16)>,
    /// The files with host keys that it loads.
    pub host_keys: Vec<String>,
    /// Whether arguments name them. Otherwise they are those below [`HOST_KEYS`].
    pub names_host_keys: bool,
    /// `-w`: root may not log in.
    pub no_root: bool,
    /// `-s`: no logins by password.
    pub no_passwords: bool,
    /// `-g`: no logins by password for root.
    pub no_root_password: bool,
    /// `-t`: a password as well as a key.
    pub both: bool,
    /// `-G`: only members of this group.
    pub only_group: Option<String>,
    /// `-c`: every login runs this command.
    pub forced_command: Option<String>,
    /// `-D`: the directory with authorized_keys instead of ~/.ssh.
    pub keys_directory: Option<String>,
}

impl DropbearConfig {
    /// Reads the arguments of dropbear.service, or without that unit of Debian's init script,
    /// with /etc/default/dropbear.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(files: &dyn SystemFiles) -> Result<Self, SystemError> {
        let defaults = files.read_text(DEFAULTS)?.unwrap_or_default();
        let (mut words, source) = match service_command::commands(files, "dropbear.service")?.pop()
        {
            Some(one) => (one.words, one.options_at.or(Some(one.at))),
            None => {
                let own = Script::read(&defaults)?;
                let port = own.value("DROPBEAR_PORT").unwrap_or("22");
                let mut words = vec!["dropbear".to_owned(), "-p".to_owned(), port.to_owned()];
                let extra = own.value("DROPBEAR_EXTRA_ARGS").unwrap_or_default();
                words.extend(extra.split_whitespace().map(str::to_owned));
                (words, None)
            }
        };
        if !words.is_empty() {
            words.remove(0);
        }
        let named = line_of_variable(&defaults, "DROPBEAR_EXTRA_ARGS");
        let source = named.map(|line| FileLine::new(DEFAULTS, line)).or(source);
        let mut config = DropbearConfig { arguments: words.clone(), source, ..Default::default() };
        config.options(&words);
        if config.listen.is_empty() {
            config.listen.push((None, 22));
        }
        config.names_host_keys = !config.host_keys.is_empty();
        if !config.names_host_keys {
            for kind in ["rsa", "dss", "ecdsa", "ed25519"] {
                let path = format!("/etc/dropbear/dropbear_{kind}_host_key");
                if files.exists(&path)? {
                    config.host_keys.push(path);
                }
            }
        }
        Ok(config)
    }

    /// Returns the file in which dropbear looks for an ed25519 host key. Of the files that
    /// arguments name any can hold one: it is the contents that tell the kind
    /// (svr-runopts.c, `loadhostkey`).
    pub fn ed25519_host_key(&self) -> String {
        let mut named = self.host_keys.iter().filter(|_| self.names_host_keys);
        let ed25519 = named.clone().find(|path| path.contains("ed25519"));
        let one = ed25519.or_else(|| named.next());
        one.cloned().unwrap_or_else(|| format!("{HOST_KEYS}/dropbear_ed25519_host_key"))
    }

    /// getopt(3): options may be joined, `-swp 22`.
    fn options(&mut self, words: &[String]) {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(letters) = word.strip_prefix('-') else { continue };
            for (at, letter) in letters.char_indices() {
                if !"bcdeDGIKlPprTWz".contains(letter) || matches!(letter, 'e' | 'z') {
                    self.flag(letter);
                    continue;
                }
                let joined = letters.get(at + letter.len_utf8()..).unwrap_or_default();
                let value = match joined {
                    "" => words.next().map(String::as_str).unwrap_or_default(),
                    joined => joined,
                };
                self.option(letter, value);
                break;
            }
        }
    }

    fn flag(&mut self, letter: char) {
        match letter {
            'w' => self.no_root = true,
            's' => self.no_passwords = true,
            'g' => self.no_root_password = true,
            't' => self.both = true,
            _ => {}
        }
    }

    fn option(&mut self, letter: char, value: &str) {
        match letter {
            'p' => {
                let (address, port) = match value.rsplit_once(':') {
                    Some((address, port)) => (address.trim_matches(['[', ']']), port),
                    None => ("", value),
                };
                if let Ok(port) = port.parse() {
                    let address = Some(address.to_owned()).filter(|address| !address.is_empty());
                    self.listen.push((address, port));
                }
            }
            'r' | 'd' => self.host_keys.push(value.to_owned()),
            'G' => self.only_group = Some(value.to_owned()),
            'c' => self.forced_command = Some(value.to_owned()),
            'D' => self.keys_directory = Some(value.to_owned()),
            _ => {}
        }
    }

    fn listens_at(&self, address: IpAddr, port: u16) -> bool {
        self.listen.iter().any(|(at, listening)| {
            let everywhere = at.as_deref().is_none_or(|at| match at.parse::<IpAddr>() {
                Ok(at) => at == address || at.is_unspecified(),
                Err(_) => true,
            });
            *listening == port && everywhere
        })
    }
}

/// Returns whether a dropbear program can have ed25519 host keys, as it can since 2020.79. One
/// whose text cannot be looked at is taken for newer.
///
/// # Errors
/// [`SystemError`] if the program cannot be read.
pub fn dropbear_knows_ed25519(files: &dyn SystemFiles, program: &str) -> Result<bool, SystemError> {
    const NAME: &[u8] = b"ssh-ed25519";
    let program = files.read(program)?.unwrap_or_default();
    let is_binary = program.starts_with(b"\x7fELF");
    Ok(!is_binary || program.windows(NAME.len()).any(|text| text == NAME))
}

/// Judges a login by key into dropbear, as [`admission`](super::admission()) does for sshd.
///
/// # Errors
/// [`SystemError`] if the filesystem is damaged.
pub fn dropbear_admission(
    host: &SshHost<'_>,
    login: &Login,
    key: Option<&str>,
) -> Result<Admission, SystemError> {
    let SshHost { files, accounts, .. } = host;
    let files = *files;
    let config = DropbearConfig::read(files)?;
    let mut to = Admission::default();
    let option = |to: &mut Admission, certain: bool, option: String| {
        let added = to.add(certain, HindranceKind::DropbearOption(option.clone()));
        added.at = config.source.clone();
        added.repair = Some(Repair::DropbearOption(option));
    };
    if !config.listens_at(login.to, login.port) {
        to.add(true, HindranceKind::NotListening(login.port)).at = config.source.clone();
    }
    let Some(user) = accounts.user(&login.user) else {
        to.add(true, HindranceKind::UnknownUser);
        return Ok(to);
    };
    if config.no_root && user.uid == 0 {
        option(&mut to, true, "-w".into());
    }
    if config.both {
        option(&mut to, true, "-t".into());
    }
    if let Some(command) = &config.forced_command {
        option(&mut to, false, format!("-c {command}"));
    }
    let groups = accounts.group_names(user);
    let other = config.only_group.as_deref().filter(|group| !groups.contains(group));
    if let Some(group) = other {
        option(&mut to, true, format!("-G {group}"));
    }
    let shell = user.login_shell();
    let in_passwd = Some(FileLine::new(PASSWD, user.line));
    if !ShellState::is_listed(files, shell)? {
        let added = to.add(true, HindranceKind::ShellNotListed(shell.to_owned()));
        added.at = in_passwd.clone();
        added.repair = Some(Repair::ListShell(shell.to_owned()));
    }
    let state = ShellState::of(files, user)?;
    if state != ShellState::Usable {
        let repair = usable_shell(files)?;
        let added = to.add(true, HindranceKind::Shell(shell.to_owned(), state));
        added.at = in_passwd.clone();
        added.repair = repair.map(|shell| Repair::Shell { user: user.name.clone(), shell });
    }
    if !user.has_home() {
        to.add(true, HindranceKind::NoHome(user.home.clone())).at = in_passwd;
        return Ok(to);
    }
    home(files, user, &mut to)?;
    let path = match config.keys_directory.as_deref().filter(|directory| !directory.is_empty()) {
        Some(directory) => match directory.strip_prefix("~/") {
            Some(below) => user.in_home(&format!("{below}/authorized_keys")),
            None => format!("{directory}/authorized_keys"),
        },
        None => user.in_home(".ssh/authorized_keys"),
    };
    to.key_files = vec![path.clone()];
    let way = permissions::check(host, user, &path, Rules::Dropbear)?;
    to.certain.extend(way.certain);
    to.uncertain.extend(way.uncertain);
    if let Some(key) = key {
        let text = files.read_text(&path)?.unwrap_or_default();
        if !authorized_keys::parse(&text).iter().any(|line| line.is_key(key)) {
            to.add(true, HindranceKind::KeyMissing).repair = Some(Repair::KeyFile(path));
        }
    }
    Ok(to)
}
