//! `nodecard check`.

use std::io::{Write as _, stdout};

use cluster_profile::Cluster;

use crate::{args::CheckArgs, failure::Failure};

pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    let cluster = Cluster::load(&args.profile)?;
    let mut out = stdout().lock();
    writeln!(
        out,
        "{}: the profile is right. Cluster {}, cards of {}, base {}",
        args.profile.display(),
        cluster.name,
        cluster.card,
        cluster.base.path.display()
    )?;
    for node in &cluster.nodes {
        let role = cluster.swarm.as_ref().map(|_| format!("  {}", node.role)).unwrap_or_default();
        let address = format!("{}/{}", node.address, cluster.network.prefix);
        writeln!(out, "  {:20} {address}{role}", node.name)?;
    }
    for service in cluster.swarm.iter().flat_map(|swarm| &swarm.services) {
        let ports = service
            .publish
            .iter()
            .map(|port| format!(", port {}/{}", port.published, port.protocol));
        writeln!(
            out,
            "  service {:12} {}{}",
            service.name,
            service.image,
            ports.collect::<String>()
        )?;
    }
    Ok(())
}
