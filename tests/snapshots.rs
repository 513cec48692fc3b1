//! The texts of the command line, compared with the files in tests/snapshots.
//!
//! They are reviewed as texts and changed on purpose. After a change, write them anew and read
//! the difference:
//!
//! ```text
//! SNAPSHOTS=overwrite cargo test -p nodecard-cli --test end-to-end snapshots
//! git diff tests/snapshots
//! ```
//!
//! What differs from run to run is replaced: keys, ids, speeds and the temporary directory.

mod errors;
mod reports;
mod transcript;
