//! Options of the command line that help against an error. The library knows none of them.

use std::{
    io::{IsTerminal as _, stdin},
    path::Path,
};

use nodecard::{
    AuditError, BaseError, ChooseError, Error, ImageError, OutputError, ProfileError, ReadError,
    Refusal, SaveError,
};
use plain_text::shell_word;

use crate::rights;

/// An option or a command that helps against an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Another way than the one that the library suggests.
    Or(&'static str),
    /// What the library suggests, in terms of the command line.
    Instead(&'static str),
    /// The same, with names of this run.
    Command(String),
}

/// Returns what to do: what the library suggests, with the hint.
pub fn join(fix: Option<String>, hint: Option<Hint>) -> Option<String> {
    match (fix, hint) {
        (Some(fix), Some(Hint::Or(hint))) => Some(format!("{fix}, or {hint}")),
        (_, Some(Hint::Or(hint) | Hint::Instead(hint))) => Some(hint.to_owned()),
        (_, Some(Hint::Command(hint))) => Some(hint),
        (fix, None) => fix,
    }
}

/// Returns the option that helps against an error.
pub fn for_error(error: &Error) -> Option<Hint> {
    match error {
        Error::NoTargets => Some(Hint::Instead(
            "give NODE=TARGET, for example xu4-node1=/dev/sdb; `nodecard devices` lists the cards",
        )),
        Error::ImageAsProfile { path, .. } => {
            let path = shell_word(&path.display().to_string());
            Some(Hint::Command(format!(
                "to write a profile for it, run: nodecard init --base {path}; to see what is on \
                 it: nodecard inspect {path}"
            )))
        }
        Error::Profile(error) => match &**error {
            ProfileError::NotAProfile { .. } => Some(Hint::Or("run `nodecard init` to write one")),
            ProfileError::NotFound { path } => Some(Hint::Command(no_profile(path))),
            _ => None,
        },
        Error::NoCardSize { .. } => Some(Hint::Or("give it with --card")),
        Error::NoKeys(_) => Some(Hint::Instead(
            "run `nodecard build` or `nodecard flash` first to create the keys; if there are \
             cards already, restore their keys from a backup",
        )),
        Error::KeysLost { .. } => {
            Some(Hint::Or("add --new-keys to make new ones; then write every card again"))
        }
        Error::HostKeyLost { .. } => {
            Some(Hint::Or("add --new-keys to make a new one; then write its card again"))
        }
        Error::OtherCluster { .. } => Some(Hint::Or("save a backup of all files with --exact")),
        Error::NextCard { reader, node } => Some(if reader.is_file() {
            Hint::Command(format!(
                "{} is a file, which nobody swaps: give a file for each card, {node}=FILE",
                reader.display()
            ))
        } else {
            Hint::Instead("run the command in a terminal, or add --yes to skip the confirmation")
        }),
        Error::OneNodeForSeveralTargets { .. } => {
            Some(Hint::Or("leave out --node to detect the nodes"))
        }
        Error::OtherCard { .. } => Some(Hint::Or("add --allow-other if the change is intended")),
        Error::ProgressFile { .. } | Error::OtherBase { .. } => {
            Some(Hint::Or("leave out --resume"))
        }
        Error::FlashedImage(error) => match &**error {
            BaseError::NotFound { .. } => Some(Hint::Or("name another image with --image")),
            BaseError::UnknownFormat { found, .. } if found.is_blank => {
                Some(Hint::Instead("name the image of a card with --image"))
            }
            _ => None,
        },
        Error::NotConfirmed { .. } if !stdin().is_terminal() => Some(Hint::Instead(
            "standard input is not a terminal: run it in a terminal and type the name, or add \
             --yes to skip the confirmation",
        )),
        Error::Image(error) | Error::CardsFor { source: error, .. } => for_image(error),
        Error::Audit(error) => for_audit(error),
        Error::Save(error) => for_save(error),
        Error::Read(read) => match &**read {
            ReadError::Refused { path, refusals, .. } => {
                refusals.first().and_then(|refusal| for_refusal(path, refusal))
            }
            ReadError::Open { path, .. } if rights::is_denied(error) => {
                rights::fix(path).map(Hint::Command)
            }
            _ => None,
        },
        Error::Apply(error) => match &**error {
            nodecard::ApplyError::Audit(error) => for_audit(error),
            _ => None,
        },
        _ => None,
    }
}

/// Returns what to do if there is no profile at `path`: give the one beside it that has another
/// ending, or write one.
fn no_profile(path: &Path) -> String {
    let mut others = ["yaml", "yml"].map(|ending| path.with_extension(ending)).into_iter();
    match others.find(|other| other.is_file()) {
        Some(other) => format!("did you mean {}?", other.display()),
        None => {
            let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
            let path = if yaml { path.to_owned() } else { path.with_extension("yaml") };
            let path = shell_word(&path.display().to_string());
            format!("check the path, or write a profile: nodecard init {path}")
        }
    }
}

/// Returns what to do about a file that its owner keeps from this user.
fn for_denied(path: &Path) -> Hint {
    Hint::Command(rights::fix(path).unwrap_or_else(|| {
        let path = shell_word(&path.display().to_string());
        format!("make it readable: chmod u+r {path}, or as root: chmod a+r {path}")
    }))
}

fn for_save(error: &SaveError) -> Option<Hint> {
    match error {
        SaveError::Filesystem { .. } => {
            Some(Hint::Or("save the card as it is, with --exact --no-shrink"))
        }
        SaveError::Unreadable { .. } => {
            Some(Hint::Instead("try another reader, or save the rest with --keep-going"))
        }
        SaveError::TooSmall { .. } => Some(Hint::Or("leave out --size")),
        SaveError::Root { source, .. } => match for_root(source) {
            Some(Hint::Or(_)) => Some(Hint::Instead("choose the partition with --root")),
            hint => hint,
        },
        SaveError::Output(OutputError::Exists { .. }) => {
            Some(Hint::Instead("choose another name, or replace it with --overwrite"))
        }
        SaveError::Output(OutputError::Lock { .. }) => Some(Hint::Instead(
            "remove it if no other nodecard is running, or choose another directory",
        )),
        SaveError::Output(error @ OutputError::Io { .. }) if error.fix().is_some() => {
            Some(Hint::Instead("choose another file for the image"))
        }
        SaveError::Output(
            OutputError::NotADirectory { .. }
            | OutputError::Unusable { .. }
            | OutputError::Occupied { .. }
            | OutputError::IsBase { .. },
        ) => Some(Hint::Instead("choose another file for the image")),
        _ => None,
    }
}

fn for_image(error: &ImageError) -> Option<Hint> {
    match error {
        ImageError::Base(BaseError::Read { path, source, .. })
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Some(for_denied(path))
        }
        ImageError::Base(BaseError::NotFound { .. }) => {
            Some(Hint::Or("name another image with --base"))
        }
        ImageError::DoesNotFit { .. } => Some(Hint::Or("give the size with --card")),
        ImageError::Root(error) => for_root(error),
        ImageError::Output(
            OutputError::Unusable { .. }
            | OutputError::NotADirectory { .. }
            | OutputError::IsBase { .. }
            | OutputError::OtherCluster { .. },
        ) => Some(Hint::Instead("choose another directory with --out")),
        ImageError::Output(error @ OutputError::Io { .. }) if error.fix().is_some() => {
            Some(Hint::Instead("choose another directory with --out"))
        }
        ImageError::Output(OutputError::Occupied { .. }) => {
            Some(Hint::Instead("move it away, or choose another directory with --out"))
        }
        ImageError::Output(OutputError::Lock { .. }) => Some(Hint::Instead(
            "remove it if no other nodecard is running, or choose another directory with --out",
        )),
        ImageError::Output(
            OutputError::Full { .. } | OutputError::NoSpace { .. } | OutputError::Busy { .. },
        ) => Some(Hint::Or("choose another directory with --out")),
        _ => None,
    }
}

