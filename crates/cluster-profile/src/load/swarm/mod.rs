//! The profile's `swarm:`.

mod archive;
mod images;
mod mounts;
mod ports;
mod services;

use std::time::Duration;

use super::{
    fields::{At, Fields, Problems},
    inputs::Inputs,
    nodes::ReadNode,
};
use crate::{
    cluster::Role,
    problem::Place,
    swarm::{SWARM_PORT, Swarm},
};

/// As long as a slow board takes to boot, several times over.
const DEFAULT_WAIT: Duration = Duration::from_secs(600);

/// Nobody waits longer than a week.
const LONGEST_WAIT: u64 = 7 * 24 * 3600;

/// Reads `swarm:`, and checks that the nodes' roles make one.
pub(super) fn read(fields: &mut Fields<'_>, nodes: &[ReadNode], inputs: &Inputs) -> Option<Swarm> {
    let problems = fields.problems;
    let (key, value) = fields.take_entry("swarm")?;
    check_roles(&key, nodes, problems);
    // `swarm:` and nothing more is a swarm without services.
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
            let message = format!("port {port} cannot be the managers': others listen there");
            problems.add(&at.place, message, "remove the key for Docker's own choice, 2377");
            return None;
        }
        Some(port)
    });
    let data_path = fields.scalar("data_path").and_then(|path| data_path(path, problems));
    let data_path_port = fields.scalar("data_path_port").and_then(|at| {
        let port = ports::number(&at, problems)?;
        // What dockerd takes; 7946 is for the nodes' gossip.
        let in_range = (1024..=49151).contains(&port) && port != 7946;
        if !in_range {
            let help = "Docker takes ports from 1024 to 49151, but not 7946, for the data path";
            problems.add(&at.place, format!("{port} cannot be the data path's port"), help);
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
    let message = match nodes.len() {
        1 => "a worker alone makes no swarm".to_owned(),
        _ => "no node is a manager, so nobody would make the swarm".to_owned(),
    };
    let name = nodes.first().map_or("", |node| node.node.name.as_str());
    problems.add(
        swarm,
        message,
        format!("give one node the role, as in {{name: {name}, role: manager}}"),
    );
}

/// An interface's name or an address, as `docker swarm init --data-path-addr` takes it.
fn data_path(at: At<String>, problems: &Problems) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    // IFNAMSIZ; an address has no more either.
    let ok = (1..=15).contains(&at.value.len())
        && at.value.chars().all(fits)
        && !at.value.starts_with('-');
    if !ok || at.value.parse::<std::net::Ipv4Addr>().is_ok() {
        let message = format!("{:?} cannot be every node's data path", at.value);
        problems.add(&at.place, message, "name an interface that each node has, such as eth1");
        return None;
    }
    Some(at.value)
}

fn duration(at: &At<String>, problems: &Problems) -> Option<Duration> {
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
            let message = format!("{text:?} is no time to wait");
            problems.add(&at.place, message, "write a number and s, m or h, such as 10m");
            None
        }
    }
}
