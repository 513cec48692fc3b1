//! A node's way into the cluster's Docker swarm: a script and a unit that run it at every
//! boot, and what they need to know.
//!
//! Tokens cannot be made offline: a swarm draws its secrets when it is made. So the first
//! manager makes it at its first boot, and every other node asks for a token with a key
//! that can do nothing else.

mod clean;
mod keys;
mod platform;
mod service;

use super::{RenderError, context::Context};
use crate::{
    Attributes, Change, Node, Role,
    swarm::{ImageArchive, Service, Swarm, full_name},
};

pub(super) use self::keys::{admitted, barred};

/// What nodes read.
const CONFIG: &str = "/etc/nodecard";
/// What nodes run.
const PROGRAMS: &str = "/usr/local/lib/nodecard";
/// The archives of images.
const IMAGES: &str = "/var/lib/nodecard/images";
/// What nodes write: how far they are, and what is done already.
pub(super) const STATE: &str = "/var/lib/nodecard/swarm";
/// How far a node has come, as `key=value` lines.
pub const SWARM_STATUS: &str = "/var/lib/nodecard/swarm/status";
const UNIT: &str = "/etc/systemd/system/nodecard-swarm.service";
const UNIT_LINK: &str = "/etc/systemd/system/multi-user.target.wants/nodecard-swarm.service";

/// What is the same on every card.
pub(super) fn shared(to: &mut Context<'_>) -> Result<(), RenderError> {
    let cluster = to.cluster;
    let Some(swarm) = &cluster.swarm else { return clean::remove(to) };
    platform::check(to, swarm)?;
    let root = |mode| Attributes::exactly(mode, 0, 0);
    to.write(format!("{PROGRAMS}/swarm"), include_bytes!("card/swarm"), root(0o755));
    to.write(format!("{PROGRAMS}/swarm-token"), include_bytes!("card/swarm-token"), root(0o755));
    to.write(UNIT, include_bytes!("card/nodecard-swarm.service"), root(0o644));
    to.edit(UNIT_LINK, Change::Symlink { target: UNIT.to_owned() });
    let names: Vec<String> = swarm.images.iter().map(ImageArchive::file_name).collect();
    clean::others(to, IMAGES, &names)?;
    for archive in &swarm.images {
        let change = Change::Copy {
            source: archive.path.clone(),
            size: archive.size,
            sha256: archive.sha256,
            attributes: root(0o644),
        };
        to.edit(format!("{IMAGES}/{}", archive.file_name()), change);
    }
    match swarm.images.is_empty() {
        true => drop(to.remove_if_there(&format!("{CONFIG}/images"))?),
        false => to.write(format!("{CONFIG}/images"), image_list(swarm), root(0o644)),
    }
    note_managers(to);
    note_pulled(to, swarm);
    Ok(())
}

/// A line for each archive: its sum, its path, its images' names.
fn image_list(swarm: &Swarm) -> String {
    let mut list = String::new();
    for archive in &swarm.images {
        let sum: String = archive.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        list.push_str(&format!("{sum} {IMAGES}/{}", archive.file_name()));
        for name in archive.images.iter().flat_map(|image| &image.names) {
            list.push(' ');
            list.push_str(name);
        }
        list.push('\n');
    }
    list
}

fn note_managers(to: &mut Context<'_>) {
    let managers = to.cluster.nodes.iter().filter(|node| node.role == Role::Manager).count();
    if managers % 2 == 0 {
        to.note(format!(
            "the swarm has {managers} managers and works while more than half of them do: \
             {} would do as much",
            managers - 1
        ));
    }
}

fn note_pulled(to: &mut Context<'_>, swarm: &Swarm) {
    for service in swarm.services.iter().filter(|service| !is_loaded(swarm, &service.image)) {
        to.note(format!(
            "the nodes pull {}, the image of the service {}, from its registry, since no archive \
             under `swarm.images` holds it",
            service.image, service.name
        ));
    }
}

