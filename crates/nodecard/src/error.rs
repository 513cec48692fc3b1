//! Why work on a cluster's cards stopped.

use std::{io, path::PathBuf};

use card_audit::{ApplyError, AuditError, OtherIdentity};
use card_flash::device::{ReadError, Refusal, TargetError};
use card_image::{BaseError, Cancelled, ErrorKind, SaveError};
use cluster_keys::KeyError;
use cluster_profile::{CardObstacle, HashError, ProfileError};

/// A step of the workflow failed.
///
/// The text says what happened; [`source`](std::error::Error::source) has the cause, and
/// [`fix`](Self::fix) what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The profile is wrong. Its text shows every problem with its line.
    #[error(transparent)]
    Profile(#[from] Box<ProfileError>),
    /// An image was given where a profile belongs.
    #[error("{} is {what}, not a profile", path.display())]
    ImageAsProfile {
        /// The image.
        path: PathBuf,
        /// What it is: `a disk image`, `a compressed disk image`, `compressed with xz`.
        what: String,
    },
    /// A profile is not written over another file.
    #[error("{} already exists", path.display())]
    ProfileExists {
        /// The file.
        path: PathBuf,
    },
    /// A profile or a page of the manual cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A password cannot be used.
    #[error(transparent)]
    Password(#[from] HashError),
    /// The profile has no node of this name.
    #[error("there is no node {name} in {}", profile.display())]
    NoSuchNode {
        /// The name.
        name: String,
        /// The profile.
        profile: PathBuf,
        /// The names of the profile's nodes.
        known: Vec<String>,
    },
    /// Images need a size, and neither the profile nor the request has one.
    #[error("the profile {} has no `card`, the size of the cards", profile.display())]
    NoCardSize {
        /// The profile.
        profile: PathBuf,
    },
    /// The profile gives no user of this name a key.
    #[error("{name} is not a user with keys in {}", profile.display())]
    NoSuchUser {
        /// The name.
        name: String,
        /// The profile.
        profile: PathBuf,
        /// The users with keys.
        known: Vec<String>,
    },
    /// A node was given twice.
    #[error("the node {node} was given twice")]
    NodeTwice {
        /// The node's name.
        node: String,
    },
    /// A target was given twice.
    #[error("{} was given twice", path.display())]
    TargetTwice {
        /// The target.
        path: PathBuf,
    },
    /// Nothing was given to write to.
    #[error("no target was given")]
    NoTargets,
    /// One node was named for several cards.
    #[error("one node was named, but {targets} cards were given")]
    OneNodeForSeveralTargets {
        /// The number of targets.
        targets: usize,
    },
    /// The cluster's keys cannot be used or made.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The cluster's keys are needed, but not all of them exist.
    #[error("some of the cluster's keys are missing")]
    NoKeys(#[source] KeyError),
    /// The cluster's keys are missing, but there are images of the cluster.
    #[error(
        "{} is missing, but {} contains images of this cluster: new keys would change the \
         identity of every node", keys.display(), images.display()
    )]
    KeysLost {
        /// The directory of the keys.
        keys: PathBuf,
        /// The directory of the images.
        images: PathBuf,
    },
    /// The host key of a node is missing, but there is an image of the node.
    #[error(
        "the host key of {node} is missing from {}, but {} contains an image of the node: a new \
         key would change its identity", keys.display(), images.display()
    )]
    HostKeyLost {
        /// The node's name.
        node: String,
        /// The directory of the cluster's keys.
        keys: PathBuf,
        /// The directory of the images.
        images: PathBuf,
    },
    /// The base image cannot be used, or images cannot be made.
    #[error(transparent)]
    Image(Box<card_image::Error>),
    /// An image that is to be written as it is cannot be opened.
    #[error(transparent)]
    FlashedImage(Box<BaseError>),
    /// The cards for some targets cannot be made.
    #[error("cannot make {}", cards(targets))]
    CardsFor {
        /// The nodes, and the devices or files of their cards.
        targets: Vec<(String, PathBuf)>,
        /// Why.
        source: Box<card_image::Error>,
    },
    /// Targets must not be overwritten.
    #[error("{}", refusals(targets))]
    Refused {
        /// The targets, each with at least one reason.
        targets: Vec<RefusedTarget>,
    },
    /// A compressed image cannot be corrected in place.
    #[error("{} is a compressed image, which cannot be changed in place", path.display())]
    CompressedTarget {
        /// The image.
        path: PathBuf,
    },
    /// A card that was to become a node's in place looks like another one.
    #[error("{} was given as the card of {node}, but {identity}", target.display())]
    OtherCard {
        /// The card.
        target: PathBuf,
        /// The node.
        node: String,
        /// Whose card it looks like.
        identity: OtherIdentity,
    },
    /// The block map of an image cannot be used, or the image is not the one it describes.
    #[error("{} does not fit the image", path.display())]
    BlockMap {
        /// The block map.
        path: PathBuf,
        /// Why.
        source: card_image::BlockMapError,
    },
    /// The user did not agree to overwrite or change a target.
    #[error("aborted: {} was not confirmed", path.display())]
    NotConfirmed {
        /// The target.
        path: PathBuf,
    },
    /// One reader needs another card, and nobody is there to insert it.
    #[error(
        "{} needs the card for {node} next, but nobody is there to insert it", reader.display()
    )]
    NextCard {
        /// The reader.
        reader: PathBuf,
        /// The node whose card is next.
        node: String,
    },
    /// A card that is to become a base image holds the keys of another cluster, which would stay.
    #[error("{} holds the keys of the cluster {found}, not those of {cluster}", card.display())]
    OtherCluster {
        /// The card.
        card: PathBuf,
        /// The cluster whose key is on the card.
        found: String,
        /// The profile's cluster.
        cluster: String,
    },
    /// A target cannot be opened for changes.
    #[error("cannot open {} for changes", path.display())]
    OpenTarget {
        /// The target.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Cards were not written or not verified; the report says which, and why.
    #[error("{failed} of {} failed", plain_text::count(*cards, "card"))]
    CardsFailed {
        /// The number of cards that failed.
        failed: usize,
        /// The number of cards.
        cards: usize,
    },
    /// A card or image cannot be read.
    #[error(transparent)]
    Audit(Box<AuditError>),
    /// A card cannot be corrected.
    #[error(transparent)]
    Apply(Box<ApplyError>),
    /// A card cannot be opened for saving, or may change meanwhile.
    #[error(transparent)]
    Read(Box<ReadError>),
    /// A card cannot be saved.
    #[error(transparent)]
    Save(Box<SaveError>),
    /// The machine's devices cannot be listed.
    #[error("cannot list the devices of this machine")]
    Devices {
        /// The operating system's reason.
        source: io::Error,
    },
    /// The record of finished cards cannot be read.
    #[error("cannot read {}, the list of finished cards", path.display())]
    ProgressFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The record of finished cards is about another base image.
    #[error("{} lists cards that were made from another base image, {}", path.display(),
             base.display())]
    OtherBase {
        /// The file.
        path: PathBuf,
        /// The base image of those cards.
        base: PathBuf,
    },
    /// The record of finished cards cannot be written.
    #[error("cannot write {}, the list of finished cards", path.display())]
    WriteProgress {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system's ssh cannot be run.
    #[error("cannot run ssh")]
    NoSsh {
        /// The operating system's reason.
        source: io::Error,
    },
    /// The files that ssh needs cannot be written.
    #[error("cannot write files for ssh")]
    SshFiles {
        /// The operating system's reason.
        source: io::Error,
    },
    /// Somebody called [`Cancel::cancel`](crate::Cancel::cancel).
    #[error("interrupted")]
    Interrupted,
}

