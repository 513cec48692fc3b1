//! The settings of a terminal.

use std::io::{self, stdin};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr},
};

/// A code that nothing that is typed has: `_POSIX_VDISABLE`.
const DISABLED: u8 = if cfg!(target_os = "macos") { 0xff } else { 0 };

pub(crate) const SHOWS_LINE_END: bool = true;

pub(crate) type TypingMode = Termios;

pub(crate) fn input_may_be_pipe() -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    std::fs::metadata("/dev/stdin").is_ok_and(|found| {
        let kind = found.file_type();
        kind.is_fifo() || kind.is_socket()
    })
}

pub(crate) fn is_other_end_closed() -> bool {
    let input = stdin();
    let mut polled = [PollFd::new(&input, PollFlags::IN)];
    let done = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    done.is_ok() && polled[0].revents().contains(PollFlags::HUP)
}

pub(crate) fn typing_mode() -> io::Result<TypingMode> {
    Ok(tcgetattr(stdin())?)
}

pub(crate) fn hide_typing() -> io::Result<TypingMode> {
    let before = typing_mode()?;
    let mut hiding = before.clone();
    hiding.local_modes.remove(LocalModes::ECHO);
    hiding.local_modes.insert(LocalModes::ECHONL);
    // Ctrl-\\ would end the program before it can show what is typed again. It ends the line.
    let codes = &mut hiding.special_codes;
    codes[SpecialCodeIndex::VEOL] = codes[SpecialCodeIndex::VQUIT];
    codes[SpecialCodeIndex::VQUIT] = DISABLED;
    tcsetattr(stdin(), OptionalActions::Flush, &hiding)?;
    Ok(before)
}

pub(crate) fn quit_code(mode: &TypingMode) -> Option<u8> {
    Some(mode.special_codes[SpecialCodeIndex::VQUIT]).filter(|code| *code != DISABLED)
}

pub(crate) fn restore_typing(mode: &TypingMode) {
    let _ = tcsetattr(stdin(), OptionalActions::Flush, mode);
}
