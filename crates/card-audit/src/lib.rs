//! Audits of cards: what is on them, whether that is what the cluster's profile says, and
//! what would have to change. Targets are cards, image files and compressed image files.
//!
//! - [`Card::open`] opens a target,
//! - [`inspect()`] describes a card,
//! - [`verify`] compares cards with the profile and with each other,
//! - [`plan()`] and [`plan_against`] list what building or correcting a card would change,
//! - [`apply`] corrects a card in place, after [`rehearse`] has listed the changes.
//!
//! Only [`apply`] writes to a target. Results are for people ([`Display`](std::fmt::Display))
//! and for programs ([`Serialize`](serde::Serialize)).
//!
//! # Examples
//!
//! ```
//! use std::path::Path;
//!
//! use card_audit::{Card, inspect};
//! use card_image::{BaseOptions, Cancel};
//!
//! # let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/sample-base.img.xz");
//! // A compressed image is decoded into a file here.
//! let cache = tempfile::tempdir()?;
//! let options = BaseOptions {
//!     cache_dir: Some(cache.path()),
//!     sha256: None,
//!     limit: None,
//!     progress: &(),
//!     cancel: &Cancel::default(),
//! };
//! let card = Card::open(&image, None, options)?;
//! let inspection = inspect(&card)?;
//! let system = inspection.system.as_ref().expect("a Linux system");
//! println!("{} runs {:?}", inspection.target, system.release);
//! # assert!(system.release.as_deref().is_some_and(|release| release.starts_with("Ubuntu")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apply;
mod cached;
mod card;
mod code;
mod command;
mod diff;
mod error;
mod facts;
mod finding;
mod fix;
mod inspect;
mod other_cluster;
mod plan;
mod secrecy;
mod shadow;
mod state;
mod verify;

pub use apply::{Applied, ApplyError, ApplyOptions, apply, rehearse};
pub use card::Card;
pub use card_image::ErrorKind;
pub use code::FindingCode;
pub use command::{ApplyCommand, BuildCommand};
pub use error::AuditError;
pub use facts::Facts;
pub use finding::{Finding, Severity};
pub use fix::{Fix, FixAction};
pub use inspect::{
    BootLoader, BootPart, BootProgram, ConfiguredInterface, FirstBootReport, FsReport, HostKey,
    Inspection, PartitionReport, SystemReport, UserReport, inspect,
};
pub use other_cluster::other_cluster;
pub use plain_text::shell_word;
pub use plan::{ChangePlan, FileChange, NodePlan, PlanNote, PlanOptions, plan, plan_against};
pub use verify::{
    BaseReference, CardOutcome, CardReport, Compared, OtherIdentity, VerifyOptions, VerifyReport,
    verify,
};
