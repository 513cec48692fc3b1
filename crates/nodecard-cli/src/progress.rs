//! Progress on stderr: bars on a terminal, plain lines otherwise.

use std::{
    io::{IsTerminal as _, stderr},
    sync::Mutex,
};

use card_image::{BuildProgress, BuildStage};
use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::tell;

/// Shows each stage as it goes.
#[derive(Debug, Default)]
pub struct Shown {
    bar: Mutex<Option<ProgressBar>>,
}

impl Shown {
    fn bar(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn style(total: u64) -> ProgressStyle {
    // NO_COLOR is respected by the console crate below indicatif.
    let template = match total {
        0 => "{msg} {spinner}",
        _ => "{msg:18} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl BuildProgress for Shown {
    fn begin(&self, stage: BuildStage, total: u64) {
        if !stderr().is_terminal() {
            tell(format_args!("{stage}"));
            return;
        }
        let bar = ProgressBar::new(total).with_style(style(total)).with_message(stage.to_string());
        *self.bar() = Some(bar);
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
