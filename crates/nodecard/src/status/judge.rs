//! Compares what the nodes said with the profile.

use std::{io::ErrorKind, net::IpAddr};

use cluster_profile::{CardSize, Node};
use plain_text::{printable, size};

use super::{
    Asked, Disk, HostKeyState, Login, NodeStatus, StatusCode, StatusProblem, StatusReport,
    answer::Answer, ssh::Outcome, swarm,
};
use crate::{Error, Project};

/// A partition that ends closer to the end of its card fills it. nodecard leaves 1 MiB free,
/// and firmware and card readers round by a few more.
const SLACK: u64 = 16 << 20;

/// Returns the report.
pub(super) fn report(
    project: &Project,
    nodes: &[&Node],
    asked: &[Asked],
) -> Result<StatusReport, Error> {
    let mut found = Vec::new();
    for (node, asked) in nodes.iter().zip(asked) {
        found.push(judged(project, node, asked)?);
    }
    let answers: Vec<(&Node, Option<&Answer>)> =
        nodes.iter().copied().zip(asked.iter().map(|asked| asked.answer.as_ref())).collect();
    let (overview, problems) = swarm::judge(project, &answers, &mut found);
    for node in &mut found {
        node.ok = node.problems.iter().all(StatusProblem::is_note);
    }
    let ok = found.iter().all(|node| node.ok) && problems.iter().all(StatusProblem::is_note);
    let cluster = project.cluster().name.clone();
    Ok(StatusReport { cluster, ok, nodes: found, swarm: overview, problems })
}

fn judged(project: &Project, node: &Node, asked: &Asked) -> Result<NodeStatus, Error> {
    let has_users = !project.cluster().key_users().is_empty();
    let mut problems = Vec::new();
    if let Err(error) = &asked.connection {
        problems.push(connection(project, node, error, asked.from));
    }
    for (user, outcome) in &asked.logins {
        problems.extend(login(project, node, user, outcome, has_users)?);
    }
    let answer = asked.answer.as_ref();
    if let Some(answer) = answer {
        identity(project, node, answer, &mut problems)?;
        problems.extend(answer.disk.and_then(|disk| grown(project, node, disk)));
    }
    let is_wrong = asked.logins.iter().any(|(_, one)| matches!(one, Outcome::WrongHostKey { .. }));
    let is_expected =
        asked.logins.iter().any(|(_, one)| matches!(one, Outcome::LoggedIn | Outcome::Denied));
    let logins = asked.logins.iter().filter(|_| has_users);
    Ok(NodeStatus {
        name: node.name.clone(),
        address: node.address,
        ok: false,
        reachable: asked.connection.is_ok(),
        host_key: match (is_wrong, is_expected) {
            (true, _) => HostKeyState::Wrong,
            (false, true) => HostKeyState::Expected,
            (false, false) => HostKeyState::Unknown,
        },
        logins: logins
            .map(|(user, one)| Login { user: user.clone(), ok: *one == Outcome::LoggedIn })
            .collect(),
        hostname: answer.and_then(|answer| answer.hostname.clone()),
        machine_id: answer.and_then(|answer| answer.machine_id.clone()),
        uptime: answer.and_then(|answer| answer.uptime),
        disk: answer.and_then(|answer| answer.disk),
        swarm_state: answer.and_then(|answer| Some(answer.swarm.as_ref()?.state.to_string())),
        problems,
    })
}

/// Explains why no connection could be opened.
fn connection(
    project: &Project,
    node: &Node,
    error: &std::io::Error,
    from: Option<IpAddr>,
) -> StatusProblem {
    let Node { name, address, .. } = node;
    let network = &project.cluster().network;
    let mask = network.netmask().to_bits();
    let is_inside = |from: IpAddr| match from {
        IpAddr::V4(from) => from.to_bits() & mask == address.to_bits() & mask,
        IpAddr::V6(_) => false,
    };
    let card = project.cluster().path.display();
    match error.kind() {
        ErrorKind::ConnectionRefused => StatusProblem::error(
            StatusCode::Refused,
            format!("{address} refuses ssh connections"),
            "wait until it has booted; if that does not help, put its card into a reader and run \
             nodecard verify, which checks the ssh server",
        ),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            let fix = match from {
                Some(from) if is_inside(from) => format!(
                    "check the power and the cable of {name}, and the switch; if it is running, \
                     check its card with: nodecard verify {card} DEVICE"
                ),
                Some(from) => format!(
                    "this computer is {from}, outside the cluster's network {address}/{}: check \
                     the route to it",
                    network.prefix
                ),
                None => "this computer has no route to it: connect it to the cluster's network"
                    .to_owned(),
            };
            StatusProblem::error(StatusCode::NoRoute, format!("no host answers at {address}"), fix)
        }
        ErrorKind::TimedOut | ErrorKind::WouldBlock => StatusProblem::error(
            StatusCode::Timeout,
            format!("{address} does not answer"),
            "check that it is switched on and on the same network as this computer, and that no \
             firewall blocks port 22",
        ),
        _ => StatusProblem::error(
            StatusCode::Connection,
            format!("{address} cannot be reached: {error}"),
            "check the network of this computer",
        ),
    }
}

