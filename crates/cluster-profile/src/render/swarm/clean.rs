//! What an earlier profile left in an image that was a node's card.

use super::{CONFIG, IMAGES, PROGRAMS, UNIT, UNIT_LINK};
use crate::{
    Purpose, SwarmPart,
    render::{RenderError, context::Context},
};

const LEFTOVER: Purpose = Purpose::Swarm(SwarmPart::Leftover);

/// Takes an image out of the swarm of an earlier profile.
pub(super) fn remove(to: &mut Context<'_>) -> Result<(), RenderError> {
    if to.remove_if_there(LEFTOVER, UNIT)? {
        to.note("the image was a swarm's node; `swarm` is not in the profile, so it is no more");
    }
    to.remove_if_there(LEFTOVER, UNIT_LINK)?;
    for path in ["swarm.conf", "swarm_key", "images", "services", "environments"] {
        to.remove_if_there(LEFTOVER, &format!("{CONFIG}/{path}"))?;
    }
    to.remove_if_there(LEFTOVER, PROGRAMS)?;
    to.remove_if_there(LEFTOVER, IMAGES)?;
    Ok(())
}

/// Removes from a directory what is not one of `names`.
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
