//! `nodecard status`.

use std::{
    cell::RefCell,
    process::ExitCode,
    time::{Duration, Instant},
};

use nodecard::{Project, StatusReport, StatusRequest};
use plain_text::count;

use super::context;
use crate::{
    args::StatusArgs,
    error::{CommandError, print_line, print_note},
    output::{Verbosity, verbosity},
    report,
};

pub fn run(args: &StatusArgs) -> Result<ExitCode, CommandError> {
    let project = Project::open(&args.profile)?.with_context(context());
    let mut request = StatusRequest::default();
    request.nodes.clone_from(&args.nodes);
    request.wait = args.wait.unwrap_or(Duration::ZERO);
    request.at_once = args.jobs;
    let printed = RefCell::new(String::new());
    // A line for each change, not for each round.
    let on_round = |report: &StatusReport| {
        let line = waiting_for(report);
        if *printed.borrow() != line {
            print_note(format_args!("{line}"));
            *printed.borrow_mut() = line;
        }
    };
    let begun = Instant::now();
    let report = project.status(&request, &on_round)?;
    if verbosity() == Verbosity::Verbose {
        let seconds = begun.elapsed().as_secs_f64();
        print_line(format_args!("asking {}: {seconds:.1} s", count(report.nodes.len(), "node")));
    }
    report::print(&report, args.json.json)?;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Says which nodes are not ready yet.
fn waiting_for(report: &StatusReport) -> String {
    let late: Vec<&str> =
        report.nodes.iter().filter(|node| !node.ok).map(|node| node.name.as_str()).collect();
    match (late.as_slice(), report.problems.iter().find(|problem| !problem.is_note())) {
        ([], Some(problem)) => format!("waiting: {}", problem.what),
        ([], None) => "waiting".to_owned(),
        (late, _) if late.len() > 6 => format!("waiting for {} nodes", late.len()),
        (late, _) => format!("waiting for {}", late.join(", ")),
    }
}
