//! Reading sshd_config line by line (`process_server_config_line_depth` in OpenSSH's
//! servconf.c).

use super::{
    conditions::{Client, Outcome, evaluate},
    config::{ConfigProblem, ConfigProblemKind},
    keywords::{self, Place},
    settings::{Setting, Settings},
    values, words,
};
use crate::{FileLine, SystemError, SystemFiles, accounts::Accounts, pattern};

const DIRECTORY: &str = "/etc/ssh";
/// `SERVCONF_MAX_DEPTH`
const MAX_DEPTH: usize = 16;
/// No configuration has as many lines. Files that include each other could.
const MAX_LINES: usize = 200_000;

/// What an included file may set, depending on where it is included.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Restriction {
    None,
    /// The second reading before any Match: blocks inside may match.
    MatchOnly,
    /// Included in a block that does not match: no block inside matches either.
    NeverMatch,
}

pub(super) struct Reader<'a> {
    files: &'a dyn SystemFiles,
    accounts: &'a Accounts,
    client: Option<Client<'a>>,
    pub settings: Settings,
    pub problems: Vec<ConfigProblem>,
    pub undecided: Vec<FileLine>,
    pub key_files: Vec<String>,
    /// Whether a condition asks for the server's address.
    pub asks_for_local_address: bool,
    /// Whether arguments decide on the ports.
    has_ports: bool,
    lines_left: usize,
}

impl<'a> Reader<'a> {
    pub fn new(
        files: &'a dyn SystemFiles,
        accounts: &'a Accounts,
        client: Option<Client<'a>>,
    ) -> Self {
        Reader {
            files,
            accounts,
            client,
            settings: Settings::default(),
            problems: Vec::new(),
            undecided: Vec::new(),
            key_files: Vec::new(),
            asks_for_local_address: false,
            has_ports: false,
            lines_left: MAX_LINES,
        }
    }

    fn problem(&mut self, at: &FileLine, kind: ConfigProblemKind) {
        // A line is read as often as it is included.
        let problem = ConfigProblem { at: at.clone(), kind };
        if self.problems.len() < 1000 && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Reads arguments that stand for lines (`sshd -o`), before any file.
    pub fn options(&mut self, lines: &[String], at: &FileLine) -> Result<(), SystemError> {
        for line in lines {
            self.line(line, at, &mut Restriction::None, &mut true, 0)?;
        }
        Ok(())
    }

    /// Sets the ports of arguments (`sshd -p`). Those of files do not count then, but those of
    /// `-o` do.
    pub fn fix_ports(&mut self, ports: &[u16], at: &FileLine) {
        for port in ports {
            let words = vec![port.to_string()];
            self.settings.add("port", Setting { words, at: at.clone(), in_match: false });
        }
        self.has_ports = true;
    }

    pub fn file(
        &mut self,
        path: &str,
        mut restriction: Restriction,
        active: &mut bool,
        depth: usize,
    ) -> Result<(), SystemError> {
        let Some(text) = self.files.read_text(path)? else { return Ok(()) };
        self.lines_left = self.lines_left.saturating_sub(text.len() / 100);
        for (number, line) in text.split('\n').enumerate() {
            let at = FileLine::new(path, number + 1);
            if self.lines_left == 0 {
                self.problem(&at, ConfigProblemKind::TooLong);
                return Ok(());
            }
            self.lines_left -= 1;
            self.line(line, &at, &mut restriction, active, depth)?;
        }
        Ok(())
    }

    fn line(
        &mut self,
        line: &str,
        at: &FileLine,
        restriction: &mut Restriction,
        active: &mut bool,
        depth: usize,
    ) -> Result<(), SystemError> {
        let Some((keyword, rest)) = words::keyword(line) else { return Ok(()) };
        if rest.is_empty() {
            self.problem(at, ConfigProblemKind::MissingArgument);
            return Ok(());
        }
        let Some(place) = keywords::place(&keyword) else {
            self.problem(at, ConfigProblemKind::UnknownKeyword);
            return Ok(());
        };
        let Some(words) = words::arguments(rest) else {
            self.problem(at, ConfigProblemKind::UnclosedQuote);
            return Ok(());
        };
        if !*active && place == Place::Global {
            // In the second reading it has been dealt with.
            if self.client.is_none() {
                self.problem(at, ConfigProblemKind::NotInMatch);
            }
            return Ok(());
        }
        match keyword.as_str() {
            "include" => self.include(&words, at, *restriction, active, depth)?,
            "match" => {
                let asks = |word: &String| word.to_ascii_lowercase().starts_with("localaddress");
                self.asks_for_local_address |= words.iter().any(asks);
                let client = match restriction {
                    Restriction::NeverMatch => None,
                    _ => self.client.as_ref(),
                };
                match evaluate(&words, client, self.accounts) {
                    Outcome::Matches => *active = *restriction != Restriction::NeverMatch,
                    Outcome::Differs => *active = false,
                    Outcome::Undecided => {
                        *active = false;
                        self.undecided.push(at.clone());
                    }
                    Outcome::Invalid => {
                        *active = false;
                        self.problem(at, ConfigProblemKind::BadMatch);
                    }
                }
                if *restriction == Restriction::MatchOnly {
                    *restriction = Restriction::None;
                }
            }
            _ => {
                let canonical = keywords::canonical(&keyword);
                if canonical == "authorizedkeysfile" && self.key_files.len() < 1000 {
                    self.key_files.extend(words.iter().cloned());
                }
                let repeated = canonical == "authenticationmethods"
                    && words.first().is_some_and(|word| word == "any")
                    && !self.settings.all(canonical).is_empty();
                if repeated {
                    self.problem(at, ConfigProblemKind::RepeatedAny);
                }
                if let Some(kind) = values::problem(canonical, &words) {
                    self.problem(at, kind);
                } else if *active && !(self.has_ports && canonical == "port") {
                    let in_match = self.client.is_some();
                    self.settings.add(canonical, Setting { words, at: at.clone(), in_match });
                }
            }
        }
        Ok(())
    }

    fn include(
        &mut self,
        patterns: &[String],
        at: &FileLine,
        restriction: Restriction,
        active: &mut bool,
        depth: usize,
    ) -> Result<(), SystemError> {
        if patterns.is_empty() {
            self.problem(at, ConfigProblemKind::MissingArgument);
        }
        let before = *active;
        let inside = match (restriction, before) {
            (Restriction::MatchOnly, _) => Restriction::MatchOnly,
            (_, true) => Restriction::None,
            (_, false) => Restriction::NeverMatch,
        };
        for pattern in patterns {
            if self.lines_left == 0 {
                return Ok(());
            }
            // What is looked for counts too: thousands of lines may include large directories.
            self.lines_left -= 1;
            let whole = if pattern.starts_with(['/', '~']) {
                pattern.clone()
            } else {
                format!("{DIRECTORY}/{pattern}")
            };
            for path in pattern::glob(self.files, &whole)? {
                if depth + 1 > MAX_DEPTH {
                    self.problem(at, ConfigProblemKind::IncludeTooDeep);
                    return Ok(());
                }
                if self.files.metadata(&path)?.is_none_or(|m| m.kind == crate::FileKind::Symlink) {
                    self.problem(at, ConfigProblemKind::IncludeUnreadable);
                    continue;
                }
                self.lines_left = self.lines_left.saturating_sub(1);
                self.file(&path, inside, active, depth + 1)?;
                // A file does not change the Match that it is included in.
                *active = before;
            }
        }
        Ok(())
    }
}
