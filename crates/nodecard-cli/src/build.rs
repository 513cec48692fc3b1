//! `nodecard build`.

use std::{
    io::{Write as _, stdout},
    path::Path,
};

use card_audit::shell_word;
use card_image::{BuildOptions, BuildOutcome};
use cluster_profile::{Cluster, Node};

use crate::{
    args::BuildArgs,
    failure::Failure,
    progress::Shown,
    setup::{cancel_on_interrupt, keys, mebibytes, sources},
};

pub fn run(args: &BuildArgs) -> Result<(), Failure> {
    let cluster = Cluster::load(&args.profile)?;
    let nodes = chosen_nodes(&cluster, &args.nodes)?;
    let keys = keys(&cluster)?;
    let options = BuildOptions {
        inputs: sources(&cluster, &keys, args.base.as_deref(), args.root)?,
        nodes,
        card_size: args.card.unwrap_or(cluster.card).bytes(),
        out: &args.out,
        format: args.format.into(),
        raw_sums: !args.no_sums,
    };
    let built = card_image::build(&options, &Shown::default(), &cancel_on_interrupt())?;
    if args.json { report_json(&built) } else { report(&built, &args.out) }
}

/// The nodes that `--node` names, in the profile's order; all if it names none.
pub fn chosen_nodes<'a>(cluster: &'a Cluster, chosen: &[String]) -> Result<Vec<&'a Node>, Failure> {
    let unknown = chosen.iter().find(|name| cluster.nodes.iter().all(|node| node.name != **name));
    if let Some(unknown) = unknown {
        let known: Vec<&str> = cluster.nodes.iter().map(|node| node.name.as_str()).collect();
        return Err(Failure::Usage(format!(
            "there is no node {unknown} in {}; its nodes are {}",
            cluster.path.display(),
            known.join(", ")
        )));
    }
    let is_chosen = |node: &&Node| chosen.is_empty() || chosen.contains(&node.name);
    Ok(cluster.nodes.iter().filter(is_chosen).collect())
}

fn report_json(built: &BuildOutcome) -> Result<(), Failure> {
    let report = serde_json::json!({
        "out": built.out,
        "root_reason": built.root_reason,
        "notes": built.notes,
        "manifest": built.manifest,
    });
    writeln!(stdout().lock(), "{report:#}")?;
    Ok(())
}

fn report(built: &BuildOutcome, out: &Path) -> Result<(), Failure> {
    let manifest = &built.manifest;
    let root = &manifest.root;
    let mut to = stdout().lock();
    writeln!(to, "root filesystem: {}", built.root_reason)?;
    writeln!(
        to,
        "                 grown from {} to {} (cards of {})",
        mebibytes(root.size_in_base),
        mebibytes(root.size),
        mebibytes(manifest.card_size)
    )?;
    for note in &built.notes {
        writeln!(to, "note: {note}")?;
    }
    writeln!(to)?;
    let width = manifest.images.iter().map(|image| image.node.len()).max().unwrap_or(0).max(4);
    writeln!(to, "{:width$}  {:15}  {:>10}  image", "node", "address", "to write")?;
    for image in &manifest.images {
        writeln!(
            to,
            "{:width$}  {:15}  {:>10}  {}",
            image.node,
            image.address,
            mebibytes(image.used_bytes),
            out.join(&image.file).display()
        )?;
    }
    if let Some(image) = manifest.images.first() {
        let file = out.join(&image.file);
        let directory = shell_word(&out.display().to_string());
        writeln!(to, "\ncheck the files:  (cd {directory} && sha256sum -c SHA256SUMS)")?;
        writeln!(
            to,
            "write a card:     bmaptool copy {} /dev/sdX",
            shell_word(&file.display().to_string())
        )?;
    }
    Ok(())
}
