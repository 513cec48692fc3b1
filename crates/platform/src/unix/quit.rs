//! A terminal that SIGQUIT does not leave silent.
//!
//! The signal keeps its effect: it ends the program and may leave a core dump.
#![allow(unsafe_code)]

use std::{
    mem::{MaybeUninit, zeroed},
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

/// The settings to go back to, or null. Never freed, because the handler may be using them.
static SETTINGS: AtomicPtr<libc::termios> = AtomicPtr::new(ptr::null_mut());

/// Makes SIGQUIT set the terminal at standard input as it is now, before it ends the program.
pub(crate) fn restore_on_quit() {
    if let Some(settings) = settings() {
        SETTINGS.store(Box::into_raw(Box::new(settings)), Ordering::SeqCst);
        set_handler(restore as *const () as libc::sighandler_t);
    }
}

/// Undoes [`restore_on_quit`].
pub(crate) fn forget_on_quit() {
    if !SETTINGS.swap(ptr::null_mut(), Ordering::SeqCst).is_null() {
        set_handler(libc::SIG_DFL);
    }
}

fn settings() -> Option<libc::termios> {
    let mut settings = MaybeUninit::uninit();
    // SAFETY: there is room for the settings.
    let failed = unsafe { libc::tcgetattr(libc::STDIN_FILENO, settings.as_mut_ptr()) };
    // SAFETY: they were written, as the result says.
    (failed == 0).then(|| unsafe { settings.assume_init() })
}

/// Sets what SIGQUIT does, once: while the handler runs, it is what it was at first.
fn set_handler(handler: libc::sighandler_t) {
    // SAFETY: all fields may be zero, and the handler only does what handlers may do.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_RESETHAND;
        libc::sigaction(libc::SIGQUIT, &raw const action, ptr::null_mut());
    }
}

extern "C" fn restore(signal: libc::c_int) {
    let settings = SETTINGS.load(Ordering::SeqCst);
    // SAFETY: tcsetattr(3) and raise(3) are safe in handlers, by signal-safety(7), and settings
    // are never freed.
    unsafe {
        if !settings.is_null() {
            libc::tcsetattr(libc::STDIN_FILENO, libc::TCSAFLUSH, settings);
        }
        // Its effect comes when the handler returns.
        libc::raise(signal);
    }
}
