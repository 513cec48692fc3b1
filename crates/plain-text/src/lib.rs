//! Formatting that every crate shares: sizes in bytes, hexadecimal, plurals, shell words, lines
//! of limited width, errors with their causes, and foreign strings that are safe to print.
//!
//! A foreign string is one that this program did not write: a name from an image, a label,
//! a device's model, a line of a profile. It may hold anything, so it goes through
//! [`printable`] before it reaches a terminal.
//!
//! ```
//! use plain_text::{count, decimal_size, printable, size};
//!
//! assert_eq!(size(7 << 30), "7.0 GiB");
//! assert_eq!(decimal_size(7_948_206_080), "7.9 GB");
//! assert_eq!(count(2, "card"), "2 cards");
//! assert_eq!(printable("root\x1b[2J"), "root\\u{1b}[2J");
//! ```

mod causes;
mod hexadecimal;
mod printable;
mod shell;
mod size;
mod wrap;

pub use causes::with_causes;
pub use hexadecimal::{from_hex, to_hex};
pub use printable::{NOT_TEXT, escaped, escaped_json, escaped_lines, is_unsafe, printable};
pub use shell::shell_word;
pub use size::{decimal_size, short_size, size, two_sizes};
pub use wrap::wrap;

/// Returns a number with its noun: `1 error`, `2 errors`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