/// A target that must not be written to.
#[derive(Debug)]
#[non_exhaustive]
pub struct RefusedTarget {
    /// The node whose card it was to become, unless it is a reader for all nodes.
    pub node: Option<String>,
    /// The target and the reasons.
    pub error: TargetError,
}

/// One reason not to write to a target.
#[derive(Debug)]
#[non_exhaustive]
pub struct RefusalReason<'a> {
    /// The reason.
    pub refusal: &'a Refusal,
    /// What is wrong with which target, in words.
    pub message: String,
    /// What to do about it, if that is known.
    pub fix: Option<String>,
}

impl RefusedTarget {
    /// Returns the reasons one by one, the most important first.
    pub fn reasons(&self) -> impl Iterator<Item = RefusalReason<'_>> {
        RefusalReason::of(&self.error)
    }
}

impl<'a> RefusalReason<'a> {
    /// Returns the reasons not to write to a target, the most important first.
    pub fn of(error: &'a TargetError) -> impl Iterator<Item = Self> {
        error.refusals.iter().zip(error.split()).map(|(refusal, error)| RefusalReason {
            refusal,
            message: error.to_string(),
            fix: error.fix(),
        })
    }
}

fn refusals(targets: &[RefusedTarget]) -> String {
    targets.iter().map(|target| target.error.to_string()).collect::<Vec<_>>().join("; ")
}

