//! `nodecard password`.

use std::{
    io::{IsTerminal as _, Read as _, stdin},
    process::ExitCode,
};

use nodecard::PasswordHash;
use serde_json::json;

use crate::{
    args::PasswordArgs,
    error::{CommandError, print_error, print_line},
    prompt::{ask_hidden, cancel_on_interrupt},
    report, terminal,
};

/// What is said of two entries that are not equal.
const DIFFERENT: &str = "the two passwords differ";

/// The most bytes of standard input that are read; no password is longer.
const LONGEST_INPUT: u64 = 4096;

pub fn run(args: &PasswordArgs) -> Result<ExitCode, CommandError> {
    // Ctrl-C has to leave a terminal that shows what is typed.
    let _cancel = cancel_on_interrupt();
    let password = if stdin().is_terminal() {
        entered("Password")?.ok_or_else(|| usage(DIFFERENT))?
    } else {
        piped()?
    };
    let hash = PasswordHash::of(&password).map_err(nodecard::Error::from)?;
    if args.json.json {
        report::print_json(&json!({ "hash": hash.as_str() }))?;
    } else {
        terminal::print(format_args!("{}\n", hash.as_str()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What to do about entries that are not equal.
const TWICE: &str = "type the same password twice";

/// Asks for a password twice. Returns `None` if the entries differ. The caller has seen to Ctrl-C.
fn entered(what: &str) -> Result<Option<String>, CommandError> {
    let ask = |question: std::fmt::Arguments| {
        let answer = ask_hidden(question).map_err(|_| usage("the password cannot be read"))?;
        answer.ok_or_else(|| usage("no password was typed"))
    };
    let password = ask(format_args!("{what}:"))?;
    let again = ask(format_args!("{what} again:"))?;
    Ok((again == password).then_some(password))
}

fn usage(message: &str) -> CommandError {
    CommandError::Usage { message: message.to_owned(), fix: TWICE.into() }
}

/// Asks for a password until the entries agree and it can be used. Returns its hash.
pub fn asked_until_right(what: &str) -> Result<PasswordHash, CommandError> {
    loop {
        match entered(what)?.map(|password| PasswordHash::of(&password)) {
            Some(Ok(hash)) => return Ok(hash),
            Some(Err(error)) => {
                let error = nodecard::Error::from(error);
                print_error(&error, error.fix());
            }
            None => print_line(format_args!("error: {DIFFERENT}\n  fix: {TWICE}")),
        }
    }
}

/// Reads the one line of standard input.
fn piped() -> Result<String, CommandError> {
    let usage = |message: &str| CommandError::Usage {
        message: message.to_owned(),
        fix: "write the password as one line of UTF-8 to standard input".into(),
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
