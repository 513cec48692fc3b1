//! The login that a configuration is judged for.

use std::net::{IpAddr, Ipv4Addr};

/// A login by key over ssh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// Where the client is: any address of the cluster's subnet.
    pub from: IpAddr,
    /// The node's own address.
    pub to: IpAddr,
    /// The port that the client connects to.
    pub port: u16,
    /// The day of the login, in days since 1970-01-01.
    pub today: i32,
}

impl Login {
    /// Returns a login that no block of a configuration is for: only what is global counts.
    pub fn anybody() -> Self {
        let nowhere = Ipv4Addr::UNSPECIFIED.into();
        Login { user: String::new(), from: nowhere, to: nowhere, port: 22, today: 0 }
    }
}
