//! How a run fails: a message on stderr and an exit code.

use std::{
    fmt,
    io::{Write as _, stderr},
    process::ExitCode,
};

use card_audit::{ApplyError, AuditError, ErrorKind};
use cluster_keys::KeyError;
use cluster_profile::ProfileError;

/// Why a run failed.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something that is not there.
    Usage(String),
    /// The profile is wrong; the message shows its lines.
    Profile(Box<ProfileError>),
    /// The cluster's keys cannot be used.
    Keys(KeyError),
    /// The cluster's keys were not made yet, or are lost.
    NoKeys(KeyError),
    /// The cards cannot be made.
    Cards(card_image::Error),
    /// The cards for these targets cannot be made.
    CardsFor {
        /// The nodes and targets, in words.
        targets: String,
        error: Box<card_image::Error>,
    },
    /// A device or file must not be written. A message for each.
    Refused(Vec<String>),
    /// Cards failed; the report has told which, and why.
    Flashed,
    /// The user interrupted.
    Interrupted,
    /// A card cannot be looked at.
    Audit(AuditError),
    /// A card cannot be corrected.
    Apply(ApplyError),
    /// The report cannot be printed.
    Output(std::io::Error),
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        Failure::Profile(Box::new(error))
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Failure::Keys(error)
    }
}

impl From<card_image::Cancelled> for Failure {
    fn from(_: card_image::Cancelled) -> Self {
        Failure::Interrupted
    }
}

impl From<card_image::Error> for Failure {
    fn from(error: card_image::Error) -> Self {
        Failure::Cards(error)
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        Failure::Audit(error)
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        Failure::Apply(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Output(error)
    }
}

/// Prints a line on stderr, if anybody reads that: a log that cannot be written
/// is no reason to fail.
pub fn tell(line: fmt::Arguments) {
    let _ = writeln!(stderr().lock(), "{line}");
}

/// The exit code for a card that cannot be looked at.
pub fn exit_code(fault: ErrorKind) -> u8 {
    match fault {
        ErrorKind::Profile => 2,
        ErrorKind::Base => 3,
        ErrorKind::Target => 4,
        ErrorKind::Io => 5,
        ErrorKind::Interrupted => 130,
    }
}

impl Failure {
    /// Tells the user, and answers the exit code that `--help` lists.
    pub fn report(&self) -> ExitCode {
        let code = match self {
            Failure::Usage(message) => {
                tell(format_args!("nodecard: {message}"));
                2
            }
            Failure::Profile(error) => {
                tell(format_args!("{error}"));
                2
            }
            Failure::Keys(error) => {
                tell(format_args!("nodecard: {error}"));
                5
            }
            Failure::NoKeys(error) => {
                tell(format_args!(
                    "nodecard: {error}; without the cluster's keys nothing can be compared"
                ));
                2
            }
            Failure::Cards(error) => {
                tell(format_args!("nodecard: {error}"));
                exit_code(error.kind())
            }
            Failure::CardsFor { targets, error } => {
                tell(format_args!("nodecard: {targets}: {error}\nnodecard: nothing was written"));
                exit_code(error.kind())
            }
            Failure::Refused(messages) => {
                messages.iter().for_each(|message| tell(format_args!("nodecard: {message}")));
                4
            }
            Failure::Flashed => 5,
            Failure::Interrupted => {
                tell(format_args!("nodecard: interrupted"));
                130
            }
            Failure::Audit(error) => {
                tell(format_args!("nodecard: {error}"));
                exit_code(error.kind())
            }
            Failure::Apply(error) => {
                tell(format_args!("nodecard: {error}"));
                tell(match error.may_have_written() {
                    true => format_args!(
                        "nodecard: the root filesystem is the old one or the new one, whole; apply \
                         again tells"
                    ),
                    false => format_args!("nodecard: nothing was written"),
                });
                exit_code(error.kind())
            }
            // A reader that went away, such as `head`, wants no message.
            Failure::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => 5,
            Failure::Output(error) => {
                tell(format_args!("nodecard: cannot print the report: {error}"));
                5
            }
        };
        ExitCode::from(code)
    }
}
