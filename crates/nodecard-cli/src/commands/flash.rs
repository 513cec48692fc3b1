//! `nodecard flash`.

use std::{
    path::Path,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use nodecard::{
    Decision, Error, FinishedCard, FlashProgress, FlashReport, FlashRequest, FlashTarget,
    FlashedCard, OldContents, Operator, Project, ReaderEvent, WriteReport,
};
use plain_text::{decimal_size, printable, shell_word, size};
use serde_json::{Value, json};

use super::{note_of_new_keys, open_project};
use crate::{
    args::{FlashArgs, usage},
    error::{CommandError, print_error, print_line, print_refusals},
    output::{Verbosity, verbosity},
    progress::CardBars,
    prompt::{
        ask, is_at_terminal, is_somebody_there, print_parting_notes, set_how_to_continue,
        set_note_of_new_keys,
    },
    report::{self, table},
};

pub fn run(args: &FlashArgs) -> Result<ExitCode, CommandError> {
    if args.resume && args.one_reader.is_none() {
        return Err(CommandError::Usage {
            message: "--resume needs --one-reader: it continues an earlier run with one reader"
                .into(),
            fix: "add --one-reader DEVICE, or leave out --resume".into(),
        });
    }
    if let Some(image) = &args.image {
        return flash_image(image, args);
    }
    let mut project = open_project(&args.project)?;
    if args.new_keys.new_keys {
        project = project.with_new_keys();
    }
    let request = request(args);
    let written = match &args.one_reader {
        Some(reader) => flash_one_reader(&project, reader, request, args),
        None => flash_targets(&project, request, args),
    };
    if written.is_err() {
        // The keys may have been created before there was a session.
        set_note_of_new_keys(note_of_new_keys(&project));
        print_parting_notes();
    }
    finish(written.map_err(CommandError::Writing)?, args)
}

fn request(args: &FlashArgs) -> FlashRequest {
    let mut request = FlashRequest::default();
    request.limits = args.writing.limits.limits();
    request.old_contents = match (args.discard, args.full) {
        (true, _) => OldContents::Discarded,
        (false, true) => OldContents::Overwritten,
        (false, false) => OldContents::Compared,
    };
    request
}

/// Writes a built image. The first argument is the device then.
fn flash_image(image: &Path, args: &FlashArgs) -> Result<ExitCode, CommandError> {
    let target = args.project.profile.to_string_lossy();
    if target.contains('=') && !args.project.profile.exists() {
        let device = usage::device_of(&target);
        return Err(CommandError::Usage {
            message: format!("with --image, a target has no node: {}", printable(&target)),
            fix: format!("give only the device or file: {}", shell_word(device)).into(),
        });
    }
    let context = super::context();
    let request = request(args);
    let write = || {
        let session = nodecard::flash_image(image, &args.project.profile, request, &context)?;
        describe(session.target(), args.writing.yes);
        let title = title(session.target());
        let image = session.target().node().to_owned();
        let agrees =
            |target: &FlashTarget| args.writing.yes || is_confirmed(target, &image) == Some(true);
        session.confirm(agrees)?.write(&CardBars::new(vec![title]))
    };
    finish(write().map_err(CommandError::Writing)?, args)
}

/// Reports what was written.
fn finish(report: FlashReport, args: &FlashArgs) -> Result<ExitCode, CommandError> {
    // What was written is reported whatever became of the rest.
    let printed = print_report(&report, args);
    for error in report.cards.iter().filter_map(|card| card.outcome.as_ref().err()) {
        print_error(error, error.fix());
    }
    report.into_result()?;
    printed?;
    Ok(ExitCode::SUCCESS)
}

fn flash_targets(
    project: &Project,
    request: FlashRequest,
    args: &FlashArgs,
) -> Result<FlashReport, Error> {
    let session = project.flash(&args.targets, request)?;
    set_note_of_new_keys(note_of_new_keys(project));
    for target in session.targets() {
        describe(target, args.writing.yes);
    }
    let titles = session.targets().iter().map(title).collect();
    let agrees = |target: &FlashTarget| {
        args.writing.yes || is_confirmed(target, &card_of(target)) == Some(true)
    };
    let report = session.confirm(agrees)?.write(&CardBars::new(titles))?;
    set_note_of_new_keys(None);
    Ok(report)
}

fn flash_one_reader(
    project: &Project,
    reader: &Path,
    request: FlashRequest,
    args: &FlashArgs,
) -> Result<FlashReport, Error> {
    let session = project.flash_one_reader(reader, args.resume, request)?;
    set_note_of_new_keys(note_of_new_keys(project));
    let is_file = reader.is_file();
    let mut user = User {
        reader: reader.display().to_string(),
        is_file,
        is_file_noted: false,
        yes: args.writing.yes,
        has_written: false,
    };
    if args.resume {
        offer_to_continue();
    }
    let report = session.run(&mut user)?;
    set_note_of_new_keys(None);
    if report.cards.iter().any(FlashedCard::is_verified) {
        offer_to_continue();
    }
    if report.stopped.is_some() || report.cards.iter().any(|card| !card.is_verified()) {
        print_parting_notes();
    }
    Ok(report)
}

/// Has it said how to continue if the run ends early: there are finished cards by now.
fn offer_to_continue() {
    let command =
        how_to_continue(std::env::args_os().map(|word| word.to_string_lossy().into_owned()));
    set_how_to_continue(format!("note: finished cards are remembered; continue with: {command}"));
}

/// Returns the command that continues this run.
fn how_to_continue(arguments: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = arguments.skip(1).map(|word| shell_word(&word)).collect();
    if !words.iter().any(|word| word == "--resume") {
        words.push("--resume".to_owned());
    }
    format!("nodecard {}", words.join(" "))
}

/// The user at the reader.
struct User {
    reader: String,
    /// Whether it is a file, which nobody takes out.
    is_file: bool,
    /// Whether that was said.
    is_file_noted: bool,
    /// Whether cards are overwritten without confirmation.
    yes: bool,
    /// Whether a card was written. One that fails ends the run.
    has_written: bool,
}

impl Operator for User {
    fn notify(&mut self, event: ReaderEvent<'_>) {
        let reader = &self.reader;
        match event {
            ReaderEvent::Insert { node } => {
                print_line(format_args!("Insert the card for {node} into {reader}."));
            }
            ReaderEvent::Swap { node } => {
                if self.has_written {
                    offer_to_continue();
                }
                print_line(format_args!(
                    "Take the card out of {reader} and insert the card for {node}."
                ));
                if self.is_file && !std::mem::replace(&mut self.is_file_noted, true) {
                    print_line(format_args!(
                        "note: {reader} is a file, not a reader: move it away and put the file for \
                         {node} in its place, or stop and give NODE=FILE for each card"
                    ));
                }
            }
            ReaderEvent::Refused(refused) => print_refusals(refused),
            ReaderEvent::Found(target) => {
                // An earlier run has finished it.
                if target.recognized().is_some() {
                    offer_to_continue();
                }
                describe(target, self.yes);
            }
            ReaderEvent::AlreadyFinished(card) => print_line(format_args!(
                "This is the finished card of {}; it is not overwritten.",
                card.node
            )),
            ReaderEvent::Kept => print_line(format_args!("The card was left as it is.")),
            _ => {}
        }
    }

    fn decide(&mut self, target: &FlashTarget) -> Decision {
        if self.yes {
            return Decision::Overwrite;
        }
        match is_confirmed(target, &card_of(target)) {
            Some(true) => Decision::Overwrite,
            Some(false) => Decision::Keep,
            None => Decision::Stop,
        }
    }

    fn is_present(&self) -> bool {
        !self.yes
    }

    fn can_swap(&self) -> bool {
        match (self.yes, self.is_file) {
            // Whoever answers the questions can replace a file, too.
            (false, _) => is_somebody_there(),
            // Nobody is asked, so a pipe says nothing about who reads what is printed.
            (true, true) => is_at_terminal(),
            // Cards can be swapped without a word to this program.
            (true, false) => true,
        }
    }

    fn progress(&mut self, target: &FlashTarget) -> Box<dyn FlashProgress> {
        self.has_written = true;
        Box::new(CardBars::new(vec![title(target)]))
    }
}

fn title(target: &FlashTarget) -> String {
    format!("{} on {}", target.node(), target.path().display())
}

/// Prints what a target is, and what is on it. Whoever is asked about it needs to know.
fn describe(target: &FlashTarget, is_agreed: bool) {
    if is_agreed && verbosity() == Verbosity::Quiet {
        return;
    }
    let name = match target.target().device() {
        None => "a file".to_owned(),
        Some(device) => {
            let model = device.model.as_deref().unwrap_or("unknown model");
            let serial = device.serial.as_deref().unwrap_or("unknown");
            format!("{}, serial {}", printable(model), printable(serial))
        }
    };
    let recognized = target.recognized().map(recognized).unwrap_or_default();
    print_line(format_args!(
        "{}: {}, {}, {name}\n    now on it: {recognized}{}",
        target.node(),
        printable(&target.path().display().to_string()),
        decimal_size(target.target().size()),
        target.target().contents()
    ));
}

/// Returns the node and the age of a finished card, to come before its contents.
fn recognized(card: &FinishedCard) -> String {
    let age = SystemTime::now().duration_since(card.finished).unwrap_or_default();
    format!("{} of {}, finished {} ago; ", card.node, card.cluster, ago(age))
}

fn ago(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match (minutes, minutes / 60, minutes / 60 / 24) {
        (0, ..) => format!("{} s", age.as_secs()),
        (minutes @ 1..120, ..) => format!("{minutes} min"),
        (_, hours @ ..48, _) => format!("{hours} h"),
        (.., days) => plain_text::count(usize::try_from(days).unwrap_or(usize::MAX), "day"),
    }
}

fn card_of(target: &FlashTarget) -> String {
    format!("the card for {}", target.node())
}

/// Asks for the name of a target, which `what` would overwrite. `None` if nobody answers.
fn is_confirmed(target: &FlashTarget, what: &str) -> Option<bool> {
    let (name, path) = (target.confirmation(), target.path().display());
    let answer = ask(format_args!("Type {name} to overwrite {path} with {what}:"));
    answer.map(|answer| target.is_confirmed_by(&answer))
}

fn print_report(report: &FlashReport, args: &FlashArgs) -> Result<(), CommandError> {
    if args.writing.json.json {
        let cards: Vec<Value> = report.cards.iter().map(to_json).collect();
        let mut notes = report::sentences(&report.notes);
        notes.extend(card_notes(report));
        return report::print_json(&json!({
            "root_reason": report.root_reason,
            "notes": notes,
            "cards": cards,
        }));
    }
    report::print_text(&to_text(report, args))?;
    Ok(())
}

/// Returns what is worth knowing about the cards that were written.
fn card_notes(report: &FlashReport) -> Vec<String> {
    let written = report.cards.iter().filter_map(|card| card.outcome.as_ref().ok());
    written.flat_map(|written| written.notes.clone()).collect()
}

fn to_json(card: &FlashedCard) -> Value {
    let written = card.outcome.as_ref().ok();
    // Comparing says nothing about how fast a card is written or read back.
    let speed = |time: fn(&WriteReport) -> Duration| {
        let written = written.filter(|written| !written.is_compared);
        written.map(|written| written.bytes as f64 / time(written).as_secs_f64())
    };
    json!({
        "node": card.node,
        "device": card.path,
        "model": card.model,
        "serial": card.serial,
        "size": card.size,
        "result": if card.is_verified() { "verified" } else { "failed" },
        "error": card.outcome.as_ref().err().map(|error| plain_text::with_causes(&error.fault)),
        "bytes": written.map(|written| written.bytes),
        "bytes_written": written.map(|written| written.written),
        "write_seconds": written.map(|written| written.write_time.as_secs_f64()),
        "verify_seconds": written.map(|written| written.verify_time.as_secs_f64()),
        "write_bytes_per_second": speed(|written| written.write_time),
        "verify_bytes_per_second": speed(|written| written.verify_time),
        "notes": written.map(|written| &written.notes),
    })
}

fn to_text(report: &FlashReport, args: &FlashArgs) -> String {
    let mut text = report::notes(&report.notes);
    for note in card_notes(report) {
        text += &report::note(&note);
    }
    let titles = ["node", "device", "model", "serial", "written", "writing", "read back", "result"];
    let mut rows = vec![titles.map(str::to_owned)];
    rows.extend(report.cards.iter().map(columns));
    text += &format!("\n{}", table(&rows));
    let mut after = String::new();
    for (node, written) in report.cards.iter().filter_map(compared) {
        let (part, all) = (size(written.written), size(written.bytes));
        let rest = if written.kept_contents {
            "the rest was already there"
        } else {
            "the rest is zeros, as it was before"
        };
        after += &format!("{node}: wrote {part} of {all}; {rest}\n");
    }
    let cards = |is_verified: bool| {
        report.cards.iter().filter(move |card| card.is_verified() == is_verified)
    };
    let is_profile = args.image.is_none() && args.one_reader.is_none();
    if cards(false).next().is_some() && is_profile {
        let project = args.project.words();
        let target =
            |card: &FlashedCard| shell_word(&format!("{}={}", card.node, card.path.display()));
        let targets: Vec<String> = cards(false).map(target).collect();
        let targets = targets.join(" ");
        after += &format!("Write again with: nodecard flash {project} {targets}\n");
    }
    let done = cards(true).filter(|card| card.is_device);
    let done: Vec<String> = done.map(|card| card.path.display().to_string()).collect();
    if !done.is_empty() {
        after += &format!("Safe to remove: {}\n", done.join(" "));
        // With an image, the profile is not known; `status` needs the keys beside it.
        if args.image.is_none() && args.project.keys.is_none() {
            let profile = shell_word(&args.project.profile.display().to_string());
            after += &format!("With the boards on: nodecard status {profile} --wait 10m\n");
        }
    }
    if after.is_empty() { text } else { format!("{text}\n{after}") }
}

/// Returns the node of a card that was compared, and what was written to it.
fn compared(card: &FlashedCard) -> Option<(&str, &WriteReport)> {
    let written = card.outcome.as_ref().ok().filter(|written| written.is_compared)?;
    Some((&card.node, written))
}

fn columns(card: &FlashedCard) -> [String; 8] {
    let unknown = || "-".to_owned();
    let speed = |bytes: u64, time: Duration| {
        format!("{:.1} MiB/s", bytes as f64 / f64::from(1 << 20) / time.as_secs_f64().max(1e-9))
    };
    let [bytes, write, verify] = match &card.outcome {
        Err(_) => [unknown(), unknown(), unknown()],
        Ok(written) if written.is_compared => [size(written.written), unknown(), unknown()],
        Ok(written) => [
            size(written.bytes),
            speed(written.bytes, written.write_time),
            speed(written.bytes, written.verify_time),
        ],
    };
    let name = |name: &Option<String>| name.as_deref().map_or_else(unknown, printable);
    let result = if card.is_verified() { "verified" } else { "FAILED" };
    [
        card.node.clone(),
        card.path.display().to_string(),
        name(&card.model),
        name(&card.serial),
        bytes,
        write,
        verify,
        result.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let ago = |seconds| ago(Duration::from_secs(seconds));
        assert_eq!(ago(59), "59 s");
        assert_eq!(ago(5 * 60 + 1), "5 min");
        assert_eq!(ago(119 * 60), "119 min");
        assert_eq!(ago(2 * 3600), "2 h");
        assert_eq!(ago(48 * 3600), "2 days");
    }

    #[test]
    fn the_command_to_continue_is_the_one_that_was_given() {
        let command = |words: &[&str]| how_to_continue(words.iter().map(|&word| word.to_owned()));
        assert_eq!(
            command(&["/usr/bin/nodecard", "flash", "my mc1.yaml", "--one-reader", "/dev/sdb"]),
            "nodecard flash 'my mc1.yaml' --one-reader /dev/sdb --resume"
        );
        let resumed = ["nodecard", "flash", "p.yaml", "--resume", "--one-reader=/dev/sdb"];
        assert_eq!(command(&resumed), resumed.join(" "));
    }
}
