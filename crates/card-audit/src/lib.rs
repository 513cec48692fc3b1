//! Audits cards and images: what is on them, and whether it is what the cluster's
//! profile says. Only [`apply`] writes to a target, which it is handed; nothing prints.
//!
//! - [`Card::open`] opens a card, an image or a compressed image,
//! - [`verify`] compares cards with the profile and with each other,
//! - [`plan`] tells what building or correcting a card would change,
//! - [`apply`] corrects a card in place, and [`rehearse`] tells what that would change,
//! - [`inspect`] tells what a card holds.
//!
//! What they answer can be shown to people ([`Display`](std::fmt::Display)) and to
//! programs (serde).

mod apply;
mod cached;
mod card;
mod code;
mod diff;
mod error;
mod facts;
mod finding;
mod fix;
mod inspect;
mod plan;
mod secrecy;
mod shadow;
mod state;
mod text;
mod verify;

pub use apply::{Applied, ApplyError, ApplyOptions, apply, rehearse};
pub use card::Card;
pub use card_image::ErrorKind;
pub use code::FindingCode;
pub use error::AuditError;
pub use facts::Facts;
pub use finding::{Finding, Severity};
pub use fix::{Fix, FixAction};
pub use inspect::{
    BootLoader, BootPart, ConfiguredInterface, FsReport, HostKey, Inspection, PartitionReport,
    SystemReport, UserReport, inspect,
};
pub use plan::{ChangePlan, FileChange, NodePlan, PlanOptions, plan, plan_against};
pub use text::shell_word;
pub use verify::{
    BaseReference, CardOutcome, CardReport, Compared, VerifyOptions, VerifyReport, verify,
};
