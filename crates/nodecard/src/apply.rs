//! Correcting a card in place: show the changes, have them confirmed, commit them.

use std::{
    fs,
    io::ErrorKind,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use block_io::{FileStorage, WriteAt};
use card_audit::{
    Applied, ApplyError, ApplyOptions, AuditError, ChangePlan, Finding, OtherIdentity, PlanNote,
    VerifyOptions,
};
use card_flash::{
    Medium as _,
    device::{Target, TargetAccess, TargetError, TargetLimits},
};
use card_image::BaseImage;
use cluster_keys::ClusterKeys;
use cluster_profile::Node;

use crate::{Error, Project, RefusedTarget, audit::OpenedBase};

/// How to correct a card.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ApplyRequest {
    /// Which devices are accepted as cards.
    pub limits: TargetLimits,
    /// Whether the root partition and its filesystem grow to fill the card.
    pub grow: bool,
}

/// The changes that a card needs, rehearsed in memory. Nothing has been written.
///
/// Show [`changes`](Self::changes) to the user, then [`confirm`](Self::confirm) them.
#[derive(Debug)]
pub struct ApplySession<'a> {
    project: &'a Project,
    request: ApplyRequest,
    node: &'a Node,
    keys: &'a ClusterKeys,
    base: OpenedBase,
    target: Target,
    time: u64,
    rehearsed: Applied,
}

/// Changes that were confirmed.
#[derive(Debug)]
pub struct ConfirmedApply<'a>(ApplySession<'a>);

/// What was changed on a card.
#[derive(Debug)]
#[non_exhaustive]
pub struct ApplyReport {
    /// What was written, and the findings that remain.
    pub applied: Applied,
    /// Whether the kernel still uses the old partition table, until the card is inserted
    /// again.
    pub reinsert: bool,
}

impl Project {
    /// Finds out what has to change for `target` to be the card of `node`. Only what
    /// [`verify`](Project::verify) reports is changed. Nothing is written.
    ///
    /// # Errors
    /// [`Error`] with any reason that keeps the card from being corrected.
    pub fn apply(
        &self,
        node: &str,
        target: impl AsRef<Path>,
        request: ApplyRequest,
    ) -> Result<ApplySession<'_>, Error> {
        let (node, path) = (self.node(node)?, target.as_ref());
        if fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Err(AuditError::NotFound { target: path.display().to_string() }.into());
        }
        let target = self.inspect_target(path, &request.limits);
        let target = target.map_err(|error| refused(node, error))?;
        let name = path.display().to_string();
        if target.device().is_none() && is_compressed(path)? {
            return Err(Error::CompressedTarget { path: path.to_owned() });
        }
        let keys = self.keys()?;
        let base = OpenedBase::open(self)?;
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let time = self.time().unwrap_or_else(now);
        let storage = FileStorage::open(path)
            .map_err(|source| AuditError::Read { target: name.clone(), source })?;
        let options = options(self, node, keys, &base, request.grow, time);
        let rehearsed = card_audit::rehearse(&options, &name, Arc::new(storage));
        self.context.cancel.check()?;
        let rehearsed = rehearsed?;
        Ok(ApplySession { project: self, request, node, keys, base, target, time, rehearsed })
    }
}

fn refused(node: &Node, error: TargetError) -> Error {
    let (node, error) = (Some(node.name.clone()), error.for_access(TargetAccess::Change));
    Error::Refused { targets: vec![RefusedTarget { node, error }] }
}

fn is_compressed(path: &Path) -> Result<bool, AuditError> {
    BaseImage::is_compressed(path).map_err(|error| AuditError::Image(Box::new(error)))
}

fn options<'a>(
    project: &'a Project,
    node: &'a Node,
    keys: &'a ClusterKeys,
    base: &'a OpenedBase,
    grow: bool,
    time: u64,
) -> ApplyOptions<'a> {
    let verify =
        VerifyOptions { cluster: &project.cluster, keys, base: base.reference(), node: Some(node) };
    let cancel = &project.context.cancel;
    ApplyOptions { verify, node, root: project.root(), grow, time, cancel }
}

