//! Questions to the user, and Ctrl-C.

use std::{
    fmt,
    io::{self, BufRead as _, IsTerminal as _, stdin},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use nodecard::Cancel;
use platform::terminal::{
    SHOWS_LINE_END, TypingMode, forget_on_quit, hide_typing, is_other_end_closed,
    may_be_answered_by_program, restore_on_quit,
};

use crate::{
    error::{CommandError, print_interrupted_again, print_line},
    terminal,
};

/// How long work in memory has to notice a request to stop. On a busy computer, freeing its memory
/// takes most of the second in which the program promises to end.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a run may clean up before it says so.
const UNEXPLAINED: Duration = Duration::from_millis(500);

/// Whether the user is being asked something. Nothing is being written then, and nothing
/// checks for a request to stop.
static IS_ASKING: AtomicBool = AtomicBool::new(false);

/// What is printed if the run ends early.
static PARTING_NOTES: Mutex<PartingNotes> =
    Mutex::new(PartingNotes { new_keys: None, how_to_continue: None });

/// What a user needs to know whose run ends early.
struct PartingNotes {
    /// Which keys were created.
    new_keys: Option<String>,
    /// The command that continues.
    how_to_continue: Option<String>,
}

fn parting_notes() -> MutexGuard<'static, PartingNotes> {
    PARTING_NOTES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets the line about new keys that is printed if the run ends early. `None` if a report has it.
pub fn set_note_of_new_keys(line: Option<String>) {
    parting_notes().new_keys = line;
}

/// Sets the line that says how to continue if the run ends early.
pub fn set_how_to_continue(line: String) {
    parting_notes().how_to_continue = Some(line);
}

/// Prints what a user needs to know whose run ends early, once.
pub fn print_parting_notes() {
    let mut notes = parting_notes();
    let lines = [notes.new_keys.take(), notes.how_to_continue.take()];
    drop(notes);
    for line in lines.into_iter().flatten() {
        print_line(format_args!("{line}"));
    }
}

/// The settings of the terminal before a question that changes them.
static BEFORE_ASKING: Mutex<Option<TypingMode>> = Mutex::new(None);

/// The exit code of a program that SIGQUIT (3) has ended, as shells report it.
const QUIT: i32 = 128 + 3;

/// Returns whether a user is at the terminal.
pub fn is_at_terminal() -> bool {
    stdin().is_terminal()
}

/// Returns whether questions may be answered: at a terminal, or by a program at the other end of
/// a pipe.
pub fn is_somebody_there() -> bool {
    is_at_terminal() || (may_be_answered_by_program() && !has_ended())
}

/// Returns whether a pipe has no more answers. Reading from one that is closed does not wait.
fn has_ended() -> bool {
    is_other_end_closed() && stdin().lock().fill_buf().is_ok_and(<[u8]>::is_empty)
}

/// Prints a question on stderr and returns the answer, or `None` if there is none. Answers
/// are read from standard input, a terminal or not: a script may answer, but has to know the
/// answer.
pub fn ask(question: fmt::Arguments) -> Option<String> {
    // Whoever sees the question may press Ctrl-C.
    IS_ASKING.store(true, Ordering::Relaxed);
    terminal::print_error(format_args!("{question} "));
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

/// Runs a question of another kind, during which Ctrl-C ends the program. Such a question takes
/// the terminal out of its line mode once it is printed, and back when it is answered.
pub fn while_asking<T>(question: impl FnOnce() -> T) -> T {
    *BEFORE_ASKING.lock().unwrap_or_else(PoisonError::into_inner) = TypingMode::current().ok();
    IS_ASKING.store(true, Ordering::Relaxed);
    restore_on_quit();
    let answer = question();
    forget_on_quit();
    IS_ASKING.store(false, Ordering::Relaxed);
    *BEFORE_ASKING.lock().unwrap_or_else(PoisonError::into_inner) = None;
    answer
}

/// Asks on the terminal, like [`ask`], without showing what is typed. Returns the line as it
/// is, or `None` if there is none.
///
/// # Errors
/// Standard input is not a terminal, or cannot be read.
pub fn ask_hidden(question: fmt::Arguments) -> io::Result<Option<String>> {
    let before = TypingMode::current()?;
    let quit = before.quit_code();
    // Whoever sees the question may press Ctrl-C.
    *BEFORE_ASKING.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
    IS_ASKING.store(true, Ordering::Relaxed);
    restore_on_quit();
    if let Err(error) = hide_typing() {
        IS_ASKING.store(false, Ordering::Relaxed);
        restore_typing();
        return Err(error);
    }
    terminal::print_error(format_args!("{question} "));
    let answer = read_line_or_quit(quit);
    IS_ASKING.store(false, Ordering::Relaxed);
    restore_typing();
    let answer = answer?;
    if quit.is_some() && answer.last().copied() == quit {
        print_line(format_args!(""));
        std::process::exit(QUIT);
    }
    if !SHOWS_LINE_END {
        print_line(format_args!(""));
    }
    let answer = String::from_utf8(answer)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok((!answer.is_empty()).then(|| answer.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Reads a line, which the key that quits programs may end too.
fn read_line_or_quit(quit: Option<u8>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut input = stdin().lock();
    loop {
        let bytes = input.fill_buf()?;
        let is_end = |byte: &u8| *byte == b'\n' || Some(*byte) == quit;
        let end = bytes.iter().position(is_end).map(|at| at + 1);
        let length = end.unwrap_or(bytes.len());
        line.extend(bytes.iter().take(length));
        input.consume(length);
        if end.is_some() || length == 0 {
            return Ok(line);
        }
    }
}

/// Sets the terminal as it was before the question.
fn restore_typing() {
    let before = BEFORE_ASKING.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        before.restore();
    }
    forget_on_quit();
}

/// Ends the program soon if all that it does is in memory and takes long. Otherwise it says what
/// the user is waiting for, and how not to wait.
fn end_without(token: &Cancel) -> ! {
    let asked = Instant::now();
    let mut is_explained = false;
    std::thread::sleep(PATIENCE);
    while !token.abandon() {
        if !is_explained && asked.elapsed() > UNEXPLAINED {
            is_explained = true;
            print_line(format_args!(
                "note: cleaning up; Ctrl-C again ends nodecard at once and leaves this to the next \
                 run"
            ));
        }
        std::thread::sleep(PATIENCE / 4);
    }
    terminal::show_cursor();
    print_parting_notes();
    restore_typing();
    CommandError::Interrupted.report();
    std::process::exit(130)
}

/// Returns a token that Ctrl-C, SIGTERM and a terminal that goes away cancel, so that the
/// work stops and cleans up. The second of them ends the program at once: temporary files stay
/// until the next run removes them, and a card that is being written stays marked as unfinished.
pub fn cancel_on_interrupt() -> Cancel {
    let cancel = Cancel::new();
    let token = cancel.clone();
    let handler = move || {
        let is_second = token.check().is_err();
        if is_second || IS_ASKING.load(Ordering::Relaxed) {
            terminal::show_cursor();
            // Whatever follows starts on a line of its own.
            print_line(format_args!(""));
            if is_second {
                print_interrupted_again();
            }
            print_parting_notes();
            // Last, because the question may change the settings meanwhile.
            restore_typing();
            std::process::exit(130);
        }
        token.cancel();
        let token = token.clone();
        std::thread::spawn(move || end_without(&token));
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        print_line(format_args!("warning: Ctrl-C will stop without cleaning up: {error}"));
    }
    cancel
}
