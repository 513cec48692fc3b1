//! `nodecard inspect`.

use std::io::{Write as _, stdout};

use card_audit::Card;
use card_image::BaseOptions;

use crate::{
    args::InspectArgs, failure::Failure, progress::Shown, setup::cancel_on_interrupt, verify::json,
};

pub fn run(args: &InspectArgs) -> Result<(), Failure> {
    let (progress, cancel) = (Shown::default(), cancel_on_interrupt());
    let options =
        BaseOptions { cache_dir: None, sha256: None, progress: &progress, cancel: &cancel };
    let card = Card::open(&args.target, args.root, options)?;
    let inspection = card_audit::inspect(&card)?;
    let mut out = stdout().lock();
    match args.json {
        true => writeln!(out, "{}", json(&inspection)?)?,
        false => write!(out, "{inspection}")?,
    }
    Ok(())
}
