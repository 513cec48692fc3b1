//! Windows.
//!
//! The unsafe code of each file is calls of functions of the Windows API that have no safe wrapper.
//! All pointers that they get lead to values that live until they return.

mod access;
mod acl;
mod control;
mod devices;
mod files;
mod terminal;
mod text;

pub(crate) use self::{access::*, control::*, devices::*, files::*, terminal::*};
pub(crate) use crate::unsupported::*;

/// The variable that holds the user's home.
pub(crate) const HOME: &str = "USERPROFILE";

/// The variable that leads to caches, and their path below it.
pub(crate) const CACHES: (&str, &str) = ("LOCALAPPDATA", "");
