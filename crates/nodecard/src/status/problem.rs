//! What is wrong with a running node, and what to do about it.

use card_audit::Severity;
use serde::Serialize;

/// The kind of a problem. The names in JSON stay for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StatusCode {
    /// There is no way to the node's address.
    NoRoute,
    /// Nothing answers at the node's address.
    Timeout,
    /// The node answers, but no ssh server does.
    Refused,
    /// The connection failed in another way.
    Connection,
    /// Whoever answers has another host key.
    WrongHostKey,
    /// A user of the profile is not let in.
    Login,
    /// The profile lists no user with keys.
    NoUsers,
    /// The node let the user in, but did not answer.
    NoAnswer,
    /// The node has another host name.
    HostName,
    /// The node has another machine id.
    MachineId,
    /// The root filesystem does not fill the card.
    NotGrown,
    /// The node is not ready in the swarm.
    SwarmState,
    /// The swarm has no member of the node's name.
    SwarmMissing,
    /// The swarm's member of the node's name is down.
    SwarmDown,
    /// The swarm has a dead member beside the living one.
    DeadTwin,
    /// A service has fewer containers than it should.
    Replicas,
    /// No manager could be asked about the swarm.
    SwarmUnknown,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StatusProblem {
    /// How bad it is. Notes do not make the report wrong.
    pub severity: Severity,
    /// What kind of problem it is.
    pub code: StatusCode,
    /// What is wrong, in one sentence.
    pub what: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl StatusProblem {
    pub(super) fn error(code: StatusCode, what: String, fix: impl Into<String>) -> Self {
        StatusProblem { severity: Severity::Error, code, what, fix: Some(fix.into()) }
    }

    pub(super) fn warning(code: StatusCode, what: String, fix: impl Into<String>) -> Self {
        StatusProblem { severity: Severity::Warning, ..Self::error(code, what, fix) }
    }

    pub(super) fn note(code: StatusCode, what: String, fix: impl Into<String>) -> Self {
        StatusProblem { severity: Severity::Note, ..Self::error(code, what, fix) }
    }

    /// Returns whether the cluster is as it should be in spite of it.
    pub fn is_note(&self) -> bool {
        self.severity == Severity::Note
    }
}
