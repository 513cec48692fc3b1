//! Compares a card with a cluster's profile, and prints what differs and how to fix it.
//!
//! ```text
//! cargo run --release -p nodecard --example verify_card -- profiles/demo.yaml /dev/sdb
//! ```

use std::{env, error::Error, path::Path};

use nodecard::{CardOutcome, Project};

/// Returns whether the card is as the profile says.
pub fn verify_card(project: &Project, card: &Path) -> Result<bool, Box<dyn Error>> {
    let verification = project.verify(&[card], None)?;
    for card in &verification.report.cards {
        match card {
            CardOutcome::Audited(card) => {
                println!("{} is the card of {}", card.target, card.node);
                for finding in &card.findings {
                    println!("  {} ({})", finding.what, finding.place());
                    println!("    fix: {}", finding.fix);
                }
            }
            CardOutcome::Refused { target, error } => println!("{target}: {error}"),
        }
    }
    Ok(verification.report.matches_profile())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [profile, card] if verify_card(&Project::open(profile)?, Path::new(card))? => Ok(()),
        [_, _] => Err("the card differs from the profile".into()),
        _ => Err("usage: verify_card PROFILE CARD".into()),
    }
}
