//! TCP wrappers: /etc/hosts.allow and /etc/hosts.deny, for servers that are linked with libwrap.
//!
//! Sources: hosts_access(5), hosts_options(5); tcp_wrappers' hosts_access.c (`table_match`) and
//! misc.c (`xgets`), with Debian's changes.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    hindrance::{Hindrance, HindranceKind},
    start::SshServer,
};
use crate::{FileLine, SystemError, SystemFiles, elf, pattern::fnmatch};

const ALLOW: &str = "/etc/hosts.allow";
const DENY: &str = "/etc/hosts.deny";
/// A line and the byte that ends it in libwrap's memory fit in as many bytes.
const BUFFER: usize = 2048;
const DPKG_STATUS: &str = "/var/lib/dpkg/status";

/// A computer that connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub address: IpAddr,
    /// The name that its address has on the finished system. Without one /etc/hosts decides.
    pub name: Option<String>,
}

/// A program that may ask TCP wrappers.
struct Wrapped<'a> {
    /// The name in the rules.
    daemon: &'a str,
    /// Where it may be, with the programs that do its work.
    programs: &'a [&'a str],
    /// Debian's package of it.
    package: &'a str,
}

const SSHD: Wrapped<'_> = Wrapped {
    daemon: "sshd",
    programs: &[
        "/usr/sbin/sshd",
        "/sbin/sshd",
        "/usr/bin/sshd",
        "/usr/lib/openssh/sshd-session",
        "/usr/libexec/openssh/sshd-session",
        "/usr/libexec/sshd-session",
    ],
    package: "openssh-server",
};

const DROPBEAR: Wrapped<'_> = Wrapped {
    daemon: "dropbear",
    programs: &["/usr/sbin/dropbear", "/usr/bin/dropbear", "/usr/local/sbin/dropbear"],
    package: "dropbear-bin",
};

/// Whether a pattern fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fits {
    Yes,
    Perhaps,
    No,
}

/// Returns the lines of /etc/hosts.allow and /etc/hosts.deny that keep clients out, each with
/// those clients, and whether it surely does.
///
/// # Errors
/// [`SystemError`] if the filesystem is damaged.
pub fn refused_clients(
    files: &dyn SystemFiles,
    server: SshServer,
    clients: &[Client],
) -> Result<Vec<(Hindrance, bool)>, SystemError> {
    let server = match server {
        SshServer::OpenSsh => &SSHD,
        SshServer::Dropbear => &DROPBEAR,
    };
    let mut lines = Vec::new();
    for (path, denies) in [(ALLOW, false), (DENY, true)] {
        let text = files.read_text(path)?.unwrap_or_default();
        let (read, end) = joined(&text);
        lines.extend(read.into_iter().map(|(number, line)| (path, number, line, denies)));
        // Where it cannot go on reading what is denied, libwrap denies everything.
        if let Some(number) = end.filter(|_| denies) {
            lines.push((path, number, "ALL: ALL".to_owned(), true));
        }
    }
    let mut rules = Vec::new();
    for (path, number, line, denies) in &lines {
        let rule = Rule::parse(line, *denies, server.daemon);
        let rule = rule.filter(|rule| rule.is_of_server != Fits::No);
        rules.extend(rule.map(|rule| (FileLine::new(*path, *number), rule)));
    }
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: Vec<(&FileLine, bool, Vec<String>)> = Vec::new();
    for client in clients {
        let Client { address, name } = client;
        let named = match name {
            Some(name) => Some(name.clone()),
            None => name_of(files, *address)?,
        };
        let Some((at, certain)) = refused(&rules, &Asking::new(*address, named)) else { continue };
        let label = name.clone().unwrap_or_else(|| address.to_string());
        match found.iter_mut().find(|(line, sure, _)| (*line, *sure) == (at, certain)) {
            Some((.., labels)) => labels.push(label),
            None => found.push((at, certain, vec![label])),
        }
    }
    if found.is_empty() || !is_linked(files, server) {
        return Ok(Vec::new());
    }
    let hindrances = found.into_iter().map(|(at, certain, labels)| {
        let all = clients.len() > 1 && labels.len() == clients.len();
        let labels = if all { Vec::new() } else { labels };
        let kind = HindranceKind::TcpWrappers(labels);
        (Hindrance { kind, at: Some(at.clone()), repair: None }, certain)
    });
    Ok(hindrances.collect())
}

