//! sshd's effective configuration for one login.
//!
//! sshd reads its configuration twice: at its start, when only lines before the first Match
//! (and after `Match all`) count, and for each connection, when only lines of matching
//! blocks count. What the second reading sets replaces what the first one set. Source:
//! OpenSSH's servconf.c (`process_server_config_line_depth`, `copy_set_server_options`),
//! sshd_config(5).

use std::net::IpAddr;

use super::{
    command::SshdCommand,
    conditions::Client,
    login::Login,
    reader::{Reader, Restriction},
    settings::{Setting, Settings},
    values,
};
use crate::{FileLine, SystemError, SystemFiles, accounts::Accounts};

/// The main file.
pub const SSHD_CONFIG: &str = "/etc/ssh/sshd_config";

/// A reason why sshd may refuse to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The line.
    pub at: FileLine,
    /// The reason.
    pub kind: ConfigProblemKind,
}

/// What is wrong with a line of sshd_config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigProblemKind {
    /// No known version of sshd has the keyword.
    UnknownKeyword,
    /// The keyword needs an argument.
    MissingArgument,
    /// A quotation mark is not closed.
    UnclosedQuote,
    /// There are more arguments than the keyword takes.
    ExtraArgument,
    /// The value is none that the keyword takes.
    BadValue,
    /// No list of AuthenticationMethods has only methods that are switched on.
    UnsatisfiableMethods,
    /// `AuthenticationMethods any` after another AuthenticationMethods: an error for sshd up
    /// to 9.7.
    RepeatedAny,
    /// The keyword may not stand in a Match block.
    NotInMatch,
    /// The condition of a Match cannot be read.
    BadMatch,
    /// Files include each other more than 16 deep.
    IncludeTooDeep,
    /// An an included file cannot be opened.
    IncludeUnreadable,
    /// The files have more lines than this crate reads.
    TooLong,
}

impl ConfigProblemKind {
    /// Returns whether every sshd refuses to start because of it. A keyword may be of a
    /// version that this crate does not know.
    pub fn is_certain(self) -> bool {
        !matches!(
            self,
            ConfigProblemKind::UnknownKeyword
                | ConfigProblemKind::RepeatedAny
                | ConfigProblemKind::TooLong
        )
    }
}

/// Returns whether a condition of any Match asks for the server's address, so that a setting may be
/// about two addresses at once.
///
/// # Errors
/// [`SystemError`] if the filesystem is damaged.
pub fn asks_for_local_address(
    files: &dyn SystemFiles,
    command: &SshdCommand,
) -> Result<bool, SystemError> {
    let accounts = Accounts::default();
    let mut reader = Reader::new(files, &accounts, None);
    reader.file(&command.config, Restriction::None, &mut true, 0)?;
    Ok(reader.asks_for_local_address)
}

/// sshd's configuration as it applies to one login.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SshdConfig {
    file: String,
    settings: Settings,
    problems: Vec<ConfigProblem>,
    undecided: Vec<FileLine>,
    key_files: Vec<String>,
}

impl SshdConfig {
    /// Reads /etc/ssh/sshd_config and what it includes. Without the file all defaults apply
    /// (sshd itself does not start without it; see [`exists`](Self::exists)).
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    pub fn read(
        files: &dyn SystemFiles,
        accounts: &Accounts,
        login: &Login,
    ) -> Result<Self, SystemError> {
        SshdConfig::read_file(files, accounts, login, SSHD_CONFIG)
    }

    /// Reads another main file than /etc/ssh/sshd_config (`sshd -f`).
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_file(
        files: &dyn SystemFiles,
        accounts: &Accounts,
        login: &Login,
        path: &str,
    ) -> Result<Self, SystemError> {
        let command = SshdCommand { config: path.to_owned(), ..SshdCommand::default() };
        SshdConfig::read_as(files, accounts, login, &command)
    }

