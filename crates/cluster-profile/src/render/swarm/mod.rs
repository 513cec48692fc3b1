//! How a node gets into the cluster's Docker swarm: a script, a unit that starts it at every
//! boot, and their configuration.
//!
//! Tokens cannot be made offline: a swarm generates its secrets when it is made. So the
//! first manager makes it at its first boot, and every other node asks for a token, with a
//! key that can do nothing else.

mod clean;
mod keys;
mod platform;
mod service;
mod status;

use super::{RenderError, context::Context};
use crate::{
    Attributes, Change, Node, Note, Purpose, Role, SwarmPart,
    swarm::{ImageArchive, Service, Swarm, full_name},
};

pub(super) use self::keys::{TOKEN_COMMAND, admitted, barred, role_key};
pub use self::status::{SWARM_STATUS, SwarmState, SwarmStatus, SwarmStep};

/// The configuration that nodes read.
const CONFIG: &str = "/etc/nodecard";
/// The private key of the node's role.
pub(super) const KEY: &str = "/etc/nodecard/swarm_key";
/// The programs that nodes run.
const PROGRAMS: &str = "/usr/local/lib/nodecard";
/// The archives of images.
const IMAGES: &str = "/var/lib/nodecard/images";
/// What nodes write: their status, and marks of what is done.
pub(super) const STATE: &str = "/var/lib/nodecard/swarm";
const UNIT: &str = "/etc/systemd/system/nodecard-swarm.service";
const UNIT_LINK: &str = "/etc/systemd/system/multi-user.target.wants/nodecard-swarm.service";

/// Everything that nodecard puts on a card for its swarm, and that the node writes.
pub(super) const PATHS: [&str; 5] = [UNIT_LINK, UNIT, CONFIG, PROGRAMS, "/var/lib/nodecard"];

/// Writes what is the same on every card.
pub(super) fn shared(to: &mut Context<'_>) -> Result<(), RenderError> {
    let cluster = to.cluster;
    let Some(swarm) = &cluster.swarm else { return clean::remove(to) };
    platform::check(to, swarm)?;
    let root = |mode| Attributes::exactly(mode, 0, 0);
    let program = || Purpose::Swarm(SwarmPart::Program);
    to.write(program(), format!("{PROGRAMS}/swarm"), include_bytes!("card/swarm"), root(0o755));
    let token = include_bytes!("card/swarm-token");
    to.write(program(), format!("{PROGRAMS}/swarm-token"), token, root(0o755));
    let unit = include_bytes!("card/nodecard-swarm.service");
    to.write(Purpose::Swarm(SwarmPart::Unit), UNIT, unit, root(0o644));
    let link = Change::Symlink { target: UNIT.to_owned() };
    to.edit(Purpose::Swarm(SwarmPart::UnitLink), UNIT_LINK, link);
    let names: Vec<String> = swarm.images.iter().map(ImageArchive::file_name).collect();
    clean::others(to, IMAGES, &names)?;
    for archive in &swarm.images {
        let change = Change::Copy {
            source: archive.path.clone(),
            size: archive.size,
            sha256: archive.sha256,
            attributes: root(0o644),
        };
        let path = format!("{IMAGES}/{}", archive.file_name());
        to.edit(Purpose::Swarm(SwarmPart::Archive), path, change);
    }
    let list = format!("{CONFIG}/images");
    if swarm.images.is_empty() {
        to.remove_if_there(Purpose::Swarm(SwarmPart::Leftover), &list)?;
    } else {
        let purpose = Purpose::Swarm(SwarmPart::ArchiveList);
        to.write(purpose, list, image_list(swarm), root(0o644));
    }
    note_managers(to);
    note_pulled(to, swarm);
    Ok(())
}

/// Returns a line for each archive: its checksum, its path, its images' names.
fn image_list(swarm: &Swarm) -> String {
    let mut list = String::new();
    for archive in &swarm.images {
        let sum = plain_text::to_hex(&archive.sha256);
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
        to.note(Note::EvenManagers { managers });
    }
}

fn note_pulled(to: &mut Context<'_>, swarm: &Swarm) {
    for service in swarm.services.iter().filter(|service| !is_loaded(swarm, &service.image)) {
        let (image, service) = (service.image.to_string(), service.name.to_string());
        to.note(Note::ImagePulled { image, service });
    }
}

/// Returns whether the nodes load an image from an archive.
fn is_loaded(swarm: &Swarm, image: &str) -> bool {
    let wanted = full_name(image);
    let names = swarm.images.iter().flat_map(|archive| &archive.images);
    names.flat_map(|image| &image.names).any(|name| full_name(name) == wanted)
}

/// Writes what is one node's own.
pub(super) fn node(to: &mut Context<'_>, node: &Node) -> Result<(), RenderError> {
    let cluster = to.cluster;
    let Some(swarm) = &cluster.swarm else { return Ok(()) };
    let managers = || cluster.nodes.iter().filter(|node| node.role == Role::Manager);
    // A profile with a swarm has a manager.
    let founder = managers().next().map(|node| node.name.as_str()).unwrap_or_default();
    let root = |mode| Attributes::exactly(mode, 0, 0);
    let path = format!("{CONFIG}/swarm.conf");
    let text = configuration(to, swarm, node, founder);
    to.write(Purpose::Swarm(SwarmPart::Configuration), path, text, root(0o644));
    let key = keys::of(to, node.role)?;
    let path = KEY.to_owned();
    to.write(Purpose::Swarm(SwarmPart::Key), path, key.private(), root(0o600));

    let created_here = if node.name == founder { swarm.services.as_slice() } else { &[] };
    services(to, swarm, created_here)
}

/// Writes a file of arguments for each service, and one of its containers' environment.
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
    let directories = [("services", SwarmPart::Service), ("environments", SwarmPart::Environment)];
    for ((directory, part), files) in directories.into_iter().zip(files) {
        let directory = format!("{CONFIG}/{directory}");
        if files.is_empty() {
            to.remove_if_there(Purpose::Swarm(SwarmPart::Leftover), &directory)?;
            continue;
        }
        let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
        clean::others(to, &directory, &names)?;
        // An environment may hold passwords.
        let attributes = Attributes::exactly(0o700, 0, 0);
        let purpose = Purpose::Swarm(SwarmPart::Directory);
        to.edit(purpose, directory.clone(), Change::Directory { attributes });
        for (name, text) in files {
            let path = format!("{directory}/{name}");
            to.write(Purpose::Swarm(part), path, text, Attributes::exactly(0o600, 0, 0));
        }
    }
    Ok(())
}

/// Returns the script's configuration. Names, addresses and ports hold nothing that a shell
/// would not read as one word.
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
         # How many seconds it waits for the other managers, which may have a swarm already.\n\
         PATIENCE=120\n\
         PORT={}\n\
         DATA_PATH={}\n\
         DATA_PATH_PORT={data_path_port}\n\
         # Services are created when this many nodes are ready, or after this many seconds.\n\
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