/// Returns the line that keeps a client out, and whether it surely does.
fn refused<'a>(rules: &'a [(FileLine, Rule<'_>)], client: &Asking) -> Option<(&'a FileLine, bool)> {
    // A line that may have granted or denied it already.
    let (mut is_certain, mut maybe) = (true, None);
    for (at, rule) in rules {
        match rule.fits(client) {
            Fits::No => {}
            Fits::Yes if rule.denies => return Some((at, is_certain)),
            Fits::Yes => return maybe,
            Fits::Perhaps => {
                is_certain = false;
                if rule.denies {
                    maybe.get_or_insert((at, false));
                }
            }
        }
    }
    maybe
}

/// Returns whether a server is linked with libwrap; otherwise the files mean nothing to it. Where
/// no program can be looked at, the package says what it depends on.
fn is_linked(files: &dyn SystemFiles, server: &Wrapped<'_>) -> bool {
    let mut is_program = false;
    for path in server.programs {
        // What is too large to be read is no server.
        let Ok(Some(bytes)) = files.read(path) else { continue };
        let Some(names) = elf::needed(&bytes) else { continue };
        is_program = true;
        if names.iter().any(|name| name.starts_with("libwrap.so")) {
            return true;
        }
    }
    let Ok(Some(status)) = files.read_text(DPKG_STATUS) else { return false };
    let heading = format!("Package: {}", server.package);
    let mut stanzas = status.split("\n\n");
    let own = stanzas.find(|stanza| stanza.lines().any(|line| line == heading));
    let mut lines = own.into_iter().flat_map(str::lines);
    !is_program && lines.any(|line| line.starts_with("Depends:") && line.contains("libwrap0"))
}

/// Returns the name that /etc/hosts gives an address; without one, name servers decide.
fn name_of(files: &dyn SystemFiles, address: IpAddr) -> Result<Option<String>, SystemError> {
    let text = files.read_text("/etc/hosts")?.unwrap_or_default();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        if words.next().and_then(|word| word.parse().ok()) == Some(address) {
            return Ok(words.next().map(str::to_owned));
        }
    }
    Ok(None)
}

/// Returns the lines that count with their numbers, from 1; one that ends with a backslash goes
/// on. Then the line where reading ends: one that is too long, or that the end of the file cuts.
fn joined(text: &str) -> (Vec<(usize, String)>, Option<usize>) {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut pending: Option<(usize, String)> = None;
    for (index, part) in text.split_inclusive('\n').enumerate() {
        let (number, mut whole) = pending.take().unwrap_or((index + 1, String::new()));
        let (Some(line), true) = (part.strip_suffix('\n'), whole.len() + part.len() < BUFFER)
        else {
            return (found, Some(number));
        };
        match line.strip_suffix('\\') {
            Some(body) => {
                whole.push_str(body);
                pending = Some((number, whole));
            }
            None => {
                whole.push_str(line);
                if !whole.starts_with('#') && !whole.trim().is_empty() {
                    found.push((number, whole));
                }
            }
        }
    }
    (found, pending.map(|(number, _)| number))
}

/// Splits a line at its first colon that is neither quoted nor inside of brackets.
fn split_colon(line: &str) -> (&str, Option<&str>) {
    let (mut quoted, mut depth) = (false, 0_usize);
    for (at, c) in line.char_indices() {
        match c {
            _ if quoted => quoted = false,
            '\\' => quoted = true,
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => return (line.split_at(at).0, line.get(at + 1..)),
            _ => {}
        }
    }
    (line, None)
}

struct Rule<'a> {
    /// Whether it is about the server.
    is_of_server: Fits,
    clients: Vec<&'a str>,
    denies: bool,
}