    /// Reads the configuration of an sshd that is started like this.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_as(
        files: &dyn SystemFiles,
        accounts: &Accounts,
        login: &Login,
        command: &SshdCommand,
    ) -> Result<Self, SystemError> {
        let path = command.config.as_str();
        let mut start = Reader::new(files, accounts, None);
        if let Some(at) = &command.at {
            start.options(&command.lines, at)?;
            if !command.ports.is_empty() {
                start.fix_ports(&command.ports, at);
            }
        }
        start.file(path, Restriction::None, &mut true, 0)?;
        let mut config = SshdConfig {
            file: path.to_owned(),
            settings: start.settings,
            problems: start.problems,
            undecided: Vec::new(),
            key_files: start.key_files,
        };
        config.check_methods();
        let client = Client { login, by_name: config.flag("usedns", false).0 };
        let mut connection = Reader::new(files, accounts, Some(client));
        connection.file(path, Restriction::MatchOnly, &mut false, 0)?;
        let repeated = |problem: &ConfigProblem| problem.kind == ConfigProblemKind::RepeatedAny;
        for problem in connection.problems.into_iter().filter(repeated) {
            if !config.problems.contains(&problem) {
                config.problems.push(problem);
            }
        }
        config.undecided = connection.undecided;
        config.undecided.dedup();
        config.settings.override_with(connection.settings);
        Ok(config)
    }

    /// sshd starts with methods that can be satisfied only (`auth2_methods_valid`).
    fn check_methods(&mut self) {
        let Some(line) = self.lines("authenticationmethods").first() else { return };
        let on = |method: &str| match method.split(':').next().unwrap_or_default() {
            "publickey" => self.flag("pubkeyauthentication", true).0,
            "password" => self.flag("passwordauthentication", true).0,
            "keyboard-interactive" => self.flag("kbdinteractiveauthentication", true).0,
            "hostbased" => self.flag("hostbasedauthentication", false).0,
            "gssapi-with-mic" => self.flag("gssapiauthentication", false).0,
            _ => true,
        };
        if !line.words.iter().any(|list| list.split(',').all(on)) {
            let kind = ConfigProblemKind::UnsatisfiableMethods;
            self.problems.push(ConfigProblem { at: line.at.clone(), kind });
        }
    }

    /// Returns whether the main file is there.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    pub fn exists(files: &dyn SystemFiles, command: &SshdCommand) -> Result<bool, SystemError> {
        Ok(files.read(&command.config)?.is_some())
    }

    /// Returns the main file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns what keeps sshd from starting with this configuration.
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }

    /// Returns the Match lines that only the running system can decide. They count as not
    /// matching here.
    pub fn undecided(&self) -> &[FileLine] {
        &self.undecided
    }

    /// Returns all values of AuthorizedKeysFile, whomever they are for.
    pub fn all_key_files(&self) -> &[String] {
        &self.key_files
    }

    /// Returns the lines of a keyword (in lower case) that count.
    pub fn lines(&self, keyword: &str) -> &[Setting] {
        self.settings.all(keyword)
    }

    /// Returns the first argument of a keyword, and its line.
    pub fn word(&self, keyword: &str) -> Option<(&str, &FileLine)> {
        let setting = self.lines(keyword).first()?;
        Some((setting.words.first()?.as_str(), &setting.at))
    }

    /// Returns all arguments of all lines of a keyword, each with its line.
    pub fn words(&self, keyword: &str) -> impl Iterator<Item = (&str, &FileLine)> {
        self.lines(keyword)
            .iter()
            .flat_map(|line| line.words.iter().map(|word| (word.as_str(), &line.at)))
    }

    /// Returns a keyword that is `yes` or `no`, and the line that says so.
    pub fn flag(&self, keyword: &str, default: bool) -> (bool, Option<&FileLine>) {
        match self.word(keyword) {
            Some((value, at)) => (value.eq_ignore_ascii_case("yes"), Some(at)),
            None => (default, None),
        }
    }

    /// Returns the ports that sshd listens on if it opens its sockets itself.
    pub fn ports(&self) -> Vec<u16> {
        let ports: Vec<u16> =
            self.words("port").filter_map(|(port, _)| port.parse().ok()).collect();
        if ports.is_empty() { vec![22] } else { ports }
    }

    /// Returns the addresses and ports that sshd listens on; an address of `None` stands
    /// for all.
    pub fn listen(&self) -> Vec<(Option<String>, u16)> {
        let ports = self.ports();
        let mut all = Vec::new();
        for line in self.lines("listenaddress") {
            let Some(text) = line.words.first() else { continue };
            let (address, port) = values::listen_address(text);
            let address = Some(address.to_owned()).filter(|a| a != "*" && !a.is_empty());
            match port {
                Some(port) => all.push((address, port)),
                None => all.extend(ports.iter().map(|port| (address.clone(), *port))),
            }
        }
        if all.is_empty() {
            all.extend(ports.into_iter().map(|port| (None, port)));
        }
        all
    }

    /// Returns whether `AddressFamily` leaves out addresses of this kind.
    pub(super) fn leaves_out(&self, address: IpAddr) -> bool {
        let family = self.word("addressfamily").map(|(family, _)| family.to_ascii_lowercase());
        family.is_some_and(|family| match address {
            IpAddr::V4(_) => family == "inet6",
            IpAddr::V6(_) => family == "inet",
        })
    }

    /// Returns whether sshd listens at an address and port.
    pub fn listens_at(&self, address: IpAddr, port: u16) -> bool {
        let listens = |(at, listening): &(Option<String>, u16)| {
            *listening == port && at.as_deref().is_none_or(|at| is_address(at, address))
        };
        !self.leaves_out(address) && self.listen().iter().any(listens)
    }

    /// Returns whether sshd would listen at an address on one more `Port`.
    pub(super) fn would_listen_at(&self, address: IpAddr) -> bool {
        let lines = self.lines("listenaddress");
        let fits = lines.iter().filter_map(|line| line.words.first()).any(|text| {
            let (at, port) = values::listen_address(text);
            port.is_none() && (matches!(at, "" | "*") || is_address(at, address))
        });
        !self.leaves_out(address) && (fits || lines.is_empty())
    }
}

/// Returns whether what `ListenAddress` names is an address, or stands for all of its kind.
fn is_address(at: &str, address: IpAddr) -> bool {
    match at.parse::<IpAddr>() {
        Ok(at) => at == address || at.is_unspecified() && at.is_ipv4() == address.is_ipv4(),
        // A name: only the running system knows its addresses.
        Err(_) => true,
    }
}
