//! Options of the command line that help against an error. The library knows none of them.

use nodecard::{AuditError, BaseError, ChooseError, Error, ImageError, OutputError, Refusal};

/// Joins what the library says to do and the option that does it.
pub fn join(fix: Option<String>, hint: Option<&'static str>) -> Option<String> {
    match (fix, hint) {
        (Some(fix), Some(hint)) => Some(format!("{fix}, or {hint}")),
        (Some(fix), None) => Some(fix),
        (None, hint) => hint.map(str::to_owned),
    }
}

/// Returns the option that helps against an error.
pub fn for_error(error: &Error) -> Option<&'static str> {
    match error {
        Error::NoTargets => Some(
            "give NODE=DEVICE, for example xu4-node1=/dev/sdb; `nodecard devices` lists the cards",
        ),
        Error::OneNodeForSeveralTargets { .. } => Some("leave out --node to detect the nodes"),
        Error::ProgressFile { .. } | Error::OtherBase { .. } => Some("leave out --resume"),
        Error::Image(error) | Error::CardsFor { source: error, .. } => for_image(error),
        Error::Audit(error) => for_audit(error),
        Error::Apply(error) => match &**error {
            nodecard::ApplyError::Audit(error) => for_audit(error),
            _ => None,
        },
        _ => None,
    }
}

fn for_image(error: &ImageError) -> Option<&'static str> {
    match error {
        ImageError::Base(BaseError::NotFound { .. }) => Some("name another image with --base"),
        ImageError::CardTooSmall { .. } => Some("give the size with --card"),
        ImageError::Root(error) => for_root(error),
        ImageError::Output(
            OutputError::Unusable { .. }
            | OutputError::IsBase { .. }
            | OutputError::Occupied { .. }
            | OutputError::Full { .. }
            | OutputError::NoSpace { .. }
            | OutputError::Busy { .. },
        ) => Some("choose another directory with --out"),
        _ => None,
    }
}

/// Returns the option that helps against an error about a card.
pub fn for_audit(error: &AuditError) -> Option<&'static str> {
    match error {
        AuditError::NotOurs { .. } => Some("name the node that it is meant for with --node"),
        AuditError::Root { source, .. } => for_root(source),
        AuditError::Cards(error) => for_image(error),
        _ => None,
    }
}

fn for_root(error: &ChooseError) -> Option<&'static str> {
    match error {
        // No partition would do.
        ChooseError::NoExt { .. } => None,
        _ => Some("choose the partition with --root"),
    }
}

/// Returns the option or command that helps against a refused target.
pub fn for_refusal(refusal: &Refusal) -> Option<&'static str> {
    match refusal {
        Refusal::FixedDisk => Some("add --allow-fixed if it is a card"),
        Refusal::TooLarge { .. } => Some("raise --max-size if it is a card"),
        Refusal::NotFound(path) if path.starts_with("/dev") => {
            Some("list the devices with `nodecard devices`")
        }
        _ => None,
    }
}
