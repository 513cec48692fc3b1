//! The `services:` of a swarm.

use super::{mounts, ports};
use crate::{
    load::fields::{Fields, Problems, Spanned},
    swarm::{Publish, Service, ServiceMode},
    yaml::Value,
};

/// A larger number is likely a typing error.
const MOST_REPLICAS: u32 = 10_000;

/// Reads the services. `nodes` are the names of the cluster's nodes, `taken` the ports that
/// services cannot publish.
pub(super) fn read(fields: &mut Fields<'_>, nodes: &[&str], taken: ports::Taken) -> Vec<Service> {
    let problems = fields.problems;
    let mut services: Vec<Spanned<Service>> = Vec::new();
    let mut published: Vec<(Spanned<Publish>, String)> = Vec::new();
    for item in fields.list("services") {
        let Some((service, ports)) = read_one(item, nodes, problems) else { continue };
        let name = &service.value.name;
        if let Some(first) = services.iter().find(|other| other.value.name == *name) {
            let message = format!("two services are named {name}");
            let help = "give each service its own name";
            problems.conflict(&service.place, message, help, (&first.place, "first used here"));
        }
        for publish in ports {
            ports::check(&publish, name, &published, taken, problems);
            published.push((publish, name.clone()));
        }
        services.push(service);
    }
    services.into_iter().map(|service| service.value).collect()
}

fn read_one(
    value: Value,
    nodes: &[&str],
    problems: &Problems,
) -> Option<(Spanned<Service>, Vec<Spanned<Publish>>)> {
    let mut fields = Fields::of(value, "a service", problems)?;
    let name = fields.require_scalar("name", "name: httpd");
    let image = fields.require_scalar("image", "image: httpd:2.4");
    let replicas = fields.scalar("replicas");
    let mode = fields.scalar("mode");
    let publish: Vec<Spanned<Publish>> = fields
        .list("publish")
        .into_iter()
        .filter_map(|value| ports::publish(value, problems))
        .collect();
    let constraints: Vec<String> = fields
        .scalars("constraints")
        .into_iter()
        .filter_map(|at| constraint(at, nodes, problems))
        .collect();
    let mounts = fields
        .list("mounts")
        .into_iter()
        .filter_map(|value| mounts::mount(value, problems))
        .collect();
    let env = fields.take("env").map(|value| mounts::env(value, problems)).unwrap_or_default();
    let command =
        fields.scalars("command").into_iter().filter_map(|at| word(at, problems)).collect();
    fields.finish();
    let mode = self::mode(mode, replicas, problems);
    let name = service_name(name?, problems)?;
    let image = image_name(image?, problems)?;
    let service = Service {
        name: name.value,
        image,
        mode: mode?,
        publish: publish.iter().map(|publish| publish.value).collect(),
        constraints,
        mounts,
        env,
        command,
    };
    Some((Spanned { value: service, place: name.place }, publish))
}

/// Reads a word of the command that containers run.
fn word(at: Spanned<String>, problems: &Problems) -> Option<String> {
    if at.value.contains(['\0', '\n']) {
        problems.add(&at.place, "a word of a command cannot have more than one line", "");
        return None;
    }
    Some(at.value)
}

fn mode(
    mode: Option<Spanned<String>>,
    replicas: Option<Spanned<String>>,
    problems: &Problems,
) -> Option<ServiceMode> {
    let global = match &mode {
        None => false,
        Some(at) => match at.value.as_str() {
            "replicated" => false,
            "global" => true,
            other => {
                let help = "write `replicated` (the default) or `global` (one on each node)";
                problems.add(&at.place, format!("{other:?} is not a mode of a service"), help);
                return None;
            }
        },
    };
    let Some(at) = replicas else {
        return Some(if global { ServiceMode::Global } else { ServiceMode::Replicated(1) });
    };
    if global {
        let help = "remove `replicas`: a global service has one container on each node";
        problems.add(&at.place, "a global service cannot have `replicas`", help);
        return None;
    }
    match at.value.parse() {
        Ok(count @ 0..=MOST_REPLICAS) => Some(ServiceMode::Replicated(count)),
        _ => {
            let message = format!("{:?} is not a number of replicas", at.value);
            problems.add(&at.place, message, format!("write a number up to {MOST_REPLICAS}"));
            None
        }
    }
}

/// Checks the name of a service, which becomes a host name in the swarm's own DNS.
fn service_name(at: Spanned<String>, problems: &Problems) -> Option<Spanned<String>> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let name = &at.value;
    let ok = name.len() <= 63
        && name.chars().all(fits)
        && edge(name.chars().next())
        && edge(name.chars().last());
    if !ok {
        let message = format!("{name:?} is not the name of a service");
        let help = "use letters, digits, hyphens and underscores, at most 63, with a letter or \
                    digit at either end";
        problems.add(&at.place, message, help);
        return None;
    }
    Some(at)
}

/// Checks the reference of an image, `[REGISTRY/]NAME[:TAG][@DIGEST]`, loosely: Docker
/// checks the rest.
fn image_name(at: Spanned<String>, problems: &Problems) -> Option<String> {
    let image = &at.value;
    let fits =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '@');
    let repository = image.split(['@']).next().unwrap_or_default();
    let last = repository.rsplit('/').next().unwrap_or_default();
    let name = last.split(':').next().unwrap_or_default();
    let message = if image.is_empty() || image.len() > 512 || !image.chars().all(fits) {
        format!("{image:?} is not the name of an image")
    } else if name.chars().any(|c| c.is_ascii_uppercase()) {
        format!("{image:?} has capital letters in its name, which Docker rejects")
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || image.starts_with('-') {
        format!("{image:?} is not the name of an image")
    } else {
        return Some(at.value);
    };
    problems.add(&at.place, message, "write it as for `docker pull`, such as httpd:2.4");
    None
}

/// Checks a constraint of `docker service create`, such as `node.role==manager` or
/// `node.labels.disk!=ssd`.
fn constraint(at: Spanned<String>, nodes: &[&str], problems: &Problems) -> Option<String> {
    let text: String = at.value.split_ascii_whitespace().collect();
    let parts = text.split_once("!=").or_else(|| text.split_once("=="));
    let known = |key: &str| {
        let one_of = [
            "node.id",
            "node.hostname",
            "node.role",
            "node.ip",
            "node.platform.os",
            "node.platform.arch",
        ];
        let label = |start: &str| key.strip_prefix(start).is_some_and(|rest| !rest.is_empty());
        one_of.contains(&key) || label("node.labels.") || label("engine.labels.")
    };
    let message = match parts {
        Some((key, value)) if known(key) && !value.is_empty() && !value.contains(['=', '\'']) => {
            match key {
                "node.role" if !["manager", "worker"].contains(&value) => {
                    format!("{value:?} is not a role")
                }
                "node.hostname" if !nodes.contains(&value) => {
                    format!("no node is named {value:?}")
                }
                _ => return Some(text),
            }
        }
        _ => format!("{:?} is not a constraint", at.value),
    };
    let help = "write node.role==manager, node.hostname!=xu4-node1, node.labels.NAME==VALUE or \
                the like";
    problems.add(&at.place, message, help);
    None
}
