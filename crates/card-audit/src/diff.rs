//! Line-by-line differences between two texts.

use std::{fmt::Write as _, hash::Hash};

use similar::{
    Algorithm, ChangeTag, capture_diff_slices, group_diff_ops, udiff::UnifiedHunkHeader,
};

/// One step from the old lines to the new ones, by their indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Keep(usize, usize),
    Remove(usize),
    Add(usize),
}

/// Returns the steps that lead from `old` to `new`. Texts that are large and have little in
/// common may take more steps than necessary.
pub(crate) fn steps<T: Clone + Eq + Hash>(old: &[T], new: &[T]) -> Vec<Step> {
    capture_diff_slices(Algorithm::Myers, old, new)
        .iter()
        .flat_map(|op| op.iter_changes(old, new))
        .filter_map(|change| match (change.old_index(), change.new_index()) {
            (Some(i), Some(j)) => Some(Step::Keep(i, j)),
            (Some(i), None) => Some(Step::Remove(i)),
            (None, Some(j)) => Some(Step::Add(j)),
            (None, None) => None,
        })
        .collect()
}

/// The number of lines around a change that are shown.
const CONTEXT: usize = 3;

/// Returns the hunks of a unified diff, without file names. Equal texts have none.
///
/// The lines are written here because similar's own writer takes a lone carriage return for
/// the end of a line, which diff and patch do not.
pub(crate) fn unified(old: &str, new: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let mut out = String::new();
    for hunk in group_diff_ops(capture_diff_slices(Algorithm::Myers, &a, &b), CONTEXT) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", UnifiedHunkHeader::new(&hunk));
        for change in hunk.iter().flat_map(|op| op.iter_changes(&a, &b)) {
            out.push(match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            });
            let line = change.value();
            out.push_str(line);
            if !line.ends_with('\n') {
                out.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    #[test]
    fn unified_diffs_are_those_of_diff() {
        let temp = tempfile::tempdir().unwrap();
        let (a, b) = (temp.path().join("a"), temp.path().join("b"));
        let long: String = (0..40).map(|n| format!("line {n}\n")).collect();
        let changed = long.replace("line 7\n", "LINE 7\n").replace("line 30\n", "");
        let near = long.replace("line 7\n", "x\n").replace("line 14\n", "y\n");
        let apart = long.replace("line 7\n", "x\n").replace("line 15\n", "y\n");
        for (old, new) in [
            ("", "a\n"),
            ("a\n", ""),
            ("a\n", "a"),
            ("a\nb\nc\n", "a\nx\nc\n"),
            ("a", "b"),
            ("a\rb\n", "a\rc\n"),
            ("a\r", "a\r\n"),
            (&long, &changed),
            (&long, &near),
            (&long, &apart),
            (&long, &long),
        ] {
            fs::write(&a, old).unwrap();
            fs::write(&b, new).unwrap();
            let output = Command::new("diff").arg("-u").arg(&a).arg(&b).output();
            let output = output.expect("diff is needed: install the Debian package diffutils");
            let text = String::from_utf8(output.stdout).unwrap();
            let hunks: String = text.split_inclusive('\n').skip(2).collect();
            assert_eq!(unified(old, new), hunks);
        }
    }

    #[test]
    fn unified_diffs_apply_with_patch() {
        let temp = tempfile::tempdir().unwrap();
        let (file, diff) = (temp.path().join("file"), temp.path().join("diff"));
        let mut state = 1u32;
        let mut draw = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        for round in 0..100 {
            let mut text = || {
                let mut lines: Vec<&str> = (0..draw(30))
                    .map(|_| ["a\n", "b\n", "c\n", "\n", "x\ry\n", "z\r\n"][draw(6) as usize])
                    .collect();
                lines.extend((draw(3) == 0).then_some("end"));
                lines.concat()
            };
            let (old, new) = (text(), text());
            let hunks = unified(&old, &new);
            if hunks.is_empty() {
                assert_eq!(old, new);
                continue;
            }
            fs::write(&file, &old).unwrap();
            fs::write(&diff, format!("--- file\n+++ file\n{hunks}")).unwrap();
            let output = Command::new("patch")
                .args(["--binary", "--fuzz=0", "--quiet"])
                .arg(&file)
                .arg(&diff)
                .output()
                .expect("patch is needed: install the Debian package patch");
            assert!(output.status.success(), "round {round}: {output:?}\n{hunks}");
            // patch removes files that become empty.
            assert_eq!(fs::read_to_string(&file).unwrap_or_default(), new, "round {round}");
        }
    }

    #[test]
    fn large_texts_are_compared_without_quadratic_work() {
        let old: Vec<u32> = (0..300_000).collect();
        let other: Vec<u32> = (0..300_000).map(|n| n + 1_000_000).collect();
        assert_eq!(steps(&old, &other).len(), 600_000);
        // Every second line differs: the hard case for a shortest list of steps.
        let half: Vec<u32> =
            old.iter().map(|n| if n % 2 == 0 { *n } else { n + 500_000 }).collect();
        let first = steps(&old, &half);
        let kept = first.iter().filter(|step| matches!(step, Step::Keep(..))).count();
        assert!(kept > 100_000, "{kept}");
        assert_eq!(steps(&old, &half), first);
    }
}
