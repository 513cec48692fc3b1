//! The problems in a profile, and how they are shown.

use std::{fmt, io, ops::Range, path::PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use plain_text::{escaped, is_unsafe};
pub use system_model::yaml::Place;

/// A second place that belongs to a problem, such as the first of two nodes with one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelatedPlace {
    /// Where it is.
    pub place: Place,
    /// What is there: `first used here`.
    pub label: String,
}

/// One problem in a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// Where it is wrong.
    pub place: Place,
    /// Further places that belong to it.
    pub related: Vec<RelatedPlace>,
    /// What to do about it.
    pub help: Option<String>,
}

/// All problems in a profile.
///
/// Its [`Display`](std::fmt::Display) form shows each problem with the lines of the profile that
/// it is about, without colors. Passwords in these lines are masked, and characters that act
/// on a terminal are replaced.
///
/// ```text
/// error: two nodes have the address 192.168.1.81
///  --> mc1.yaml:9:32
///   |
/// 8 |   - {name: xu4-node1, address: 192.168.1.81}
///   |                                ------------ first used here
/// 9 |   - {name: xu4-node2, address: 192.168.1.81}
///   |                                ^^^^^^^^^^^^
///   |
///   = help: give each node its own address
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    /// The profile.
    pub path: PathBuf,
    /// Its text, with passwords masked. Masking keeps all places where they are.
    pub text: String,
    /// At least one problem, in the order of their places.
    pub problems: Vec<Problem>,
}

/// An error that keeps a profile from being used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// There is no such file.
    #[error("there is no file {}", escaped(&path.display().to_string()))]
    NotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// The user may not read it.
    #[error("no permission to read {}", escaped(&path.display().to_string()))]
    Denied {
        /// The profile.
        path: PathBuf,
    },
    /// It is a directory.
    #[error("{} is a directory, not a profile", escaped(&path.display().to_string()))]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// The file cannot be read as text.
    #[error("cannot read the profile {}", escaped(&path.display().to_string()))]
    Unreadable {
        /// The profile.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file was read, but it is something else.
    #[error("{} is not a profile: {found}", escaped(&path.display().to_string()))]
    NotAProfile {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: NotAProfile,
    },
    /// The file was read, but it has problems.
    #[error("{0}")]
    Invalid(Diagnostics),
}

/// What a file is that is not a profile. Its text is a clause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAProfile {
    /// Its bytes are not text.
    #[error("it is not text")]
    Binary,
    /// Text that is not YAML, or no mapping of keys to values.
    #[error("it is text that begins with {0:?}")]
    Text(
        /// Its first line that is not a comment.
        String,
    ),
    /// YAML without any key that profiles have.
    #[error("it has none of the keys of a profile; its first key is `{0}`")]
    OtherKeys(
        /// Its first key.
        String,
    ),
}

