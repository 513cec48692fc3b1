//! The report on the running nodes.

use std::{fmt, net::Ipv4Addr};

use plain_text::{count, printable, size};
use serde::Serialize;

use super::StatusProblem;

/// What the running nodes said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StatusReport {
    /// The cluster's name.
    pub cluster: String,
    /// Whether everything is as the profile says.
    pub ok: bool,
    /// The nodes, in the order of the profile.
    pub nodes: Vec<NodeStatus>,
    /// The swarm, if the profile has one and a manager could be asked.
    pub swarm: Option<SwarmOverview>,
    /// What is wrong with the swarm as a whole.
    pub problems: Vec<StatusProblem>,
}

/// What one node said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Its name in the profile.
    pub name: String,
    /// Its address in the profile.
    pub address: Ipv4Addr,
    /// Whether it is as the profile says.
    pub ok: bool,
    /// Whether a connection to its ssh server could be opened.
    pub reachable: bool,
    /// Whether it has its own host key.
    pub host_key: HostKeyState,
    /// Which of the profile's users were let in.
    pub logins: Vec<Login>,
    /// Its host name.
    pub hostname: Option<String>,
    /// Its machine id.
    pub machine_id: Option<String>,
    /// How long it has been running, in seconds.
    pub uptime: Option<u64>,
    /// Its root filesystem.
    pub disk: Option<Disk>,
    /// How far it has come on its way into the swarm, as its status file says.
    pub swarm_state: Option<String>,
    /// What is wrong with it.
    pub problems: Vec<StatusProblem>,
}

/// Whether a node has its own host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostKeyState {
    /// It has.
    Expected,
    /// Whoever answers has another one.
    Wrong,
    /// It was not reached.
    Unknown,
}

/// Whether a user was let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Login {
    /// The user.
    pub user: String,
    /// Whether the user was let in with a key of this computer.
    pub ok: bool,
}

/// The root filesystem of a node. All sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Disk {
    /// The size of the filesystem.
    pub filesystem: u64,
    /// The space that users can still fill.
    pub available: u64,
    /// The size of its partition.
    pub partition: Option<u64>,
    /// Where its partition ends on the card.
    pub partition_end: Option<u64>,
    /// The size of the card.
    pub card: Option<u64>,
}

/// The swarm, as a manager sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SwarmOverview {
    /// Its members.
    pub members: Vec<SwarmMember>,
    /// Its services.
    pub services: Vec<ServiceStatus>,
}

/// A member of the swarm: a line of `docker node ls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SwarmMember {
    /// Its id.
    pub id: String,
    /// Its host name.
    pub hostname: String,
    /// `ready`, `down`, `unknown` or `disconnected`.
    pub state: String,
    /// `active`, `pause` or `drain`.
    pub availability: String,
    /// Whether it is a manager.
    pub is_manager: bool,
}

/// The containers of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServiceStatus {
    /// The service's name.
    pub name: String,
    /// The number of containers that run.
    pub running: u32,
    /// The number of containers that should run.
    pub wanted: u32,
}

impl fmt::Display for StatusReport {
    /// A table of the nodes, then what is wrong with each and what to do about it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows =
            vec![["NODE", "ADDRESS", "STATUS", "UP", "DISK"].map(str::to_owned).to_vec()];
        let has_swarm = self.nodes.iter().any(|node| node.swarm_state.is_some());
        if has_swarm {
            rows[0].push("SWARM".into());
        }
        for node in &self.nodes {
            let mut row = vec![
                node.name.clone(),
                node.address.to_string(),
                node.word().to_owned(),
                node.uptime.map(period).unwrap_or_default(),
                node.disk.map(free).unwrap_or_default(),
            ];
            if has_swarm {
                row.push(printable(node.swarm_state.as_deref().unwrap_or_default()));
            }
            rows.push(row);
        }
        write_table(f, &rows)?;
        if let Some(swarm) = &self.swarm
            && !swarm.services.is_empty()
        {
            writeln!(f)?;
            for service in &swarm.services {
                let ServiceStatus { name, running, wanted } = service;
                writeln!(f, "  service {}: {running} of {wanted} running", printable(name))?;
            }
        }
        writeln!(f)?;
        for node in &self.nodes {
            for problem in &node.problems {
                write_problem(f, &format!("{}: ", node.name), problem)?;
            }
        }
        for problem in &self.problems {
            write_problem(f, "", problem)?;
        }
        let right = self.nodes.iter().filter(|node| node.ok).count();
        let wrong = self.nodes.len() - right;
        writeln!(
            f,
            "{}: {right} as expected, {wrong} with problems",
            count(self.nodes.len(), "node")
        )
    }
}

impl NodeStatus {
    /// Returns the node's state in a word or two.
    fn word(&self) -> &'static str {
        match self.problems.iter().find(|problem| !problem.is_note()) {
            None => "ok",
            Some(_) if !self.reachable => "unreachable",
            Some(_) if self.host_key == HostKeyState::Wrong => "not this node",
            Some(_) => "problems",
        }
    }
}

fn write_problem(f: &mut fmt::Formatter<'_>, start: &str, problem: &StatusProblem) -> fmt::Result {
    writeln!(f, "{}: {start}{}", problem.severity.name(), problem.what)?;
    match &problem.fix {
        Some(fix) => writeln!(f, "  fix: {fix}"),
        None => Ok(()),
    }
}

fn write_table(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(f, "  {}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// Returns a time in seconds in its two largest units: `3 d 4 h`.
pub(super) fn period(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

fn free(disk: Disk) -> String {
    format!("{} of {} free", size(disk.available), size(disk.filesystem))
}

#[cfg(test)]
mod tests {
    use super::period;

    #[test]
    fn periods_have_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min"),
            (3_661, "1 h 1 min"),
            (90_000, "1 d 1 h"),
            (u64::MAX, "213503982334601 d 7 h"),
        ] {
            assert_eq!(period(seconds), text);
        }
    }
}
