//! Judges that a machine cannot offer, and what a test does without them.

use std::{env, io::Write as _, thread};

/// Says that a part of the running test is left out, and why: "NetworkManager was not asked:
/// that needs root". It goes to stderr past the test harness, which keeps to itself what a test
/// prints that passes.
///
/// # Panics
///
/// If `NODECARD_JUDGES` is `required`, which `scripts/test` sets where the machine has all that
/// the judges need: then a judge that is not asked is a failure.
pub fn not_judged(what: &str) {
    assert!(env::var("NODECARD_JUDGES").as_deref() != Ok("required"), "{what}");
    not_supported(what);
}

/// Says that a part of the running test is left out because this kernel does not have what it
/// needs, as [`not_judged`] does. It is never a failure: another kernel may have less.
pub fn not_supported(what: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    // A closed stderr is no reason to fail.
    let _ = writeln!(std::io::stderr().lock(), "NOT JUDGED: {test}: {what}");
}

/// Returns whether `available`; says otherwise what is left out, as [`not_judged`] does.
pub fn judged_if(available: bool, what: &str) -> bool {
    if !available {
        not_judged(what);
    }
    available
}