/// Explains what came of logging in as a user.
fn login(
    project: &Project,
    node: &Node,
    user: &str,
    outcome: &Outcome,
    has_users: bool,
) -> Result<Option<StatusProblem>, Error> {
    let Node { name, address, .. } = node;
    Ok(Some(match outcome {
        Outcome::LoggedIn => return Ok(None),
        Outcome::Denied if !has_users => StatusProblem::note(
            StatusCode::NoUsers,
            "the profile has no user with keys, so only the host key was checked".into(),
            "list users with `ssh: {users: [...]}` in the profile, and run nodecard apply",
        ),
        Outcome::Denied => StatusProblem::error(
            StatusCode::Login,
            format!("{user} cannot log in with a key of this computer"),
            format!(
                "check that the node has the user {user}, and compare its card with: nodecard \
                 verify {} DEVICE",
                project.cluster().path.display()
            ),
        ),
        Outcome::WrongHostKey { fingerprint } => {
            wrong_host_key(project, node, fingerprint.as_deref())?
        }
        Outcome::Failed { message } => StatusProblem::error(
            StatusCode::Connection,
            format!("ssh to {address} failed: {}", printable(message)),
            format!("wait until {name} has booted, and try again"),
        ),
    }))
}

/// Explains another host key: it may be that of another node.
fn wrong_host_key(
    project: &Project,
    node: &Node,
    fingerprint: Option<&str>,
) -> Result<StatusProblem, Error> {
    let Node { name, address, .. } = node;
    let keys = project.keys()?;
    for other in &project.cluster().nodes {
        if fingerprint.is_some() && fingerprint == Some(keys.host(&other.name)?.fingerprint()) {
            return Ok(StatusProblem::error(
                StatusCode::WrongHostKey,
                format!("{} answers at {address}, by its host key", other.name),
                format!(
                    "give each board its own card; if the card of {} was changed by hand, write \
                     it again",
                    other.name
                ),
            ));
        }
    }
    let presented = fingerprint.map(|text| format!(" ({})", printable(text))).unwrap_or_default();
    Ok(StatusProblem::error(
        StatusCode::WrongHostKey,
        format!("the host at {address} does not have the host key of {name}{presented}"),
        format!(
            "either another device has this address: find it; or the card was made with other \
             keys: write the card of {name} again"
        ),
    ))
}

/// Compares host name and machine id.
fn identity(
    project: &Project,
    node: &Node,
    answer: &Answer,
    problems: &mut Vec<StatusProblem>,
) -> Result<(), Error> {
    let card = format!("write its card again, or run nodecard apply on the card of {}", node.name);
    let Some(hostname) = &answer.hostname else {
        let what = "the login works, but the node does not answer commands";
        let fix = "log in by hand: the user's shell or a first-login program may be in the way";
        problems.push(StatusProblem::error(StatusCode::NoAnswer, what.into(), fix));
        return Ok(());
    };
    if *hostname != node.name {
        let what = format!("its host name is {}", printable(hostname));
        problems.push(StatusProblem::error(StatusCode::HostName, what, card.clone()));
    }
    let keys = project.keys()?;
    let expected = keys.machine_id(&node.name);
    if answer.machine_id.as_ref() != Some(&expected) {
        let nodes = &project.cluster().nodes;
        let owner = |id: &String| nodes.iter().find(|node| keys.machine_id(&node.name) == *id);
        let what = match &answer.machine_id {
            Some(id) => match owner(id) {
                Some(other) => format!("it has the machine id of {}", other.name),
                None => format!("its machine id is {}, not {expected}", printable(id)),
            },
            None => "it has no machine id".to_owned(),
        };
        problems.push(StatusProblem::error(StatusCode::MachineId, what, card));
    }
    if !answer.is_whole {
        let what = "the node did not answer everything in time".to_owned();
        let fix = "try again; if it persists, look at the node's journal";
        problems.push(StatusProblem::warning(StatusCode::NoAnswer, what, fix));
    }
    Ok(())
}

/// Checks that the root filesystem fills its partition, and the partition its card.
fn grown(project: &Project, node: &Node, disk: Disk) -> Option<StatusProblem> {
    let fix = format!(
        "switch the node off, put its card into a reader and run: nodecard apply {} {}=DEVICE \
         --grow",
        project.cluster().path.display(),
        node.name
    );
    let (partition, end, card) = (disk.partition?, disk.partition_end?, disk.card?);
    // A profile's card size leaves 5 % of a card, since cards of one size differ.
    let of_profile = project.cluster().card.map_or(card, CardSize::bytes);
    let expected = card.min(of_profile);
    let what = if end.saturating_add(SLACK) < expected {
        let free = size(card.saturating_sub(end));
        format!("the root partition ends {free} before the end of the card")
    } else if disk.filesystem < partition / 10 * 8 {
        let (filesystem, partition) = (size(disk.filesystem), size(partition));
        format!("the root filesystem uses {filesystem} of its partition's {partition}")
    } else {
        return None;
    };
    Some(StatusProblem::warning(StatusCode::NotGrown, what, fix))
}
