//! The report on the running nodes.

use std::{fmt, net::Ipv4Addr};

use plain_text::{count, printable, size, wrap};
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
        for (node, problem, others) in in_groups(&self.nodes) {
            write_problem(f, &format!("{}: ", node.name), problem, &others)?;
        }
        for problem in &self.problems {
            write_problem(f, "", problem, &[])?;
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

/// The width of long lines.
const WIDTH: usize = 79;

/// The fewest nodes with the same problem that are written as a group.
const SMALLEST_GROUP: usize = 3;

/// Returns the problems of all nodes. Where many nodes have the same, apart from their names and
/// addresses, the first comes with the names of the others: a rack without power is one problem.
fn in_groups(nodes: &[NodeStatus]) -> Vec<(&NodeStatus, &StatusProblem, Vec<&str>)> {
    let mut groups: Vec<(String, Vec<(&NodeStatus, &StatusProblem)>)> = Vec::new();
    for node in nodes {
        for problem in &node.problems {
            let text = format!("{:?} {}", problem.code, problem.what);
            let text = text.replace(&node.address.to_string(), "\0").replace(&node.name, "\0");
            match groups.iter_mut().find(|(of_group, _)| *of_group == text) {
                Some((_, members)) => members.push((node, problem)),
                None => groups.push((text, vec![(node, problem)])),
            }
        }
    }
    let entries = groups.into_iter().flat_map(|(_, members)| match members.as_slice() {
        [(node, problem), others @ ..] if members.len() >= SMALLEST_GROUP => {
            let others = others.iter().map(|(other, _)| other.name.as_str()).collect();
            vec![(*node, *problem, others)]
        }
        _ => members.into_iter().map(|(node, problem)| (node, problem, Vec::new())).collect(),
    });
    let mut entries: Vec<_> = entries.collect();
    // Each is where the first of its nodes is, as without groups.
    let place = |node: &NodeStatus| nodes.iter().position(|other| other.name == node.name);
    entries.sort_by_key(|(node, ..)| place(node));
    entries
}

fn write_problem(
    f: &mut fmt::Formatter<'_>,
    start: &str,
    problem: &StatusProblem,
    others: &[&str],
) -> fmt::Result {
    writeln!(f, "{}: {start}{}", problem.severity.name(), problem.what)?;
    if !others.is_empty() {
        writeln!(f, "{}", wrap(&format!("  the same: {}", others.join(", ")), WIDTH, 4))?;
    }
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
    use super::{super::StatusCode, *};

    #[test]
    fn nodes_with_the_same_problem_are_one_entry() {
        let node = |number: u8, problems: &[&str]| {
            let (name, address) = (format!("n{number}"), Ipv4Addr::new(10, 0, 0, number));
            let own = |text: &&str| {
                let text = text.replace("ADDRESS", &address.to_string()).replace("NAME", &name);
                StatusProblem::error(StatusCode::NoRoute, text, format!("look at {name}"))
            };
            let problems = problems.iter().map(own).collect();
            NodeStatus {
                name: name.clone(),
                address,
                ok: false,
                reachable: false,
                host_key: HostKeyState::Unknown,
                logins: Vec::new(),
                hostname: None,
                machine_id: None,
                uptime: None,
                disk: None,
                swarm_state: None,
                problems,
            }
        };
        let off = "no host answers at ADDRESS";
        let mut nodes = vec![node(1, &[off, "NAME is full"]), node(2, &["NAME is full"])];
        nodes.extend((3..60).map(|number| node(number, &[off])));
        nodes.push(node(60, &["no host answers at 10.0.0.1"]));
        let report = StatusReport {
            cluster: "rack".into(),
            ok: false,
            nodes,
            swarm: None,
            problems: Vec::new(),
        };
        let text = report.to_string();
        let (_, text) = text.split_once("\n\n").unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "error: n1: no host answers at 10.0.0.1");
        assert!(lines[1].starts_with("  the same: n3, n4, n5, "), "{text}");
        let rest = "n59\n  fix: look at n1\nerror: n1: n1 is full\n  fix: look at n1\n\
                    error: n2: n2 is full\n  fix: look at n2\n\
                    error: n60: no host answers at 10.0.0.1\n  fix: look at n60\n\
                    60 nodes: 0 as expected, 60 with problems\n";
        assert!(text.ends_with(rest), "{text}");
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{text}");
    }

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
