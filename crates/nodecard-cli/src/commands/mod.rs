//! The commands, one in each file.

pub mod apply;
pub mod build;
pub mod check;
pub mod devices;
pub mod export;
pub mod flash;
pub mod init;
pub mod inspect;
mod man_page;
pub mod manual;
pub mod password;
pub mod plan;
pub mod save;
pub mod status;
pub mod verify;

use std::sync::Arc;

use nodecard::{Context, Project};
use plain_text::printable;

use crate::{
    args::ProjectArgs, error::CommandError, progress::StageBar, prompt::cancel_on_interrupt,
};

/// Returns a context with progress on stderr that Ctrl-C cancels. May be called once.
fn context() -> Context {
    Context::new(Arc::new(StageBar::default()), cancel_on_interrupt())
}

/// Opens the project that the arguments name.
fn open_project(args: &ProjectArgs) -> Result<Project, CommandError> {
    let mut project = Project::open(&args.profile)?.with_context(context());
    if let Some(base) = &args.base {
        project = project.with_base(base);
    }
    if let Some(root) = args.root.root {
        project = project.with_root(root);
    }
    if let Some(keys) = &args.keys {
        project = project.with_keys(keys);
    }
    if let Some(time) = source_date_epoch()? {
        project = project.with_time(time);
    }
    Ok(project)
}

/// Returns a note about keys that a run has created, if it did. Without cards or images that were
/// made with them, no report has it.
fn note_of_new_keys(project: &Project) -> Option<String> {
    let directory = printable(&project.new_keys()?.display().to_string());
    Some(format!("note: created the cluster's keys in {directory}; the next run uses them"))
}

/// Returns the time that reproducible builds are given (reproducible-builds.org).
fn source_date_epoch() -> Result<Option<u64>, CommandError> {
    let Some(value) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(None) };
    // Filesystems count seconds in 32 bits where their inodes are small.
    let time = value.to_str().and_then(|text| text.parse::<u32>().ok());
    match time {
        Some(time) => Ok(Some(time.into())),
        None => Err(CommandError::Usage {
            message: format!(
                "the environment variable SOURCE_DATE_EPOCH has an invalid value: {value:?}"
            ),
            fix: "set it to the seconds since 1970, below 2^32, or unset it".into(),
        }),
    }
}
