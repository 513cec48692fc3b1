//! `nodecard save`.

use std::process::ExitCode;

use nodecard::{LostBytes, LostOwner, Project, SaveReport, SaveRequest, SaveSize, save_card};
use plain_text::{count, printable, shell_word, size};
use platform::devices;
use serde_json::{Value, json};

use super::{context, source_date_epoch};
use crate::{
    args::{ProjectArgs, SaveArgs},
    error::{CommandError, print_line},
    report::{self, labelled},
};

pub fn run(args: &SaveArgs) -> Result<ExitCode, CommandError> {
    let mut request = SaveRequest::new(&args.out);
    request.as_base = match (args.base, args.exact) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    request.size = match args.size {
        Some(card) => SaveSize::Card(card.bytes()),
        None if args.no_shrink => SaveSize::Unchanged,
        None => SaveSize::Contents,
    };
    request.overwrite = args.overwrite;
    request.keep_going = args.keep_going;
    request.root = args.root.root;
    request.time = source_date_epoch()?;
    let saved = match &args.profile {
        Some(profile) => {
            let mut project = Project::open(profile)?.with_context(context());
            if let Some(keys) = &args.keys {
                project = project.with_keys(keys);
            }
            project.save(&args.card, &request)?
        }
        None => save_card(&args.card, &request, &context())?,
    };
    for lost in saved.outcome.lost.iter().filter(|lost| lost.owner != LostOwner::Free) {
        print_line(format_args!(
            "warning: {} could not be read, and was filled with zeros",
            describe(lost)
        ));
    }
    if args.json.json {
        report::print_json(&to_json(&saved))?;
    } else {
        report::print_text(&to_text(&saved, args))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Describes what was lost: how much, of what, where.
fn describe(lost: &LostBytes) -> String {
    let bytes = count(usize::try_from(lost.bytes()).unwrap_or(usize::MAX), "byte");
    let place = lost.partition.map(|number| format!(" on partition {number}"));
    format!("{bytes} of {}{}", lost.owner, place.unwrap_or_default())
}

fn to_json(saved: &SaveReport) -> Value {
    let outcome = &saved.outcome;
    let removed: Vec<Value> = outcome
        .removed
        .iter()
        .map(|removed| json!({ "part": removed.part.code(), "paths": removed.paths }))
        .collect();
    let secrets: Vec<Value> = outcome
        .secrets
        .iter()
        .map(|secret| {
            json!({ "kind": secret.kind.name(), "path": secret.path, "users": secret.users })
        })
        .collect();
    let lost: Vec<Value> = outcome.lost.iter().map(lost_json).collect();
    let root = outcome.root.as_ref().map(|root| {
        json!({
            "partition": root.partition, "size_on_card": root.size_in_base, "size": root.size,
        })
    });
    json!({
        "image": outcome.image,
        "sha256": outcome.sha256,
        "bmap": outcome.bmap,
        "sums": outcome.sums,
        "base": saved.is_base,
        "card_size": outcome.card_size,
        "size": outcome.size,
        "used_bytes": outcome.used_bytes,
        "root": root,
        "root_reason": outcome.root_reason,
        "removed": removed,
        "secrets": secrets,
        "lost": lost,
        "notes": report::sentences(&outcome.notes),
    })
}

fn lost_json(lost: &LostBytes) -> Value {
    let (owner, path) = match &lost.owner {
        LostOwner::File { path } => ("file", Some(path)),
        LostOwner::Filesystem => ("filesystem", None),
        LostOwner::Free => ("free", None),
        LostOwner::OutsidePartitions => ("outside-partitions", None),
        _ => ("unknown", None),
    };
    let ranges: Vec<Value> = lost
        .ranges
        .iter()
        .map(|range| json!({ "start": range.start, "length": range.end - range.start }))
        .collect();
    json!({
        "partition": lost.partition,
        "owner": owner,
        "path": path,
        "bytes": lost.bytes(),
        "ranges": ranges,
    })
}

fn to_text(saved: &SaveReport, args: &SaveArgs) -> String {
    let outcome = &saved.outcome;
    let image = outcome.image.display().to_string();
    let what = if saved.is_base { "base image" } else { "backup" };
    let mut text = labelled(
        "Saved",
        &[format!(
            "{} as a {what}: {}, of which {} are used",
            args.card.display(),
            size(outcome.size),
            size(outcome.used_bytes)
        )],
    );
    if let Some(root) = &outcome.root {
        let (before, after) = (size(root.size_in_base), size(root.size));
        text += &labelled(
            "Root",
            &[if root.size == root.size_in_base {
                format!("partition {}, {after} as on the card", root.partition)
            } else {
                format!("partition {}, shrunk from {before} to {after}", root.partition)
            }],
        );
    }
    let removed: Vec<String> = outcome
        .removed
        .iter()
        .map(|removed| format!("{} ({})", removed.part, printable(&removed.paths.join(", "))))
        .collect();
    if !removed.is_empty() {
        text += &labelled("Removed", &removed);
    }
    let secrets: Vec<String> = outcome
        .secrets
        .iter()
        .map(|secret| {
            let path = printable(&secret.path);
            if secret.users.is_empty() {
                format!("{} in {path}", secret.kind)
            } else {
                format!("{} of {} in {path}", secret.kind, secret.users.join(", "))
            }
        })
        .collect();
    if !secrets.is_empty() {
        text += &labelled("Secrets left", &secrets);
    }
    text += &report::notes(&outcome.notes);
    text.push('\n');
    text += &format!("{image}\n");
    let word = shell_word(&image);
    if saved.is_base {
        let words = ProjectArgs {
            profile: args.profile.clone().unwrap_or_else(|| "PROFILE".into()),
            base: Some(outcome.image.clone()),
            root: args.root.clone(),
            keys: args.keys.clone(),
        };
        let words = words.words();
        text += &format!("\nBuild cards from it with:  nodecard build {words}\n");
    } else if !devices::ARE_LISTED {
        let programs = devices::other_programs();
        text += &format!("\nWrite it back with another program: {programs}\n");
    } else {
        text += &format!("\nWrite it back with:  nodecard flash --image {word} /dev/sdX\n");
    }
    text
}
