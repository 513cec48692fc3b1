//! A reader of shell text: which commands it may run, with which words.
//!
//! It goes through the text once, in order, and remembers what decides words: the values that
//! variables may have, the working directory, what a pipe passes on. Both branches of an `if` and
//! all of a `case` are read; what they set is joined behind them. It need not be exact: a command
//! that it takes apart wrongly is one that the rules do not know.

mod command;
mod compound;
mod environment;
mod execute;
mod lexer;
mod reader;
mod script;
mod tokens;
mod words;

pub(crate) use command::{Command, Document, base};
pub(crate) use environment::{Environment, absolute};
pub(crate) use script::{Script, line_of_variable};

use super::place::Place;
use crate::SystemError;

/// Texts within texts that are read: of functions, substitutions, `sh -c`.
pub(super) const MAX_DEPTH: usize = 6;

/// What is done with the commands of a text.
pub(super) trait Runner {
    /// Takes a command of a text at a place.
    fn run(&mut self, command: &Command, context: &mut Context<'_>) -> Result<(), SystemError>;

    /// Takes the value that a variable gets, in a line, and at an offset in bytes.
    fn assign(&mut self, value: &str, context: &Context<'_>, at: (usize, usize));

    /// Takes the path of a file that is only read.
    fn read(&mut self, path: &str);

    /// Returns whether a call of a function is followed once more.
    fn calls(&mut self, command: &Command) -> bool;

    /// Counts bytes of text that are read; returns whether there may be more.
    fn spend(&mut self, bytes: usize) -> bool;
}

/// Where a command is, and the shell that runs it.
pub(super) struct Context<'c> {
    pub(super) environment: &'c mut Environment,
    pub(super) place: &'c Place,
    /// The text that the command is in.
    pub(super) text: &'c str,
    pub(super) depth: usize,
}

/// Reads text, and returns the words that it may put out.
pub(super) fn read(
    runner: &mut dyn Runner,
    context: Context<'_>,
) -> Result<Vec<String>, SystemError> {
    reader::read_with(runner, context, reader::Piped::default())
}

#[cfg(test)]
mod tests;
