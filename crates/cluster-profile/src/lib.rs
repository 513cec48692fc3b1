//! The profile of a cluster: YAML to a validated cluster, and each of its nodes
//! to the file edits that make a card that node's.

mod edit;
mod system;

pub use edit::{Attributes, Change, FileEdit};
pub use system::{System, SystemError};
