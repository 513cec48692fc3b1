//! A case that does not end is a failure.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

/// Longer than any case takes on any machine.
const LIMIT: Duration = Duration::from_secs(30);

/// Ends the watch over a case.
pub struct Guard(Arc<(Mutex<bool>, Condvar)>);

impl Drop for Guard {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// Watches a case.
pub fn guard(case: &str) -> Guard {
    let case = case.to_owned();
    let state = Arc::new((Mutex::new(false), Condvar::new()));
    let watched = state.clone();
    std::thread::spawn(move || {
        let done = watched.0.lock().unwrap();
        let (done, _) = watched.1.wait_timeout_while(done, LIMIT, |done| !*done).unwrap();
        if !*done {
            eprintln!("{case} hangs");
            std::process::abort();
        }
    });
    Guard(state)
}
