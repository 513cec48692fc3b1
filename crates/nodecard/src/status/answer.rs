//! What a node says about itself: the output of probe.sh.

use cluster_profile::{SwarmState, SwarmStatus};

use super::{Disk, SwarmMember};

/// What a node says about itself. Everything is foreign text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub hostname: Option<String>,
    pub machine_id: Option<String>,
    /// In seconds.
    pub uptime: Option<u64>,
    pub disk: Option<Disk>,
    /// What the node's status file of the swarm says.
    pub swarm: Option<SwarmStatus>,
    /// The state of Docker's engine, if the user may ask it.
    pub engine: Option<String>,
    /// Whether the user may not ask Docker.
    pub is_docker_denied: bool,
    /// The members of the swarm, if the node is a manager.
    pub members: Vec<SwarmMember>,
    /// The services: name, running, wanted.
    pub services: Vec<(String, u32, u32)>,
    /// Whether the answer is whole.
    pub is_whole: bool,
}

impl Answer {
    pub fn parse(text: &str) -> Self {
        let value = |key: &str| {
            let mut lines = text.lines();
            let found = lines.find_map(|line| line.trim_end().strip_prefix(key)?.strip_prefix('='));
            found.filter(|value| !value.is_empty())
        };
        let number = |key: &str| value(key).and_then(|text| text.parse::<u64>().ok());
        let lines_of = |key: &'static str| {
            text.lines().filter_map(move |line| line.trim_end().strip_prefix(key))
        };
        let status: String = lines_of("swarm_").map(|line| format!("{line}\n")).collect();
        let status = SwarmStatus::parse(&status);
        let is_empty = matches!(&status.state, SwarmState::Unknown(word) if word.is_empty());
        let disk = number("filesystem").zip(number("available")).map(|(filesystem, available)| {
            let sectors = |count: u64| count.saturating_mul(512);
            let end = number("partition_start").zip(number("partition_size"));
            Disk {
                filesystem: filesystem.saturating_mul(1024),
                available: available.saturating_mul(1024),
                partition: end.map(|(_, size)| sectors(size)),
                partition_end: end.map(|(start, size)| sectors(start.saturating_add(size))),
                card: number("card_size").map(sectors),
            }
        });
        let engine = value("docker").filter(|engine| *engine != "no");
        Answer {
            hostname: value("hostname").map(str::to_owned),
            machine_id: value("machine_id").map(str::to_owned),
            uptime: number("uptime"),
            disk,
            swarm: (!is_empty).then_some(status),
            engine: engine.and_then(|text| text.split(' ').next()).map(str::to_owned),
            is_docker_denied: value("docker") == Some("no"),
            members: lines_of("member=").filter_map(member).collect(),
            services: lines_of("service=").filter_map(service).collect(),
            is_whole: value("end").is_some(),
        }
    }

    /// Returns whether another user's answer says more: not every user may ask Docker.
    pub fn knows_less_than(&self, other: &Answer) -> bool {
        let rank = |answer: &Answer| {
            (answer.hostname.is_some(), answer.engine.is_some(), answer.members.len())
        };
        rank(self) < rank(other)
    }
}

/// Reads `ID|HOSTNAME|Ready|Active|Leader`.
fn member(line: &str) -> Option<SwarmMember> {
    let mut fields = line.split('|').map(str::trim);
    let id = fields.next()?.to_owned();
    let hostname = fields.next()?.to_owned();
    let state = fields.next()?.to_lowercase();
    let availability = fields.next()?.to_lowercase();
    let is_manager = fields.next().is_some_and(|status| !status.is_empty());
    Some(SwarmMember { id, hostname, state, availability, is_manager })
}

/// Reads `NAME|2/3`, which newer engines follow with `(max 1 per node)`.
fn service(line: &str) -> Option<(String, u32, u32)> {
    let (name, replicas) = line.split_once('|')?;
    let (running, wanted) = replicas.split_whitespace().next()?.split_once('/')?;
    Some((name.to_owned(), running.parse().ok()?, wanted.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "hostname=xu4-master\nmachine_id=0123\nuptime=4711\nfilesystem=7000000\n\
        available=6000000\npartition_start=19456\npartition_size=15300000\ncard_size=15321504\n\
        swarm_state=ready\nswarm_role=manager\ndocker=active true\n\
        member=abc|xu4-master|Ready|Active|Leader\nmember=def|xu4-node1|Down|Active|\n\
        service=httpd|2/3 (max 1 per node)\nend=1\n";

    #[test]
    fn an_answer_is_read() {
        let answer = Answer::parse(ANSWER);
        assert_eq!(answer.hostname.as_deref(), Some("xu4-master"));
        assert_eq!(answer.uptime, Some(4711));
        assert_eq!(answer.swarm.unwrap().state, SwarmState::Ready);
        assert_eq!(answer.engine.as_deref(), Some("active"));
        assert_eq!(answer.members.len(), 2);
        assert!(answer.members[0].is_manager && !answer.members[1].is_manager);
        assert_eq!(answer.members[1].state, "down");
        assert_eq!(answer.services, [("httpd".to_owned(), 2, 3)]);
        let disk = answer.disk.unwrap();
        assert_eq!(disk.partition_end, Some((19456 + 15_300_000) * 512));
        assert!(answer.is_whole);
    }

    #[test]
    fn no_answer_panics() {
        for end in 0..ANSWER.len() {
            Answer::parse(&ANSWER[..end]);
            Answer::parse(&ANSWER[end..]);
        }
        let huge = u64::MAX;
        Answer::parse(&format!(
            "filesystem={huge}\navailable={huge}\npartition_start={huge}\n\
                                partition_size={huge}\nmember=\nservice=|\nservice=a|/\n"
        ));
        assert_eq!(Answer::parse(""), Answer::default());
    }
}
