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
        writeln!(out, "  {:20} {}/{}", node.name, node.address, cluster.network.prefix)?;
    }
    Ok(())
}
