//! Which base image.

use std::path::{Path, PathBuf};

use nodecard::{check_base, find_bases};
use plain_text::printable;

use super::usage;
use crate::{args::InitArgs, ask::Asker, error::CommandError};

/// The most images that are offered.
const MOST_BASES: usize = 9;

/// Chooses the base image.
pub(super) fn choose_base(
    args: &InitArgs,
    asker: Asker,
    home: Option<&Path>,
) -> Result<PathBuf, CommandError> {
    if let Some(base) = &args.base {
        return Ok(base.clone());
    }
    let mut places = vec![PathBuf::from(".")];
    places.extend(home.iter().flat_map(|home| [home.join("Downloads"), home.to_path_buf()]));
    let mut found = find_bases(&places);
    found.truncate(MOST_BASES);
    if asker == Asker::Proposals {
        // Which of several images is meant, nobody can guess.
        return match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(usage("no base image was found", "choose one with --base")),
            _ => Err(usage("several base images were found", "choose one with --base")),
        };
    }
    let mut items: Vec<String> =
        found.iter().map(|path| printable(&path.display().to_string())).collect();
    items.push("another file".to_owned());
    let chosen = if found.is_empty() { 0 } else { asker.choice("Base image", &items, 0)? };
    if let Some(path) = found.get(chosen) {
        return Ok(path.clone());
    }
    let is_image = |path: &String| {
        check_base(&typed_path(path, home)).map_err(|error| printable(&error.to_string()))
    };
    let path = asker.value::<String>("Path of the base image", None, "a path", is_image)?;
    path.map(|path| typed_path(&path, home)).ok_or(CommandError::Interrupted)
}

/// Returns a path that was typed, with `~/` as shells read it.
fn typed_path(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.trim().strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text.trim()),
    }
}
