//! Prepares, writes, verifies and fixes the SD cards of a cluster of small boards.
//!
//! A profile describes the cluster: its base image, its network and its nodes. From one
//! profile and one base image, every node gets a card with its own host name, static address,
//! /etc/hosts, keys and identity, grown to the size of the card. Nothing needs root, a mount
//! or the board itself; the base image is only read.
//!
//! [`Project::open`] loads a profile. Everything else is a step of the workflow:
//!
//! | step | what it does |
//! |---|---|
//! | [`NewProfile`] | writes the first profile of a cluster |
//! | [`Project::check`] | looks at what the profile names |
//! | [`Project::build`] | writes an image file for each node |
//! | [`Project::flash`] | writes cards, several at once, and reads them back |
//! | [`flash_image`] | writes a built image to a card |
//! | [`Project::flash_one_reader`] | writes one card after another with one reader |
//! | [`Project::verify`] | compares cards with the profile |
//! | [`Project::plan`], [`Project::plan_against`] | show what building or correcting would change |
//! | [`Project::apply`] | corrects a card in place |
//! | [`Project::save`], [`save_card`] | saves a card as a base image, or as a backup |
//! | [`Project::status`] | asks the running nodes whether they are what the profile says |
//! | [`Project::export`] | describes the nodes for ssh, Ansible and other tools |
//! | [`inspect`] | describes what is on a card or image |
//! | [`devices`] | lists card readers, and why other devices are rejected |
//!
//! # Example
//!
//! Build a card image for each node of the demo cluster, then verify one of them:
//!
//! ```
//! use nodecard::{BuildRequest, Project};
//!
//! # let temp = tempfile::tempdir()?;
//! # let directory = temp.path();
//! # let profiles = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles");
//! # for file in ["demo.yaml", "sample-base.img.xz"] {
//! #     std::fs::copy(profiles.join(file), directory.join(file))?;
//! # }
//! # let mut context = nodecard::Context::default();
//! # context.cache = Some(directory.join("cache"));
//! let project = Project::open(directory.join("demo.yaml"))?;
//! # let project = project.with_context(context);
//! let built = project.build(&BuildRequest::new(directory.join("cards")))?;
//! assert_eq!(built.manifest.images.len(), 4);
//!
//! let image = directory.join("cards/xu4-node1.img");
//! let verification = project.verify(&[image], None)?;
//! assert!(verification.report.matches_profile());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Writing to devices
//!
//! Nothing is overwritten before it was shown and confirmed. The types enforce this:
//! [`Project::flash`] inspects targets and returns a [`FlashSession`];
//! [`FlashSession::confirm`] asks about each of its targets and returns a [`ConfirmedFlash`];
//! only a [`ConfirmedFlash`] has [`write`](ConfirmedFlash::write). [`Project::apply`] works the
//! same way.
//!
//! A target is refused if it is mounted, in use, part of the running system, write-protected,
//! not a card, or too large to be one. What was inspected is compared with what is opened, so
//! that a card that was swapped in between is refused.
//!
//! # Progress, interruption, errors
//!
//! [`Context`] carries a [`BuildProgress`] and a [`Cancel`] token. The library never prints,
//! never asks and never exits; everything it has to say is in what it returns.
//!
//! Every step returns one [`Error`]: its text says what happened, its
//! [`source`](std::error::Error::source) why, [`Error::fix`] what to do, and [`Error::kind`]
//! what has to change before another run can succeed.

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod access;
mod apply;
mod audit;
mod base_system;
mod build;
mod check;
mod context;
mod devices;
mod error;
mod export;
mod flash;
mod init;
mod left_over;
mod lost_keys;
mod not_a_profile;
mod project;
mod save;
mod status;

pub use card_audit::{
    Applied, ApplyError, AuditError, CardOutcome, CardReport, ChangePlan, FileChange, Finding,
    FindingCode, Inspection, NodePlan, OtherIdentity, PlanNote, Severity, VerifyReport,
};
pub use card_flash::{
    CardError, CardFault, FlashPhase, FlashProgress, FlashResult, OldContents, WriteReport,
    device::{
        Device, DeviceKind, HostSystem, ReadError, Refusal, Target, TargetAccess, TargetError,
        TargetLimits,
    },
};
pub use card_image::{
    BaseError, BuildNote, BuildProgress, BuildStage, Cancel, Cancelled, ChooseError,
    Error as ImageError, ErrorKind, ImageFormat, ImageRecord, LostBytes, LostOwner, Manifest,
    OutputError, SaveError, SaveOutcome, SaveSize,
};
pub use cluster_keys::{ClusterKeys, KeyError};
pub use cluster_profile::{
    CardObstacle, CardSize, Cluster, Diagnostics, HashError, IdentityPart, Network, Node, Note,
    NoteKind, PROFILE_SCHEMA, PasswordHash, Problem, ProfileError, Publish, RemovedPart, SizeError,
};

pub use self::{
    apply::{ApplyReport, ApplyRequest, ApplySession, ConfirmedApply},
    audit::{BaseAbsence, PlanRequest, Verification, inspect},
    base_system::BaseSystem,
    build::{BuildReport, BuildRequest},
    check::CheckReport,
    context::Context,
    devices::{DeviceReport, devices},
    error::{Error, RefusalReason, RefusedTarget},
    export::ExportForm,
    flash::{
        ConfirmedFlash, ConfirmedImageFlash, Decision, FinishedCard, FlashReport, FlashRequest,
        FlashSession, FlashTarget, FlashedCard, ImageFlash, OneReader, Operator, ReaderEvent,
        flash_image,
    },
    init::{
        BaseFacts, BaseUser, LocalNetwork, NewPassword, NewProfile, NewUser, SwarmServices,
        check_base, find_bases, find_public_keys, numbered_nodes,
    },
    left_over::{LeftOver, LeftOverState},
    project::Project,
    save::{SaveReport, SaveRequest, save_card},
    status::{
        Disk, HostKeyState, Login, NodeStatus, ServiceStatus, StatusCode, StatusProblem,
        StatusReport, StatusRequest, SwarmMember, SwarmOverview,
    },
};
