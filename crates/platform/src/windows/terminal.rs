//! The settings of a console.
#![allow(unsafe_code)]

use std::io;

use windows_sys::Win32::System::Console::{
    ENABLE_ECHO_INPUT, GetConsoleMode, GetStdHandle, STD_INPUT_HANDLE, SetConsoleMode,
};

pub(crate) const SHOWS_LINE_END: bool = false;

pub(crate) type TypingMode = u32;

pub(crate) fn input_may_be_pipe() -> bool {
    true
}

pub(crate) fn typing_mode() -> io::Result<TypingMode> {
    let mut mode = 0;
    // SAFETY: a handle that is not a console's is refused.
    let done = unsafe { GetConsoleMode(GetStdHandle(STD_INPUT_HANDLE), &raw mut mode) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(mode) }
}

pub(crate) fn hide_typing() -> io::Result<TypingMode> {
    let mode = typing_mode()?;
    if set(mode & !ENABLE_ECHO_INPUT) { Ok(mode) } else { Err(io::Error::last_os_error()) }
}

/// There is no such signal.
pub(crate) fn restore_on_quit() {}

pub(crate) fn forget_on_quit() {}

pub(crate) fn quit_code(_: &TypingMode) -> Option<u8> {
    None
}

pub(crate) fn restore_typing(mode: &TypingMode) {
    set(*mode);
}

fn set(mode: u32) -> bool {
    // SAFETY: a handle that is not a console's is refused.
    unsafe { SetConsoleMode(GetStdHandle(STD_INPUT_HANDLE), mode) != 0 }
}
