//! The profile as YAML, and what is wrong with it if it is not.
//!
//! A profile is read into a tree first and into a cluster afterwards, so that all its
//! problems can be reported at once.

use system_model::yaml::SyntaxError;
pub(crate) use system_model::yaml::{Key, Kind, Value};

use crate::{
    problem::{Place, Problem},
    yaml_cause::{self, Cause},
};

/// Reads one YAML document. Keys that appear more than once in a mapping are kept.
pub(crate) fn parse(text: &str) -> Result<Value, Box<Problem>> {
    Value::parse(text).map_err(|error| Box::new(syntax_problem(text, error)))
}

fn syntax_problem(text: &str, SyntaxError { message, place, is_tab }: SyntaxError) -> Problem {
    let found = yaml_cause::find(text, place.span.start).or_else(|| {
        // The parser names the start of the value that the tab ends.
        let rest = text.get(place.span.start..).unwrap_or_default();
        let tab = rest.find('\t').filter(|_| is_tab)?;
        Some(yaml_cause::tab_at(place.span.start + tab))
    });
    match found {
        Some(Cause { at, message, help }) => {
            let place = Place::of_character(text, at);
            Problem { message, place, related: Vec::new(), help: Some(help) }
        }
        None => Problem { message, place, related: Vec::new(), help: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_errors_have_a_place() {
        for (text, line, column) in [
            ("a: b: c\n", 1, 5),
            ("a: [1, 2\nb: 3\n", 1, 4),
            ("a: \"x\n", 1, 4),
            ("a: 1\n---\nb: 1\n", 3, 1),
        ] {
            let problem = parse(text).expect_err(text);
            assert_eq!((problem.place.line, problem.place.column), (line, column), "{problem:?}");
            assert!(!problem.message.is_empty() && !problem.message.contains(" line "));
            assert!(text.get(problem.place.span).is_some());
        }
    }

    #[test]
    fn a_tab_is_called_a_tab() {
        for text in ["a:\n\tb: 1\n", "a:\n\t- b\n", "a:\n  - b: 1\n\tc: 2\n"] {
            let problem = parse(text).expect_err(text);
            assert_eq!(problem.message, "tabs are not allowed in YAML here");
            assert_eq!(&text[problem.place.span], "\t");
            assert_eq!(problem.help.as_deref(), Some("replace the tab with spaces"));
        }
    }
}
