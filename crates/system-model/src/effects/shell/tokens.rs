//! The words and operators of shell text.

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text as it is.
    Text { text: String, is_quoted: bool },
    /// `$NAME`, or `${NAME…}` with what follows the name.
    Variable { name: String, change: String, is_quoted: bool },
    /// The text within `$(…)` or backquotes, and the line where it begins.
    Commands { text: String, line: usize, is_quoted: bool },
}

/// A word of shell text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) pieces: Vec<Piece>,
}

impl Word {
    /// Returns the text of a word without quotes and expansions.
    pub(super) fn plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Text { text, is_quoted: false }] => Some(text),
            _ => None,
        }
    }

    /// Returns the unquoted text that a word begins with.
    pub(super) fn start(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text { text, is_quoted: false }) => text,
            _ => "",
        }
    }
}

/// What stands between words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// The end of a line, `;`, `&`, `&&` or `||`.
    End,
    /// `|` or `|&`.
    Pipe,
    /// `;;`, `;&` or `;;&`.
    EndOfCase,
    Open,
    /// `<(` or `>(`: the commands of a substitution of a process.
    OpenProcess,
    Close,
    /// `>`, `>>`, `>|`, `&>`: its word is a file that is written.
    Write,
    /// `<`, `<>`.
    Read,
    /// `<<<`: its word is the input.
    HereString,
    /// `>&` or `<&`: its word is a file descriptor, or a file.
    Duplicate,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    Operator(Operator),
    /// `<<` with its delimiter, and the text of the here-document.
    HereDocument(HereDocument),
}

/// The text that the lines behind a command give it as input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HereDocument {
    pub(super) text: String,
    /// The line where it begins.
    pub(super) line: usize,
}
