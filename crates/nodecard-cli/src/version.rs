//! What this program is and how it was built, as `build.rs` collected it.

/// The version.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The version and the start of the commit, for one line.
pub const SHORT: &str = env!("NODECARD_VERSION");

/// Everything, in several lines.
pub const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("NODECARD_COMMIT"),
    "\ntarget: ",
    env!("NODECARD_TARGET"),
    "\nfeatures: ",
    env!("NODECARD_FEATURES"),
);
