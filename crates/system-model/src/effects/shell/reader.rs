//! The reader's way through a text, token by token.

use super::{
    Context, Document, Environment, Runner,
    compound::{Frame, Kind},
    lexer::Lexer,
    tokens::{Operator, Token, Word},
    words::{alternatives, fields},
};
use crate::{SystemError, effects::Place};

/// A word of the command that is being read.
pub(super) struct Item {
    pub(super) word: Word,
    pub(super) line: usize,
    pub(super) begins: usize,
    pub(super) ends: usize,
}

#[derive(Default, Clone)]
pub(super) struct Piped {
    pub(super) words: Vec<String>,
    pub(super) document: Option<Document>,
}

pub(super) struct Reader<'r> {
    pub(super) runner: &'r mut dyn Runner,
    pub(super) environment: &'r mut Environment,
    pub(super) place: &'r Place,
    pub(super) text: &'r str,
    pub(super) depth: usize,
    pub(super) lexer: Lexer<'r>,
    pub(super) items: Vec<Item>,
    /// Files that the command writes.
    pub(super) files: Vec<Word>,
    /// Where a redirection in front of all words is.
    pub(super) redirected: (usize, usize),
    pub(super) document: Option<Document>,
    pub(super) frames: Vec<Frame>,
    /// The name of a function whose body comes next.
    pub(super) function: Option<String>,
    /// A loop that has just ended, whose input may follow: where it begins and ends.
    pub(super) looped: Option<(usize, usize, usize)>,
    /// What the command before passes on.
    pub(super) piped: Piped,
    pub(super) output: Piped,
}

/// Reads text whose first command gets what a pipe passes on.
pub(super) fn read_with(
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

impl Reader<'_> {
    pub(super) fn read(&mut self) -> Result<(), SystemError> {
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

    /// Returns whether a word is the first, but for reserved ones.
    pub(super) fn starts_with(&self, word: &str) -> bool {
        let mut words = self.items.iter().map(|item| item.word.plain().unwrap_or_default());
        words.find(|word| !matches!(*word, "then" | "do" | "else" | "{" | "!")) == Some(word)
    }

    /// The command that has been read is whole.
    pub(super) fn finish(&mut self, operator: Operator) -> Result<(), SystemError> {
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
}
