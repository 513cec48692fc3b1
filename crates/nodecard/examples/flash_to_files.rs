//! Writes the card of every node to a file of its own, as if the files were cards in readers.
//!
//! ```text
//! cargo run --release -p nodecard --example flash_to_files -- profiles/demo.yaml cards
//! ```

use std::{env, error::Error, fs, path::Path};

use nodecard::{FlashRequest, Project};

/// Makes a file for each node's card, and writes all of them at once.
pub fn flash_to_files(project: &Project, directory: &Path) -> Result<(), Box<dyn Error>> {
    let cluster = project.cluster();
    fs::create_dir_all(directory)?;
    let mut targets = Vec::new();
    for node in &cluster.nodes {
        let path = directory.join(format!("{}.card", node.name));
        fs::File::create_new(&path)?
            .set_len(cluster.card.ok_or("the profile has no card size")?.bytes())?;
        targets.push((node.name.as_str(), path));
    }
    let session = project.flash(&targets, FlashRequest::default())?;
    // With devices, this is where a program shows them and asks.
    let confirmed = session.confirm(|target| {
        println!("{} becomes the card of {}", target.path().display(), target.node());
        target.target().device().is_none()
    })?;
    let report = confirmed.write(&())?.into_result()?;
    for card in &report.cards {
        println!("{}: written and verified", card.path.display());
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [profile, directory] => flash_to_files(&Project::open(profile)?, Path::new(directory)),
        _ => Err("usage: flash_to_files PROFILE DIRECTORY".into()),
    }
}
