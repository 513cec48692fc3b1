//! macOS.

mod devices;
mod files;
mod punch;

pub(crate) use self::{devices::*, files::*, punch::punch_hole};
pub(crate) use crate::unix::*;

/// The variable that leads to caches, and their path below it.
pub(crate) const CACHES: (&str, &str) = ("HOME", "Library/Caches");
