//! The login that a configuration is judged for.

use std::net::IpAddr;

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