impl ProfileError {
    /// Returns what to do about it. Each problem of an invalid profile has its own help,
    /// which is part of the message.
    pub fn fix(&self) -> Option<String> {
        match self {
            ProfileError::NotAProfile { .. } => Some(
                "give a YAML file with the keys `cluster`, `base`, `network` and `nodes`".into(),
            ),
            ProfileError::Unreadable { .. } => {
                Some("give the path of a profile: a YAML file in UTF-8".into())
            }
            ProfileError::NotFound { .. } => Some("check the path".into()),
            ProfileError::Denied { .. } => {
                Some("run the command as a user with read permission".into())
            }
            ProfileError::Directory { .. } => Some("give the profile in it, a YAML file".into()),
            ProfileError::Invalid(_) => None,
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

impl Diagnostics {
    /// Returns the display form with colors, as ANSI escape sequences, for a terminal.
    pub fn to_styled_string(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let text = printable_source(&self.text);
        let path = escaped(&self.path.display().to_string());
        let reports: Vec<String> = self
            .problems
            .iter()
            .map(|problem| renderer.render(&[report(problem, &path, &text)]))
            .collect();
        reports.join("\n\n")
    }
}

/// Returns one problem in the renderer's terms.
fn report<'a>(problem: &'a Problem, path: &'a str, text: &'a str) -> Group<'a> {
    let title = Level::ERROR.primary_title(escaped(&problem.message));
    let help = problem.help.as_deref().map(|help| Level::HELP.message(escaped(help)));
    let primary = first_line(text, &problem.place);
    let Some(primary) = primary.filter(|_| !text.is_empty()) else {
        let Place { line, column, .. } = problem.place;
        let origin = Origin::path(path).line(line).char_column(column);
        return title.element(origin).elements(help);
    };
    let related: Vec<(Range<usize>, String)> = problem
        .related
        .iter()
        .filter_map(|related| Some((first_line(text, &related.place)?, escaped(&related.label))))
        .collect();
    // The renderer reads all of its source, so it gets only the lines between the places.
    let spans = || related.iter().map(|(span, _)| span).chain([&primary]);
    let first = spans().map(|span| span.start).min().unwrap_or(0);
    let last = spans().map(|span| span.end).max().unwrap_or(0);
    let start = text.get(..first).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let end =
        text.get(last..).and_then(|after| after.find('\n')).map_or(text.len(), |at| last + at + 1);
    let line = text.get(..start).map_or(1, |before| before.matches('\n').count() + 1);
    let shifted = |span: &Range<usize>| span.start - start..span.end - start;
    let snippet =
        Snippet::source(text.get(start..end).unwrap_or_default())
            .path(path)
            .line_start(line)
            .annotation(AnnotationKind::Primary.span(shifted(&primary)))
            .annotations(related.iter().map(|(span, label)| {
                AnnotationKind::Context.span(shifted(span)).label(label.clone())
            }));
    title.element(snippet).elements(help)
}

/// Returns the part of a place that is on its first line, or `None` if the place is not in
/// the text.
fn first_line(text: &str, place: &Place) -> Option<Range<usize>> {
    let start = place.span.start;
    let length = text.get(place.span.clone())?.lines().next().map_or(0, str::len);
    Some(start..start + length)
}

/// Returns the text with every character replaced that would act on a terminal and that the
/// renderer does not replace. Replacements are as long as what they stand for, so that all
/// places stay where they are. The renderer shows ASCII control characters as pictures, and
/// would show a tab as four columns: here it is one, like the mark below it.
fn printable_source(text: &str) -> String {
    let replace = |character: char| match character.len_utf8() {
        _ if character == '\t' => ' ',
        1 => character,
        _ if !is_unsafe(character) => character,
        2 => '\u{bf}',
        _ => char::REPLACEMENT_CHARACTER,
    };
    text.chars().map(replace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, part: &str) -> Place {
        let start = text.find(part).expect("the part is in the text");
        let before = &text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Place { span: start..start + part.len(), line, column }
    }

    fn diagnostics(text: &str, part: &str) -> Diagnostics {
        let problem = Problem {
            message: "wrong".into(),
            place: place(text, part),
            related: Vec::new(),
            help: None,
        };
        Diagnostics { path: "mc1.yaml".into(), text: text.into(), problems: vec![problem] }
    }

    #[test]
    fn wide_characters_and_tabs_keep_the_mark_below_its_place() {
        assert_eq!(
            diagnostics("a: {冷蔵庫: 1, b: 2}\n", "b").to_string(),
            "error: wrong\n \
             --> mc1.yaml:1:13\n  \
               |\n\
             1 | a: {冷蔵庫: 1, b: 2}\n  \
               |                ^"
        );
        assert_eq!(
            diagnostics("a:\n\t- b\n", "b").to_string(),
            "error: wrong\n \
             --> mc1.yaml:2:4\n  \
               |\n\
             2 |  - b\n  \
               |    ^"
        );
    }

    #[test]
    fn only_the_first_line_of_a_place_is_marked() {
        let shown = diagnostics("a:\n  - b: 1\n    c: 2\n", "b: 1\n    c: 2").to_string();
        assert!(shown.contains("2 |   - b: 1\n  |     ^^^^"), "{shown}");
        assert!(!shown.contains("c: 2"), "{shown}");
    }

    #[test]
    fn nothing_that_acts_on_a_terminal_is_shown() {
        let nasty: String = ('\0'..='\u{9f}')
            .chain(['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{202e}'])
            .chain(['\u{2066}', '\u{2069}', '\u{feff}'])
            .filter(|c| c.is_control() || !c.is_ascii())
            .filter(|c| !"\r\n".contains(*c))
            .collect();
        let text = format!("first: {nasty}x\nlast: {nasty}y\n");
        let mut shown = diagnostics(&text, "y");
        shown.path = format!("mc1{nasty}.yaml").into();
        let problem = &mut shown.problems[0];
        problem.message = format!("message {nasty}");
        problem.help = Some(format!("help {nasty}"));
        let label = format!("label {nasty}");
        problem.related = vec![RelatedPlace { place: place(&text, "x"), label }];
        let plain = shown.to_string();
        let bad: Vec<char> = plain.chars().filter(|c| *c != '\n' && is_unsafe(*c)).collect();
        assert_eq!(bad, [], "{plain:?}");
        assert!(plain.contains("message \\u{0}\\u{1}") && plain.contains("\\u{202e}"), "{plain:?}");
        assert!(plain.contains("last:"), "{plain:?}");
        // Colors are the renderer's own: escape sequences that end in `m`.
        let styled = shown.to_styled_string();
        let rest: String = styled
            .split("\x1b[")
            .enumerate()
            .map(|(number, part)| match number {
                0 => part,
                _ => part.split_once('m').expect("an SGR sequence").1,
            })
            .collect();
        assert_eq!(rest, plain);
        assert_ne!(styled, plain);
    }

    #[test]
    fn line_ends_of_windows_are_not_shown() {
        let shown = diagnostics("a: 1\r\nb: 2\r\n", "b").to_string();
        assert!(shown.ends_with("2 | b: 2\n  | ^"), "{shown:?}");
    }

    #[test]
    fn every_place_can_be_shown() {
        for text in ["", "\n", "a: é\r\n\tb\u{9b}\r\r\n冷", "a: 1\n\n"] {
            for start in 0..text.len() + 2 {
                for end in start..text.len() + 2 {
                    let span = Place { span: start..end, line: 1, column: 1 };
                    let related =
                        RelatedPlace { place: Place { span: 0..end, ..span }, label: "x".into() };
                    let problem = Problem {
                        message: "wrong".into(),
                        place: Place { span: start..end, line: 1, column: 1 },
                        related: vec![related],
                        help: Some("fix it".into()),
                    };
                    let problems = vec![problem];
                    let shown = Diagnostics { path: "p".into(), text: text.into(), problems };
                    assert!(shown.to_string().contains("--> p:"), "{text:?} {start}..{end}");
                }
            }
        }
        let mut empty = diagnostics("a", "a");
        empty.text.clear();
        assert_eq!(empty.to_string(), "error: wrong\n--> mc1.yaml:1:1");
    }
}
