//! What Linux and macOS have in common.

mod access;
mod files;
mod quit;
mod terminal;

pub(crate) use self::{access::*, files::*, quit::*, terminal::*};

/// The variable that holds the user's home.
pub(crate) const HOME: &str = "HOME";
