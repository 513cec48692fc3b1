//! How sshd is started: its arguments, and the sockets that systemd opens for it.
//!
//! Sources: sshd(8); OpenSSH's sshd.c (`main`) and servconf.c; Debian's ssh.service, ssh@.service,
//! ssh.socket and init script; systemd.socket(5); Ubuntu's sshd-socket-generator, which gives
//! ssh.socket the ports of sshd_config.

use std::net::IpAddr;

use super::{SSHD_CONFIG, SshdConfig, login::Login};
use crate::{
    FileLine, SystemError, SystemFiles, Systemd,
    accounts::Accounts,
    effects::{Script, line_of_variable},
    service_command, units,
};

/// Debian's file with sshd's arguments.
const DEFAULTS: &str = "/etc/default/ssh";
const INIT_SCRIPT: &str = "/etc/init.d/ssh";
const SERVICES: [&str; 2] = ["ssh.service", "sshd.service"];
const SOCKETS: [&str; 2] = ["ssh.socket", "sshd.socket"];
/// The name of the drop-in that Ubuntu's generator writes.
const GENERATED: &str = "addresses.conf";
const GENERATORS: [&str; 2] = [
    "/usr/lib/systemd/system-generators/sshd-socket-generator",
    "/lib/systemd/system-generators/sshd-socket-generator",
];

/// How sshd is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshdCommand {
    /// The configuration that it reads (`-f`).
    pub config: String,
    /// The line with the arguments; `None` without any.
    pub at: Option<FileLine>,
    /// Lines of configuration before all others (`-o`, `-4`, `-6`, `-h`).
    pub(super) lines: Vec<String>,
    /// Ports instead of those of the configuration (`-p`).
    pub(super) ports: Vec<u16>,
    /// What systemd listens on, instead of sshd.
    pub(super) sockets: Option<Vec<Socket>>,
}

/// An address and port that systemd opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Socket {
    /// `None` for all addresses.
    address: Option<IpAddr>,
    port: u16,
    /// `BindIPv6Only=ipv6-only`
    only_ipv6: bool,
    /// The line; `None` for one of the configuration's, which a generator copies.
    pub(super) at: Option<FileLine>,
}

impl Socket {
    pub(super) fn answers(&self, address: IpAddr, port: u16) -> bool {
        let reached = match self.address {
            None => !self.only_ipv6 || address.is_ipv6(),
            Some(IpAddr::V6(own)) if own.is_unspecified() => !self.only_ipv6 || address.is_ipv6(),
            Some(own) if own.is_unspecified() => address.is_ipv4(),
            Some(own) => own == address,
        };
        self.port == port && reached
    }
}

impl Default for SshdCommand {
    fn default() -> Self {
        SshdCommand {
            config: SSHD_CONFIG.to_owned(),
            at: None,
            lines: Vec::new(),
            ports: Vec::new(),
            sockets: None,
        }
    }
}

impl SshdCommand {
    /// Reads how sshd is started by what starts at boot, or, if nothing does, by the unit or init
    /// script that could.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(files: &dyn SystemFiles, systemd: &Systemd) -> Result<Self, SystemError> {
        let running = |names: [&str; 2]| {
            names.into_iter().find_map(|name| systemd.running(name).map(|unit| unit.name.clone()))
        };
        let (service, socket) = (running(SERVICES), running(SOCKETS));
        let mut opened = None;
        let unit = match (service, socket) {
            (service, Some(socket)) => {
                let accepts = units::values(files, &socket, "Socket", "Accept")?;
                let accepts = accepts.last().and_then(|(value, _)| units::boolean(value));
                let stem = socket.trim_end_matches(".socket");
                match (service, accepts == Some(true)) {
                    // Both answer, or one of them: the service opens its own sockets.
                    (Some(service), true) => Some(service),
                    (None, true) => {
                        opened = Some(sockets(files, &socket)?);
                        Some(format!("{stem}@.service"))
                    }
                    (_, false) => {
                        opened = Some(sockets(files, &socket)?);
                        Some(format!("{stem}.service"))
                    }
                }
            }
            (Some(service), None) => Some(service),
            (None, None) => {
                let mut found = None;
                for name in SERVICES {
                    if found.is_none() && units::path(files, name)?.is_some() {
                        found = Some(name.to_owned());
                    }
                }
                found
            }
        };
        let started = match unit {
            Some(unit) => service_command::commands(files, &unit)?.pop(),
            None => None,
        };
        let words = match started {
            Some(one) => Some((one.words, one.options_at.unwrap_or(one.at))),
            None if files.exists(INIT_SCRIPT)? => of_init_script(files)?,
            None => None,
        };
        let mut command = SshdCommand { sockets: opened, ..SshdCommand::default() };
        if let Some((words, at)) = words {
            command.options(words.get(1..).unwrap_or_default());
            command.at = Some(at);
        }
        Ok(command)
    }

    /// getopt(3): options may be joined, `-Dp 22`.
    fn options(&mut self, words: &[String]) {
        const WITH_VALUE: &str = "CEbcfghkopu";
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
                return;
            };
            if word == "--" {
                return;
            }
            for (at, letter) in letters.char_indices() {
                if !WITH_VALUE.contains(letter) {
                    match letter {
                        '4' => self.lines.insert(0, "AddressFamily inet".to_owned()),
                        '6' => self.lines.insert(0, "AddressFamily inet6".to_owned()),
                        _ => {}
                    }
                    continue;
                }
                let joined = letters.get(at + letter.len_utf8()..).unwrap_or_default();
                let value = match joined {
                    "" => words.next().map(String::as_str).unwrap_or_default(),
                    joined => joined,
                };
                match letter {
                    'f' => self.config = value.to_owned(),
                    'p' => self.ports.extend(value.parse::<u16>().ok()),
                    'o' => self.lines.push(value.to_owned()),
                    'h' => self.lines.push(format!("HostKey {value}")),
                    _ => {}
                }
                break;
            }
        }
    }

    /// Returns whether a setting is one of the arguments, which the configuration cannot change.
    pub fn has(&self, at: &FileLine) -> bool {
        self.at.as_ref() == Some(at)
    }
}

