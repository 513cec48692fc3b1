//! `nodecard check`.

use std::process::ExitCode;

use nodecard::{CardSize, CheckReport, Cluster, Project};
use serde_json::{Value, json};

use super::open_project;
use crate::{
    args::CheckArgs,
    error::{CommandError, exit_code, print_failure},
    hints,
    report::{self, table},
    terminal,
};

pub fn run(args: &CheckArgs) -> Result<ExitCode, CommandError> {
    let project = open_project(&args.project)?;
    let cluster = project.cluster();
    // What the profile names is looked at next, which may take a while.
    if !args.json.json {
        report::print_text(&to_text(&project))?;
    }
    let found = project.check()?;
    if args.json.json {
        report::print_json(&to_json(cluster, &project, &found))?;
    } else {
        let mut text = report::expected_notes(&found.notes);
        for what in &found.not_checked {
            let line = format!("not checked: {what}");
            text += &format!("{}\n", plain_text::wrap(&line, terminal::width(), 2));
        }
        if !found.not_checked.is_empty() && found.problems.is_empty() {
            let words = args.project.words();
            text += &format!("To check this too, run: nodecard plan {words}\n");
        }
        if found.problems.is_empty() {
            let gap = if text.is_empty() { "" } else { "\n" };
            text += &format!("{gap}{}: profile OK\n", cluster.path.display());
        }
        if !text.is_empty() {
            // Apart from the table of the nodes.
            report::print_text(&format!("\n{text}"))?;
        }
    }
    for error in &found.problems {
        print_failure(error);
    }
    Ok(match found.problems.first() {
        Some(error) => ExitCode::from(exit_code(error.kind())),
        None => ExitCode::SUCCESS,
    })
}

fn to_json(cluster: &Cluster, project: &Project, found: &CheckReport) -> Value {
    let node = |node: &nodecard::Node| {
        json!({
            "name": node.name,
            "address": node.address,
            "role": cluster.swarm.as_ref().map(|_| node.role.to_string()),
        })
    };
    let finding = |message: String, fix: Option<String>| json!({"severity": "error", "message": message, "fix": fix});
    let findings = |error: &nodecard::Error| -> Vec<Value> {
        let reasons = error.card_obstacles().iter();
        let all: Vec<Value> = reasons
            .map(|one| finding(plain_text::with_causes(&one.reason), one.reason.fix()))
            .collect();
        if !all.is_empty() {
            return all;
        }
        let fix = hints::join(error.fix(), hints::for_error(error));
        vec![finding(plain_text::with_causes(error), fix)]
    };
    json!({
        "profile": cluster.path,
        "cluster": cluster.name,
        "base": project.base_name(),
        "card_size": cluster.card.map(CardSize::bytes),
        "nodes": cluster.nodes.iter().map(node).collect::<Vec<_>>(),
        "findings": found.problems.iter().flat_map(findings).collect::<Vec<_>>(),
        "notes": report::sentences(&found.notes),
        "not_checked": found.not_checked,
    })
}

fn to_text(project: &Project) -> String {
    let cluster = project.cluster();
    let mut text = format!("Cluster      {}\n", cluster.name);
    text += &format!("Base image   {}\n", project.base_name());
    let card = cluster.card.map_or("no size set: build needs --card".to_owned(), |c| c.to_string());
    text += &format!("Cards        {card}\n");
    text += &format!("\n{}", nodes(cluster));
    let services = services(cluster);
    if !services.is_empty() {
        text += &format!("\n{services}");
    }
    text
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
