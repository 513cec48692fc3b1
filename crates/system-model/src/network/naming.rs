//! Which interfaces get another name at boot, by systemd's .link files and udev's rules.
//!
//! Sources: systemd.link(5); systemd's src/udev/net/link-config.c (`link_generate_new_name`);
//! udev(7); its rules.d/80-net-setup-link.rules; netplan's src/networkd.c (`write_link_file`).

mod rules;

use std::collections::BTreeMap;

use rules::Rule;

use super::{
    matching::{Fit, Matches},
    netplan::Netplan,
    networkd::NETWORK_DIRECTORIES,
};
use crate::{
    CommandLines, FileLine, SystemError, SystemFiles, search_path,
    units::{DropIns, Entry},
};

/// Where udev's rules are; of those with one name that of the first directory counts.
const RULES: [&str; 5] = [
    "/etc/udev/rules.d",
    "/run/udev/rules.d",
    "/usr/local/lib/udev/rules.d",
    "/usr/lib/udev/rules.d",
    "/lib/udev/rules.d",
];
/// The rules that apply .link files.
const SETUP: &str = "80-net-setup-link.rules";

/// Another name that an interface gets at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renaming {
    /// The new name; `None` if the hardware decides.
    pub new: Option<String>,
    /// The line that says so.
    pub at: FileLine,
    /// Whether it surely applies: a hardware address or another property may decide.
    pub certain: bool,
}

/// A .link file with its drop-ins.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LinkFile {
    matches: Matches,
    /// `Name=`
    new: Option<(String, FileLine)>,
    /// `NamePolicy=`, if one of the policies makes a name of the hardware's place or address.
    policy: Option<FileLine>,
}

impl LinkFile {
    fn parse(all: &[Entry]) -> Self {
        let (mut new, mut policies) = (None, None);
        for entry in all {
            let value = entry.value.as_str();
            match (entry.section.as_str(), entry.key.as_str()) {
                ("Link", "Name") if value.is_empty() => new = None,
                ("Link", "Name") => new = Some((value.to_owned(), entry.at.clone())),
                ("Link", "NamePolicy") => {
                    // `keep` and `kernel` have nothing to say of an interface that just came up.
                    let mut words = value.split_ascii_whitespace();
                    let by_hardware = words.any(|word| !matches!(word, "keep" | "kernel"));
                    policies = by_hardware.then(|| entry.at.clone());
                }
                _ => {}
            }
        }
        LinkFile { matches: Matches::read(all, "OriginalName"), new, policy: policies }
    }
}

/// What names interfaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceNames {
    links: Vec<LinkFile>,
    /// The rules that name interfaces, in order, those for .link files among them.
    rules: Vec<Step>,
    /// Whether `net.ifnames=0` on the kernel's command line turns name policies off.
    policies_off: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Links,
    Rule(Rule),
}

