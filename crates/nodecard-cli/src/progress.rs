//! Progress on stderr: bars on a terminal, plain lines otherwise.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nodecard::{BuildProgress, BuildStage, FlashPhase, FlashProgress, FlashResult};
use plain_text::size;

use crate::{
    error::print_line,
    output::{Verbosity, verbosity},
    terminal,
};

/// The longest title of a card that is shown. With it, a line has 60 columns.
const TITLE: usize = 19;

/// Without a bar, a line says how large a decoded image is by now: first at this size in bytes,
/// and whenever it has doubled.
const FIRST_LINE: u64 = 4 << 30;

/// One bar for each stage of building, one after another.
#[derive(Debug, Default)]
pub struct StageBar {
    running: Mutex<Option<Running>>,
    /// The stage that was printed last, where there are no bars.
    announced: Mutex<Option<BuildStage>>,
}

/// The stage that is running.
#[derive(Debug)]
struct Running {
    stage: BuildStage,
    /// `None` if stderr is not a terminal.
    bar: Option<ProgressBar>,
    begun: Instant,
    /// The decoded size in bytes at which the next line is due.
    next_line: u64,
}

impl StageBar {
    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a style for bars. NO_COLOR is respected by the console crate below indicatif.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// Leaves a bar as it is, on a line of its own.
fn leave(bar: &ProgressBar) {
    if bar.length().is_some_and(|length| length > 0 && bar.position() >= length) {
        bar.finish();
    } else {
        bar.abandon();
    }
    // Bars end without a line end.
    print_line(format_args!(""));
}

impl BuildProgress for StageBar {
    fn begin(&self, stage: BuildStage, total: u64) {
        let bar = if verbosity() == Verbosity::Quiet {
            None
        } else if terminal::is_interactive() {
            // 60 columns with the longest speed.
            let template = match total {
                0 => "{msg} {spinner}",
                _ => "{msg:21} [{bar:7}] {percent:>3}% {binary_bytes_per_sec:>13} {eta:>4} left",
            };
            let bar = ProgressBar::new(total).with_style(style(template));
            Some(bar.with_message(stage.to_string()))
        } else {
            // An image with checksums is checked whenever it is opened.
            let announced =
                self.announced.lock().unwrap_or_else(PoisonError::into_inner).replace(stage);
            if announced != Some(stage) {
                print_line(format_args!("{stage}"));
            }
            None
        };
        *self.running() =
            Some(Running { stage, bar, begun: Instant::now(), next_line: FIRST_LINE });
    }

    fn advance(&self, bytes: u64) {
        if let Some(Running { bar: Some(bar), .. }) = &*self.running() {
            bar.inc(bytes);
        }
    }

    fn decoded(&self, bytes: u64) {
        let mut running = self.running();
        let Some(running) = &mut *running else { return };
        match &running.bar {
            Some(bar) if bytes > 0 => bar.set_message(format!("decoded {}", size(bytes))),
            None if bytes >= running.next_line && verbosity() > Verbosity::Quiet => {
                print_line(format_args!("{}: {} so far", running.stage, size(bytes)));
                running.next_line = bytes.saturating_mul(2);
            }
            _ => {}
        }
    }

    fn end(&self) {
        let Some(Running { stage, bar, begun, .. }) = self.running().take() else { return };
        if let Some(bar) = bar {
            leave(&bar);
        }
        if verbosity() == Verbosity::Verbose {
            print_line(format_args!("{stage}: {:.1} s", begun.elapsed().as_secs_f64()));
        }
    }
}

/// Returns the title of a card for a bar. One that is too long has the name of the device or file
/// without its directory, and is cut visibly if that is still too long.
fn short(title: &str) -> String {
    let title = title.replace(" on /dev/", " ");
    if title.chars().count() <= TITLE {
        return title;
    }
    let text = match title.split_once(" on ") {
        Some((node, path)) => format!("{node} {}", path.rsplit('/').next().unwrap_or(path)),
        None => title,
    };
    if text.chars().count() <= TITLE {
        return text;
    }
    text.chars().take(TITLE - 1).chain(['\u{2026}']).collect()
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
        if terminal::is_interactive() && verbosity() > Verbosity::Quiet {
            let style =
                style("{prefix} {msg:9} {percent:>3}% {binary_bytes_per_sec:>13} {eta:>4} left");
            let width = titles.iter().map(|title| short(title).chars().count()).max().unwrap_or(0);
            let all = MultiProgress::new();
            for title in &titles {
                // The length comes with the first phase. Of a length of zero, nothing is already
                // 100 %.
                let bar = all.add(ProgressBar::new(1)).with_style(style.clone());
                bars.push(bar.with_prefix(format!("{:width$}", short(title))));
            }
        }
        CardBars { titles, bars }
    }

    fn title(&self, card: usize) -> &str {
        self.titles.get(card).map_or("", String::as_str)
    }

    fn print(&self, line: std::fmt::Arguments) {
        if verbosity() > Verbosity::Quiet {
            print_line(line);
        }
    }
}

impl Drop for CardBars {
    fn drop(&mut self) {
        if !self.bars.is_empty() {
            print_line(format_args!(""));
        }
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
            None => self.print(format_args!("{}: {phase} {}", self.title(card), size(total))),
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
            Some(bar) => {
                bar.set_style(style("{prefix} {msg:9} {percent:>3}% "));
                bar.abandon_with_message(result);
            }
            None => self.print(format_args!("{}: {result}", self.title(card))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_cut_where_it_is_seen() {
        for (title, shown) in [
            ("xu4-master on /dev/sdb", "xu4-master sdb"),
            ("xu4-master on a.img", "xu4-master on a.img"),
            ("xu4-node1 on /mnt/cards/a.img", "xu4-node1 a.img"),
            ("xu4-node1.img.zst on /dev/mmcblk0", "xu4-node1.img.zst \u{2026}"),
        ] {
            assert_eq!(short(title), shown);
            assert!(short(title).chars().count() <= TITLE);
        }
    }
}
