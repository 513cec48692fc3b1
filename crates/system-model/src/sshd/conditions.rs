//! The conditions of a Match line (`match_cfg_line` in OpenSSH's servconf.c).

use super::{
    login::Login,
    patterns::{self, ListMatch},
};
use crate::accounts::Accounts;

/// The client of a connection.
#[derive(Clone, Copy)]
pub(super) struct Client<'a> {
    pub login: &'a Login,
    /// Whether sshd asks DNS for the client's name (`UseDNS yes`).
    pub by_name: bool,
}

/// What a Match line comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Matches,
    Differs,
    /// Only the running system knows.
    Undecided,
    /// sshd cannot read it.
    Invalid,
}

impl From<ListMatch> for Outcome {
    fn from(found: ListMatch) -> Self {
        match found {
            ListMatch::Yes => Outcome::Matches,
            ListMatch::No | ListMatch::Negated => Outcome::Differs,
            ListMatch::Invalid => Outcome::Invalid,
        }
    }
}

/// Attributes that may be written `NAME=VALUE`.
const ATTRIBUTES: [&str; 8] =
    ["user", "group", "host", "address", "localaddress", "localport", "rdomain", "version"];

/// Evaluates a Match line; without a client, when sshd starts, only `all` matches.
pub(super) fn evaluate(
    words: &[String],
    client: Option<&Client<'_>>,
    accounts: &Accounts,
) -> Outcome {
    let mut words = words.iter().map(String::as_str);
    let (mut result, mut first) = (Outcome::Matches, true);
    while let Some(word) = words.next() {
        let attribute = word.to_ascii_lowercase();
        if attribute == "all" {
            return if first && words.next().is_none() {
                Outcome::Matches
            } else {
                Outcome::Invalid
            };
        }
        first = false;
        if attribute == "invalid-user" {
            result = Outcome::Differs;
            continue;
        }
        let split = attribute.split_once('=').filter(|(name, _)| ATTRIBUTES.contains(name));
        let (name, value) = match split {
            Some((name, _)) => (name, word.get(name.len() + 1..)),
            None => (attribute.as_str(), words.next()),
        };
        let Some(value) = value.filter(|value| !value.is_empty()) else { return Outcome::Invalid };
        match one(name, value, client, accounts) {
            Outcome::Invalid => return Outcome::Invalid,
            Outcome::Differs => result = Outcome::Differs,
            Outcome::Undecided if result == Outcome::Matches => result = Outcome::Undecided,
            Outcome::Undecided | Outcome::Matches => {}
        }
    }
    if first { Outcome::Invalid } else { result }
}

fn one(name: &str, value: &str, client: Option<&Client<'_>>, accounts: &Accounts) -> Outcome {
    // What cannot be read is an error before anybody connects.
    let port = match name {
        "address" | "localaddress" => {
            let nowhere = std::net::IpAddr::from([0, 0, 0, 0]);
            if patterns::address(nowhere, value) == ListMatch::Invalid {
                return Outcome::Invalid;
            }
            None
        }
        "localport" => match value.parse::<u16>() {
            Ok(port) => Some(port),
            Err(_) => return Outcome::Invalid,
        },
        "user" | "group" | "host" | "rdomain" | "version" => None,
        _ => return Outcome::Invalid,
    };
    let Some(Client { login, by_name }) = client else { return Outcome::Differs };
    match name {
        "user" => patterns::list(&login.user, value).into(),
        "group" => group(&login.user, value, accounts),
        // Without DNS the client's name is its address.
        "host" if !by_name => patterns::host(&login.from.to_string(), value).into(),
        "address" => patterns::address(login.from, value).into(),
        "localaddress" => patterns::address(login.to, value).into(),
        "localport" if port == Some(login.port) => Outcome::Matches,
        "localport" => Outcome::Differs,
        "rdomain" => patterns::list("", value).into(),
        _ => Outcome::Undecided,
    }
}

/// `ga_match_pattern_list`: a negated pattern that matches any group decides.
fn group(user: &str, value: &str, accounts: &Accounts) -> Outcome {
    let Some(user) = accounts.user(user) else { return Outcome::Differs };
    let mut result = Outcome::Differs;
    for name in accounts.group_names(user) {
        match patterns::list(name, value) {
            ListMatch::Yes => result = Outcome::Matches,
            ListMatch::Negated => return Outcome::Differs,
            ListMatch::No | ListMatch::Invalid => {}
        }
    }
    result
}
