//! What gives an interface an address.

use crate::FileLine;

/// A program that configures interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backend {
    /// ifupdown, /etc/network/interfaces.
    Ifupdown,
    /// systemd-networkd.
    Networkd,
    /// netplan, which writes files for networkd or NetworkManager.
    Netplan,
    /// NetworkManager.
    NetworkManager,
    /// dhcpcd.
    Dhcpcd,
}

/// How an interface gets an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressKind {
    /// A fixed address, as written: with a prefix length or without.
    Static(String),
    /// DHCP for IPv4.
    Dhcp4,
    /// DHCP for IPv6.
    Dhcp6,
    /// Another method, by the program's own name for it.
    Other(String),
}

/// An address that an interface gets at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressSource {
    /// The program.
    pub backend: Backend,
    /// The interface as the configuration names it: a name, or a pattern.
    pub interface: String,
    /// How it gets the address.
    pub kind: AddressKind,
    /// The line that says so; `None` for a program's default.
    pub at: Option<FileLine>,
    /// Whether it surely applies: a driver or a hardware address may decide.
    pub certain: bool,
}
