//! `nodecard check`.

use std::process::ExitCode;

use nodecard::{Cluster, Project};

use crate::{args::CheckArgs, error::CommandError, report::table, terminal};

pub fn run(args: &CheckArgs) -> Result<ExitCode, CommandError> {
    let project = Project::open(&args.profile)?;
    let cluster = project.cluster();
    let mut text = format!("{}: profile OK\n", args.profile.display());
    text += &format!("Cluster      {}\n", cluster.name);
    text += &format!("Base image   {}\n", cluster.base.path.display());
    text += &format!("Cards        {}\n\n{}", cluster.card, nodes(cluster));
    let services = services(cluster);
    if !services.is_empty() {
        text += &format!("\n{services}");
    }
    terminal::print(format_args!("{text}"))?;
    Ok(ExitCode::SUCCESS)
}

fn nodes(cluster: &Cluster) -> String {
    let role = |node: &nodecard::Node| match cluster.swarm {
        Some(_) => node.role.to_string(),
        None => String::new(),
    };
    let row = |node: &nodecard::Node| {
        let address = format!("{}/{}", node.address, cluster.network.prefix);
        [format!("  {}", node.name), address, role(node)]
    };
    table(&cluster.nodes.iter().map(row).collect::<Vec<_>>())
}

fn services(cluster: &Cluster) -> String {
    let services = cluster.swarm.iter().flat_map(|swarm| &swarm.services);
    let rows: Vec<_> = services
        .map(|service| {
            let port =
                |port: &nodecard::Publish| format!("port {}/{}", port.published, port.protocol);
            let ports: Vec<String> = service.publish.iter().map(port).collect();
            let name = format!("  service {}", service.name);
            [name, service.image.to_string(), ports.join(", ")]
        })
        .collect();
    table(&rows)
}