/// Reads the arguments that Debian's init script gives sshd. The shell splits them at white space.
fn of_init_script(files: &dyn SystemFiles) -> Result<Option<(Vec<String>, FileLine)>, SystemError> {
    let text = files.read_text(DEFAULTS)?.unwrap_or_default();
    let defaults = Script::read(&text)?;
    let value = defaults.value("SSHD_OPTS").unwrap_or_default();
    let mut words = vec!["sshd".to_owned()];
    words.extend(value.split_whitespace().map(str::to_owned));
    let line = line_of_variable(&text, "SSHD_OPTS").unwrap_or(1);
    Ok((words.len() > 1).then(|| (words, FileLine::new(DEFAULTS, line))))
}

/// Returns what a socket unit listens on.
fn sockets(files: &dyn SystemFiles, unit: &str) -> Result<Vec<Socket>, SystemError> {
    let mut parts = units::parts(files, unit)?;
    let mut generated = Vec::new();
    for path in GENERATORS {
        if generated.is_empty() && files.exists(path)? {
            generated = of_configuration(files)?;
        }
    }
    let only = units::values(files, unit, "Socket", "BindIPv6Only")?;
    let only_ipv6 = only.last().is_some_and(|(value, _)| value == "ipv6-only");
    let mut found = Vec::new();
    let has_own = parts.iter().any(|(name, _)| name == GENERATED);
    if !generated.is_empty() && !has_own {
        // The unit's own file comes first, its drop-ins in the order of their names.
        let at = parts.iter().skip(1).position(|(name, _)| name.as_str() > GENERATED);
        let at = at.map_or(parts.len(), |at| at + 1);
        parts.insert(at, (GENERATED.to_owned(), String::new()));
    }
    for (_, path) in parts {
        if path.is_empty() {
            found.clone_from(&generated);
            continue;
        }
        let text = files.read_text(&path)?.unwrap_or_default();
        for entry in units::entries(&text, &path) {
            if entry.section != "Socket" || !entry.key.starts_with("Listen") {
                continue;
            }
            // An empty one takes back those of every kind.
            if entry.value.is_empty() {
                found.clear();
            } else if entry.key == "ListenStream"
                && let Some((address, port)) = parse(&entry.value)
            {
                found.push(Socket { address, port, only_ipv6, at: Some(entry.at) });
            }
        }
    }
    Ok(found)
}

/// Returns what the generator makes of sshd_config: nothing, if that has the default.
fn of_configuration(files: &dyn SystemFiles) -> Result<Vec<Socket>, SystemError> {
    let config = SshdConfig::read(files, &Accounts::default(), &Login::anybody())?;
    let listen = config.listen();
    if listen == [(None, 22)] {
        return Ok(Vec::new());
    }
    let sockets = listen.into_iter().map(|(address, port)| Socket {
        address: address.and_then(|address| address.parse().ok()),
        port,
        only_ipv6: false,
        at: None,
    });
    Ok(sockets.collect())
}

