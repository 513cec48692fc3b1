//! How much is printed, in which form, and in which colours.

use std::{env, sync::OnceLock};

use crate::terminal;

/// How much is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors and questions only.
    Quiet,
    Normal,
    /// Also how long each stage took.
    Verbose,
}

static VERBOSITY: OnceLock<Verbosity> = OnceLock::new();

/// Sets how much is printed. Later calls have no effect.
pub fn set_verbosity(verbosity: Verbosity) {
    let _ = VERBOSITY.set(verbosity);
}

/// Returns how much is printed.
pub fn verbosity() -> Verbosity {
    VERBOSITY.get().copied().unwrap_or(Verbosity::Normal)
}

/// Returns whether reports and errors are printed as JSON.
pub fn is_json() -> bool {
    // Asked before the arguments are parsed too, so that wrong ones are reported as JSON.
    env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json")
}

/// Returns whether messages on stderr are coloured: on a terminal, unless NO_COLOR
/// (no-color.org) or CLICOLOR=0 is set, or wherever CLICOLOR_FORCE is (bixense.com/clicolors).
pub fn is_coloured() -> bool {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
    decide(terminal::is_interactive(), |name| variable(name).map(|value| value == "0"))
}

/// `variable` returns whether a variable that is set is `0`.
fn decide(is_terminal: bool, variable: impl Fn(&'static str) -> Option<bool>) -> bool {
    match (variable("NO_COLOR"), variable("CLICOLOR_FORCE"), variable("CLICOLOR")) {
        (Some(_), _, _) => false,
        (_, Some(false), _) => true,
        (_, _, Some(true)) => false,
        _ => is_terminal && env::var_os("TERM").is_some_and(|term| term != "dumb"),
    }
}

/// Returns a message with its first label, such as `error:`, in colour.
pub fn with_label(message: &str) -> String {
    const LABELS: [(&str, &str); 4] =
        [("error:", "1;31"), ("warning:", "1;33"), ("note:", "1;36"), ("fix:", "1;32")];
    let start = message.len() - message.trim_start().len();
    let (indent, text) = message.split_at(start);
    let found =
        LABELS.iter().find_map(|(label, style)| Some((label, style, text.strip_prefix(label)?)));
    match found.filter(|_| is_coloured()) {
        Some((label, style, rest)) => format!("{indent}\x1b[{style}m{label}\x1b[0m{rest}"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_decide_about_colours() {
        let decide = |terminal, set: &[(&str, bool)]| {
            decide(terminal, |name| {
                set.iter().find(|(other, _)| *other == name).map(|(_, is_zero)| *is_zero)
            })
        };
        assert!(!decide(false, &[]));
        assert!(decide(false, &[("CLICOLOR_FORCE", false)]));
        assert!(!decide(false, &[("CLICOLOR_FORCE", true)]));
        assert!(!decide(true, &[("NO_COLOR", false)]));
        assert!(!decide(true, &[("NO_COLOR", true), ("CLICOLOR_FORCE", false)]));
        assert!(!decide(true, &[("CLICOLOR", true)]));
    }
}
