//! The only place that writes to standard output and standard error.
//!
//! Much of what is printed is foreign: names from images, labels, models of devices, lines of
//! profiles, paths. Whatever it is, everything passes through here, and characters that act on
//! a terminal are escaped. The only escape sequences that reach a terminal are those of the
//! progress bars and of clap's own messages, and [`shown`] is applied to what these contain.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _, stderr, stdout},
};

use crate::output;
use plain_text::{escaped_json, escaped_lines, is_unsafe, printable};

/// Prints text on standard output.
///
/// # Errors
/// Those of writing.
pub fn print(text: fmt::Arguments) -> io::Result<()> {
    stdout().lock().write_all(escaped_lines(&text.to_string()).as_bytes())
}

/// Prints bytes of the program itself on standard output, which hold nothing that others wrote.
///
/// # Errors
/// Those of writing.
pub fn print_own(bytes: &[u8]) -> io::Result<()> {
    stdout().lock().write_all(bytes)
}

/// Prints a JSON document and the end of a line on standard output.
///
/// # Errors
/// Those of writing.
pub fn print_json(json: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(escaped_json(json).as_bytes())?;
    out.write_all(b"\n")
}

/// Prints text on standard error. Text that cannot be printed is no reason to fail.
pub fn print_error(text: fmt::Arguments) {
    let _ = stderr().lock().write_all(escaped_lines(&text.to_string()).as_bytes());
}

/// Prints a line on standard error, with its label in colour if the user wants that.
pub fn print_error_line(line: &str) {
    let line = output::with_label(&escaped_lines(line));
    let _ = writeln!(stderr().lock(), "{line}");
}

/// Prints text on standard error whose escape sequences are those of its renderer, which has
/// replaced all others.
pub fn print_styled(text: String) {
    let _ = writeln!(stderr().lock(), "{text}");
}

/// Returns whether standard error is a terminal.
pub fn is_interactive() -> bool {
    stderr().is_terminal()
}

/// Returns the width of lines of text in characters: that of the terminal, but at most 79, which
/// is easy to read.
pub fn width() -> usize {
    const WIDEST: usize = 79;
    const NARROWEST: usize = 40;
    let of_terminal = dialoguer::console::Term::stderr().size_checked();
    of_terminal
        .map_or(WIDEST, |(_, columns)| usize::from(columns).saturating_sub(1))
        .clamp(NARROWEST, WIDEST)
}

/// Shows the cursor again, which is hidden while the user chooses.
pub fn show_cursor() {
    let terminal = dialoguer::console::Term::stderr();
    if terminal.is_term() {
        let _ = terminal.show_cursor();
    }
}

/// Returns text for a progress bar.
pub fn shown(text: &str) -> String {
    printable(text)
}

/// Prints what clap says about the arguments: the help on standard output, mistakes on standard
/// error.
///
/// # Errors
/// Those of writing.
pub fn print_usage(error: &clap::Error) -> io::Result<()> {
    let is_plain = |argument: String| !argument.chars().any(is_unsafe);
    if std::env::args_os().all(|argument| is_plain(argument.to_string_lossy().into_owned())) {
        error.print()?;
        return stdout().flush();
    }
    // Its colors are mixed with what the arguments contain.
    print_error(format_args!("{}", error.render()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// Returns the source files of a directory and those below.
    fn sources(dir: &Path) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn nothing_else_writes_to_a_terminal() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let files = sources(&dir);
        assert!(files.len() > 10, "{files:?}");
        for path in files.iter().filter(|path| !path.ends_with("terminal.rs")) {
            let text = fs::read_to_string(path).unwrap();
            for way in ["stdout()", "stderr()", "println!", "print!(", "dbg!"] {
                assert!(!text.contains(way), "{} has {way}", path.display());
            }
        }
    }
}
