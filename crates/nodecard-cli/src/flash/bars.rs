//! Progress of several cards on stderr: a bar for each on a terminal, plain
//! lines otherwise.

use std::io::{IsTerminal as _, stderr};

use card_flash::{FlashPhase, FlashProgress, FlashResult};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::{failure::tell, setup::mebibytes};

/// Shows how far each card is.
pub struct Bars {
    titles: Vec<String>,
    /// One for each card; none if stderr is no terminal.
    bars: Vec<ProgressBar>,
}

impl Bars {
    /// For cards with these titles.
    pub fn new(titles: Vec<String>) -> Self {
        let mut bars = Vec::new();
        if stderr().is_terminal() {
            // NO_COLOR is respected by the console crate below indicatif.
            let style = ProgressStyle::with_template(
                "{prefix} {msg:9} [{bar:20}] {percent:>3} % {bytes_per_sec:>12} {eta:>4}",
            );
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            let width = titles.iter().map(|title| title.chars().count()).max().unwrap_or(0);
            let all = MultiProgress::new();
            for title in &titles {
                let bar = all.add(ProgressBar::new(0)).with_style(style.clone());
                bars.push(bar.with_prefix(format!("{title:width$}")));
            }
        }
        Bars { titles, bars }
    }
}

impl FlashProgress for Bars {
    fn begin(&self, card: usize, phase: FlashPhase, total: u64) {
        match self.bars.get(card) {
            Some(bar) => {
                bar.reset();
                bar.set_length(total);
                bar.set_message(phase.to_string());
            }
            None => tell(format_args!("{}: {phase} {}", self.titles[card], mebibytes(total))),
        }
    }

    fn advance(&self, card: usize, bytes: u64) {
        if let Some(bar) = self.bars.get(card) {
            bar.inc(bytes);
        }
    }

    fn end(&self, card: usize, outcome: &FlashResult) {
        let result = if outcome.is_ok() { "done" } else { "FAILED" };
        match self.bars.get(card) {
            Some(bar) => bar.abandon_with_message(result),
            None => tell(format_args!("{}: {result}", self.titles[card])),
        }
    }
}