/// What a card without contents needs.
const WRITE_IT: Hint = Hint::Instead("write the card: nodecard flash PROFILE NODE=TARGET");

/// Returns the option that helps against an error about a card.
pub fn for_audit(error: &AuditError) -> Option<Hint> {
    match error {
        AuditError::NotOurs { .. } => {
            Some(Hint::Instead("if it is meant for a node, name it with --node"))
        }
        AuditError::NotFound { target } if target.starts_with("/dev/") => {
            Some(Hint::Or("list the devices with `nodecard devices`"))
        }
        AuditError::Root { source, .. } => for_root(source),
        AuditError::Read { target, .. } if rights::is_denied(error) => {
            Some(for_denied(Path::new(target)))
        }
        AuditError::Image(source) => match &**source {
            BaseError::Read { path, .. } if rights::is_denied(error) => Some(for_denied(path)),
            BaseError::UnknownFormat { found, .. } if found.is_blank => Some(WRITE_IT),
            BaseError::Empty { .. } => Some(WRITE_IT),
            _ => None,
        },
        AuditError::Table { source, .. } if source.is_blank() => Some(WRITE_IT),
        AuditError::Cards(error) => for_image(error),
        _ => None,
    }
}

fn for_root(error: &ChooseError) -> Option<Hint> {
    match error {
        // No partition would do, or one was chosen already.
        ChooseError::NoExt { .. }
        | ChooseError::NoSuchPartition { .. }
        | ChooseError::NotExt { .. } => None,
        _ => Some(Hint::Or("choose the partition with --root")),
    }
}

/// Returns the option or command that helps against a target at `path` that is refused.
pub fn for_refusal(path: &Path, refusal: &Refusal) -> Option<Hint> {
    match refusal {
        Refusal::NoPermission => rights::fix(path).map(Hint::Command),
        Refusal::FixedDisk => Some(Hint::Instead("if it is a card, add --allow-fixed")),
        Refusal::TooLarge { .. } => Some(Hint::Instead("if it is a card, raise --max-size")),
        Refusal::Shared { reason, .. } => for_refusal(path, reason),
        Refusal::NotFound(missing) if missing.starts_with("/dev") => {
            Some(Hint::Or("list the devices with `nodecard devices`"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_add_to_a_fix_or_replace_it() {
        let fix = || Some("set `root:` in the profile".to_owned());
        let or = Some(Hint::Or("use --root"));
        assert_eq!(
            join(fix(), or.clone()).as_deref(),
            Some("set `root:` in the profile, or use --root")
        );
        assert_eq!(join(None, or.clone()).as_deref(), Some("use --root"));
        assert_eq!(join(fix(), Some(Hint::Instead("use --root"))).as_deref(), Some("use --root"));
        assert_eq!(join(fix(), None), fix());
        assert_eq!(join(None, None), None);
    }
}