fn cards(targets: &[(String, PathBuf)]) -> String {
    let card = |(node, path): &(String, PathBuf)| format!("{node}'s card on {}", path.display());
    targets.iter().map(card).collect::<Vec<_>>().join(", ")
}

impl Error {
    /// Returns what has to change before another run can succeed.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Profile(_)
            | Error::ImageAsProfile { .. }
            | Error::Password(_)
            | Error::ProfileExists { .. }
            | Error::NoSuchNode { .. }
            | Error::NoSuchUser { .. }
            | Error::NoCardSize { .. }
            | Error::NodeTwice { .. }
            | Error::TargetTwice { .. }
            | Error::NoTargets
            | Error::OneNodeForSeveralTargets { .. }
            | Error::NoKeys(_)
            | Error::KeysLost { .. }
            | Error::HostKeyLost { .. }
            | Error::ProgressFile { .. }
            | Error::OtherBase { .. }
            | Error::WriteProgress { .. } => ErrorKind::Profile,
            Error::Refused { .. }
            | Error::CompressedTarget { .. }
            | Error::OtherCard { .. }
            | Error::NotConfirmed { .. }
            | Error::NextCard { .. }
            | Error::OtherCluster { .. }
            | Error::OpenTarget { .. } => ErrorKind::Target,
            Error::BlockMap { source: card_image::BlockMapError::Cancelled(_), .. } => {
                ErrorKind::Interrupted
            }
            Error::BlockMap { .. } => ErrorKind::Base,
            Error::Keys(_)
            | Error::CardsFailed { .. }
            | Error::Devices { .. }
            | Error::NoSsh { .. }
            | Error::Write { .. }
            | Error::SshFiles { .. } => ErrorKind::Io,
            Error::FlashedImage(error) => error.kind(),
            Error::Image(error) => error.kind(),
            Error::CardsFor { source, .. } => source.kind(),
            Error::Audit(error) => error.kind(),
            Error::Apply(error) => error.kind(),
            Error::Save(error) => error.kind(),
            Error::Read(error) => match **error {
                ReadError::Open { .. } => ErrorKind::Io,
                _ => ErrorKind::Target,
            },
            Error::Interrupted => ErrorKind::Interrupted,
        }
    }

    /// Returns what to do about it, if that is known. The text names no option of any
    /// command line.
    pub fn fix(&self) -> Option<String> {
        match self {
            Error::NoSuchNode { known, .. } => {
                Some(format!("use one of its nodes: {}", known.join(", ")))
            }
            Error::ImageAsProfile { path, .. } => {
                Some(format!("write a profile that has it as `base: {}`", path.display()))
            }
            Error::NoCardSize { .. } => {
                Some("add the size printed on the cards to the profile, such as `card: 8GB`".into())
            }
            Error::NoSuchUser { known, .. } if known.is_empty() => {
                Some("list users with `ssh: {users: [...]}` in the profile".into())
            }
            Error::NoSuchUser { known, .. } => Some(format!("use one of: {}", known.join(", "))),
            Error::NodeTwice { .. } => Some("give each node one target".into()),
            Error::TargetTwice { .. } => Some("give each card once".into()),
            Error::OneNodeForSeveralTargets { .. } => Some("give one card at a time".into()),
            Error::CompressedTarget { .. } => Some("decompress it first".into()),
            Error::OtherCard { target, identity: OtherIdentity::Node { node, .. }, .. } => {
                Some(format!("give it as {node}={}", target.display()))
            }
            Error::OtherCard { node, .. } => {
                Some(format!("insert the card of {node}, or write this one anew"))
            }
            Error::OtherBase { path, .. } | Error::ProgressFile { path, .. } => {
                Some(format!("delete {} to begin with the first card", path.display()))
            }
            Error::BlockMap { .. } => Some("build or download the image and its map again".into()),
            Error::KeysLost { keys, .. } => {
                Some(format!("restore {} from a backup", keys.display()))
            }
            Error::HostKeyLost { node, keys, .. } => {
                Some(format!("restore {} from a backup", keys.join("hosts").join(node).display()))
            }
            Error::OtherCluster { found, cluster, .. } if found == cluster => {
                Some("restore the keys that the card was made with from a backup".into())
            }
            Error::OtherCluster { found, .. } => {
                Some(format!("give the profile of the cluster {found}"))
            }
            Error::Refused { targets } => targets.iter().find_map(|target| target.error.fix()),
            Error::Keys(error) | Error::NoKeys(error) => error.fix(),
            Error::FlashedImage(error) => error.fix(),
            Error::Image(error) | Error::CardsFor { source: error, .. } => error.fix(),
            Error::Audit(error) => error.fix(),
            Error::Apply(error) => error.fix(),
            Error::Read(error) => error.fix(),
            Error::Save(error) => error.fix(),
            Error::Profile(error) => error.fix(),
            // What a profile needs is a hash; here it is the password that is empty.
            Error::Password(HashError::Empty) => {
                Some("type a password, or use `locked: true` for a user without one".into())
            }
            Error::Password(error) => error.fix(),
            Error::NoSsh { .. } => Some(
                "install OpenSSH's client (the Debian package openssh-client, or an optional \
                      feature of Windows)"
                    .into(),
            ),
            Error::ProfileExists { path } => {
                Some(format!("choose another file, or edit {}", path.display()))
            }
            Error::Devices { source } => (source.kind() == io::ErrorKind::Unsupported).then(|| {
                let programs = platform::devices::other_programs();
                format!("build images, and write them with another program: {programs}")
            }),
            Error::SshFiles { .. } => Some("check $TMPDIR, or /tmp".into()),
            Error::NoTargets
            | Error::NotConfirmed { .. }
            | Error::NextCard { .. }
            | Error::OpenTarget { .. }
            | Error::Write { .. }
            | Error::CardsFailed { .. }
            | Error::WriteProgress { .. }
            | Error::Interrupted => None,
        }
    }

    /// Returns whether a target may have been written to. Where this is `false`, an error of
    /// [`FlashSession`](crate::FlashSession), [`OneReader`](crate::OneReader) or
    /// [`ApplySession`](crate::ApplySession) left all targets as they were.
    pub fn may_have_written(&self) -> bool {
        match self {
            Error::Apply(error) => error.may_have_written(),
            Error::CardsFailed { .. } | Error::WriteProgress { .. } => true,
            _ => false,
        }
    }
}