/// Whether the nodes load an image from an archive.
fn is_loaded(swarm: &Swarm, image: &str) -> bool {
    let wanted = full_name(image);
    let names = swarm.images.iter().flat_map(|archive| &archive.images);
    names.flat_map(|image| &image.names).any(|name| full_name(name) == wanted)
}

/// What is one node's own.
pub(super) fn node(to: &mut Context<'_>, node: &Node) -> Result<(), RenderError> {
    let cluster = to.cluster;
    let Some(swarm) = &cluster.swarm else { return Ok(()) };
    let managers = || cluster.nodes.iter().filter(|node| node.role == Role::Manager);
    // The profile was checked to have one.
    let founder = managers().next().map(|node| node.name.as_str()).unwrap_or_default();
    let root = |mode| Attributes::exactly(mode, 0, 0);
    to.write(format!("{CONFIG}/swarm.conf"), configuration(to, swarm, node, founder), root(0o644));
    let key = keys::of(to, node.role)?;
    to.write(format!("{CONFIG}/swarm_key"), key.private(), root(0o600));

    match node.name == founder {
        true => services(to, swarm, &swarm.services),
        false => services(to, swarm, &[]),
    }
}

/// A file of arguments for each service, and one of its containers' environment.
fn services(to: &mut Context<'_>, swarm: &Swarm, services: &[Service]) -> Result<(), RenderError> {
    let mut files: [Vec<(String, String)>; 2] = Default::default();
    for (at, service) in (1..).zip(services) {
        let name = format!("{at:03}-{}", service.name);
        let arguments = service::arguments(service, &name, is_loaded(swarm, &service.image));
        let [all, environments] = &mut files;
        if !service.env.is_empty() {
            environments.push((name.clone(), service::environment(service)));
        }
        all.push((name, arguments));
    }
    for (directory, files) in ["services", "environments"].into_iter().zip(files) {
        let directory = format!("{CONFIG}/{directory}");
        if files.is_empty() {
            to.remove_if_there(&directory)?;
            continue;
        }
        let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
        clean::others(to, &directory, &names)?;
        // An environment may hold passwords.
        let attributes = Attributes::exactly(0o700, 0, 0);
        to.edit(directory.clone(), Change::Directory { attributes });
        for (name, text) in files {
            to.write(format!("{directory}/{name}"), text, Attributes::exactly(0o600, 0, 0));
        }
    }
    Ok(())
}

/// The script's configuration. Names, addresses and ports hold nothing that a shell would
/// take for more than a word.
fn configuration(from: &Context<'_>, swarm: &Swarm, node: &Node, founder: &str) -> String {
    let cluster = from.cluster;
    let managers: Vec<String> = cluster
        .nodes
        .iter()
        .filter(|node| node.role == Role::Manager)
        .map(|node| format!("{}={}", node.name, node.address))
        .collect();
    let role = node.role;
    let data_path_port = swarm.data_path_port.map(|port| port.to_string()).unwrap_or_default();
    format!(
        "# Written by nodecard from the profile of the cluster {}.\n\
         NAME={}\n\
         ADDRESS={}\n\
         ROLE={role}\n\
         # The manager that makes the swarm and creates its services.\n\
         FOUNDER={founder}\n\
         MANAGERS='{}'\n\
         # So many seconds it looks for the others, which may have one already.\n\
         PATIENCE=120\n\
         PORT={}\n\
         DATA_PATH={}\n\
         DATA_PATH_PORT={data_path_port}\n\
         # Services are created when so many nodes are ready, or after so many seconds.\n\
         NODES={}\n\
         WAIT={}\n\
         CONFIG={CONFIG}\n\
         STATE={STATE}\n",
        cluster.name,
        node.name,
        node.address,
        managers.join(" "),
        swarm.port,
        swarm.data_path.as_deref().unwrap_or_default(),
        cluster.nodes.len(),
        swarm.wait.as_secs(),
    )
}
