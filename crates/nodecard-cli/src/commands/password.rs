//! `nodecard password`.

use std::{
    io::{IsTerminal as _, Read as _, stdin},
    process::ExitCode,
};

use nodecard::PasswordHash;
use serde_json::json;

use crate::{
    args::PasswordArgs,
    error::CommandError,
    prompt::{ask_hidden, cancel_on_interrupt},
    report, terminal,
};

/// The most bytes of standard input that are read; no password is longer.
const LONGEST_INPUT: u64 = 4096;

pub fn run(args: &PasswordArgs) -> Result<ExitCode, CommandError> {
    // Ctrl-C has to leave a terminal that shows what is typed.
    let _cancel = cancel_on_interrupt();
    let password = if stdin().is_terminal() { asked("Password")? } else { piped()? };
    let hash = PasswordHash::of(&password).map_err(nodecard::Error::from)?;
    if args.json.json {
        report::print_json(&json!({ "hash": hash.as_str() }))?;
    } else {
        terminal::print(format_args!("{}\n", hash.as_str()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks for a password twice. The caller has seen to Ctrl-C.
pub fn asked(what: &str) -> Result<String, CommandError> {
    let usage = |message: &str| CommandError::Usage {
        message: message.to_owned(),
        fix: "type the same password twice",
    };
    let ask = |question: std::fmt::Arguments| {
        let answer = ask_hidden(question).map_err(|_| usage("the password cannot be read"))?;
        answer.ok_or_else(|| usage("no password was typed"))
    };
    let password = ask(format_args!("{what}:"))?;
    if ask(format_args!("{what} again:"))? != password {
        return Err(usage("the two passwords differ"));
    }
    Ok(password)
}

/// Reads the one line of standard input.
fn piped() -> Result<String, CommandError> {
    let usage = |message: &str| CommandError::Usage {
        message: message.to_owned(),
        fix: "write the password as one line of UTF-8 to standard input",
    };
    let mut text = String::new();
    stdin()
        .lock()
        .take(LONGEST_INPUT)
        .read_to_string(&mut text)
        .map_err(|_| usage("standard input cannot be read as text"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains('\n') {
        return Err(usage("standard input has more than one line"));
    }
    Ok(line.to_owned())
}
