//! Simple commands: their words are expanded, assignments are kept, and what they run is read.

use super::{
    Command, Context, Document, MAX_DEPTH, command, read,
    reader::{Item, Piped, Reader},
    tokens::{Piece, Word},
    words::{Part, alternatives, fields, parts},
};
use crate::{SystemError, effects::Place};

impl Reader<'_> {
    /// Tells of a value that a variable gets.
    pub(super) fn assigned(&mut self, value: &str, at: (usize, usize)) {
        let context = Context {
            environment: self.environment,
            place: self.place,
            text: self.text,
            depth: self.depth,
        };
        self.runner.assign(value, &context, at);
    }

    /// Returns the parts of a word, its substitutions read.
    pub(super) fn parts(&mut self, word: &Word) -> Result<Vec<Part>, SystemError> {
        let mut failed = None;
        let found = parts(word, |text, line| match self.substitution(text, line) {
            Ok(values) => values,
            Err(error) => {
                failed = Some(error);
                Vec::new()
            }
        });
        failed.map_or(Ok(found), Err)
    }

    pub(super) fn substitution(
        &mut self,
        text: &str,
        line: usize,
    ) -> Result<Vec<String>, SystemError> {
        let place = self.place.within(line);
        self.nested(text, &place, false)
    }

    /// Reads a text within this one; a subshell keeps what it sets.
    pub(super) fn nested(
        &mut self,
        text: &str,
        place: &Place,
        joins: bool,
    ) -> Result<Vec<String>, SystemError> {
        if self.depth >= MAX_DEPTH {
            return Ok(Vec::new());
        }
        let has_layer = self.environment.enter();
        let depth = self.depth + 1;
        let context = Context { environment: self.environment, place, text, depth };
        let output = read(self.runner, context)?;
        if has_layer {
            let set = self.environment.leave();
            if joins {
                self.environment.join(set);
            }
        }
        Ok(output)
    }

    /// Takes the assignments in front of a command, and returns the rest.
    pub(super) fn assignments(&mut self, items: Vec<Item>) -> Result<Vec<Item>, SystemError> {
        let mut items = items.into_iter().peekable();
        let mut declares = None;
        let mut names = Vec::new();
        while let Some(item) = items.peek() {
            let start = item.word.start();
            if command::is_assignment(start) && (start.contains('=')) {
                let item = match items.next() {
                    Some(item) => item,
                    None => break,
                };
                let (name, rest) = item.word.start().split_once('=').unwrap_or_default();
                let adds = name.ends_with('+');
                let name = name.split('[').next().unwrap_or(name);
                let name = name.trim_end_matches('+').to_owned();
                let mut value = Word::default();
                value.pieces.push(Piece::Text { text: rest.to_owned(), is_quoted: true });
                value.pieces.extend(item.word.pieces.iter().skip(1).map(|piece| {
                    let mut piece = piece.clone();
                    // The value is not split.
                    match &mut piece {
                        Piece::Text { is_quoted, .. }
                        | Piece::Variable { is_quoted, .. }
                        | Piece::Commands { is_quoted, .. } => *is_quoted = true,
                    }
                    piece
                }));
                let parts = self.parts(&value)?;
                let mut values = Vec::new();
                for choice in 0..alternatives(&parts, self.environment) {
                    fields(&parts, choice, self.environment, &mut values);
                }
                if item.word.start().split('=').next().is_some_and(|name| name.contains('[')) {
                    let mut all = self.environment.get(&name).cloned().unwrap_or_default();
                    all.append(&mut values);
                    values = all;
                } else if adds {
                    let old = self.environment.get(&name).cloned().unwrap_or_default();
                    values = match old.as_slice() {
                        [] => values,
                        old => {
                            let mut all = Vec::new();
                            for (index, value) in values.iter().enumerate() {
                                all.push(format!("{}{value}", old[index % old.len()]));
                            }
                            all
                        }
                    };
                }
                for value in &values {
                    self.assigned(value, (item.line, item.begins));
                }
                self.environment.set(&name, values);
                if declares == Some("export") {
                    self.environment.export(&name);
                }
                names.push(name);
                continue;
            }
            match item.word.plain() {
                Some("export") => declares = Some("export"),
                Some("local" | "declare" | "readonly" | "typeset") => declares = Some("local"),
                Some(word) if declares.is_some() => {
                    if declares == Some("export") && !word.starts_with('-') {
                        self.environment.export(word);
                    }
                }
                _ => break,
            }
            items.next();
        }
        let rest: Vec<Item> = items.collect();
        if !rest.is_empty() && declares.is_none() {
            // Those in front of a command are in its environment.
            for name in names {
                self.environment.export(&name);
            }
        }
        Ok(rest)
    }

    /// Runs a simple command.
    pub(super) fn execute(
        &mut self,
        items: Vec<Item>,
        writes: &[Word],
        document: Option<Document>,
    ) -> Result<(), SystemError> {
        let first = items.first().map(|item| (item.line, item.begins));
        let (line, offset) = first.unwrap_or(self.redirected);
        let mut piped = std::mem::take(&mut self.piped);
        let items = self.assignments(items)?;
        if document.is_some() {
            piped.document = document;
        }
        self.output = Piped::default();
        let mut words = Vec::new();
        for item in &items {
            words.push(self.parts(&item.word)?);
        }
        let mut files = Vec::new();
        for word in writes {
            files.push(self.parts(word)?);
        }
        if words.is_empty() && files.is_empty() {
            return Ok(());
        }
        let count = words.iter().chain(&files).map(|parts| alternatives(parts, self.environment));
        let count = count.max().unwrap_or(1);
        for choice in 0..count {
            let mut command = Command {
                input: piped.words.clone(),
                document: piped.document.clone(),
                line,
                offset,
                ..Command::default()
            };
            for parts in &words {
                fields(parts, choice, self.environment, &mut command.words);
            }
            for parts in &files {
                fields(parts, choice, self.environment, &mut command.writes);
            }
            command.directory = self.environment.directory().map(str::to_owned);
            self.run(command)?;
        }
        Ok(())
    }

    /// Runs a command whose words are known.
    pub(super) fn run(&mut self, mut command: Command) -> Result<(), SystemError> {
        let functions = &self.environment.functions;
        command.unwrap(|name| functions.contains_key(name));
        self.builtin(&command)?;
        let mut output = command.output();
        if let Some(function) = self.environment.functions.get(command.name()).cloned()
            && self.runner.calls(&command)
        {
            let arguments = command.arguments().to_vec();
            let outer = self.environment.positional.replace(arguments);
            let result = self.nested(&function.text, &function.place, true);
            self.environment.positional = outer;
            output = result?;
        }
        let mut context = Context {
            environment: self.environment,
            place: self.place,
            text: self.text,
            depth: self.depth,
        };
        self.runner.run(&command, &mut context)?;
        if let Some(mut inner) = command.run_by_find() {
            inner.unwrap(|_| false);
            self.runner.run(&inner, &mut context)?;
        }
        self.output.words.extend(output);
        self.output.document = command.output_text();
        Ok(())
    }

    /// What changes the shell itself.
    pub(super) fn builtin(&mut self, command: &Command) -> Result<(), SystemError> {
        let arguments = command.arguments();
        let first = arguments.iter().find(|word| word.len() == 1 || !word.starts_with('-'));
        match command.name() {
            "cd" | "pushd" => {
                let home = "/root".to_owned();
                self.environment.change_directory(first.unwrap_or(&home));
            }
            "popd" => self.environment.change_directory("-"),
            "read" | "mapfile" | "readarray" => {
                for name in arguments.iter().filter(|word| !word.starts_with('-')) {
                    self.environment.set(name, command.input.clone());
                }
            }
            "unset" => arguments.iter().for_each(|name| self.environment.unset(name)),
            "set" => {
                if let Some(at) = arguments.iter().position(|word| word == "--") {
                    self.environment.positional = Some(arguments[at + 1..].to_vec());
                }
            }
            "shift" => {
                if let Some(all) = &mut self.environment.positional
                    && !all.is_empty()
                {
                    all.remove(0);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
