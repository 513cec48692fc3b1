//! Errors with their causes.

use std::{error::Error, iter};

/// Returns the text of an error and those of its causes on one line:
/// `cannot read card.img: permission denied`. A cause that the text before it repeats is
/// left out.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in iter::successors(error.source(), |&cause| cause.source()) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Layered(&'static str, Option<Box<Layered>>);

    impl fmt::Display for Layered {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layered {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    #[test]
    fn every_cause_is_listed_once() {
        let innermost = Layered("no space", None);
        let inner = Layered("cannot write b: no space", Some(Box::new(innermost)));
        let error = Layered("cannot build a", Some(Box::new(inner)));
        assert_eq!(with_causes(&error), "cannot build a: cannot write b: no space");
        assert_eq!(with_causes(&Layered("alone", None)), "alone");
    }
}
