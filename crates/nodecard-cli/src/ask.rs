//! Questions with proposals, on a terminal.

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, stdin},
    str::FromStr,
};

use dialoguer::{Confirm, Input, Select};

use crate::{error::CommandError, prompt::while_asking, terminal};

/// Who answers questions: a person on a terminal, or the proposals themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// A person.
    Terminal,
    /// Nobody: the proposals are the answers.
    Proposals,
}

impl Asker {
    /// Returns the one who answers.
    pub fn new(takes_proposals: bool) -> Result<Self, CommandError> {
        match (takes_proposals, stdin().is_terminal()) {
            (true, _) => Ok(Asker::Proposals),
            (false, true) => Ok(Asker::Terminal),
            (false, false) => Err(CommandError::Usage {
                message: "standard input is not a terminal, so no questions can be asked"
                    .to_owned(),
                fix: "add --yes to accept the suggestions, and options for whatever should differ"
                    .into(),
            }),
        }
    }

    /// Asks for a value. `expected` says what is accepted, and `check` what is wrong with an
    /// answer.
    pub fn value<T>(
        self,
        question: &str,
        proposal: Option<T>,
        expected: &str,
        check: impl Fn(&T) -> Result<(), String>,
    ) -> Result<Option<T>, CommandError>
    where
        T: Clone + Display + FromStr,
    {
        if self == Asker::Proposals {
            return Ok(proposal);
        }
        let mut input =
            Input::<String>::new().with_prompt(question).validate_with(|text: &String| {
                let value = text.trim().parse::<T>().map_err(|_| format!("write {expected}"))?;
                check(&value)
            });
        if let Some(proposal) = &proposal {
            input = input.default(proposal.to_string());
        }
        let answer = while_asking(|| input.interact_text()).map_err(failed)?;
        Ok(answer.trim().parse().ok())
    }

    /// Asks which of several. Returns its number.
    pub fn choice(
        self,
        question: &str,
        items: &[String],
        proposal: usize,
    ) -> Result<usize, CommandError> {
        if self == Asker::Proposals {
            return Ok(proposal);
        }
        let question = Select::new().with_prompt(question).items(items).default(proposal);
        while_asking(|| question.interact()).map_err(failed)
    }

    /// Asks whether.
    pub fn is_wanted(self, question: &str, proposal: bool) -> Result<bool, CommandError> {
        if self == Asker::Proposals {
            return Ok(proposal);
        }
        let question = Confirm::new().with_prompt(question).default(proposal);
        while_asking(|| question.interact()).map_err(failed)
    }
}

fn failed(error: dialoguer::Error) -> CommandError {
    let dialoguer::Error::IO(error) = error;
    terminal::show_cursor();
    match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof => CommandError::Interrupted,
        _ => CommandError::Output(error),
    }
}