impl InterfaceNames {
    /// Reads .link files and udev's rules.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(files: &dyn SystemFiles, netplan: &Netplan) -> Result<Self, SystemError> {
        let mut links: BTreeMap<String, LinkFile> = BTreeMap::new();
        if netplan.is_active() {
            for definition in &netplan.definitions {
                links.extend(of_netplan(definition));
            }
        }
        let with = DropIns::read(files, &NETWORK_DIRECTORIES)?;
        for (name, path) in search_path::by_name(files, &NETWORK_DIRECTORIES, ".link")? {
            let all = with.entries_of(&name, &path)?;
            if files.read_link(&path)?.as_deref() == Some("/dev/null") || all.is_empty() {
                links.remove(&name);
                continue;
            }
            links.insert(name.clone(), LinkFile::parse(&all));
        }
        let mut rules = Vec::new();
        let mut paths = search_path::by_name(files, &RULES, ".rules")?;
        // An image without udev's own rules is a part of one.
        paths.entry(SETUP.to_owned()).or_default();
        for (name, path) in paths {
            if files.read_link(&path)?.as_deref() == Some("/dev/null") {
                continue;
            }
            let text = if path.is_empty() { None } else { files.read_text(&path)? };
            if name == SETUP {
                if text.is_none_or(|text| !text.is_empty()) {
                    rules.push(Step::Links);
                }
                continue;
            }
            let text = text.unwrap_or_default();
            rules.extend(rules::naming(&text, &path).into_iter().map(Step::Rule));
        }
        let lines = CommandLines::read(files)?;
        let policies_off = lines.last("net.ifnames").is_some_and(|argument| {
            argument.value.as_deref().is_some_and(|value| matches!(value, "0" | "no" | "false"))
        });
        Ok(InterfaceNames { links: links.into_values().collect(), rules, policies_off })
    }

    /// Returns other names that an interface gets, which has the kernel's name until then; the
    /// last one is kept if it is certain.
    ///
    /// What comes with a package and depends on the hardware is left out: it is about hardware that
    /// its authors name (systemd's rules for the controllers of Dell's servers, say), while the
    /// same in /etc was written on a board.
    pub fn renamings(&self, interface: &str) -> Vec<Renaming> {
        if !is_kernels_name(interface) {
            return Vec::new();
        }
        let mut found: Vec<Renaming> = Vec::new();
        for step in &self.rules {
            let more = match step {
                Step::Links if found.iter().any(|one| one.certain) => continue,
                Step::Links => self.by_links(interface),
                Step::Rule(rule) => rule.renaming(interface).into_iter().collect(),
            };
            if more.iter().any(|one| one.certain) {
                found.clear();
            }
            found.extend(more);
        }
        let is_local = |one: &Renaming| {
            ["/etc/", "/run/"].iter().any(|directory| one.at.path.starts_with(directory))
        };
        found.retain(|one| one.new.as_deref() != Some(interface));
        found.retain(|one| one.certain || is_local(one));
        found
    }

    /// The first file that fits decides, whether it gives a name or not.
    fn by_links(&self, interface: &str) -> Vec<Renaming> {
        let mut found = Vec::new();
        let mut certain = true;
        for link in &self.links {
            let fit = link.matches.fits(interface);
            if fit == Fit::No {
                continue;
            }
            certain &= fit == Fit::Yes;
            let policy = link.policy.as_ref().filter(|_| !self.policies_off);
            match (policy, &link.new) {
                // Which name the hardware has is not known, and all interfaces may stay as the
                // kernel names them.
                (Some(at), _) if fit == Fit::Yes && !link.matches.are_general() => {
                    found.push(Renaming { new: None, at: at.clone(), certain: false });
                }
                (None, Some((new, at))) => {
                    found.push(Renaming { new: Some(new.clone()), at: at.clone(), certain });
                }
                _ => {}
            }
            if fit == Fit::Yes {
                break;
            }
        }
        found
    }

    /// Returns whether a file or rule gives some interface this name.
    pub fn gives(&self, interface: &str) -> bool {
        self.links.iter().any(|link| link.new.as_ref().is_some_and(|(new, _)| new == interface))
            || self.rules.iter().any(|step| match step {
                Step::Rule(rule) => rule.new.as_deref() == Some(interface),
                Step::Links => false,
            })
    }
}

/// The file that netplan writes at boot for a definition with `set-name`.
fn of_netplan(definition: &super::Definition) -> Option<(String, LinkFile)> {
    let new = definition.set_name.clone()?;
    let name = format!("10-netplan-{}.link", definition.id);
    let keys = definition.matches.iter().flatten();
    let matches = keys.map(|(key, value)| {
        let key = match key.as_str() {
            "name" => "OriginalName",
            "macaddress" => "PermanentMACAddress",
            _ => "Driver",
        };
        (key.to_owned(), value.clone())
    });
    let new = Some((new, definition.at.clone()));
    let link = LinkFile { matches: matches.collect(), new, policy: None };
    Some((name, link))
}

