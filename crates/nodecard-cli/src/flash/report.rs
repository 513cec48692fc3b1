//! What became of each card.

use std::{
    io::{Write as _, stdout},
    path::PathBuf,
    time::Duration,
};

use card_flash::{FlashResult, device::Target};
use card_image::CardBuilder;
use cluster_profile::Node;
use serde_json::{Value, json};

use crate::{args::FlashArgs, failure::Failure, setup::mebibytes};

/// The report at the end.
pub struct Report {
    pub cards: Vec<Line>,
    root_reason: String,
    notes: Vec<String>,
}

/// One card.
pub struct Line {
    pub node: String,
    device: PathBuf,
    model: Option<String>,
    serial: Option<String>,
    size: u64,
    outcome: FlashResult,
}

impl Line {
    pub fn new(node: &Node, target: &Target, outcome: FlashResult) -> Self {
        Line {
            node: node.name.clone(),
            device: target.path().to_owned(),
            model: target.device().and_then(|device| device.model.clone()),
            serial: target.device().and_then(|device| device.serial.clone()),
            size: target.size(),
            outcome,
        }
    }

    pub fn is_done(&self) -> bool {
        self.outcome.is_ok()
    }

    fn json(&self) -> Value {
        let written = self.outcome.as_ref().ok();
        let speed = |time: fn(&card_flash::WriteReport) -> Duration| {
            written.map(|written| written.bytes as f64 / time(written).as_secs_f64())
        };
        json!({
            "node": self.node,
            "device": self.device,
            "model": self.model,
            "serial": self.serial,
            "size": self.size,
            "result": if self.is_done() { "verified" } else { "failed" },
            "error": self.outcome.as_ref().err().map(|error| error.fault.to_string()),
            "bytes": written.map(|written| written.bytes),
            "write_seconds": written.map(|written| written.write_time.as_secs_f64()),
            "verify_seconds": written.map(|written| written.verify_time.as_secs_f64()),
            "write_bytes_per_second": speed(|written| written.write_time),
            "verify_bytes_per_second": speed(|written| written.verify_time),
            "notes": written.map(|written| &written.notes),
        })
    }

    /// The columns of the table.
    fn columns(&self) -> [String; 8] {
        let speed = |bytes: u64, time: Duration| {
            format!("{:.1} MB/s", bytes as f64 / 1e6 / time.as_secs_f64().max(1e-9))
        };
        let unknown = || "-".to_owned();
        let [bytes, write, verify] = match &self.outcome {
            Err(_) => [unknown(), unknown(), unknown()],
            Ok(written) => [
                mebibytes(written.bytes),
                speed(written.bytes, written.write_time),
                speed(written.bytes, written.verify_time),
            ],
        };
        [
            self.node.clone(),
            self.device.display().to_string(),
            self.model.clone().unwrap_or_else(unknown),
            self.serial.clone().unwrap_or_else(unknown),
            bytes,
            write,
            verify,
            if self.is_done() { "verified" } else { "FAILED" }.to_owned(),
        ]
    }
}

impl Report {
    pub fn new(prepared: &CardBuilder) -> Self {
        let root_reason = prepared.root_reason().to_owned();
        Report { cards: Vec::new(), root_reason, notes: Vec::new() }
    }

    /// Adds what the user should know, once.
    pub fn add_notes(&mut self, notes: Vec<String>) {
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Prints it, and fails if a card did.
    pub fn print(mut self, args: &FlashArgs) -> Result<(), Failure> {
        let written = self.cards.iter().filter_map(|card| card.outcome.as_ref().ok());
        let notes: Vec<String> = written.flat_map(|written| written.notes.clone()).collect();
        self.add_notes(notes);
        if args.json {
            self.print_json()?
        } else {
            self.print_text(args)?
        }
        let errors: Vec<_> =
            self.cards.iter().filter_map(|card| card.outcome.as_ref().err()).collect();
        match errors.as_slice() {
            [] => Ok(()),
            errors if errors.iter().all(|error| error.fault.is_cancelled()) => {
                Err(Failure::Interrupted)
            }
            _ => Err(Failure::Flashed),
        }
    }

    fn print_json(&self) -> Result<(), Failure> {
        let cards: Vec<Value> = self.cards.iter().map(Line::json).collect();
        let report =
            json!({ "root_reason": self.root_reason, "notes": self.notes, "cards": cards });
        Ok(writeln!(stdout().lock(), "{report:#}")?)
    }

    fn print_text(&self, args: &FlashArgs) -> Result<(), Failure> {
        let mut to = stdout().lock();
        writeln!(to, "root filesystem: {}", self.root_reason)?;
        for note in &self.notes {
            writeln!(to, "note: {note}")?;
        }
        let titles =
            ["node", "device", "model", "serial", "written", "writing", "read back", "result"];
        let rows = || {
            let cards = self.cards.iter().map(Line::columns);
            std::iter::once(titles.map(str::to_owned)).chain(cards)
        };
        let mut widths = [0; 8];
        for row in rows() {
            for (width, cell) in widths.iter_mut().zip(&row) {
                *width = cell.chars().count().max(*width);
            }
        }
        writeln!(to)?;
        for row in rows() {
            let cells: Vec<String> =
                row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(to, "{}", cells.join("  ").trim_end())?;
        }
        writeln!(to)?;
        for card in &self.cards {
            if let Err(error) = &card.outcome {
                writeln!(to, "{error}")?;
            }
        }
        let failed: Vec<_> = self.cards.iter().filter(|card| !card.is_done()).collect();
        if let (false, None) = (failed.is_empty(), &args.one_reader) {
            let again: Vec<String> = failed
                .iter()
                .map(|card| format!("{}={}", card.node, card.device.display()))
                .collect();
            let profile = args.profile.display();
            writeln!(to, "again: nodecard flash {profile} {}", again.join(" "))?;
        }
        let done: Vec<String> = self
            .cards
            .iter()
            .filter(|card| card.is_done())
            .map(|card| card.device.display().to_string())
            .collect();
        if !done.is_empty() {
            writeln!(to, "safe to remove: {}", done.join(" "))?;
        }
        Ok(())
    }
}
