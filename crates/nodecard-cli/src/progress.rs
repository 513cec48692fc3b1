//! Progress on stderr: bars on a terminal, plain lines otherwise.

use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nodecard::{BuildProgress, BuildStage, FlashPhase, FlashProgress, FlashResult};
use plain_text::size;

use crate::{error::print_line, terminal};

/// One bar for each stage of building, one after another.
#[derive(Debug, Default)]
pub struct StageBar {
    bar: Mutex<Option<ProgressBar>>,
}

impl StageBar {
    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a style for bars. NO_COLOR is respected by the console crate below indicatif.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl BuildProgress for StageBar {
    fn begin(&self, stage: BuildStage, total: u64) {
        if !terminal::is_interactive() {
            print_line(format_args!("{stage}"));
            return;
        }
        let template = match total {
            0 => "{msg} {spinner}",
            _ => "{msg:18} [{bar:30}] {bytes}/{total_bytes} {decimal_bytes_per_sec} {eta}",
        };
        let bar = ProgressBar::new(total).with_style(style(template));
        *self.bar() = Some(bar.with_message(stage.to_string()));
    }

    fn advance(&self, bytes: u64) {
        if let Some(bar) = &*self.bar() {
            bar.inc(bytes);
        }
    }

    fn end(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish();
        }
    }
}

/// A bar for each card.
pub struct CardBars {
    titles: Vec<String>,
    /// One for each card; none if stderr is not a terminal.
    bars: Vec<ProgressBar>,
}

impl CardBars {
    pub fn new(titles: Vec<String>) -> Self {
        let titles: Vec<String> = titles.iter().map(|title| terminal::shown(title)).collect();
        let mut bars = Vec::new();
        if terminal::is_interactive() {
            let style = style(
                "{prefix} {msg:9} [{bar:20}] {percent:>3} % {decimal_bytes_per_sec:>12} {eta:>4}",
            );
            let width = titles.iter().map(|title| title.chars().count()).max().unwrap_or(0);
            let all = MultiProgress::new();
            for title in &titles {
                let bar = all.add(ProgressBar::new(0)).with_style(style.clone());
                bars.push(bar.with_prefix(format!("{title:width$}")));
            }
        }
        CardBars { titles, bars }
    }

    fn title(&self, card: usize) -> &str {
        self.titles.get(card).map_or("", String::as_str)
    }
}

impl FlashProgress for CardBars {
    fn begin(&self, card: usize, phase: FlashPhase, total: u64) {
        match self.bars.get(card) {
            Some(bar) => {
                bar.reset();
                bar.set_length(total);
                bar.set_message(phase.to_string());
            }
            None => print_line(format_args!("{}: {phase} {}", self.title(card), size(total))),
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
            None => print_line(format_args!("{}: {result}", self.title(card))),
        }
    }
}
