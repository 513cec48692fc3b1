//! `nodecard build`.

use std::{
    io::{Write as _, stdout},
    process::ExitCode,
};

use nodecard::{BaseSystem, BuildReport, BuildRequest, Network};
use plain_text::{printable, shell_word, size};
use serde_json::json;

use super::open_project;
use crate::{
    args::BuildArgs,
    error::CommandError,
    report::{self, labelled, table},
};

pub fn run(args: &BuildArgs) -> Result<ExitCode, CommandError> {
    let project = open_project(&args.project)?;
    let mut request = BuildRequest::new(&args.out);
    request.nodes.clone_from(&args.cards.nodes);
    request.card_size = args.cards.card.map(|card| card.bytes());
    request.format = args.format.into();
    request.raw_sums = !args.no_sums;
    let built = project.build(&request)?;
    if args.json.json {
        report::print_json(&json!({
            "out": built.out,
            "root_reason": built.root_reason,
            "notes": report::sentences(&built.notes),
            "manifest": built.manifest,
        }))?;
    } else {
        write!(stdout().lock(), "{}", to_text(&built, args, &project.cluster().network))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns what is known about the system in the base image, to follow its name.
fn describe(system: &BaseSystem, network: &Network) -> String {
    let mut facts: Vec<String> = system.release.iter().map(|release| printable(release)).collect();
    facts.extend(system.back_end.map(|back_end| format!("{back_end} on {}", network.interface)));
    facts.extend(system.has_docker.then(|| "Docker".to_owned()));
    if facts.is_empty() { String::new() } else { format!(": {}", facts.join(", ")) }
}

fn to_text(built: &BuildReport, args: &BuildArgs, network: &Network) -> String {
    let (manifest, root) = (&built.manifest, &built.manifest.root);
    let system = describe(&built.system, network);
    let mut text = format!("Base image   {}{system}\n", manifest.base.file);
    let (before, after) = (size(root.size_in_base), size(root.size));
    let growth = if root.size_in_base == root.size {
        format!("partition {}, {after} as in the base image", root.partition)
    } else {
        format!("partition {}, grown from {before} to {after}", root.partition)
    };
    text += &labelled("Root", &[growth]);
    text += &report::notes(&built.notes);
    let out = |file: &str| args.out.join(file).display().to_string();
    let rows: Vec<[String; 4]> = manifest
        .images
        .iter()
        .map(|image| {
            let to_write = format!("{} to write", size(image.used_bytes));
            [format!("  {}", image.node), image.address.clone(), out(&image.file), to_write]
        })
        .collect();
    text += &format!("\n{}\n", table(&rows));
    let profile = shell_word(&args.project.profile.display().to_string());
    let directory = shell_word(&args.out.display().to_string());
    if manifest.images.iter().all(|image| image.sha256.is_some()) {
        text += &format!("Check the files with:  (cd {directory} && sha256sum -c SHA256SUMS)\n");
    }
    if let Some(image) = manifest.images.first() {
        let more = if manifest.images.len() > 1 { " ..." } else { "" };
        let node = shell_word(&image.node);
        text += &format!("Write the cards with:  nodecard flash {profile} {node}=/dev/sdX{more}\n");
        let file = shell_word(&out(&image.file));
        text += &format!("Or with bmaptool:      bmaptool copy {file} /dev/sdX\n");
    }
    text
}
