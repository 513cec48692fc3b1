//! Builds a card image for every node of a cluster.
//!
//! ```text
//! cargo run --release -p nodecard --example build_cluster -- profiles/demo.yaml cards
//! ```

use std::{env, error::Error, path::Path, sync::Arc};

use nodecard::{BuildProgress, BuildRequest, BuildStage, Cancel, Context, Project};

/// Prints each stage as it begins.
struct Stages;

impl BuildProgress for Stages {
    fn begin(&self, stage: BuildStage, _total: u64) {
        eprintln!("{stage} ...");
    }

    fn advance(&self, _bytes: u64) {}

    fn end(&self) {}
}

/// Builds all images into a directory, and lists them.
pub fn build_cluster(project: &Project, out: &Path) -> Result<(), Box<dyn Error>> {
    let built = project.build(&BuildRequest::new(out))?;
    for note in &built.notes {
        println!("note: {note}");
    }
    for image in &built.manifest.images {
        println!("{}: {} for {}", out.join(&image.file).display(), image.node, image.address);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [profile, out] => {
            let context = Context::new(Arc::new(Stages), Cancel::new());
            let project = Project::open(profile)?.with_context(context);
            build_cluster(&project, Path::new(out))
        }
        _ => Err("usage: build_cluster PROFILE DIRECTORY".into()),
    }
}