/// Returns whether the kernel may have given a name itself: a word and a number.
fn is_kernels_name(interface: &str) -> bool {
    let word = interface.trim_end_matches(|c: char| c.is_ascii_digit());
    word.len() < interface.len() && matches!(word, "eth" | "wlan" | "usb" | "wwan")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    fn renamings(files: &MemoryFiles) -> Vec<(Option<String>, usize, bool)> {
        let netplan = Netplan::read(files).expect("readable");
        let names = InterfaceNames::read(files, &netplan).expect("readable");
        let found = names.renamings("eth0").into_iter();
        found.map(|one| (one.new, one.at.line, one.certain)).collect()
    }

    fn lan(line: usize, certain: bool) -> Vec<(Option<String>, usize, bool)> {
        vec![(Some("lan0".to_owned()), line, certain)]
    }

    const LINK: &str = "/etc/systemd/network/10-lan.link";

    #[test]
    fn the_first_link_file_that_fits_decides() {
        for (text, expected) in [
            ("[Match]\nOriginalName=eth0\n[Link]\nName=lan0\n", lan(4, true)),
            ("[Match]\nOriginalName=eth*\nType=ether\n[Link]\nName=lan0\n", lan(5, true)),
            (
                "[Match]\nOriginalName=!eth1\n[Link]\nNamePolicy=keep kernel\nName=lan0\n",
                lan(5, true),
            ),
            ("[Match]\nMACAddress=00:11:22:33:44:55\n[Link]\nName=lan0\n", lan(4, false)),
            ("[Match]\nOriginalName=eth1\n[Link]\nName=lan0\n", vec![]),
            ("[Match]\nOriginalName=eth0\n[Link]\nName=eth0\n", vec![]),
            ("[Link]\nName=lan0\n", vec![]),
            ("[Match]\nOriginalName=eth0\n[Link]\nMTUBytes=1400\n", vec![]),
            ("[Match]\nOriginalName=*\n[Link]\nNamePolicy=keep kernel path\n", vec![]),
            (
                "[Match]\nOriginalName=eth0\n[Link]\nNamePolicy=path\nName=lan0\n",
                vec![(None, 4, false)],
            ),
        ] {
            let mut files = MemoryFiles::new();
            files.write(LINK, text);
            assert_eq!(renamings(&files), expected, "{text}");
            files.write("/etc/systemd/network/00-first.link", "[Match]\nOriginalName=eth0\n");
            assert_eq!(renamings(&files), [], "{text}");
        }
    }

    #[test]
    fn policies_and_the_files_themselves_can_be_off() {
        let mut files = MemoryFiles::new();
        files.write(LINK, "[Match]\nOriginalName=eth0\n[Link]\nNamePolicy=path\nName=lan0\n");
        files.write("/boot/firmware/cmdline.txt", "root=/dev/sda2 net.ifnames=0\n");
        assert_eq!(renamings(&files), lan(5, true), "the policy is off, the name is not");
        files.symlink("/etc/udev/rules.d/80-net-setup-link.rules", "/dev/null");
        assert_eq!(renamings(&files), []);
        files.remove("/etc/udev").symlink("/etc/systemd/network/10-lan.link", "/dev/null");
        files.write(
            "/usr/lib/systemd/network/10-lan.link",
            "[Match]\nOriginalName=eth0\n[Link]\nName=x\n",
        );
        assert_eq!(renamings(&files), [], "masked");
    }

    #[test]
    fn rules_come_first() {
        let mut files = MemoryFiles::new();
        let rules = "/etc/udev/rules.d/70-persistent-net.rules";
        files.write(rules, "# a\nSUBSYSTEM==\"net\", ACTION==\"add\", \\\n DRIVERS==\"?*\", KERNEL==\"eth0\", NAME=\"lan0\"\n");
        assert_eq!(renamings(&files), lan(2, true));
        let by_address = "SUBSYSTEM==\"net\", ATTR{address}==\"00:11:22:33:44:55\", ATTR{type}==\"1\", KERNEL==\"eth*\", NAME=\"lan0\"\n";
        files.write(rules, by_address);
        assert_eq!(renamings(&files), lan(1, false));
        files.write(rules, by_address.replace("eth*", "wlan*"));
        assert_eq!(renamings(&files), []);
        // A rule that keeps the name also keeps .link files from giving another one.
        files.write(LINK, "[Match]\nOriginalName=eth0\n[Link]\nName=lan0\n");
        files.write(rules, "SUBSYSTEM==\"net\", KERNEL==\"eth0\", NAME=\"%k\"\n");
        assert_eq!(renamings(&files), []);
    }

    /// The rules are those of systemd 252.
    #[test]
    fn rules_of_packages_for_other_hardware_are_no_concern() {
        let mut files = MemoryFiles::new();
        let dell = "ACTION==\"remove\", GOTO=\"special_net_names_end\"\n\
                    SUBSYSTEM==\"net\", SUBSYSTEMS==\"usb\", ATTRS{idVendor}==\"413c\", \
                    ATTRS{idProduct}==\"a102\", NAME=\"idrac\"\n";
        files.write("/usr/lib/udev/rules.d/73-special-net-names.rules", dell);
        assert_eq!(renamings(&files), []);
        // A copy that somebody made on the board.
        files.write("/etc/udev/rules.d/73-special-net-names.rules", dell);
        assert_eq!(renamings(&files), vec![(Some("idrac".to_owned()), 2, false)]);
        let certain = "SUBSYSTEM==\"net\", KERNEL==\"eth0\", NAME=\"lan0\"\n";
        files.write("/usr/lib/udev/rules.d/74-vendor.rules", certain);
        assert_eq!(renamings(&files), lan(1, true));
    }

    #[test]
    fn netplan_writes_link_files() {
        let mut files = MemoryFiles::new();
        let yaml = |matches: &str| {
            format!(
                "network:\n  ethernets:\n    a:\n      match: {{{matches}}}\n      set-name: lan0\n"
            )
        };
        files.write("/usr/libexec/netplan/generate", "");
        files.write("/etc/netplan/a.yaml", yaml("name: eth0"));
        assert_eq!(renamings(&files), lan(3, true));
        files.write("/etc/netplan/a.yaml", yaml("macaddress: \"00:11:22:33:44:55\""));
        assert_eq!(renamings(&files), lan(3, false));
    }

    /// Counts how often a directory is listed.
    struct Counted(MemoryFiles, std::cell::Cell<usize>);

    impl SystemFiles for Counted {
        fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError> {
            self.0.read(path)
        }

        fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError> {
            self.1.set(self.1.get() + 1);
            self.0.list(path)
        }

        fn metadata(&self, path: &str) -> Result<Option<crate::FileMetadata>, SystemError> {
            self.0.metadata(path)
        }

        fn read_link(&self, path: &str) -> Result<Option<String>, SystemError> {
            self.0.read_link(path)
        }

        fn boot_partitions(&self) -> Vec<crate::BootPartition> {
            self.0.boot_partitions()
        }
    }

    /// Looking for the drop-ins of each would search a large directory as often.
    #[test]
    fn drop_ins_of_many_link_files_are_found_without_looking_for_each() {
        let mut files = MemoryFiles::new();
        for number in 0..1000 {
            let path = format!("/etc/systemd/network/{number}.link");
            files.write(&path, "[Match]\nOriginalName=eth1\n");
        }
        files.write(LINK, "[Match]\nOriginalName=eth0\n");
        files.write("/usr/lib/systemd/network/10-lan.link.d/a.conf", "[Link]\nName=lan0\n");
        assert_eq!(renamings(&files), lan(2, true));
        let netplan = Netplan::read(&files).expect("readable");
        let counted = Counted(files, 0.into());
        InterfaceNames::read(&counted, &netplan).expect("readable");
        assert!(counted.1.get() < 100, "{}", counted.1.get());
    }
}
