//! Asking the running nodes, over ssh, whether they are what the profile says.

mod answer;
mod judge;
mod problem;
mod report;
mod ssh;
mod swarm;

use std::{
    collections::VecDeque,
    net::{SocketAddr, TcpStream, UdpSocket},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use cluster_profile::Node;

use self::{
    answer::Answer,
    ssh::{Outcome, Session},
};
pub use self::{
    problem::{StatusCode, StatusProblem},
    report::{
        Disk, HostKeyState, Login, NodeStatus, ServiceStatus, StatusReport, SwarmMember,
        SwarmOverview,
    },
};
use crate::{Error, Project};

/// The port on which sshd listens.
const SSH_PORT: u16 = 22;

/// The longest time that opening a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// The pause between two rounds while nodes are not ready.
const PAUSE: Duration = Duration::from_secs(5);

/// Which nodes to ask, and how long to wait for them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StatusRequest {
    /// The names of the nodes; empty for all.
    pub nodes: Vec<String>,
    /// How long nodes may take until they are as the profile says. Zero asks once.
    pub wait: Duration,
    /// The largest number of nodes that are asked at the same time.
    pub at_once: usize,
}

impl Default for StatusRequest {
    fn default() -> Self {
        StatusRequest { nodes: Vec::new(), wait: Duration::ZERO, at_once: 16 }
    }
}

/// What asking one node came to.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Why no connection could be opened.
    pub connection: Result<(), std::io::Error>,
    /// This computer's own address on the way to the node.
    pub from: Option<std::net::IpAddr>,
    /// What came of logging in, for each user.
    pub logins: Vec<(String, Outcome)>,
    /// What the node said about itself.
    pub answer: Option<Answer>,
}

impl Project {
    /// Asks the nodes over ssh whether they are what the profile says: whether each answers at
    /// its address, with its own host key, lets its users log in with the keys of this
    /// computer, and is the right node, grown, and in the swarm. Nothing is changed on them.
    ///
    /// `on_round` is called with each report that is not the last, while nodes are waited for.
    ///
    /// # Errors
    /// [`Error::NoKeys`], [`Error::Keys`], [`Error::NoSuchNode`], [`Error::NoSsh`] if this
    /// computer has no ssh, [`Error::Interrupted`]. A node that is not as it should be is part
    /// of the report.
    pub fn status(
        &self,
        request: &StatusRequest,
        on_round: &dyn Fn(&StatusReport),
    ) -> Result<StatusReport, Error> {
        let nodes = self.nodes(&request.nodes)?;
        let session = Session::open(self)?;
        let until = Instant::now() + request.wait;
        loop {
            let asked = self.ask_all(&session, &nodes, request.at_once)?;
            let report = judge::report(self, &nodes, &asked)?;
            if report.ok || Instant::now() + PAUSE > until {
                return Ok(report);
            }
            on_round(&report);
            let next = Instant::now() + PAUSE;
            while Instant::now() < next {
                self.context.cancel.check()?;
                thread::sleep(Duration::from_millis(100));
            }
        }
    }

    /// Asks all nodes, some at a time. The results are in the order of the nodes.
    fn ask_all(
        &self,
        session: &Session,
        nodes: &[&Node],
        at_once: usize,
    ) -> Result<Vec<Asked>, Error> {
        let queue: Mutex<VecDeque<usize>> = Mutex::new((0..nodes.len()).collect());
        let results: Mutex<Vec<(usize, Result<Asked, Error>)>> = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..at_once.clamp(1, nodes.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                        let Some((number, node)) =
                            next.and_then(|number| Some((number, nodes.get(number)?)))
                        else {
                            break;
                        };
                        let asked = self.ask(session, node);
                        let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                        results.push((number, asked));
                    }
                });
            }
        });
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|(number, _)| *number);
        results.into_iter().map(|(_, asked)| asked).collect()
    }

    fn ask(&self, session: &Session, node: &Node) -> Result<Asked, Error> {
        self.context.cancel.check()?;
        let address = SocketAddr::from((node.address, SSH_PORT));
        // Connecting here first tells apart what ssh reports in words only.
        let connection = TcpStream::connect_timeout(&address, CONNECT).map(drop);
        let mut asked =
            Asked { connection, from: own_address(address), logins: Vec::new(), answer: None };
        if asked.connection.is_err() {
            return Ok(asked);
        }
        let mut users = self.cluster.key_users();
        // Without any user with keys, the host key can still be checked.
        let nobody = users.is_empty();
        if nobody {
            users.push("root");
        }
        for user in users {
            let run = session.run(node, user, &self.context.cancel)?;
            let outcome = run.outcome();
            if outcome == Outcome::LoggedIn {
                let answer = Answer::parse(&run.stdout);
                if asked.answer.as_ref().is_none_or(|known| known.knows_less_than(&answer)) {
                    asked.answer = Some(answer);
                }
            }
            let end = matches!(outcome, Outcome::WrongHostKey { .. } | Outcome::Failed { .. });
            asked.logins.push((user.to_owned(), outcome));
            if end {
                break;
            }
        }
        Ok(asked)
    }
}

/// Returns the address of this computer from which it would reach another.
fn own_address(to: SocketAddr) -> Option<std::net::IpAddr> {
    // Connecting a UDP socket sends nothing.
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
