//! Questions to the user, and Ctrl-C.

use std::{
    fmt,
    io::{BufRead as _, IsTerminal as _, Write as _, stderr, stdin},
    sync::atomic::{AtomicBool, Ordering},
};

use nodecard::Cancel;

use crate::error::print_line;

/// Whether the user is being asked something. Nothing is being written then, and nothing
/// checks for a request to stop.
static IS_ASKING: AtomicBool = AtomicBool::new(false);

/// Prints a question on stderr and returns the answer, or `None` if there is none. Answers
/// are read from standard input, a terminal or not: a script may answer, but has to know the
/// answer.
pub fn ask(question: fmt::Arguments) -> Option<String> {
    let _ = write!(stderr().lock(), "{question} ");
    IS_ASKING.store(true, Ordering::Relaxed);
    let mut answer = String::new();
    let read = stdin().lock().read_line(&mut answer);
    IS_ASKING.store(false, Ordering::Relaxed);
    if !stdin().is_terminal() {
        // Nobody has typed the end of this line.
        print_line(format_args!(""));
    }
    match read {
        Ok(length) if length > 0 => Some(answer.trim().to_owned()),
        _ => None,
    }
}

/// Returns a token that Ctrl-C, SIGTERM and a terminal that goes away cancel, so that the
/// work stops and cleans up. The second of them ends the program at once.
pub fn cancel_on_interrupt() -> Cancel {
    let cancel = Cancel::new();
    let token = cancel.clone();
    let handler = move || {
        if token.check().is_err() || IS_ASKING.load(Ordering::Relaxed) {
            // Whatever follows starts on a line of its own.
            print_line(format_args!(""));
            std::process::exit(130);
        }
        token.cancel();
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        print_line(format_args!("warning: Ctrl-C will stop without cleaning up: {error}"));
    }
    cancel
}
