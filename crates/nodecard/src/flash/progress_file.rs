//! The file in which a session with one reader notes the cards that are finished.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::Error;

/// The nodes whose cards are finished.
///
/// They are kept in a file in the directory of the cluster's keys: it exists by then, is
/// writable, and belongs to the cluster.
#[derive(Debug)]
pub(super) struct ProgressFile {
    path: PathBuf,
    state: State,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    version: u32,
    /// The base image that the cards were made from.
    base: PathBuf,
    /// The nodes, in the order in which their cards were finished.
    done: Vec<String>,
}

const FILE: &str = "one-reader.json";

impl ProgressFile {
    /// Reads what an earlier session finished with this base image, if `resume`; else begins
    /// with nothing finished.
    pub(super) fn open(keys: &Path, base: &Path, resume: bool) -> Result<Self, Error> {
        let path = keys.join(FILE);
        let base = fs::canonicalize(base).unwrap_or_else(|_| base.to_owned());
        let fresh = State { version: 1, base, done: Vec::new() };
        if !resume {
            return Ok(ProgressFile { path, state: fresh });
        }
        let unusable = |source: io::Error| Error::ProgressFile { path: path.clone(), source };
        let state = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => fresh,
            Err(error) => return Err(unusable(error)),
            Ok(json) => {
                let state: State =
                    serde_json::from_slice(&json).map_err(|error| unusable(error.into()))?;
                if (state.version, &state.base) != (fresh.version, &fresh.base) {
                    return Err(Error::OtherBase { path, base: state.base });
                }
                state
            }
        };
        Ok(ProgressFile { path, state })
    }

    pub(super) fn has(&self, node: &str) -> bool {
        self.state.done.iter().any(|done| done == node)
    }

    /// Notes a finished card before the next one is asked for.
    pub(super) fn add(&mut self, node: &str) -> Result<(), Error> {
        self.state.done.push(node.to_owned());
        self.write().map_err(|source| Error::WriteProgress { path: self.path.clone(), source })
    }

    fn write(&self) -> io::Result<()> {
        let temporary = self.path.with_extension("json.partial");
        let json = serde_json::to_string_pretty(&self.state)?;
        fs::write(&temporary, json + "\n")?;
        fs::rename(&temporary, &self.path)
    }

    /// Removes the file when all cards are finished.
    pub(super) fn remove(self) {
        // If that fails, the next session that resumes finds all cards finished.
        let _ = fs::remove_file(&self.path);
    }
}