impl<'a> Rule<'a> {
    /// Reads a rule; `None` for a line without a colon, which is skipped.
    fn parse(line: &'a str, denies: bool, daemon: &str) -> Option<Self> {
        let (daemons, rest) = split_colon(line);
        let (clients, mut options) = split_colon(rest?);
        let is_of_server = list(&words(daemons), &|word| daemon_fits(word, daemon));
        let mut rule = Rule { is_of_server, clients: words(clients), denies };
        while let Some(rest) = options {
            let (option, more) = split_colon(rest);
            match option.split_ascii_whitespace().next().map(str::to_ascii_lowercase).as_deref() {
                Some("allow") => rule.denies = false,
                // Another program answers instead of the server.
                Some("deny" | "twist") => rule.denies = true,
                _ => {}
            }
            options = more;
        }
        Some(rule)
    }

    fn fits(&self, client: &Asking) -> Fits {
        match (self.is_of_server, list(&self.clients, &|word| client.fits(word))) {
            (Fits::No, _) | (_, Fits::No) => Fits::No,
            (Fits::Perhaps, _) => Fits::Perhaps,
            (Fits::Yes, fits) => fits,
        }
    }
}

fn daemon_fits(word: &str, daemon: &str) -> Fits {
    // `DAEMON@HOST` is about an address of the server's own.
    let (name, host) = word.split_once('@').unwrap_or((word, ""));
    let is_pattern = name.contains(['*', '?']);
    let fits = name.eq_ignore_ascii_case("ALL")
        || name.eq_ignore_ascii_case(daemon)
        || is_pattern && fnmatch(&name.to_ascii_lowercase(), daemon);
    match (fits, host) {
        (false, _) => Fits::No,
        (true, "") => Fits::Yes,
        (true, _) => Fits::Perhaps,
    }
}

fn words(list: &str) -> Vec<&str> {
    list.split([' ', ',', '\t', '\r', '\n']).filter(|word| !word.is_empty()).collect()
}

/// `LIST EXCEPT LIST`, any number of times: `a EXCEPT b EXCEPT c` is `a EXCEPT (b EXCEPT c)`.
fn list(words: &[&str], fits: &dyn Fn(&str) -> Fits) -> Fits {
    let lists = words.split(|word| word.eq_ignore_ascii_case("EXCEPT")).map(|own| any(own, fits));
    // What follows a list that does not fit excepts nothing.
    let mut lists: Vec<Fits> = lists.take_while(|one| *one != Fits::No).collect();
    let mut result = Fits::No;
    while let Some(own) = lists.pop() {
        result = match result {
            Fits::Yes => Fits::No,
            Fits::Perhaps => Fits::Perhaps,
            Fits::No => own,
        };
    }
    result
}

/// Whether any of the words fits.
fn any(words: &[&str], fits: &dyn Fn(&str) -> Fits) -> Fits {
    let mut result = Fits::No;
    for word in words {
        match fits(word) {
            Fits::Yes => return Fits::Yes,
            Fits::Perhaps => result = Fits::Perhaps,
            Fits::No => {}
        }
    }
    result
}

/// A client, as the rules are asked about it.
struct Asking {
    address: IpAddr,
    text: String,
    name: Option<String>,
}

impl Asking {
    fn new(address: IpAddr, name: Option<String>) -> Self {
        Asking { address, text: address.to_string(), name }
    }

    fn fits(&self, word: &str) -> Fits {
        if let Some((user, host)) = word.split_once('@') {
            // A netgroup, or what the other computer says of its user.
            return match (user, self.host_fits(host)) {
                ("", _) => Fits::Perhaps,
                (_, Fits::No) => Fits::No,
                _ => Fits::Perhaps,
            };
        }
        self.host_fits(word)
    }

