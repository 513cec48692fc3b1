//! The settings of a terminal.

use std::io::{self, stdin};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

pub(crate) const SHOWS_LINE_END: bool = true;

pub(crate) type TypingMode = Termios;

pub(crate) fn typing_mode() -> io::Result<TypingMode> {
    Ok(tcgetattr(stdin())?)
}

pub(crate) fn hide_typing() -> io::Result<TypingMode> {
    let before = typing_mode()?;
    let mut hiding = before.clone();
    hiding.local_modes.remove(LocalModes::ECHO);
    hiding.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(stdin(), OptionalActions::Flush, &hiding)?;
    Ok(before)
}

pub(crate) fn restore_typing(mode: &TypingMode) {
    let _ = tcsetattr(stdin(), OptionalActions::Flush, mode);
}
