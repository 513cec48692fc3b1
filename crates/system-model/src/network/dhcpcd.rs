//! dhcpcd, of Raspberry Pi OS up to bullseye.
//!
//! Sources: dhcpcd.conf(5); dhcpcd's src/if-options.c.

use super::source::{AddressKind, AddressSource, Backend};
use crate::{FileLine, SystemError, SystemFiles, pattern::fnmatch};

/// The configuration file.
pub const DHCPCD_CONF: &str = "/etc/dhcpcd.conf";

/// dhcpcd's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dhcpcd {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    /// The interfaces of the block; `None` before the first one.
    block: Option<Vec<String>>,
    words: Vec<String>,
    at: FileLine,
}

impl Dhcpcd {
    /// Reads /etc/dhcpcd.conf; all defaults apply without it.
    ///
    /// # Errors
    /// [`SystemError`] if the file cannot be read.
    pub fn read(files: &dyn SystemFiles) -> Result<Self, SystemError> {
        let text = files.read_text(DHCPCD_CONF)?.unwrap_or_default();
        let mut lines = Vec::new();
        let mut block = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_ascii();
            if line.starts_with(['#', ';']) {
                continue;
            }
            let words: Vec<String> = line.split_ascii_whitespace().map(str::to_owned).collect();
            match words.first().map(String::as_str) {
                None => continue,
                Some("interface") => {
                    block = Some(words.get(1..).unwrap_or_default().to_vec());
                }
                // Only the running system knows its network: these are no interface's.
                Some("ssid" | "profile" | "arping") if block.is_some() || words.len() > 1 => {
                    block = Some(Vec::new());
                }
                Some(_) => {}
            }
            lines.push(Line {
                block: block.clone(),
                words,
                at: FileLine::new(DHCPCD_CONF, number + 1),
            });
        }
        Ok(Dhcpcd { lines })
    }

    fn of<'a>(&'a self, interface: &'a str) -> impl Iterator<Item = &'a Line> {
        self.lines.iter().filter(move |line| {
            line.block.as_ref().is_none_or(|names| names.iter().any(|name| name == interface))
        })
    }

    /// Returns the line that has dhcpcd leave an interface alone (`denyinterfaces`,
    /// `allowinterfaces`).
    pub fn denied_by(&self, interface: &str) -> Option<&FileLine> {
        let fits = |line: &Line| {
            line.words.iter().skip(1).any(|word| word.split(',').any(|p| fnmatch(p, interface)))
        };
        let keyword = |line: &Line, name: &str| line.words.first().is_some_and(|word| word == name);
        let denied = self.lines.iter().find(|line| keyword(line, "denyinterfaces") && fits(line));
        let mut allowed = self.lines.iter().filter(|line| keyword(line, "allowinterfaces"));
        let not_allowed = if allowed.clone().any(fits) { None } else { allowed.next() };
        denied.or(not_allowed).map(|line| &line.at)
    }

    /// Returns how an interface gets addresses: a static one of its block, else DHCP.
    pub fn sources(&self, interface: &str) -> Vec<AddressSource> {
        if self.denied_by(interface).is_some() || interface == "lo" {
            return Vec::new();
        }
        let one = |kind, at| AddressSource {
            backend: Backend::Dhcpcd,
            interface: interface.to_owned(),
            kind,
            at,
            certain: true,
        };
        let mut fixed = None;
        let mut dhcp = true;
        for line in self.of(interface) {
            match line.words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["static" | "inform", rest @ ..] => {
                    let address = rest.iter().find_map(|word| word.strip_prefix("ip_address="));
                    if let Some(address) = address {
                        let address = address.trim_matches('"').to_owned();
                        fixed = Some(one(AddressKind::Static(address), Some(line.at.clone())));
                    }
                }
                ["nodhcp" | "noipv4" | "nodhcp4", ..] => dhcp = false,
                _ => {}
            }
        }
        match fixed {
            Some(fixed) => vec![fixed],
            None if dhcp => vec![one(AddressKind::Dhcp4, None)],
            None => Vec::new(),
        }
    }

    /// Returns the fixed addresses of all interfaces.
    pub fn all_sources(&self) -> Vec<AddressSource> {
        let mut names: Vec<&String> =
            self.lines.iter().filter_map(|line| line.block.as_ref()).flatten().collect();
        names.sort();
        names.dedup();
        names.into_iter().flat_map(|name| self.sources(name)).collect()
    }

    /// Returns whether a block or a list names an interface.
    pub fn knows(&self, interface: &str) -> bool {
        self.lines.iter().any(|line| line.words.iter().skip(1).any(|word| word == interface))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    #[test]
    fn static_addresses_replace_dhcp() {
        let mut files = MemoryFiles::new();
        files.write(
            DHCPCD_CONF,
            "hostname\n#interface eth0\ninterface eth0\nstatic ip_address=192.168.0.10/24\n\
             static routers=192.168.0.1\nprofile other\nstatic ip_address=10.0.0.1/8\n\
             denyinterfaces wlan*\n",
        );
        let dhcpcd = Dhcpcd::read(&files).expect("readable");
        let fixed = dhcpcd.sources("eth0");
        assert_eq!(fixed.len(), 1);
        assert_eq!(fixed[0].kind, AddressKind::Static("192.168.0.10/24".into()));
        assert_eq!(fixed[0].at, Some(FileLine::new(DHCPCD_CONF, 4)));
        assert_eq!(dhcpcd.sources("eth1")[0].kind, AddressKind::Dhcp4);
        assert!(dhcpcd.sources("wlan0").is_empty() && dhcpcd.denied_by("wlan0").is_some());
        assert!(dhcpcd.knows("eth0") && !dhcpcd.knows("eth1"));
    }
}
