//! `nodecard plan`.

use std::process::ExitCode;

use nodecard::PlanRequest;

use super::open_project;
use crate::{args::PlanArgs, error::CommandError, report};

pub fn run(args: &PlanArgs) -> Result<ExitCode, CommandError> {
    let project = open_project(&args.project)?;
    let nodes = &args.cards.nodes;
    let plan = match &args.against {
        Some(target) => match project.nodes(nodes)?.as_slice() {
            [node] => project.plan_against(target, &node.name)?,
            _ => {
                return Err(CommandError::Usage {
                    message: "--against compares one card, so it needs one node".into(),
                    fix: "name the node with --node".into(),
                });
            }
        },
        None => {
            let mut request = PlanRequest::default();
            request.nodes.clone_from(nodes);
            request.card_size = args.cards.card.map(|card| card.bytes());
            project.plan(&request)?
        }
    };
    report::print(&plan, args.json.json)?;
    Ok(ExitCode::SUCCESS)
}
