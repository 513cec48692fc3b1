//! How far a node has come on its way into the swarm, as it wrote itself.

use card_image::FsResult;
use cluster_profile::{Role, SWARM_STATUS};

use super::Subject;
use crate::{Finding, Severity, facts::read_text, text::printable};

/// What the status file that the node wrote last tells.
pub(super) fn check(subject: &Subject<'_>) -> FsResult<Vec<Finding>> {
    if subject.cluster.swarm.is_none() {
        return Ok(Vec::new());
    }
    // A card that has never booted has none.
    let Some(text) = read_text(subject.files, SWARM_STATUS)? else { return Ok(Vec::new()) };
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        printable(line.unwrap_or_default())
    };
    let (state, message) = (value("state"), value("message"));
    let mut findings = Vec::new();
    let was = |what: &str| format!("when it ran last, at {}, {what}", value("time"));
    const OUT: &str = "the node was not in the swarm";
    let told = match state.as_str() {
        "ready" => None,
        "foreign" => Some((Severity::Error, OUT, "as the message says, if the node is to move")),
        "left" => Some((Severity::Warning, OUT, "as the message says, if it is to come back")),
        "locked" => Some((Severity::Error, OUT, "on the node: docker swarm unlock")),
        "error" => {
            Some((Severity::Error, OUT, "on the node: journalctl -u nodecard-swarm -u docker"))
        }
        "starting" => Some((
            Severity::Warning,
            "the manager waited for nodes, or for services to be created",
            "boot all nodes, and look again",
        )),
        // The power may have failed while it was written for the first time.
        "" => None,
        // It tries again at every boot.
        _ => Some((Severity::Warning, OUT, "boot the node beside a manager, and look again")),
    };
    if let Some((severity, what, mend)) = told {
        let finding = Finding::new(severity, "swarm-state", was(what), mend).at(SWARM_STATUS);
        let found = if message.is_empty() { state.clone() } else { format!("{state}: {message}") };
        findings.push(finding.found(found));
    }
    let (role, other) = match subject.node.role {
        role @ Role::Manager => (role, Role::Worker),
        role @ Role::Worker => (role, Role::Manager),
    };
    let message_of_other = format!("in the swarm as a {other}");
    if state == "ready" && message == message_of_other {
        let what = format!("the node was {message_of_other}; the profile says {role}");
        let mend = "on a manager: docker node promote or demote, or change the profile";
        findings.push(Finding::warning("swarm-state", what, mend).at(SWARM_STATUS));
    }
    let failed = |key: &str, what: &str, mend: &str| {
        let found = value(key);
        let reason = found.strip_prefix("failed: ")?;
        Some(Finding::error("swarm-state", what, mend).at(SWARM_STATUS).found(reason.to_owned()))
    };
    const LOAD: &str = "on the node: docker load -i the archive, to see why; it tries again at \
                        every boot";
    findings.extend(failed("images", "the node could not load an archive of images", LOAD));
    const CREATE: &str = "correct it in the profile, or on the manager: docker service create";
    findings.extend(failed("services", "the manager could not create a service", CREATE));
    Ok(findings)
}
