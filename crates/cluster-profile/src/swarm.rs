//! The Docker swarm that a cluster's nodes form.

use std::{fmt, path::PathBuf, time::Duration};

/// The port on which managers listen, unless a profile says another (TCP).
pub const SWARM_PORT: u16 = 2377;

/// A Docker swarm, made when the nodes boot for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swarm {
    /// The TCP port on which managers listen.
    pub port: u16,
    /// The interface or address for the traffic between containers; the node's own address
    /// where this is `None`.
    pub data_path: Option<String>,
    /// The UDP port for that traffic; Docker's own choice where this is `None`.
    pub data_path_port: Option<u16>,
    /// How long services wait for the nodes: they are created when all are in, or then.
    pub wait: Duration,
    /// Archives of images that every node loads before it joins.
    pub images: Vec<ImageArchive>,
    /// The services to create, once.
    pub services: Vec<Service>,
}

/// An archive of container images, as `docker save` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageArchive {
    /// The file on this machine.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 sum.
    pub sha256: [u8; 32],
    /// What images it holds.
    pub images: Vec<ArchivedImage>,
}

impl ImageArchive {
    /// Its file's name, which it has on the card too.
    pub fn file_name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// An image in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchivedImage {
    /// Its names: `httpd:latest`.
    pub names: Vec<String>,
    /// The processor it is for, in Go's words, as Docker uses them: `arm`, `arm64`, `amd64`.
    pub architecture: String,
}

/// A service of the swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The image its containers run.
    pub image: String,
    /// How many containers there are.
    pub mode: ServiceMode,
    /// The ports it answers on.
    pub publish: Vec<Publish>,
    /// Where it may run: `node.role==manager`.
    pub constraints: Vec<String>,
    /// What its containers see of the node's files, and of volumes.
    pub mounts: Vec<Mount>,
    /// Variables of its containers' environment.
    pub env: Vec<(String, String)>,
    /// What its containers run, if not what the image says.
    pub command: Vec<String>,
}

/// How many containers a service has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceMode {
    /// So many, wherever there is room.
    Replicated(u32),
    /// One on each node.
    Global,
}

/// A port of a service that is reached from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish {
    /// The port on the nodes.
    pub published: u16,
    /// The port in the container.
    pub target: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Only on the nodes that run a container, rather than on every node.
    pub on_host: bool,
}

/// What a port is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        })
    }
}

/// What a service's containers see at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What kind it is.
    pub kind: MountKind,
    /// The path on the node, or the volume's name; none for memory.
    pub source: Option<String>,
    /// The path in the container.
    pub target: String,
    /// Whether the container may only read.
    pub read_only: bool,
}

/// The kinds of mounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountKind {
    /// A file or directory of the node.
    Bind,
    /// A volume that Docker keeps.
    Volume,
    /// Memory.
    Tmpfs,
}

impl fmt::Display for MountKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MountKind::Bind => "bind",
            MountKind::Volume => "volume",
            MountKind::Tmpfs => "tmpfs",
        })
    }
}

/// An image's name in full, as Docker compares them: `busybox` is
/// `docker.io/library/busybox:latest`.
pub(crate) fn full_name(name: &str) -> String {
    let first = name.split('/').next().unwrap_or_default();
    let has_registry = name.contains('/') && (first.contains(['.', ':']) || first == "localhost");
    let with_registry = match (has_registry, name.contains('/')) {
        (true, _) => name.to_owned(),
        (false, true) => format!("docker.io/{name}"),
        (false, false) => format!("docker.io/library/{name}"),
    };
    let last = with_registry.rsplit('/').next().unwrap_or_default();
    match last.contains([':', '@']) {
        true => with_registry,
        false => format!("{with_registry}:latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::full_name;

    #[test]
    fn names_are_completed_as_docker_does() {
        for (name, full) in [
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1", "docker.io/library/busybox:1"),
            ("alexellis2/visualizer-arm", "docker.io/alexellis2/visualizer-arm:latest"),
            ("docker.io/library/busybox:latest", "docker.io/library/busybox:latest"),
            ("localhost/x", "localhost/x:latest"),
            ("registry:5000/x", "registry:5000/x:latest"),
            ("r.lan/a/b@sha256:0", "r.lan/a/b@sha256:0"),
        ] {
            assert_eq!(full_name(name), full);
        }
    }
}
