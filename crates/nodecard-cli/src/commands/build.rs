//! `nodecard build`.

use std::process::ExitCode;

use nodecard::{
    BaseSystem, BuildReport, BuildRequest, ImageRecord, LeftOver, LeftOverState, Network,
};
use plain_text::{printable, shell_word, size};
use platform::devices;
use serde_json::json;

use super::{note_of_new_keys, open_project};
use crate::{
    args::BuildArgs,
    error::{CommandError, print_note},
    report::{self, labelled, table},
};

pub fn run(args: &BuildArgs) -> Result<ExitCode, CommandError> {
    let mut project = open_project(&args.project)?;
    if args.new_keys.new_keys {
        project = project.with_new_keys();
    }
    let mut request = BuildRequest::new(&args.out);
    request.nodes.clone_from(&args.cards.nodes);
    request.card_size = args.cards.card.map(|card| card.bytes());
    request.format = args.format.into();
    request.raw_sums = args.sums;
    request.update = args.update;
    let built = project.build(&request).inspect_err(|_| {
        if let Some(note) = note_of_new_keys(&project) {
            print_note(format_args!("{note}"));
        }
    })?;
    if args.json.json {
        report::print_json(&json!({
            "out": built.out,
            "root_reason": built.root_reason,
            "notes": report::sentences(&built.notes),
            "manifest": built.manifest,
            "made": built.made,
            "left_over": built.left_over,
            "new_keys": project.new_keys(),
        }))?;
    } else {
        report::print_text(&to_text(&built, args, &project.cluster().network))?;
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
        let how = if root.size_in_base < root.size { "grown" } else { "shrunk" };
        format!("partition {}, {how} from {before} to {after}", root.partition)
    };
    text += &labelled("Root", &[growth]);
    text += &report::notes(&built.notes);
    let out = |file: &str| args.out.join(file).display().to_string();
    let made: Vec<_> =
        manifest.images.iter().filter(|image| built.made.contains(&image.node)).collect();
    let row = |image: &&ImageRecord| {
        let to_write = format!("{} to write", size(image.used_bytes));
        [format!("  {}", image.node), image.address.clone(), out(&image.file), to_write]
    };
    text += &format!("\n{}", table(&made.iter().map(row).collect::<Vec<_>>()));
    let row = |left: &LeftOver| {
        let node = format!("  {}", left.node);
        [node, left.address.clone(), out(&left.file), describe_state(left.state).to_owned()]
    };
    let left: Vec<_> = built.left_over.iter().map(row).collect();
    if !left.is_empty() {
        text += &format!("\nLeft from earlier runs:\n{}", table(&left));
    }
    text.push('\n');
    let project = args.project.words();
    if made.is_empty() {
        // No image to write.
    } else if !devices::ARE_LISTED {
        let programs = devices::other_programs();
        text += &format!("Write the images to cards with another program: {programs}\n");
    } else if let Some(image) = made.first() {
        let more = if made.len() > 1 { " ..." } else { "" };
        let node = shell_word(&image.node);
        text += &format!("Write the cards with:  nodecard flash {project} {node}=/dev/sdX{more}\n");
        if made.len() > 1 {
            text +=
                &format!("With one reader:       nodecard flash {project} --one-reader /dev/sdX\n");
        }
        let file = shell_word(&out(&image.file));
        text += &format!("Or with bmaptool:      bmaptool copy {file} /dev/sdX\n");
    }
    // Without sums of the images, that would only check the block maps.
    if manifest.images.iter().all(|image| image.sha256.is_some()) {
        let directory = shell_word(&args.out.display().to_string());
        text += &format!("Check the files with:  (cd {directory} && sha256sum -c SHA256SUMS)\n");
    }
    text
}

/// Returns whether an image of an earlier run can still be used.
fn describe_state(state: LeftOverState) -> &'static str {
    match state {
        LeftOverState::Current => "still current",
        LeftOverState::NotInProfile => "stale: no longer in the profile",
        LeftOverState::OtherAddress => "stale: the profile has another address",
        LeftOverState::OtherKeys => "stale: made with other keys",
        _ => "stale: older than the profile",
    }
}
