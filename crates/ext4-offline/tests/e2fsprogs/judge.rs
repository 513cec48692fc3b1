//! The outcome for one filesystem, with e2fsck as the judge.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use block_io::{Layer, ReadAt};
use ext4_offline::Error;

use crate::{
    common::{MIB, e2fsck_complaint, output_of, run, tools::complaint_lines},
    expected,
    treat::{self, Refused},
    watchdog,
};

/// What became of a filesystem.
pub enum Outcome {
    /// It was accepted, and e2fsck is silent after every step.
    Clean,
    /// It was refused, and e2fsck would repair it too.
    Refused(String),
    /// e2fsck accepts it; the refusal is one of those in `expected`, and why.
    KnownRefusal(String),
    /// e2fsck accepts it, and nothing explains the refusal.
    FalseRefusal(String),
    /// e2fsck reports something after a step, or a panic.
    Wrong(String),
}

impl Outcome {
    pub const COLUMNS: [&str; 5] = ["clean", "refused", "explained", "false", "wrong"];

    pub fn column(&self) -> usize {
        match self {
            Outcome::Clean => 0,
            Outcome::Refused(_) => 1,
            Outcome::KnownRefusal(_) => 2,
            Outcome::FalseRefusal(_) => 3,
            Outcome::Wrong(_) => 4,
        }
    }

    pub fn is_wrong(&self) -> Option<&str> {
        match self {
            Outcome::FalseRefusal(how) | Outcome::Wrong(how) => Some(how),
            _ => None,
        }
    }

    /// What the table says about it, besides counting it.
    pub fn line(&self) -> Option<String> {
        match self {
            Outcome::Clean => None,
            Outcome::Refused(kind) => Some(format!("refused, as by e2fsck: {kind}")),
            Outcome::KnownRefusal(why) => Some(format!("refused, but not by e2fsck: {why}")),
            Outcome::FalseRefusal(_) => Some("REFUSED, BUT NOT BY E2FSCK".to_owned()),
            Outcome::Wrong(_) => Some("WRONG".to_owned()),
        }
    }
}

/// Treats the filesystem in every way.
pub fn outcome(image: &Path, scratch: &Path) -> Outcome {
    let treated = catch_unwind(AssertUnwindSafe(|| treat_all(image, scratch)));
    match treated {
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map_or("no text", |text| text);
            Outcome::Wrong(format!("it panicked: {text}"))
        }
        Ok(Err(how)) => Outcome::Wrong(how),
        Ok(Ok(None)) => Outcome::Clean,
        Ok(Ok(Some(refused))) => judge_refusal(image, scratch, &refused),
    }
}

/// Returns the step that was refused, if one was; what is wrong as an error.
fn treat_all(image: &Path, scratch: &Path) -> Result<Option<Refused>, String> {
    let name = image.display().to_string();
    let accepted = match watched(&name, || treat::accept(image)) {
        Ok(accepted) => accepted,
        Err(refused) => return Ok(Some(refused)),
    };
    let path = scratch.join("image");
    if expected::cannot_be_judged(&image.file_stem().unwrap().to_string_lossy()) {
        return Ok(None);
    }
    write(&accepted, &path);
    silent(&path, "checked", &[])?;
    if let Some(how) = treat::compare_with_debugfs(&path) {
        return Err(format!("read: {how}"));
    }
    let mut first = None;
    match watched(&name, || treat::grown(&accepted)) {
        Ok(grown) => {
            if let Some(backup) = treat::first_backup(&grown) {
                let options = backup.each_ref().map(String::as_str);
                write(&grown, &path);
                if let Err(how) = silent(&path, "grown, from a backup", &options) {
                    // Tables that claim to be zeroed are not zeroed again.
                    write(&accepted, &path);
                    if silent(&path, "", &options).is_ok() {
                        return Err(how);
                    }
                }
            }
            match watched(&name, || treat::edit(&grown)) {
                Ok(()) => {
                    write(&grown, &path);
                    silent(&path, "grown and edited", &[])?;
                }
                Err((step, error)) if step.starts_with("check what") => {
                    return Err(format!("{step}: {error}"));
                }
                Err(refused) => first = Some(refused),
            }
        }
        Err((step, error)) if step.starts_with("check what") => {
            return Err(format!("{step}: {error}"));
        }
        Err(refused) => first = Some(refused),
    }
    match watched(&name, || treat::commit_in_place(image, &path)) {
        Ok(()) => silent(&path, "committed", &[])?,
        Err(refused) => first = first.or(Some(refused)),
    }
    Ok(first)
}

fn watched<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let _guard = watchdog::guard(name);
    work()
}

/// Writes a layer to a file, with holes.
fn write(layer: &Layer, path: &Path) {
    use std::os::unix::fs::FileExt as _;
    let file = fs::File::create(path).unwrap();
    file.set_len(layer.size()).unwrap();
    let mut at = 0;
    while let Some(range) = layer.next_data(at).unwrap() {
        for start in (range.start..range.end).step_by(MIB as usize) {
            let length = (range.end - start).min(MIB) as usize;
            file.write_all_at(&layer.read_vec(start, length).unwrap(), start).unwrap();
        }
        at = range.end;
    }
}

fn silent(path: &Path, step: &str, options: &[&str]) -> Result<(), String> {
    match e2fsck_complaint(path, options) {
        Some(text) if !complaint_lines(&text).all(expected::is_harmless) => {
            Err(format!("{step}, e2fsck:\n{text}"))
        }
        _ => Ok(()),
    }
}

fn judge_refusal(image: &Path, scratch: &Path, (step, error): &Refused) -> Outcome {
    let kind = kind(step, error);
    if !is_clean_for_e2fsck(image, scratch) {
        return Outcome::Refused(kind);
    }
    let name = image.file_stem().unwrap().to_string_lossy();
    match expected::refusal(&name, error) {
        Some(why) => Outcome::KnownRefusal(why),
        None => Outcome::FalseRefusal(format!("{step}: {error}")),
    }
}

/// Returns whether e2fsck finds nothing to repair, once it has replayed the journal and removed
/// orphans.
fn is_clean_for_e2fsck(image: &Path, scratch: &Path) -> bool {
    // It only reads with -n, but then it never ends if tables have to move.
    let copy = scratch.join("copy");
    output_of("cp", &["--sparse=always", image.to_str().unwrap(), copy.to_str().unwrap()]);
    let output = run("e2fsck", &["-f", "-y", copy.to_str().unwrap()]);
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    // In pass 3A it makes directories again, and does not say why.
    text.contains("Pass 5")
        && !text.contains("Pass 3A")
        && complaint_lines(&text)
            .all(|line| expected::is_harmless(line) || expected::is_recovery(line))
}

/// The step, and the kind of error: the name of its variant.
fn kind(step: &str, error: &Error) -> String {
    let kind = format!("{error:?}");
    let end = kind.find([' ', '(']).unwrap_or(kind.len());
    let damage = if error.is_damage() { "" } else { ", not damage" };
    format!("{step}: {}{damage}", &kind[..end])
}
