//! e2fsck's opinion of a filesystem.

use std::path::Path;

use crate::output;

/// Returns what e2fsck prints about a filesystem, if it finds anything to report. Its exit
/// code is not enough: stale counts, for one, are reported but do not count as errors.
pub fn e2fsck_complaint(image: &Path, options: &[&str]) -> Option<String> {
    let mut arguments = vec!["-f", "-n"];
    arguments.extend(options);
    arguments.push(image.to_str().expect("a path in UTF-8"));
    let output = output("e2fsprogs", "e2fsck", &arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = text + &String::from_utf8_lossy(&output.stdout);
    let is_expected = |line: &str| {
        line.is_empty()
            || line.starts_with("e2fsck 1.")
            || (1..=5).any(|pass| line.starts_with(&format!("Pass {pass}: Checking ")))
            || (line.contains(" files (")
                && line.contains("% non-contiguous), ")
                && line.ends_with(" blocks"))
    };
    let is_clean =
        output.status.success() && text.lines().all(is_expected) && text.contains("Pass 5");
    (!is_clean).then_some(text)
}

/// Makes sure that e2fsck finds nothing to report. `context` begins the message if it does.
///
/// # Panics
/// If e2fsck reports anything.
#[track_caller]
pub fn assert_e2fsck_clean(image: &Path, context: &str) {
    if let Some(text) = e2fsck_complaint(image, &[]) {
        panic!("{context}: e2fsck reports:\n{text}");
    }
}
