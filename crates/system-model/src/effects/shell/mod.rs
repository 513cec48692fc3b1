//! A reader of shell text: which commands it may run, with which words.
//!
//! It goes through the text once, in order, and remembers what decides words: the values that
//! variables may have, the working directory, what a pipe passes on. Both branches of an `if` and
//! all of a `case` are read; what they set is joined behind them. It need not be exact: a command
//! that it takes apart wrongly is one that the rules do not know.

mod command;
mod environment;
mod lexer;
mod script;
mod words;

pub(crate) use command::{Command, Document, base};
use environment::Function;
pub(crate) use environment::{Environment, absolute};
use lexer::{Lexer, Operator, Piece, Token, Word};
pub(crate) use script::{Script, line_of_variable};
use words::{Part, alternatives, fields, parts};

use super::place::Place;
use crate::SystemError;

/// Texts within texts that are read: of functions, substitutions, `sh -c`.
pub(super) const MAX_DEPTH: usize = 6;
/// Longer functions are read where they are written, and not again where they are called.
const MAX_FUNCTION: usize = 64 << 10;
/// Functions within functions that are kept.
const MAX_FUNCTIONS: usize = 4;

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
    read_with(runner, context, Piped::default())
}

fn read_with(
    runner: &mut dyn Runner,
    context: Context<'_>,
    piped: Piped,
) -> Result<Vec<String>, SystemError> {
    if !runner.spend(context.text.len()) {
        return Ok(Vec::new());
    }
    let Context { environment, place, text, depth } = context;
    let mut reader = Reader {
        runner,
        environment,
        place,
        text,
        depth,
        lexer: Lexer::new(text),
        items: Vec::new(),
        files: Vec::new(),
        redirected: (1, 0),
        document: None,
        frames: Vec::new(),
        function: None,
        looped: None,
        piped,
        output: Piped::default(),
    };
    reader.read()?;
    Ok(reader.output.words)
}

