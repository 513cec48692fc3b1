//! Compares the swarm, as its managers see it, with the profile.

use cluster_profile::{Node, Role, SwarmState, SwarmStep};
use plain_text::printable;

use super::{
    NodeStatus, StatusCode, StatusProblem, SwarmMember, SwarmOverview, answer::Answer,
    report::ServiceStatus,
};
use crate::Project;

/// Adds what is wrong with each node's place in the swarm. Returns the swarm as a manager sees
/// it, and what is wrong with it as a whole.
pub(super) fn judge(
    project: &Project,
    answers: &[(&Node, Option<&Answer>)],
    found: &mut [NodeStatus],
) -> (Option<SwarmOverview>, Vec<StatusProblem>) {
    if project.cluster().swarm.is_none() {
        return (None, Vec::new());
    }
    for ((_, answer), status) in answers.iter().zip(found.iter_mut()) {
        status.problems.extend(answer.and_then(state));
    }
    let managers = || answers.iter().filter(|(node, _)| node.role == Role::Manager);
    let asked = managers().find_map(|(node, answer)| {
        let answer = (*answer)?;
        (!answer.members.is_empty()).then_some((*node, answer))
    });
    let Some((manager, answer)) = asked else {
        return (None, Vec::from_iter(unknown(answers)));
    };
    for ((node, _), status) in answers.iter().zip(found.iter_mut()) {
        status.problems.extend(membership(node, &answer.members, manager));
    }
    let services: Vec<ServiceStatus> = answer
        .services
        .iter()
        .map(|(name, running, wanted)| ServiceStatus {
            name: name.clone(),
            running: *running,
            wanted: *wanted,
        })
        .collect();
    let short = services.iter().filter(|service| service.running < service.wanted);
    let problems = short.map(|service| replicas(service, manager)).collect();
    (Some(SwarmOverview { members: answer.members.clone(), services }), problems)
}

/// Reports what the node's own status file says, unless it is ready.
fn state(answer: &Answer) -> Option<StatusProblem> {
    let Some(status) = &answer.swarm else {
        return answer.is_whole.then(|| {
            StatusProblem::error(
                StatusCode::SwarmState,
                "it has not begun to join the swarm".into(),
                "wait until it has booted; on the node: journalctl -u nodecard-swarm",
            )
        });
    };
    for (step, what) in [
        (&status.images, "its image archives could not be loaded"),
        (&status.services, "the services could not be created"),
    ] {
        if let SwarmStep::Failed(reason) = step {
            let what = format!("{what}: {}", printable(reason));
            let fix = "on the node: journalctl -u nodecard-swarm";
            return Some(StatusProblem::error(StatusCode::SwarmState, what, fix));
        }
    }
    let message = if status.message.is_empty() {
        String::new()
    } else {
        format!(": {}", printable(&status.message))
    };
    let what = format!("the swarm's state here is {}{message}", status.state);
    let fix = match status.state {
        SwarmState::Ready => return None,
        SwarmState::Locked => "on the node: docker swarm unlock",
        SwarmState::Left | SwarmState::Foreign => "follow the commands in its message",
        SwarmState::Error => "on the node: journalctl -u nodecard-swarm -u docker",
        _ => "wait: it continues when the managers and the network are available",
    };
    Some(StatusProblem::error(StatusCode::SwarmState, printable(&what), fix))
}

/// Reports a node that the swarm misses, and dead members of the same name.
fn membership(node: &Node, members: &[SwarmMember], manager: &Node) -> Vec<StatusProblem> {
    let same: Vec<&SwarmMember> =
        members.iter().filter(|member| member.hostname == node.name).collect();
    let is_ready = |member: &&&SwarmMember| member.state == "ready";
    if same.is_empty() {
        return vec![StatusProblem::error(
            StatusCode::SwarmMissing,
            format!("{} does not list it as a member of the swarm", manager.name),
            "on the node: cat /var/lib/nodecard/swarm/status",
        )];
    }
    if same.iter().filter(is_ready).count() == 0 {
        let state = same.first().map_or("", |member| &member.state);
        return vec![StatusProblem::error(
            StatusCode::SwarmDown,
            format!("the swarm says that it is {}", printable(state)),
            "check its power and network; on the node: systemctl status docker",
        )];
    }
    let dead = same.iter().filter(|member| member.state != "ready");
    dead.map(|member| {
        let id = printable(&member.id);
        let demote =
            if member.is_manager { format!("docker node demote {id} && ") } else { String::new() };
        StatusProblem::warning(
            StatusCode::DeadTwin,
            format!(
                "the swarm has a dead member of the same name, {id}, from an earlier card of this \
                 node"
            ),
            format!("on {}: {demote}docker node rm {id}", manager.name),
        )
    })
    .collect()
}

fn replicas(service: &ServiceStatus, manager: &Node) -> StatusProblem {
    let ServiceStatus { name, running, wanted } = service;
    let name = printable(name);
    StatusProblem::error(
        StatusCode::Replicas,
        format!("the service {name} has {running} of {wanted} containers"),
        format!("on {}: docker service ps --no-trunc {name}", manager.name),
    )
}

/// Reports that no manager could be asked.
fn unknown(answers: &[(&Node, Option<&Answer>)]) -> Option<StatusProblem> {
    let managers: Vec<_> = answers.iter().filter(|(node, _)| node.role == Role::Manager).collect();
    // Only some nodes were asked, and no manager is among them.
    if managers.is_empty() {
        return None;
    }
    let is_denied =
        managers.iter().any(|(_, answer)| answer.is_some_and(|answer| answer.is_docker_denied));
    if is_denied {
        return Some(StatusProblem::note(
            StatusCode::SwarmUnknown,
            "no user of the profile is allowed to use docker, so nodes and services were not \
             compared"
                .into(),
            "list root in `ssh.users`, or give a user `groups: [docker]`",
        ));
    }
    Some(StatusProblem::error(
        StatusCode::SwarmUnknown,
        "no manager answered questions about the swarm".into(),
        "solve the problems of the managers first",
    ))
}
