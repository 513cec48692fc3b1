//! The values that keywords take.

use super::config::ConfigProblemKind;

/// Keywords that are `yes` or `no`.
const FLAGS: [&str; 22] = [
    "usepam",
    "pubkeyauthentication",
    "passwordauthentication",
    "kbdinteractiveauthentication",
    "hostbasedauthentication",
    "hostbasedusesnamefrompacketonly",
    "gssapiauthentication",
    "gssapicleanupcredentials",
    "ignoreuserknownhosts",
    "printmotd",
    "printlastlog",
    "x11forwarding",
    "x11uselocalhost",
    "permittty",
    "permituserrc",
    "strictmodes",
    "tcpkeepalive",
    "permitemptypasswords",
    "usedns",
    "allowagentforwarding",
    "disableforwarding",
    "exposeauthinfo",
];

/// Keywords that take one argument.
const SINGLE: [&str; 15] = [
    "permitrootlogin",
    "port",
    "addressfamily",
    "hostkey",
    "hostkeyalgorithms",
    "pubkeyacceptedalgorithms",
    "chrootdirectory",
    "authorizedkeyscommanduser",
    "trustedusercakeys",
    "revokedkeys",
    "banner",
    "maxauthtries",
    "maxsessions",
    "loglevel",
    "pidfile",
];

/// Returns why sshd does not take these arguments of a keyword.
pub(super) fn problem(keyword: &str, words: &[String]) -> Option<ConfigProblemKind> {
    let Some(first) = words.first().filter(|first| !first.is_empty()) else {
        return Some(ConfigProblemKind::MissingArgument);
    };
    let flag = FLAGS.contains(&keyword);
    if words.len() > 1 && (flag || SINGLE.contains(&keyword)) {
        return Some(ConfigProblemKind::ExtraArgument);
    }
    let lower = first.to_ascii_lowercase();
    let right = match keyword {
        _ if flag => matches!(lower.as_str(), "yes" | "no"),
        "permitrootlogin" => matches!(
            lower.as_str(),
            "yes" | "no" | "without-password" | "prohibit-password" | "forced-commands-only"
        ),
        "addressfamily" => matches!(lower.as_str(), "inet" | "inet6" | "any"),
        "port" => first.parse::<u16>().is_ok_and(|port| port > 0),
        "authenticationmethods" => methods(words),
        // `none` beside others is refused since OpenSSH 9.8 only.
        "allowusers" | "denyusers" | "allowgroups" | "denygroups" | "authorizedkeysfile" => {
            words.iter().all(|word| !word.is_empty())
        }
        _ => true,
    };
    (!right).then_some(ConfigProblemKind::BadValue)
}

/// `any` alone, or lists of methods.
fn methods(words: &[String]) -> bool {
    let any = |word: &String| word == "any";
    if words.iter().any(any) {
        return words.len() == 1;
    }
    let known = |method: &str| {
        let (name, submethod) = method.split_once(':').unwrap_or((method, ""));
        match name {
            "publickey" | "password" | "hostbased" | "none" | "gssapi-with-mic" => {
                submethod.is_empty()
            }
            "keyboard-interactive" => true,
            _ => false,
        }
    };
    words.iter().all(|list| list.split(',').all(known))
}

/// Returns the address and the port of a ListenAddress.
pub(super) fn listen_address(text: &str) -> (&str, Option<u16>) {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').unwrap_or((rest, ""));
        return (address, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match text.split_once(':') {
        // Two colons: a bare IPv6 address.
        Some((_, rest)) if rest.contains(':') => (text, None),
        Some((address, port)) => (address, port.parse().ok()),
        None => (text, None),
    }
}
