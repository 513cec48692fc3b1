//! Terminals that do not show what is typed.

use std::io;

use crate::system;

/// Whether a terminal that does not show what is typed still shows the end of the line.
pub const SHOWS_LINE_END: bool = system::SHOWS_LINE_END;

/// Returns whether another program may write to standard input: it is a pipe or a socket. On
/// Windows, where that is not looked at, it may.
pub fn may_be_answered_by_program() -> bool {
    system::input_may_be_pipe()
}

/// Makes SIGQUIT set the terminal at standard input as it is now, before the signal ends the
/// program. For questions that change the settings. Does nothing where there is no such signal.
pub fn restore_on_quit() {
    system::restore_on_quit();
}

/// Lets SIGQUIT end the program as if [`restore_on_quit`] had not been called.
pub fn forget_on_quit() {
    system::forget_on_quit();
}

/// How a terminal is set, or was before [`hide_typing`].
#[derive(Debug, Clone)]
pub struct TypingMode(system::TypingMode);

/// Lets the terminal at standard input not show what is typed, until the returned mode is
/// restored.
///
/// # Errors
/// Standard input is not a terminal.
pub fn hide_typing() -> io::Result<TypingMode> {
    system::hide_typing().map(TypingMode)
}

impl TypingMode {
    /// Returns how the terminal at standard input is set.
    ///
    /// # Errors
    /// Standard input is not a terminal.
    pub fn current() -> io::Result<Self> {
        system::typing_mode().map(TypingMode)
    }

    /// Returns the byte of the key that quits programs, usually Ctrl-\\. While typing is hidden, it
    /// ends a line with this byte instead.
    pub fn quit_code(&self) -> Option<u8> {
        system::quit_code(&self.0)
    }

    /// Sets the terminal at standard input like this again. Failures are ignored: nothing can be
    /// done about them.
    pub fn restore(&self) {
        system::restore_typing(&self.0);
    }
}