    /// A pattern after its user, in which another `@` separates nothing.
    fn host_fits(&self, word: &str) -> Fits {
        let decided = |fits: bool| if fits { Fits::Yes } else { Fits::No };
        let by_name = |fits: &dyn Fn(&str) -> bool| match &self.name {
            Some(name) => decided(fits(name)),
            None => Fits::Perhaps,
        };
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        if is("ALL") {
            return Fits::Yes;
        }
        if is("LOCAL") {
            return by_name(&|name| !name.contains('.'));
        }
        if is("KNOWN") {
            return by_name(&|_| true);
        }
        // Name and address of a node agree.
        if is("PARANOID") {
            return Fits::No;
        }
        if is("UNKNOWN") {
            return by_name(&|_| false);
        }
        if let Some(domain) = word.strip_prefix('.') {
            let end = format!(".{}", domain.to_ascii_lowercase());
            return by_name(&|name| name.to_ascii_lowercase().ends_with(&end));
        }
        // The name of a file with patterns.
        if word.starts_with('/') {
            return Fits::Perhaps;
        }
        if word.ends_with('.') {
            return decided(self.text.starts_with(word));
        }
        if word.starts_with('[') {
            return match self.address {
                IpAddr::V4(_) => Fits::No,
                IpAddr::V6(_) => Fits::Perhaps,
            };
        }
        if let Some((net, mask)) = word.split_once('/') {
            let IpAddr::V4(address) = self.address else { return Fits::No };
            let mask = match (mask.parse::<u32>(), mask.parse::<Ipv4Addr>()) {
                (Ok(bits @ 0..=32), _) => u32::MAX.checked_shl(32 - bits).unwrap_or(0),
                (_, Ok(mask)) => mask.to_bits(),
                _ => return Fits::No,
            };
            let net = net.parse::<Ipv4Addr>();
            return decided(net.is_ok_and(|net| address.to_bits() & mask == net.to_bits()));
        }
        if word.contains(['*', '?']) {
            return match fnmatch(word, &self.text) {
                true => Fits::Yes,
                false if word.contains(|c: char| c.is_ascii_alphabetic()) => {
                    by_name(&|name| fnmatch(word, name))
                }
                false => Fits::No,
            };
        }
        match word.parse::<IpAddr>() {
            Ok(other) => decided(other == self.address),
            Err(_) => by_name(&|name| name.eq_ignore_ascii_case(word)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    const LINKED: &str = "Package: openssh-server\nDepends: libc6, libwrap0 (>= 7.6-4~)\n";

    fn found(files: &MemoryFiles) -> Option<(FileLine, bool)> {
        let client = Client { address: [10, 0, 0, 7].into(), name: None };
        let found = refused_clients(files, SshServer::OpenSsh, &[client]).expect("readable");
        let (hindrance, certain) = found.into_iter().next()?;
        Some((hindrance.at?, certain))
    }

    fn refusal(allow: &str, deny: &str) -> Option<(String, usize, bool)> {
        let mut files = MemoryFiles::new();
        files.write(ALLOW, allow).write(DENY, deny).write(DPKG_STATUS, LINKED);
        files.write("/etc/hosts", "10.0.0.7 node7.home node7\n");
        found(&files).map(|(at, certain)| (at.path, at.line, certain))
    }

    /// As `tcpdmatch sshd node7.home` of tcpd 7.6.q-32 says.
    #[test]
    fn rules_are_decided_as_libwrap_does() {
        let denied = |line| Some((DENY.to_owned(), line, true));
        for (allow, deny, expected) in [
            ("", "", None),
            ("", "ALL: ALL\n", denied(1)),
            ("", "# ALL: ALL\nsshd : ALL\n", denied(2)),
            ("", "in.telnetd: ALL\n", None),
            ("", "ALL EXCEPT sshd: ALL\n", None),
            ("", "ALL: ALL EXCEPT 10.0.0.0/24\n", None),
            ("", "ALL: ALL EXCEPT 10.0.1.0/255.255.255.0\n", denied(1)),
            ("sshd: 10.0.\n", "ALL: ALL\n", None),
            ("sshd: 10.0.0.0/255.255.255.0\n", "ALL: ALL\n", None),
            ("sshd: 10.0.0.70\n", "ALL: ALL\n", denied(1)),
            ("sshd: .home\n", "ALL: ALL\n", None),
            ("sshd: LOCAL\n", "ALL: ALL\n", denied(1)),
            ("sshd, \\\n in.ftpd: node7.home\n", "ALL: ALL\n", None),
            ("", "sshd: node8.home, .lan\n", None),
            ("", "ALL: PARANOID\n", None),
            ("", "sshd ALL\n", None),
            ("sshd: ALL: deny\n", "", Some((ALLOW.to_owned(), 1, true))),
            ("ALL: ALL: spawn /bin/true : allow\n", "ALL: ALL\n", None),
            ("", "sshd: ALL: allow\n", None),
            ("", "sshd: 10.0.0.*\n", denied(1)),
            ("", "sshd: [fe80::]/10\n", None),
            ("sshd : 10.0.0.7 : allow\nsshd : ALL : deny\n", "", None),
            ("", "sshd: ALL EXCEPT node7.home\n", None),
            ("", "SSHD: all\n", denied(1)),
            ("sshd: ALL : twist /bin/echo no\n", "", Some((ALLOW.to_owned(), 1, true))),
            ("", "sshd: 10.0.0.7/32\n", denied(1)),
            ("", "sshd: 10.0.0.5/24\n", None),
            ("", " sshd: ALL\n", denied(1)),
            ("", "s*: KNOWN\n", denied(1)),
            ("", "ALL : ALL except 10.0.0.7\n", None),
            ("", "ALL: ALL EXCEPT 10.0.0. EXCEPT 10.0.0.7\n", denied(1)),
            ("", "ALL: ALL EXCEPT 10.0.0. EXCEPT 10.0.0.8\n", None),
            ("", "ALL: ALL EXCEPT 10.0.0. EXCEPT ALL EXCEPT 10.0.0.7\n", None),
            ("", "ALL: ALL EXCEPT 10.0.1. EXCEPT ALL\n", denied(1)),
            ("", "ALL: EXCEPT ALL\n", None),
            ("", "ALL: ALL EXCEPT\n", denied(1)),
            ("sshd: @admins\n", "ALL: ALL\n", Some((DENY.to_owned(), 1, false))),
        ] {
            assert_eq!(refusal(allow, deny), expected, "{allow:?} {deny:?}");
        }
    }

    /// As `tcpdmatch` says of these.
    #[test]
    fn a_line_that_cannot_be_read_ends_the_file() {
        let denied = |line| Some((DENY.to_owned(), line, true));
        let long = |rest: &str| format!("# {}\n{rest}", "x".repeat(BUFFER));
        for (allow, deny, expected) in [
            ("", "in.telnetd: ALL", denied(1)),
            ("", "in.telnetd: ALL\n ", denied(2)),
            ("", "in.telnetd: ALL\n\nin.ftpd: \\\n", denied(3)),
            ("", long("").as_str(), denied(1)),
            ("sshd: ALL", "ALL: ALL\n", denied(1)),
            (long("sshd: ALL\n").as_str(), "ALL: ALL\n", denied(1)),
            (long("sshd: ALL: deny\n").as_str(), "", None),
            ("sshd: ALL\nin.ftpd: ALL", "ALL: ALL\n", None),
            ("", "sshd: ALL: allow\nx", None),
        ] {
            assert_eq!(refusal(allow, deny), expected, "{allow:?} {deny:?}");
        }
        let full = |more: usize| format!("in.telnetd: {}\n", "x".repeat(BUFFER - 14 + more));
        assert_eq!((refusal("", &full(0)), refusal("", &full(1))), (None, denied(1)));
    }

    #[test]
    fn the_files_mean_nothing_to_a_server_without_libwrap() {
        let mut files = MemoryFiles::new();
        files.write(DENY, "ALL: ALL\n");
        let refused = |files: &MemoryFiles| found(files).is_some();
        assert!(!refused(&files), "nothing says that it is linked");
        files.write(DPKG_STATUS, format!("Package: a\nDepends: libwrap0\n\n{LINKED}"));
        assert!(refused(&files));
        // A program of its own instead of the package's.
        let own = std::fs::read(std::env::current_exe().expect("a path")).expect("readable");
        files.write("/usr/sbin/sshd", own);
        assert!(!refused(&files) || cfg!(not(target_os = "linux")));
    }
}