/// Reads a port, or an address and a port. Other kinds of sockets are not the network's.
fn parse(value: &str) -> Option<(Option<IpAddr>, u16)> {
    if let Ok(port) = value.parse() {
        return Some((None, port));
    }
    let (address, port) = value.rsplit_once(':')?;
    let address = address.trim_matches(['[', ']']).parse().ok()?;
    Some((Some(address), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    const WANTS: &str = "/etc/systemd/system/multi-user.target.wants";
    const SOCKET_WANTS: &str = "/etc/systemd/system/sockets.target.wants";

    fn command(files: &MemoryFiles) -> SshdCommand {
        SshdCommand::read(files, &Systemd::read_later_boots(files).unwrap()).unwrap()
    }

    /// Debian's service and socket.
    fn debian(socket: &str) -> MemoryFiles {
        let mut files = MemoryFiles::new();
        let start = "[Service]\nEnvironmentFile=-/etc/default/ssh\n\
                     ExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n";
        files
            .write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
            .write("/usr/lib/systemd/system/ssh.service", start)
            .write("/usr/lib/systemd/system/ssh@.service", start.replace("-D", "-i"))
            .write("/usr/lib/systemd/system/ssh.socket", format!("[Socket]\n{socket}"));
        files
    }

    fn by_service(files: &mut MemoryFiles) {
        files.symlink(&format!("{WANTS}/ssh.service"), "/x");
    }

    fn by_socket(files: &mut MemoryFiles) {
        files.symlink(&format!("{SOCKET_WANTS}/ssh.socket"), "/x");
    }

    #[test]
    fn arguments_come_from_the_unit_and_its_environment() {
        let mut files = debian("ListenStream=22\n");
        by_service(&mut files);
        assert_eq!(command(&files).config, SSHD_CONFIG);
        files.write(DEFAULTS, "# x\nSSHD_OPTS=\"-p 2222 -o 'AllowUsers a b'\"\n");
        let found = command(&files);
        assert_eq!((found.ports.as_slice(), found.sockets.is_none()), (&[2222][..], true));
        assert_eq!(found.lines, ["AllowUsers a b"]);
        assert_eq!(found.at, Some(FileLine::new(DEFAULTS, 2)));
        let drop_in = "/etc/systemd/system/ssh.service.d/x.conf";
        files.write(drop_in, "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -Df /etc/other\n");
        let found = command(&files);
        assert_eq!(
            (found.config.as_str(), found.at),
            ("/etc/other", Some(FileLine::new(drop_in, 3)))
        );
        // A script of System V reads the same file.
        let mut files = MemoryFiles::new();
        files.write(INIT_SCRIPT, "#!/bin/sh\n").write(DEFAULTS, "SSHD_OPTS='-oPort=23 -4'\n");
        assert_eq!(command(&files).lines, ["AddressFamily inet", "Port=23"]);
    }

    /// Where systemd answers, on the node's IPv4 address.
    fn ports(files: &MemoryFiles) -> Vec<u16> {
        let sockets = command(files).sockets.expect("systemd listens");
        let node = "192.168.1.80".parse().unwrap();
        [22, 23, 2222]
            .into_iter()
            .filter(|port| sockets.iter().any(|s| s.answers(node, *port)))
            .collect()
    }

    #[test]
    fn sockets_listen_where_the_unit_says() {
        let drop_in = "/etc/systemd/system/ssh.socket.d/listen.conf";
        for accept in ["Accept=no\n", "Accept=yes\n"] {
            let mut files = debian(&format!("ListenStream=22\n{accept}"));
            by_socket(&mut files);
            assert_eq!(ports(&files), [22], "{accept}");
            for (text, wanted) in [
                ("ListenStream=2222\n", &[22, 2222][..]),
                ("ListenStream=\nListenStream=2222\n", &[2222]),
                ("ListenStream=\nListenStream=192.168.1.80:23\n", &[23]),
                ("ListenStream=\nListenStream=192.168.1.81:23\n", &[]),
                (
                    "ListenStream=\nListenStream=0.0.0.0:22\nListenStream=[::]:23\nBindIPv6Only=ipv6-only\n",
                    &[22],
                ),
                ("ListenStream=\nListenStream=[::]:23\n", &[23]),
                ("ListenDatagram=\nListenStream=/run/ssh\n", &[]),
            ] {
                files.write(drop_in, format!("[Socket]\n{text}"));
                assert_eq!(ports(&files), wanted, "{accept}{text}");
            }
        }
        // A service that starts as well opens its own, unless it gets them.
        let mut files = debian("ListenStream=2222\nAccept=yes\n");
        by_socket(&mut files);
        by_service(&mut files);
        assert_eq!(command(&files).sockets, None);
    }

    #[test]
    fn ubuntus_generator_copies_the_ports_of_the_configuration() {
        let mut files = debian("ListenStream=22\nAccept=no\n");
        by_socket(&mut files);
        files.write(SSHD_CONFIG, "Port 2222\n");
        assert_eq!(ports(&files), [22]);
        files.write(GENERATORS[0], "");
        assert_eq!(ports(&files), [2222]);
        let drop_in = "/etc/systemd/system/ssh.socket.d/listen.conf";
        files.write(drop_in, "[Socket]\nListenStream=23\n");
        assert_eq!(ports(&files), [23, 2222]);
        files.write(SSHD_CONFIG, "UsePAM yes\n");
        assert_eq!(ports(&files), [22, 23]);
    }
}
