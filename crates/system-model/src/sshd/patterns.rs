//! Patterns of names and addresses, as OpenSSH's match.c and addrmatch.c read them.

use std::net::IpAddr;

/// Returns whether a pattern of `*` and `?` matches a whole string (`match_pattern`).
pub(super) fn matches(string: &str, pattern: &str) -> bool {
    // The two have no other special characters here: escape those of the shell.
    let mut escaped = String::with_capacity(pattern.len() + 8);
    for c in pattern.chars() {
        if matches!(c, '[' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    crate::pattern::fnmatch(&escaped, string)
}

/// Whether a list of patterns matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListMatch {
    /// None matches.
    No,
    /// One matches, and no negated one.
    Yes,
    /// A negated one matches.
    Negated,
    /// The list cannot be read.
    Invalid,
}

/// Returns whether a comma-separated list of patterns matches (`match_pattern_list`).
pub(super) fn list(string: &str, patterns: &str) -> ListMatch {
    let mut result = ListMatch::No;
    for pattern in patterns.split(',') {
        let (negated, pattern) = negation(pattern);
        if pattern.len() >= 1023 {
            return ListMatch::No;
        }
        if matches(string, pattern) {
            if negated {
                return ListMatch::Negated;
            }
            result = ListMatch::Yes;
        }
    }
    result
}

/// Returns whether a list matches a host name (`match_hostname`).
pub(super) fn host(name: &str, patterns: &str) -> ListMatch {
    list(&name.to_ascii_lowercase(), &patterns.to_ascii_lowercase())
}

fn negation(pattern: &str) -> (bool, &str) {
    match pattern.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    }
}

/// Returns whether a list of addresses, networks and patterns matches an address
/// (`addr_match_list`).
pub(super) fn address(address: IpAddr, patterns: &str) -> ListMatch {
    let text = address.to_string();
    let mut result = ListMatch::No;
    for pattern in patterns.split(',') {
        let (negated, pattern) = negation(pattern);
        if pattern.is_empty() {
            return ListMatch::Invalid;
        }
        let fits = match Network::parse(pattern) {
            Network::Inconsistent => return ListMatch::Invalid,
            Network::Of(network, length) => contains(network, length, address),
            Network::NotOne => matches(&text, pattern),
        };
        if fits {
            if negated {
                return ListMatch::Negated;
            }
            result = ListMatch::Yes;
        }
    }
    result
}

enum Network {
    Of(IpAddr, u32),
    /// The length is too long, or host bits are set.
    Inconsistent,
    /// It reads as no address.
    NotOne,
}

impl Network {
    fn parse(text: &str) -> Network {
        let (address, length) = match text.split_once('/') {
            None => (text, None),
            Some((address, length)) => match length.parse::<u32>() {
                Ok(length) if length <= 128 => (address, Some(length)),
                _ => return Network::NotOne,
            },
        };
        let Ok(address) = address.parse::<IpAddr>() else { return Network::NotOne };
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(width);
        if length > width || bits(address, length) != bits(address, width) {
            return Network::Inconsistent;
        }
        Network::Of(address, length)
    }
}

/// Returns the first `length` bits of an address, the others zero.
fn bits(address: IpAddr, length: u32) -> u128 {
    let whole = match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
        IpAddr::V6(v6) => u128::from(v6),
    };
    match length {
        0 => 0,
        _ => whole & (u128::MAX << (128 - length.min(128))),
    }
}

fn contains(network: IpAddr, length: u32, address: IpAddr) -> bool {
    network.is_ipv4() == address.is_ipv4() && bits(network, length) == bits(address, length)
}

/// Whether an entry of AllowUsers or DenyUsers is a user's (`match_user`): `NAME` or
/// `NAME@HOST`.
pub(super) fn user(name: &str, host_name: &str, from: IpAddr, pattern: &str) -> ListMatch {
    let Some((user, place)) = pattern.rsplit_once('@') else {
        return if matches(name, pattern) { ListMatch::Yes } else { ListMatch::No };
    };
    if !matches(name, user) {
        return ListMatch::No;
    }
    match (address(from, place), host(host_name, place)) {
        (ListMatch::Invalid, _) => ListMatch::Invalid,
        (ListMatch::Negated, _) | (_, ListMatch::Negated) => ListMatch::No,
        (ListMatch::Yes, _) | (_, ListMatch::Yes) => ListMatch::Yes,
        _ => ListMatch::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_match_networks_and_patterns() {
        let from: IpAddr = "192.168.1.81".parse().expect("an address");
        for (patterns, expected) in [
            ("192.168.1.0/24", ListMatch::Yes),
            ("192.168.1.*", ListMatch::Yes),
            ("!192.168.1.81,192.168.1.0/24", ListMatch::Negated),
            ("10.0.0.0/8", ListMatch::No),
            ("192.168.1.1/24", ListMatch::Invalid),
            ("192.168.1.0/33", ListMatch::Invalid),
            ("10.0.0.1,", ListMatch::Invalid),
            ("::/0", ListMatch::No),
            ("0.0.0.0/0", ListMatch::Yes),
            ("*", ListMatch::Yes),
        ] {
            assert_eq!(address(from, patterns), expected, "{patterns}");
        }
    }

    #[test]
    fn names_match_lists() {
        for (patterns, expected) in [
            ("pi,root", ListMatch::Yes),
            ("*,!root", ListMatch::Negated),
            ("!pi", ListMatch::No),
            ("r??t", ListMatch::Yes),
            ("r[o]ot", ListMatch::No),
        ] {
            assert_eq!(list("root", patterns), expected, "{patterns}");
        }
        let from: IpAddr = "192.168.1.81".parse().expect("an address");
        assert_eq!(user("pi", "n1", from, "pi@192.168.1.0/24"), ListMatch::Yes);
        assert_eq!(user("pi", "n1", from, "pi@10.*"), ListMatch::No);
        assert_eq!(user("pi", "N1", from, "p?@n*"), ListMatch::Yes);
    }
}