impl From<ProfileError> for Error {
    fn from(error: ProfileError) -> Self {
        Error::Profile(Box::new(error))
    }
}

impl Error {
    /// Returns all reasons why no cards can be made from the base image, each with the nodes that
    /// it is about; none for another error.
    pub fn card_obstacles(&self) -> &[CardObstacle] {
        match self {
            Error::Image(error) | Error::CardsFor { source: error, .. } => of_image(error),
            Error::Audit(error) => of_audit(error),
            Error::Apply(error) => of_apply(error),
            _ => &[],
        }
    }
}

fn of_image(error: &card_image::Error) -> &[CardObstacle] {
    match error {
        card_image::Error::Refused(all) => all,
        _ => &[],
    }
}

fn of_audit(error: &AuditError) -> &[CardObstacle] {
    match error {
        AuditError::Cards(error) => of_image(error),
        _ => &[],
    }
}

fn of_apply(error: &ApplyError) -> &[CardObstacle] {
    match error {
        ApplyError::Audit(error) => of_audit(error),
        ApplyError::Cut(error) => of_apply(error),
        _ => &[],
    }
}

impl From<card_image::Error> for Error {
    fn from(error: card_image::Error) -> Self {
        Error::Image(Box::new(error))
    }
}

impl From<Cancelled> for Error {
    fn from(_: Cancelled) -> Self {
        Error::Interrupted
    }
}