/// A word of the command that is being read.
struct Item {
    word: Word,
    line: usize,
    begins: usize,
    ends: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
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
struct Frame {
    kind: Kind,
    /// Whether its variables are kept apart.
    has_layer: bool,
    /// What the branches before this one have set.
    before: std::collections::BTreeMap<String, Vec<String>>,
    /// Of a function: its name, where its body begins, and the arguments of what is around it.
    function: Option<(String, usize, usize)>,
    /// Of a loop: where it begins, and the line there.
    begins: (usize, usize),
    /// Of a substitution of a process: the loop that reads it.
    looped: Option<(usize, usize, usize)>,
    arguments: Option<Vec<String>>,
}

#[derive(Default, Clone)]
struct Piped {
    words: Vec<String>,
    document: Option<Document>,
}

struct Reader<'r> {
    runner: &'r mut dyn Runner,
    environment: &'r mut Environment,
    place: &'r Place,
    text: &'r str,
    depth: usize,
    lexer: Lexer<'r>,
    items: Vec<Item>,
    /// Files that the command writes.
    files: Vec<Word>,
    /// Where a redirection in front of all words is.
    redirected: (usize, usize),
    document: Option<Document>,
    frames: Vec<Frame>,
    /// The name of a function whose body comes next.
    function: Option<String>,
    /// A loop that has just ended, whose input may follow: where it begins and ends.
    looped: Option<(usize, usize, usize)>,
    /// What the command before passes on.
    piped: Piped,
    output: Piped,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), SystemError> {
        let mut redirection = None;
        loop {
            let (line, begins) = (self.lexer.line(), self.lexer.position());
            let Some(token) = self.lexer.next() else { break };
            let ends = self.lexer.position();
            match token {
                Token::Word(word) => match redirection.take() {
                    None => self.items.push(Item { word, line, begins, ends }),
                    Some(Operator::Write) => self.files.push(word),
                    Some(Operator::HereString) => {
                        let parts = self.parts(&word)?;
                        let mut text = Vec::new();
                        fields(&parts, 0, self.environment, &mut text);
                        let text = text.join(" ");
                        self.piped.words = text.split_whitespace().map(str::to_owned).collect();
                        self.document = Some(Document { text, line });
                    }
                    Some(_) => {
                        let parts = self.parts(&word)?;
                        for choice in 0..alternatives(&parts, self.environment) {
                            let mut paths = Vec::new();
                            fields(&parts, choice, self.environment, &mut paths);
                            paths.iter().for_each(|path| self.runner.read(path));
                        }
                    }
                },
                Token::HereDocument(document) => {
                    let (text, line) = (document.text, document.line);
                    self.document = Some(Document { text, line });
                }
                Token::Operator(operator) => {
                    redirection = None;
                    match operator {
                        Operator::Write | Operator::Read | Operator::HereString => {
                            redirection = Some(operator);
                            self.redirected = (line, begins);
                        }
                        Operator::Duplicate => redirection = Some(Operator::Read),
                        Operator::Open => self.open(ends)?,
                        Operator::OpenProcess => {
                            self.finish(Operator::End)?;
                            let looped = self.looped.take();
                            self.enter(Kind::Process);
                            if let Some(frame) = self.frames.last_mut() {
                                frame.looped = looped;
                            }
                        }
                        Operator::Close => self.close(begins)?,
                        Operator::End => self.finish(operator)?,
                        Operator::Pipe => self.finish(operator)?,
                        Operator::EndOfCase => {
                            self.finish(operator)?;
                            if matches!(self.kind(), Some(Kind::Case { .. })) {
                                self.end_branch();
                                self.set_kind(Kind::Case { awaits_pattern: true });
                            }
                        }
                    }
                }
            }
        }
        self.finish(Operator::End)?;
        while !self.frames.is_empty() {
            self.leave(self.text.len());
        }
        Ok(())
    }

    fn kind(&self) -> Option<Kind> {
        self.frames.last().map(|frame| frame.kind)
    }

    fn set_kind(&mut self, kind: Kind) {
        if let Some(frame) = self.frames.last_mut() {
            frame.kind = kind;
        }
    }

    fn enter(&mut self, kind: Kind) {
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
    fn end_branch(&mut self) {
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
    fn leave(&mut self, end: usize) {
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
    fn leave_kind(&mut self, is_kind: impl Fn(Kind) -> bool, end: usize) {
        let near = self.frames.iter().rev().take(8);
        let Some(count) = near.map(|frame| frame.kind).position(is_kind) else { return };
        for _ in 0..=count {
            self.leave(end);
        }
    }

    /// `(`: of an array, a function, arithmetic, or a subshell.
    fn open(&mut self, ends: usize) -> Result<(), SystemError> {
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

    fn enter_function(&mut self, name: String, begins: usize) {
        let line = self.lexer.line();
        self.enter(Kind::Function);
        if let Some(frame) = self.frames.last_mut() {
            frame.function = Some((name, begins, line));
        }
    }

    /// `NAME=(` with the words up to `)`.
    fn array(&mut self) -> Result<(), SystemError> {
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
    fn close(&mut self, begins: usize) -> Result<(), SystemError> {
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

    /// Returns whether a word is the first, but for reserved ones.
    fn starts_with(&self, word: &str) -> bool {
        let mut words = self.items.iter().map(|item| item.word.plain().unwrap_or_default());
        words.find(|word| !matches!(*word, "then" | "do" | "else" | "{" | "!")) == Some(word)
    }

    /// The command that has been read is whole.
    fn finish(&mut self, operator: Operator) -> Result<(), SystemError> {
        if self.kind() == Some(Kind::Case { awaits_pattern: true }) && !self.starts_with("esac") {
            // Patterns, or nothing yet.
            self.items.clear();
            self.files.clear();
            return Ok(());
        }
        let mut items = std::mem::take(&mut self.items).into_iter().peekable();
        let writes = std::mem::take(&mut self.files);
        let document = self.document.take();
        while let Some(item) = items.peek() {
            let (begins, ends) = (item.begins, item.ends);
            match item.word.plain() {
                Some("if") => self.enter(Kind::If),
                Some("while" | "until") => {
                    let begins = (ends, item.line);
                    self.enter(Kind::Loop);
                    if let Some(frame) = self.frames.last_mut() {
                        frame.begins = begins;
                    }
                }
                Some("then" | "do" | "!" | "coproc") => {}
                Some("else" | "elif") => {
                    if self.kind() == Some(Kind::If) {
                        self.end_branch();
                    }
                }
                Some("fi") => self.leave_kind(|kind| kind == Kind::If, begins),
                Some("done") => {
                    if let Some(Frame { kind: Kind::Loop, begins: (from, line), .. }) =
                        self.frames.last()
                        && *from > 0
                    {
                        self.looped = Some((*from, begins, *line));
                    }
                    self.leave_kind(|kind| kind == Kind::Loop, begins);
                }
                Some("esac") => self.leave_kind(|kind| matches!(kind, Kind::Case { .. }), begins),
                Some("{") => match self.function.take() {
                    Some(name) => {
                        self.enter_function(name, ends);
                        let line = item.line;
                        if let Some((.., at)) =
                            self.frames.last_mut().and_then(|frame| frame.function.as_mut())
                        {
                            *at = line;
                        }
                    }
                    None => self.enter(Kind::Braces),
                },
                Some("}") => {
                    self.leave_kind(|kind| matches!(kind, Kind::Braces | Kind::Function), begins);
                }
                Some("function") => {
                    items.next();
                    let name = items.peek().and_then(|item| item.word.plain());
                    self.function = name.map(str::to_owned);
                }
                Some("for" | "select") => {
                    let rest: Vec<Item> = items.skip(1).collect();
                    return self.begin_loop(&rest);
                }
                Some("case") => {
                    self.enter(Kind::Case { awaits_pattern: true });
                    return Ok(());
                }
                _ => break,
            }
            items.next();
        }
        let words: Vec<Item> = items.collect();
        if words.is_empty()
            && let (Some(document), Some(_)) = (&document, self.looped)
        {
            let words = document.text.split_whitespace().take(1000).map(str::to_owned).collect();
            self.loop_again(Piped { words, document: None })?;
            self.piped = Piped::default();
        }
        if !words.is_empty() {
            self.looped = None;
        }
        if words.is_empty() && writes.is_empty() {
            if operator == Operator::Pipe {
                self.piped = std::mem::take(&mut self.output);
            }
            return Ok(());
        }
        self.execute(words, &writes, document)?;
        if operator == Operator::Pipe {
            self.piped = std::mem::take(&mut self.output);
        }
        Ok(())
    }

    /// Reads the loop that has just ended once more, now that its input is known.
    fn loop_again(&mut self, piped: Piped) -> Result<(), SystemError> {
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
    fn begin_loop(&mut self, items: &[Item]) -> Result<(), SystemError> {
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

    /// Tells of a value that a variable gets.
    fn assigned(&mut self, value: &str, at: (usize, usize)) {
        let context = Context {
            environment: self.environment,
            place: self.place,
            text: self.text,
            depth: self.depth,
        };
        self.runner.assign(value, &context, at);
    }

    /// Returns the parts of a word, its substitutions read.
    fn parts(&mut self, word: &Word) -> Result<Vec<Part>, SystemError> {
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

    fn substitution(&mut self, text: &str, line: usize) -> Result<Vec<String>, SystemError> {
        let place = self.place.within(line);
        self.nested(text, &place, false)
    }

    /// Reads a text within this one; a subshell keeps what it sets.
    fn nested(
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
    fn assignments(&mut self, items: Vec<Item>) -> Result<Vec<Item>, SystemError> {
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
    fn execute(
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
    fn run(&mut self, mut command: Command) -> Result<(), SystemError> {
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
    fn builtin(&mut self, command: &Command) -> Result<(), SystemError> {
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

#[cfg(test)]
mod tests;