impl<'a> ApplySession<'a> {
    /// Returns the node whose card it is to be.
    pub fn node(&self) -> &Node {
        self.node
    }

    /// Returns the device or file as it was inspected.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Returns what would change.
    pub fn changes(&self) -> &ChangePlan {
        &self.rehearsed.plan
    }

    /// Returns the findings that applying does not fix.
    pub fn remaining(&self) -> &[Finding] {
        &self.rehearsed.left
    }

    /// Returns whether the card needs no change.
    pub fn is_nothing(&self) -> bool {
        self.rehearsed.is_nothing()
    }

    /// Returns whose card it looks like, if it does not look like the node's.
    pub fn other_identity(&self) -> Option<&OtherIdentity> {
        self.changes().notes.iter().find_map(|note| match note {
            PlanNote::OtherIdentity(identity) => Some(identity),
            _ => None,
        })
    }

    /// Returns an error if the card does not look like the node's: for callers that ask nobody.
    ///
    /// # Errors
    /// [`Error::OtherCard`].
    pub fn refuse_other_identity(&self) -> Result<(), Error> {
        match self.other_identity() {
            None => Ok(()),
            Some(identity) => Err(Error::OtherCard {
                target: self.target.path().to_owned(),
                node: self.node.name.clone(),
                identity: identity.clone(),
            }),
        }
    }

    /// Returns what a user types to confirm the changes: the kernel's name of a device
    /// (`sdb`), or a file's name.
    pub fn confirmation(&self) -> String {
        self.target.name()
    }

    /// Returns whether an answer confirms the changes: what
    /// [`confirmation`](Self::confirmation) returns, or the path.
    pub fn is_confirmed_by(&self, answer: &str) -> bool {
        self.target.is_named(answer)
    }

    /// Asks whether the changes may be made.
    ///
    /// # Errors
    /// [`Error::NotConfirmed`] if `agrees` returned `false`.
    pub fn confirm(self, agrees: impl FnOnce(&Self) -> bool) -> Result<ConfirmedApply<'a>, Error> {
        if agrees(&self) {
            Ok(ConfirmedApply(self))
        } else {
            Err(Error::NotConfirmed { path: self.target.path().to_owned() })
        }
    }
}

impl ConfirmedApply<'_> {
    /// Makes the changes that were confirmed, and no others.
    ///
    /// # Errors
    /// [`Error`]. Unless [`Error::may_have_written`], nothing was written. Otherwise the
    /// root filesystem is the old one or the new one, complete, once its journal has been
    /// replayed.
    pub fn apply(self) -> Result<ApplyReport, Error> {
        let ApplySession { project, request, node, keys, base, target, time, rehearsed } = self.0;
        let path = target.path();
        let opened = target.open(&project.context.system, &request.limits);
        let opened = opened.map_err(|error| refused(node, error))?;
        let storage = opened
            .into_storage()
            .map_err(|source| Error::OpenTarget { path: path.to_owned(), source })?;
        let storage = Arc::new(storage);
        let card: Arc<dyn WriteAt> = storage.clone();
        let options = options(project, node, keys, &base, request.grow, time);
        let name = path.display().to_string();
        let applied = card_audit::apply(&options, &name, &card, &rehearsed.plan);
        if applied.as_ref().is_err_and(|error| !error.may_have_written()) {
            project.context.cancel.check()?;
        }
        let applied = applied?;
        let reinsert = applied.table && storage.opened().reread_table().is_err();
        Ok(ApplyReport { applied, reinsert })
    }
}

impl From<ApplyError> for Error {
    fn from(error: ApplyError) -> Self {
        Error::Apply(Box::new(error))
    }
}
