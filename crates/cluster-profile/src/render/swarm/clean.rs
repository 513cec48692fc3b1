//! Removes what an earlier profile left in an image that was a node's card.

use super::{CONFIG, IMAGES, PROGRAMS, UNIT, UNIT_LINK};
use crate::{
    Note, Purpose, SwarmPart,
    render::{RenderError, context::Context},
};

const LEFTOVER: Purpose = Purpose::Swarm(SwarmPart::Leftover);

/// Removes everything of the swarm of an earlier profile.
pub(super) fn remove(to: &mut Context<'_>) -> Result<(), RenderError> {
    if to.remove_if_there(LEFTOVER, UNIT)? {
        to.note(Note::RemovedSwarm);
    }
    to.remove_if_there(LEFTOVER, UNIT_LINK)?;
    for path in ["swarm.conf", "swarm_key", "images", "services", "environments"] {
        to.remove_if_there(LEFTOVER, &format!("{CONFIG}/{path}"))?;
    }
    to.remove_if_there(LEFTOVER, PROGRAMS)?;
    to.remove_if_there(LEFTOVER, IMAGES)?;
    Ok(())
}

/// Removes everything from a directory that is not in `names`.
pub(super) fn others(
    to: &mut Context<'_>,
    directory: &str,
    names: &[String],
) -> Result<(), RenderError> {
    for name in to.list(directory)?.into_iter().filter(|name| !names.contains(name)) {
        to.remove(LEFTOVER, format!("{directory}/{name}"));
    }
    Ok(())
}
