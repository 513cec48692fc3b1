//! The profile's `swarm:`.

mod archive;
mod images;
mod mounts;
mod ports;
mod services;

use std::time::Duration;

use super::{
    fields::{Fields, Problems, Spanned},
    inputs::Inputs,
    nodes::ReadNode,
};
use crate::{
    cluster::Role,
    problem::Place,
    swarm::{SWARM_PORT, Swarm},
};

/// Several times what a slow board takes to boot.
const DEFAULT_WAIT: Duration = Duration::from_secs(600);

/// Nobody waits longer than a week.
const LONGEST_WAIT: u64 = 7 * 24 * 3600;

/// Reads `swarm:`, and checks that a node is a manager.
pub(super) fn read(fields: &mut Fields<'_>, nodes: &[ReadNode], inputs: &Inputs) -> Option<Swarm> {
    let problems = fields.problems;
    let (key, value) = fields.take_entry("swarm")?;
    check_roles(&key, nodes, problems);
    // `swarm:` without a value is a swarm without services.
    let Some(value) = value else {
        return Some(Swarm {
            port: SWARM_PORT,
            data_path: None,
            data_path_port: None,
            wait: DEFAULT_WAIT,
            images: Vec::new(),
            services: Vec::new(),
        });
    };
    let mut fields = Fields::of(value, "`swarm`", problems)?;
    let port = fields.scalar("port").and_then(|at| {
        let port = ports::number(&at, problems)?;
        if matches!(port, 22 | 7946) {
            let message = format!("managers cannot listen on port {port}, which is in use");
            problems.add(&at.place, message, "remove `port` for Docker's default, 2377");
            return None;
        }
        Some(port)
    });
    let data_path = fields.scalar("data_path").and_then(|path| data_path(path, problems));
    let data_path_port = fields.scalar("data_path_port").and_then(|at| {
        let port = ports::number(&at, problems)?;
        // The range that dockerd accepts. Nodes exchange their state on port 7946.
        let in_range = (1024..=49151).contains(&port) && port != 7946;
        if !in_range {
            let help = "use a port from 1024 to 49151, except 7946";
            problems.add(&at.place, format!("{port} cannot be the port of the data path"), help);
        }
        in_range.then_some(port)
    });
    let wait = fields.scalar("wait").and_then(|wait| duration(&wait, problems));
    let images = images::read(&mut fields, inputs);
    let names: Vec<&str> = nodes.iter().map(|node| node.node.name.as_str()).collect();
    let port = port.unwrap_or(SWARM_PORT);
    let ports = ports::Taken { managers: port, data_path: data_path_port.unwrap_or(4789) };
    let services = services::read(&mut fields, &names, ports);
    fields.finish();
    Some(Swarm {
        port,
        data_path,
        data_path_port,
        wait: wait.unwrap_or(DEFAULT_WAIT),
        images,
        services,
    })
}

fn check_roles(swarm: &Place, nodes: &[ReadNode], problems: &Problems) {
    let managers = nodes.iter().filter(|node| node.node.role == Role::Manager).count();
    if managers > 0 || nodes.is_empty() {
        return;
    }
    let name = nodes.first().map_or("", |node| node.node.name.as_str());
    let help = format!("make a node a manager: {{name: {name}, role: manager}}");
    problems.add(swarm, "a swarm needs a manager, but all nodes are workers", help);
}

/// Reads the name of an interface for `docker swarm init --data-path-addr`.
fn data_path(at: Spanned<String>, problems: &Problems) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    // Linux limits the name of an interface to 15 bytes (IFNAMSIZ).
    let ok = (1..=15).contains(&at.value.len())
        && at.value.chars().all(fits)
        && !at.value.starts_with('-');
    if !ok || at.value.parse::<std::net::Ipv4Addr>().is_ok() {
        let message = format!("{:?} cannot be the data path of every node", at.value);
        problems.add(&at.place, message, "write an interface that each node has, such as eth1");
        return None;
    }
    Some(at.value)
}

fn duration(at: &Spanned<String>, problems: &Problems) -> Option<Duration> {
    let text = at.value.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = match text.get(digits.len()..).map(str::trim) {
        Some("s" | "sec") => Some(1),
        Some("m" | "min") => Some(60),
        Some("h") => Some(3600),
        _ => None,
    };
    let seconds = digits.parse::<u64>().ok().zip(unit).and_then(|(n, unit)| n.checked_mul(unit));
    match seconds.filter(|seconds| *seconds <= LONGEST_WAIT) {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => {
            let message = format!("{text:?} is not a duration of up to a week");
            problems.add(&at.place, message, "write a number and s, m or h, such as 10m");
            None
        }
    }
}
