//! What `--one-reader` remembers for `--resume`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The nodes whose cards are done, in a file in the directory of the cluster's
/// keys: that exists by then, is written to anyway, and belongs to the cluster.
#[derive(Debug)]
pub struct Done {
    path: PathBuf,
    state: State,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    version: u32,
    /// The base image that the cards were made from.
    base: PathBuf,
    /// The nodes, in the order in which they were done.
    done: Vec<String>,
}

const FILE: &str = "one-reader.json";

impl Done {
    /// What an earlier run has done with this base, or nothing.
    pub fn open(keys: &Path, base: &Path, resume: bool) -> Result<Self, Failure> {
        let path = keys.join(FILE);
        let base = fs::canonicalize(base).unwrap_or_else(|_| base.to_owned());
        let fresh = State { version: 1, base, done: Vec::new() };
        let unusable = |why: String| {
            Failure::Usage(format!(
                "{} {why}; begin again without --resume, or delete it",
                path.display()
            ))
        };
        let state = match fs::read(&path) {
            _ if !resume => fresh,
            Err(error) if error.kind() == io::ErrorKind::NotFound => fresh,
            Err(error) => return Err(unusable(format!("cannot be read: {error}"))),
            Ok(json) => {
                let state: State = serde_json::from_slice(&json)
                    .map_err(|e| unusable(format!("is damaged: {e}")))?;
                if (state.version, &state.base) != (fresh.version, &fresh.base) {
                    let base = state.base.display();
                    return Err(unusable(format!("is about cards from another base, {base}")));
                }
                state
            }
        };
        Ok(Done { path, state })
    }

    pub fn has(&self, node: &str) -> bool {
        self.state.done.iter().any(|done| done == node)
    }

    /// Remembers a node, before anybody is asked for the next card.
    pub fn add(&mut self, node: &str) -> Result<(), Failure> {
        self.state.done.push(node.to_owned());
        let temporary = self.path.with_extension("json.partial");
        let json = serde_json::to_string_pretty(&self.state).map_err(io::Error::from);
        json.and_then(|json| fs::write(&temporary, json + "\n"))
            .and_then(|()| fs::rename(&temporary, &self.path))
            .map_err(|error| {
                Failure::Usage(format!(
                    "cannot remember in {} what is done: {error}",
                    self.path.display()
                ))
            })
    }

    /// All are done: there is nothing to resume.
    pub fn forget(self) {
        // At worst, --resume says that all is done.
        let _ = fs::remove_file(&self.path);
    }
}
