//! How far a node has come on its way into the swarm, by the status file that it wrote.

use card_image::FsResult;
use cluster_profile::{Role, SWARM_STATUS, SwarmState, SwarmStatus, SwarmStep};
use plain_text::printable;

use super::Subject;
use crate::{Finding, FindingCode, FixAction, Severity, facts::read_text};

/// Returns what the node reported last that is not as it should be.
pub(super) fn check(subject: &Subject<'_>) -> FsResult<Vec<Finding>> {
    if subject.cluster.swarm.is_none() {
        return Ok(Vec::new());
    }
    // A card that has never booted has none.
    let Some(text) = read_text(subject.files, SWARM_STATUS)? else { return Ok(Vec::new()) };
    let status = SwarmStatus::parse(&text);
    let mut findings = Vec::new();
    findings.extend(state(&status));
    findings.extend(role(subject, &status));
    if let SwarmStep::Failed(reason) = &status.images {
        let what = "the node could not load an archive of images";
        let command = "run `docker load -i` with the archive to see why; the next boot tries again";
        findings.push(failed(what, FixAction::OnNode(command.into()), reason));
    }
    if let SwarmStep::Failed(reason) = &status.services {
        let what = "the manager could not create a service";
        findings.push(failed(what, FixAction::CorrectService, reason));
    }
    Ok(findings)
}

fn state(status: &SwarmStatus) -> Option<Finding> {
    const OUT: &str = "the node was not in the swarm";
    let on_node = |command: &str| FixAction::OnNode(command.to_owned());
    let (severity, what, fix) = match &status.state {
        SwarmState::Ready => return None,
        // The power may have failed while the file was written for the first time.
        SwarmState::Unknown(state) if state.is_empty() => return None,
        SwarmState::Foreign => (Severity::Error, OUT, FixAction::FollowStatus),
        SwarmState::Left => (Severity::Warning, OUT, FixAction::FollowStatus),
        SwarmState::Locked => (Severity::Error, OUT, on_node("docker swarm unlock")),
        SwarmState::Error => {
            (Severity::Error, OUT, on_node("journalctl -u nodecard-swarm -u docker"))
        }
        SwarmState::Starting => (
            Severity::Warning,
            "the manager was waiting for nodes, or could not create all services",
            FixAction::BootAllNodes,
        ),
        // It tries again at every boot.
        SwarmState::Loading
        | SwarmState::Waiting
        | SwarmState::Founding
        | SwarmState::Joining
        | SwarmState::Unknown(_) => (Severity::Warning, OUT, FixAction::BootNearManager),
    };
    let what = format!("when it last ran, at {}, {what}", printable(&status.time));
    let message = if status.message.is_empty() { "" } else { ": " };
    let found = format!("{}{message}{}", status.state, status.message);
    let finding = Finding::new(severity, FindingCode::SwarmState, what, fix).at(SWARM_STATUS);
    Some(finding.found(printable(&found)))
}

/// Reports a role that somebody changed in the swarm.
fn role(subject: &Subject<'_>, status: &SwarmStatus) -> Option<Finding> {
    let (node, role) = (subject.node, status.role?);
    if status.state != SwarmState::Ready || role == node.role {
        return None;
    }
    let what = format!("the node was in the swarm as a {role}; the profile says {}", node.role);
    let verb = match node.role {
        Role::Manager => "promote",
        Role::Worker => "demote",
    };
    let fix = FixAction::SettleRole { verb, node: node.name.clone() };
    Some(Finding::warning(FindingCode::SwarmState, what, fix).at(SWARM_STATUS))
}

fn failed(what: &str, fix: FixAction, reason: &str) -> Finding {
    let finding = Finding::error(FindingCode::SwarmState, what, fix).at(SWARM_STATUS);
    finding.found(printable(reason))
}
