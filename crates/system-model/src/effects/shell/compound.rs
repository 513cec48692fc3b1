//! Compound commands: `if`, loops, `case`, groups, subshells, functions, arrays.

use super::{
    Context, MAX_DEPTH, command,
    environment::Function,
    reader::{Item, Piped, Reader, read_with},
    tokens::{Operator, Token},
    words::{alternatives, fields},
};
use crate::SystemError;

/// Longer functions are read where they are written, and not again where they are called.
const MAX_FUNCTION: usize = 64 << 10;
/// Functions within functions that are kept.
const MAX_FUNCTIONS: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    If,
    Loop,
    Case {
        awaits_pattern: bool,
    },
    Braces,
    Subshell,
    /// A substitution of a process.
    Process,
    Function,
}

/// A compound command that has begun.
pub(super) struct Frame {
    pub(super) kind: Kind,
    /// Whether its variables are kept apart.
    pub(super) has_layer: bool,
    /// What the branches before this one have set.
    pub(super) before: std::collections::BTreeMap<String, Vec<String>>,
    /// Of a function: its name, where its body begins, and the arguments of what is around it.
    pub(super) function: Option<(String, usize, usize)>,
    /// Of a loop: where it begins, and the line there.
    pub(super) begins: (usize, usize),
    /// Of a substitution of a process: the loop that reads it.
    pub(super) looped: Option<(usize, usize, usize)>,
    pub(super) arguments: Option<Vec<String>>,
}

