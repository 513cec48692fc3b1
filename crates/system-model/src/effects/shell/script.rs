//! A script on its own: its commands, and what its variables hold at the end.

use super::{Command, Context, Environment, Runner, read};
use crate::{SystemError, effects::Place};

/// As much text is read, of functions where they are called too, in bytes.
const MAX_TEXT: usize = 1 << 20;
/// Calls of functions that are followed.
const MAX_CALLS: usize = 100;

/// A script whose commands are not followed.
pub(crate) struct Script {
    /// The words of each command; a variable that the script does not set keeps its dollar sign.
    pub(crate) commands: Vec<Vec<String>>,
    environment: Environment,
}

impl Script {
    /// Reads the text of a script.
    ///
    /// # Errors
    /// [`SystemError`]; none of the text itself.
    pub(crate) fn read(text: &str) -> Result<Self, SystemError> {
        let mut environment = Environment::new(&[], "/");
        let mut found = Collector { commands: Vec::new(), left: MAX_TEXT, calls: MAX_CALLS };
        let place = Place::from_line("", 1);
        let context = Context { environment: &mut environment, place: &place, text, depth: 0 };
        read(&mut found, context)?;
        Ok(Script { commands: found.commands, environment })
    }

    /// Returns the value that a variable got last.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.environment.get(name)?.last().map(String::as_str)
    }
}

/// Returns the line of the last assignment to a variable, counted from 1.
pub(crate) fn line_of_variable(text: &str, name: &str) -> Option<usize> {
    let assigns = |line: &str| {
        let line = line.trim_ascii();
        let line = line.strip_prefix("export ").unwrap_or(line);
        line.split_once('=').is_some_and(|(key, _)| key.trim_ascii() == name)
    };
    let last = text.lines().enumerate().filter(|(_, line)| assigns(line)).last();
    last.map(|(index, _)| index + 1)
}

struct Collector {
    commands: Vec<Vec<String>>,
    left: usize,
    calls: usize,
}

impl Runner for Collector {
    fn run(&mut self, command: &Command, _: &mut Context<'_>) -> Result<(), SystemError> {
        self.commands.push(command.words.clone());
        Ok(())
    }

    fn assign(&mut self, _: &str, _: &Context<'_>, _: (usize, usize)) {}

    fn read(&mut self, _: &str) {}

    fn calls(&mut self, _: &Command) -> bool {
        self.calls = self.calls.saturating_sub(1);
        self.calls > 0
    }

    fn spend(&mut self, bytes: usize) -> bool {
        self.left = self.left.saturating_sub(bytes);
        self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_hold_what_the_script_gave_them_last() {
        let text = "# A=0\nA=1\nexport B=\"x y\"\nA=$A$B\n[ -f /x ] && . /x\nC=\nrun -p $A $D\n";
        let script = Script::read(text).unwrap();
        assert_eq!(script.value("A"), Some("1x y"));
        assert_eq!(
            (script.value("B"), script.value("C"), script.value("D")),
            (Some("x y"), Some(""), None)
        );
        assert_eq!(script.commands.last().unwrap(), &["run", "-p", "1x", "y", "$D"]);
        assert_eq!((line_of_variable(text, "A"), line_of_variable(text, "B")), (Some(4), Some(3)));
    }
}
