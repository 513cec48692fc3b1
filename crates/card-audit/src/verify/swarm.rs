//! How far a node has come on its way into the swarm, as it wrote itself.

use card_image::FsResult;
use cluster_profile::SWARM_STATUS;

use super::Subject;
use crate::{Finding, facts::read_text, text::printable};

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
    let (severe, mend) = match state.as_str() {
        "ready" => (None, ""),
        "foreign" => (Some(true), "as the message says, if the node is to move"),
        "left" => (Some(false), "as the message says, if the node is to come back"),
        "locked" => (Some(true), "on the node: docker swarm unlock"),
        "error" => (Some(true), "on the node: journalctl -u nodecard-swarm -u docker"),
        // It tries again at every boot.
        _ => (Some(false), "boot the node beside a manager, and look again"),
    };
    if let Some(severe) = severe {
        let what = format!("when it ran last, at {}, the node was not in the swarm", value("time"));
        let finding = match severe {
            true => Finding::error("swarm-state", what, mend),
            false => Finding::warning("swarm-state", what, mend),
        };
        let found = if message.is_empty() { state } else { format!("{state}: {message}") };
        findings.push(finding.at(SWARM_STATUS).found(found));
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
