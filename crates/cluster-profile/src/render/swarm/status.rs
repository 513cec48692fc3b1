//! The status file that the script on a node writes: how far the node has come.

use std::fmt;

use crate::Role;

/// The status file that a node of a swarm writes, as `key=value` lines.
pub const SWARM_STATUS: &str = "/var/lib/nodecard/swarm/status";

/// What a node's status file says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SwarmStatus {
    /// How far the node has come.
    pub state: SwarmState,
    /// The state in words, for people; may be empty.
    pub message: String,
    /// The role that Docker gives the node, if it is in the swarm.
    pub role: Option<Role>,
    /// The loading of the archives of images.
    pub images: SwarmStep,
    /// The creation of the services.
    pub services: SwarmStep,
    /// When the file was written, as in `2026-01-02T03:04:05Z`; may be empty.
    pub time: String,
}

/// How far a node has come on its way into the swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwarmState {
    /// It loads archives of images.
    Loading,
    /// It waits for Docker, or for a manager.
    Waiting,
    /// It makes the swarm.
    Founding,
    /// It joins the swarm.
    Joining,
    /// It is in the swarm, and waits for nodes or creates services.
    Starting,
    /// It is in the swarm, and has nothing left to do.
    Ready,
    /// It was in the swarm and has left it.
    Left,
    /// It is in another swarm than the managers.
    Foreign,
    /// Its swarm is locked.
    Locked,
    /// Docker reports an error.
    Error,
    /// Another word, such as that of a later release; empty if there was none.
    Unknown(String),
}

/// The result of one step of the script's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwarmStep {
    /// There is nothing to do.
    None,
    /// It is not done yet.
    Waiting,
    /// It is done.
    Done,
    /// It failed for this reason; the script tries again at the next boot.
    Failed(String),
}

impl SwarmStatus {
    /// Reads a status file. Keys that it lacks are as if nothing was known.
    ///
    /// Cards made by nodecard 0.1 have no `role`, and the reason of a failure behind the
    /// word `failed: ` instead of in a line of its own.
    pub fn parse(text: &str) -> Self {
        let value = |key: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        };
        let or_empty = |key: &str| value(key).unwrap_or_default().to_owned();
        let step = |key: &str| match value(key).unwrap_or_default() {
            "waiting" => SwarmStep::Waiting,
            "loaded" | "created" => SwarmStep::Done,
            "failed" => SwarmStep::Failed(or_empty(&format!("{key}_error"))),
            other => match other.strip_prefix("failed: ") {
                Some(reason) => SwarmStep::Failed(reason.to_owned()),
                None => SwarmStep::None,
            },
        };
        let message = or_empty("message");
        let word = value("role").or_else(|| message.strip_prefix("in the swarm as a "));
        SwarmStatus {
            state: SwarmState::of(value("state").unwrap_or_default()),
            role: [Role::Manager, Role::Worker]
                .into_iter()
                .find(|role| word == Some(role.to_string().as_str())),
            images: step("images"),
            services: step("services"),
            time: or_empty("time"),
            message,
        }
    }
}

impl SwarmState {
    fn of(word: &str) -> Self {
        match word {
            "loading" => SwarmState::Loading,
            "waiting" => SwarmState::Waiting,
            "founding" => SwarmState::Founding,
            "joining" => SwarmState::Joining,
            "starting" => SwarmState::Starting,
            "ready" => SwarmState::Ready,
            "left" => SwarmState::Left,
            "foreign" => SwarmState::Foreign,
            "locked" => SwarmState::Locked,
            "error" => SwarmState::Error,
            other => SwarmState::Unknown(other.to_owned()),
        }
    }
}

impl fmt::Display for SwarmState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SwarmState::Loading => "loading",
            SwarmState::Waiting => "waiting",
            SwarmState::Founding => "founding",
            SwarmState::Joining => "joining",
            SwarmState::Starting => "starting",
            SwarmState::Ready => "ready",
            SwarmState::Left => "left",
            SwarmState::Foreign => "foreign",
            SwarmState::Locked => "locked",
            SwarmState::Error => "error",
            SwarmState::Unknown(word) => word,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_read() {
        let status = SwarmStatus::parse(
            "state=ready\nmessage=in the swarm, with the role manager\nimages=failed\n\
             services=created\nrole=manager\nimages_error=a.tar: no space left\n\
             time=2026-01-02T03:04:05Z\n",
        );
        assert_eq!(status.state, SwarmState::Ready);
        assert_eq!(status.role, Some(Role::Manager));
        assert_eq!(status.images, SwarmStep::Failed("a.tar: no space left".into()));
        assert_eq!(status.services, SwarmStep::Done);
        assert_eq!(status.time, "2026-01-02T03:04:05Z");
    }

    #[test]
    fn cards_made_before_are_read() {
        let status = SwarmStatus::parse(
            "state=ready\nmessage=in the swarm as a worker\nimages=failed: a.tar: broken\n\
             services=waiting\n",
        );
        assert_eq!(status.role, Some(Role::Worker));
        assert_eq!(status.images, SwarmStep::Failed("a.tar: broken".into()));
        assert_eq!(status.services, SwarmStep::Waiting);
    }

    #[test]
    fn a_file_that_says_nothing_is_unknown() {
        for text in ["", "\0\0", "state=\n", "message=x\nrole=king\n"] {
            let status = SwarmStatus::parse(text);
            assert_eq!(status.state, SwarmState::Unknown(String::new()), "{text:?}");
            assert_eq!((status.role, status.images), (None, SwarmStep::None), "{text:?}");
        }
        let later = SwarmStatus::parse("state=resting\n").state;
        assert_eq!(later.to_string(), "resting");
        for word in ["loading", "waiting", "founding", "joining", "starting", "ready", "left"] {
            assert_eq!(SwarmState::of(word).to_string(), word);
        }
    }
}
