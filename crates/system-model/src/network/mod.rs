//! Which programs bring interfaces up at boot, and with which addresses.
//!
//! Each program's files are read as the program reads them ([`Interfaces`], [`Networkd`],
//! [`Netplan`], [`NetworkManager`], [`Dhcpcd`]); [`Network`] joins those that start at boot.

mod dhcpcd;
mod interfaces;
mod matching;
mod naming;
mod netplan;
mod network_manager;
mod networkd;
mod source;

pub use dhcpcd::{DHCPCD_CONF, Dhcpcd};
pub use interfaces::{
    BroughtUp, INTERFACES, Interfaces, InterfacesLine, InterfacesProblem, InterfacesProblemKind,
    Mapping, Selection, Stanza, StanzaOption, interfaces_lines, selects_by_pattern,
};
pub use naming::{InterfaceNames, Renaming};
pub use netplan::{Definition, DeviceKind, NETPLAN_DIRECTORIES, Netplan, Renderer};
pub use network_manager::{CONNECTION_DIRECTORIES, Connection, NetworkManager, Unmanaged};
pub use networkd::{Fit, NETWORK_DIRECTORIES, NetworkFile, Networkd};
pub use source::{AddressKind, AddressSource, Backend};

use crate::{SystemError, SystemFiles, Systemd, UnitState};

/// Nobody reads more lines of one kind than this.
const MOST_LINES: usize = 20;

/// The networks of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// The programs that start at boot.
    pub started: Vec<Backend>,
    /// /etc/network/interfaces, if it is there.
    pub interfaces: Option<Interfaces>,
    /// systemd-networkd's files, with those that netplan writes at boot.
    pub networkd: Networkd,
    /// netplan's definitions.
    pub netplan: Netplan,
    /// NetworkManager's connections.
    pub network_manager: NetworkManager,
    /// dhcpcd's configuration.
    pub dhcpcd: Dhcpcd,
    /// What gives interfaces other names.
    pub names: InterfaceNames,
}

impl Network {
    /// Reads the files of all programs. Whether ifupdown runs `ifup -a` is decided by its unit
    /// alone, so that a link in /etc/rcS.d that a native unit makes void does not count. Where
    /// ifup has no unit at all, it is taken to be started by something else.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(files: &dyn SystemFiles, systemd: &Systemd) -> Result<Self, SystemError> {
        let starts_at_boot = |unit| systemd.running(unit).is_some();
        let interfaces = Interfaces::read(files)?;
        let netplan = Netplan::read(files)?;
        let mut networkd = Networkd::read(files)?;
        networkd.add(netplan.networkd_files());
        let mut started = Vec::new();
        let ifup = files.exists("/sbin/ifup")? || files.exists("/usr/sbin/ifup")?;
        let networking = systemd.state("networking.service");
        if ifup && (starts_at_boot("networking.service") || networking == UnitState::Missing) {
            started.push(Backend::Ifupdown);
        }
        for (unit, backend) in [
            ("systemd-networkd.service", Backend::Networkd),
            ("NetworkManager.service", Backend::NetworkManager),
            ("dhcpcd.service", Backend::Dhcpcd),
        ] {
            if starts_at_boot(unit) {
                started.push(backend);
            }
        }
        if netplan.is_active() {
            started.push(Backend::Netplan);
        }
        Ok(Network {
            started,
            interfaces,
            networkd,
            network_manager: NetworkManager::read(files, &netplan)?,
            dhcpcd: Dhcpcd::read(files)?,
            names: InterfaceNames::read(files, &netplan)?,
            netplan,
        })
    }

    /// Returns whether a program starts at boot.
    pub fn starts(&self, backend: Backend) -> bool {
        self.started.contains(&backend)
    }

    /// Returns other names that an interface gets at boot, those that are certain first and a few
    /// of the others: what is configured for the name that it has until then does not reach it.
    pub fn renamings(&self, interface: &str) -> Vec<Renaming> {
        let mut found = self.names.renamings(interface);
        if let Some(interfaces) = &self.interfaces
            && (self.starts(Backend::Ifupdown) || interfaces.has_hotplug())
            && let Some((new, at)) = interfaces.renamed(interface)
        {
            found.push(Renaming { new: Some(new.to_owned()), at: at.clone(), certain: true });
        }
        found.sort_by_key(|one| !one.certain);
        found.truncate(MOST_LINES);
        found
    }

    /// Returns the first lines where ifup reads less than is written, if ifup runs at boot, and
    /// the one at which it gives up.
    pub fn interfaces_problems(&self) -> Vec<&InterfacesProblem> {
        let runs = |read: &&Interfaces| self.starts(Backend::Ifupdown) || read.has_hotplug();
        let Some(read) = self.interfaces.as_ref().filter(runs) else { return Vec::new() };
        let mut found: Vec<_> = read.problems.iter().take(MOST_LINES).collect();
        let fatal = read.fatal_problem().filter(|fatal| !found.contains(fatal));
        found.extend(fatal);
        found
    }

    /// Returns how an interface gets addresses at boot, from all programs that start.
    pub fn sources(&self, interface: &str) -> Vec<AddressSource> {
        let mut found = Vec::new();
        if let Some(interfaces) = &self.interfaces {
            // udev brings hotplug interfaces up even where networking.service is disabled.
            let all = interfaces.sources(interface);
            let by_udev = interfaces.hotplug();
            let started = self.starts(Backend::Ifupdown);
            let counts =
                |source: &AddressSource| started || by_udev.contains(source.interface.as_str());
            found.extend(all.into_iter().filter(counts));
        }
        if self.starts(Backend::Networkd) {
            found.extend(self.networkd.sources(interface));
        }
        if self.starts(Backend::NetworkManager) {
            found.extend(self.network_manager.sources(interface));
        }
        if self.starts(Backend::Dhcpcd) {
            found.extend(self.dhcpcd.sources(interface));
        }
        found
    }

    /// Returns all fixed addresses that some interface gets at boot. Stanzas and files that
    /// nothing brings up do not count.
    pub fn fixed_addresses(&self) -> Vec<AddressSource> {
        let mut all = Vec::new();
        if let Some(interfaces) = &self.interfaces {
            let started = self.starts(Backend::Ifupdown);
            let by_udev = interfaces.hotplug();
            let counts =
                |source: &AddressSource| started || by_udev.contains(source.interface.as_str());
            all.extend(interfaces.all_sources().into_iter().filter(counts));
        }
        if self.starts(Backend::Networkd) {
            all.extend(self.networkd.all_sources());
        }
        if self.starts(Backend::NetworkManager) {
            all.extend(self.network_manager.all_sources());
        }
        if self.starts(Backend::Dhcpcd) {
            all.extend(self.dhcpcd.all_sources());
        }
        all.retain(|source| matches!(source.kind, AddressKind::Static(_)));
        all
    }

    /// Returns whether any program's files mention an interface, or a pattern that fits it.
    /// If none does, its name may be wrong.
    pub fn knows(&self, interface: &str) -> bool {
        self.interfaces.as_ref().is_some_and(|interfaces| interfaces.knows(interface))
            || self.networkd.knows(interface)
            || self.netplan.knows(interface)
            || self.network_manager.knows(interface)
            || self.dhcpcd.knows(interface)
            || self.names.gives(interface)
    }
}
