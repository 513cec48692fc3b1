//! `nodecard inspect`.

use std::process::ExitCode;

use super::context;
use crate::{args::InspectArgs, error::CommandError, report};

pub fn run(args: &InspectArgs) -> Result<ExitCode, CommandError> {
    let inspection = nodecard::inspect(&args.target, args.root.root, &context())?;
    report::print(&inspection, args.json.json)?;
    Ok(ExitCode::SUCCESS)
}
