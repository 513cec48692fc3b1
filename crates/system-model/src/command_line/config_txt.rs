//! What the Raspberry Pi's config.txt says about the command line: which file has it.
//!
//! Source: Raspberry Pi's documentation of config.txt: "Conditional filters", `include`, `cmdline`,
//! `os_prefix`.

use super::small;
use crate::{SystemError, SystemFiles};

/// Files that include each other are followed so deep.
const MAX_DEPTH: usize = 8;
/// Boards have no more choices than that.
const MAX_CHOICES: usize = 16;

/// Whether lines apply to a board.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Applies {
    /// To every board.
    Always,
    /// To some: of a model, with a serial number, a display or a pin.
    Sometimes,
    /// To none, or only to a boot that tries out something (`[tryboot]`).
    Never,
}

/// The values that a key may have, depending on the board.
struct Values(Vec<String>);

impl Values {
    fn set(&mut self, value: &str, applies: Applies) {
        match applies {
            Applies::Never => return,
            Applies::Always => self.0.clear(),
            Applies::Sometimes => {}
        }
        if self.0.len() < MAX_CHOICES && !self.0.iter().any(|known| known == value) {
            self.0.push(value.to_owned());
        }
    }
}

struct Reader<'a> {
    files: &'a dyn SystemFiles,
    directory: &'a str,
    applies: Applies,
    prefixes: Values,
    names: Values,
    left: usize,
}

/// Returns the prefixes and names of the file with the command line that a board may use.
pub(super) fn choices(
    files: &dyn SystemFiles,
    directory: &str,
) -> Result<Vec<(String, String)>, SystemError> {
    let mut reader = Reader {
        files,
        directory,
        applies: Applies::Always,
        prefixes: Values(vec![String::new()]),
        names: Values(vec!["cmdline.txt".to_owned()]),
        left: 64,
    };
    reader.file("config.txt", 0)?;
    let Reader { prefixes, names, .. } = reader;
    let pairs = prefixes
        .0
        .iter()
        .flat_map(|prefix| names.0.iter().map(move |name| (prefix.clone(), name.clone())));
    Ok(pairs.collect())
}

impl Reader<'_> {
    fn file(&mut self, name: &str, depth: usize) -> Result<(), SystemError> {
        if depth > MAX_DEPTH || self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        let Some((_, bytes)) = small(self.files, self.directory, name)? else { return Ok(()) };
        for line in String::from_utf8_lossy(&bytes).lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some(filter) = line.strip_prefix('[') {
                self.applies = match filter.split(']').next().unwrap_or_default() {
                    "all" => Applies::Always,
                    "none" | "tryboot" => Applies::Never,
                    _ => Applies::Sometimes,
                };
            } else if let Some(name) = line.strip_prefix("include ") {
                // Its lines stand where it is included, whichever boards those are for.
                if self.applies != Applies::Never {
                    self.file(name.trim(), depth + 1)?;
                }
            } else if let Some((key, value)) = line.split_once('=') {
                match key.trim() {
                    "os_prefix" => self.prefixes.set(value.trim(), self.applies),
                    "cmdline" => self.names.set(value.trim(), self.applies),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
