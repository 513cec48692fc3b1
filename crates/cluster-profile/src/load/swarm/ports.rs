//! The ports of the swarm, and those that services publish.

use crate::{
    load::fields::{Fields, Problems, Spanned, scalar},
    swarm::{Protocol, Publish},
    yaml::{Kind, Value},
};

const HELP: &str = "write \"PUBLISHED:TARGET\" in quotes, such as \"8080:80\" or \"53:53/udp\"";

/// Reads the number of a port. Anything else is a problem.
pub(super) fn number(at: &Spanned<String>, problems: &Problems) -> Option<u16> {
    match at.value.parse() {
        Ok(0) | Err(_) => {
            let message = format!("{:?} is not a port", at.value);
            problems.add(&at.place, message, "write a number from 1 to 65535");
            None
        }
        Ok(port) => Some(port),
    }
}

/// Reads one entry of a service's `publish`: `8080:80/tcp`, or a mapping.
pub(super) fn publish(value: Value, problems: &Problems) -> Option<Spanned<Publish>> {
    let place = value.place.clone();
    let publish = match value.kind {
        Kind::Map(_) => long(value, problems)?,
        _ => short(&scalar(value, "publish", problems)?, problems)?,
    };
    Some(Spanned { value: publish, place })
}

fn short(at: &Spanned<String>, problems: &Problems) -> Option<Publish> {
    let (ports, protocol) = match at.value.split_once('/') {
        Some((ports, protocol)) => (ports, self::protocol(protocol)),
        None => (at.value.as_str(), Some(Protocol::Tcp)),
    };
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let published = ports.split_once(':').and_then(|(a, b)| port(a).zip(port(b)));
    let Some(((published, target), protocol)) = published.zip(protocol) else {
        problems.add(&at.place, format!("{:?} is not a published port", at.value), HELP);
        return None;
    };
    Some(Publish { published, target, protocol, on_host: false })
}

fn long(value: Value, problems: &Problems) -> Option<Publish> {
    let mut fields = Fields::of(value, "a published port", problems)?;
    let published = fields.require_scalar("published", "published: 8080");
    let target = fields.require_scalar("target", "target: 80");
    let protocol = fields.scalar("protocol").map(|at| {
        let protocol = self::protocol(&at.value);
        if protocol.is_none() {
            let message = format!("{:?} is not a protocol", at.value);
            problems.add(&at.place, message, "write `tcp` or `udp`");
        }
        protocol
    });
    let on_host = fields.scalar("mode").map(|at| match at.value.as_str() {
        "host" => Some(true),
        "ingress" => Some(false),
        other => {
            let help = "write `ingress` (every node answers, the default) or `host` (only nodes \
                        that run the service)";
            problems.add(&at.place, format!("{other:?} is not a mode of a port"), help);
            None
        }
    });
    fields.finish();
    Some(Publish {
        published: number(&published?, problems)?,
        target: number(&target?, problems)?,
        protocol: protocol.unwrap_or(Some(Protocol::Tcp))?,
        on_host: on_host.unwrap_or(Some(false))?,
    })
}

fn protocol(text: &str) -> Option<Protocol> {
    match text {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        _ => None,
    }
}

/// Reports a published port that another service publishes too, or that every node uses
/// itself.
pub(super) fn check(
    new: &Spanned<Publish>,
    service: &str,
    earlier: &[(Spanned<Publish>, String)],
    taken: Taken,
    problems: &Problems,
) {
    let Publish { published, protocol, .. } = new.value;
    let same = |other: &Publish| (other.published, other.protocol) == (published, protocol);
    if let Some((first, other)) = earlier.iter().find(|(other, _)| same(&other.value)) {
        let message = if other == service {
            format!("{service} publishes port {published}/{protocol} twice")
        } else {
            format!("{other} and {service} both publish port {published}/{protocol}")
        };
        let help = "publish one of them on another port";
        problems.conflict(&new.place, message, help, (&first.place, "first used here"));
        return;
    }
    if let Some(user) = user(published, protocol, taken) {
        let message = format!("port {published}/{protocol} is used by {user} on every node");
        problems.add(&new.place, message, "publish the service on another port");
    }
}

/// The ports of the swarm that a profile can set.
#[derive(Clone, Copy)]
pub(super) struct Taken {
    /// The managers' port, TCP.
    pub managers: u16,
    /// The port for the traffic between containers, UDP.
    pub data_path: u16,
}

/// Returns what listens on a port of every node.
fn user(port: u16, protocol: Protocol, taken: Taken) -> Option<&'static str> {
    let of_swarm = match protocol {
        Protocol::Tcp => port == taken.managers,
        Protocol::Udp => port == taken.data_path,
    };
    match (port, protocol) {
        (22, Protocol::Tcp) => Some("sshd"),
        (7946, _) => Some("the swarm itself"),
        _ if of_swarm => Some("the swarm itself"),
        _ => None,
    }
}