impl Reader<'_> {
    pub(super) fn kind(&self) -> Option<Kind> {
        self.frames.last().map(|frame| frame.kind)
    }

    pub(super) fn set_kind(&mut self, kind: Kind) {
        if let Some(frame) = self.frames.last_mut() {
            frame.kind = kind;
        }
    }

    pub(super) fn enter(&mut self, kind: Kind) {
        let has_layer = kind != Kind::Braces && self.environment.enter();
        let mut frame = Frame {
            kind,
            has_layer,
            before: Default::default(),
            function: None,
            begins: (0, 0),
            looped: None,
            arguments: None,
        };
        if kind == Kind::Function {
            frame.arguments = self.environment.positional.take();
        }
        self.frames.push(frame);
    }

    /// Ends the branch of a compound command; another may follow.
    pub(super) fn end_branch(&mut self) {
        let Some(frame) = self.frames.last_mut() else { return };
        if frame.has_layer {
            let set = self.environment.leave();
            frame.has_layer = self.environment.enter();
            for (name, mut values) in set {
                let all = frame.before.entry(name).or_default();
                values.retain(|value| !all.contains(value));
                values.truncate(64_usize.saturating_sub(all.len()));
                all.append(&mut values);
            }
        }
    }

    /// Ends the innermost compound command, whose last word begins at a position.
    pub(super) fn leave(&mut self, end: usize) {
        let Some(frame) = self.frames.pop() else { return };
        if frame.has_layer {
            let set = self.environment.leave();
            if !matches!(frame.kind, Kind::Subshell | Kind::Process) {
                self.environment.join(frame.before);
                self.environment.join(set);
            }
        }
        if frame.kind == Kind::Function {
            self.environment.positional = frame.arguments;
        }
        if let Some((name, begins, line)) = frame.function
            && let Some(body) = self.text.get(begins..end)
            && body.len() <= MAX_FUNCTION
            && self.environment.functions.len() < 1000
            && self.frames.iter().filter(|outer| outer.kind == Kind::Function).count()
                < MAX_FUNCTIONS
        {
            let function = Function { text: body.into(), place: self.place.within(line) };
            self.environment.functions.insert(name, function);
        }
    }

    /// Ends compound commands up to the innermost of a kind, if there is one.
    pub(super) fn leave_kind(&mut self, is_kind: impl Fn(Kind) -> bool, end: usize) {
        let near = self.frames.iter().rev().take(8);
        let Some(count) = near.map(|frame| frame.kind).position(is_kind) else { return };
        for _ in 0..=count {
            self.leave(end);
        }
    }

    /// `(`: of an array, a function, arithmetic, or a subshell.
    pub(super) fn open(&mut self, ends: usize) -> Result<(), SystemError> {
        if self.kind() == (Some(Kind::Case { awaits_pattern: true })) {
            return Ok(());
        }
        let last = self.items.last().filter(|item| item.ends + 1 == ends);
        if let Some(item) = last
            && item.word.start().ends_with('=')
            && item.word.plain().is_some_and(command::is_assignment)
        {
            return self.array();
        }
        if self.lexer.skip_arithmetic() {
            return Ok(());
        }
        if let Some(item) = self.items.last()
            && let Some(name) = item.word.plain()
            && self.lexer.skip_empty_parentheses()
        {
            self.function = Some(name.to_owned());
            self.items.pop();
            if self.items.last().and_then(|item| item.word.plain()) == Some("function") {
                self.items.pop();
            }
            return self.finish(Operator::End);
        }
        self.finish(Operator::End)?;
        match self.function.take() {
            Some(name) => self.enter_function(name, ends),
            None => self.enter(Kind::Subshell),
        }
        Ok(())
    }

    pub(super) fn enter_function(&mut self, name: String, begins: usize) {
        let line = self.lexer.line();
        self.enter(Kind::Function);
        if let Some(frame) = self.frames.last_mut() {
            frame.function = Some((name, begins, line));
        }
    }

    /// `NAME=(` with the words up to `)`.
    pub(super) fn array(&mut self) -> Result<(), SystemError> {
        let Some(item) = self.items.pop() else { return Ok(()) };
        let name = item.word.start().trim_end_matches(['=', '+']).to_owned();
        let mut values = Vec::new();
        loop {
            let at = (self.lexer.line(), self.lexer.position());
            match self.lexer.next() {
                Some(Token::Word(word)) => {
                    let parts = self.parts(&word)?;
                    let begins = values.len();
                    if begins < 256 {
                        fields(&parts, 0, self.environment, &mut values);
                    }
                    for value in &mut values[begins..] {
                        // `[key]=value`.
                        if let Some((_, inner)) =
                            value.strip_prefix('[').and_then(|rest| rest.split_once("]="))
                        {
                            *value = inner.to_owned();
                        }
                        self.assigned(value, at);
                    }
                }
                Some(Token::Operator(Operator::Close)) | None => break,
                Some(_) => {}
            }
        }
        self.environment.set(&name, values);
        Ok(())
    }

    /// `)`: of a pattern, or what ends a subshell.
    pub(super) fn close(&mut self, begins: usize) -> Result<(), SystemError> {
        match self.kind() {
            Some(Kind::Case { awaits_pattern: true }) if !self.starts_with("case") => {
                self.items.clear();
                self.files.clear();
                self.set_kind(Kind::Case { awaits_pattern: false });
                Ok(())
            }
            _ if self.starts_with("case") => {
                // `case WORD in PATTERN)`.
                let head = self.items.iter().position(|item| item.word.plain() == Some("in"));
                self.items.truncate(head.map_or(0, |at| at + 1));
                self.finish(Operator::End)?;
                if matches!(self.kind(), Some(Kind::Case { .. })) {
                    self.set_kind(Kind::Case { awaits_pattern: false });
                }
                Ok(())
            }
            _ => {
                self.finish(Operator::End)?;
                match self.kind() {
                    Some(Kind::Subshell | Kind::Function) => self.leave(begins),
                    Some(Kind::Process) => {
                        self.looped = self.frames.last().and_then(|frame| frame.looped);
                        self.leave(begins);
                        if self.looped.is_some() {
                            let piped = std::mem::take(&mut self.output);
                            self.loop_again(piped)?;
                        }
                    }
                    _ => {}
                }
                Ok(())
            }
        }
    }

    /// Reads the loop that has just ended once more, now that its input is known.
    pub(super) fn loop_again(&mut self, piped: Piped) -> Result<(), SystemError> {
        let Some((begins, ends, line)) = self.looped.take() else { return Ok(()) };
        let Some(text) = self.text.get(begins..ends) else { return Ok(()) };
        if self.depth >= MAX_DEPTH {
            return Ok(());
        }
        let place = self.place.within(line);
        let context =
            Context { environment: self.environment, place: &place, text, depth: self.depth + 1 };
        read_with(self.runner, context, piped)?;
        Ok(())
    }

    /// `for NAME in WORDS`.
    pub(super) fn begin_loop(&mut self, items: &[Item]) -> Result<(), SystemError> {
        let mut values = Vec::new();
        if items.len() == 1 {
            values = self.environment.positional.clone().unwrap_or_default();
        }
        let at = items.first().map_or((0, 0), |item| (item.line, item.begins));
        for item in items.iter().skip(2) {
            let parts = self.parts(&item.word)?;
            for choice in 0..alternatives(&parts, self.environment) {
                fields(&parts, choice, self.environment, &mut values);
            }
            if values.len() > 256 {
                break;
            }
        }
        for value in &values {
            self.assigned(value, at);
        }
        self.enter(Kind::Loop);
        if let Some(name) = items.first().and_then(|item| item.word.plain()) {
            self.environment.set(name, values);
        }
        Ok(())
    }
}
