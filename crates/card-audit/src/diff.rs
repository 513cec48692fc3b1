//! What differs between two texts, line by line.

use std::fmt::Write as _;

/// One step from the old lines to the new ones, by their indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Keep(usize, usize),
    Remove(usize),
    Add(usize),
}

/// Beyond this many comparisons, what differs in the middle is replaced as a whole.
const MAX_WORK: usize = 4 << 20;

/// The steps that lead from `old` to `new`, as few as possible.
pub(crate) fn steps<T: PartialEq>(old: &[T], new: &[T]) -> Vec<Step> {
    let prefix = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[prefix..], &new[prefix..]);
    let suffix =
        old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let a = &old_rest[..old_rest.len() - suffix];
    let b = &new_rest[..new_rest.len() - suffix];
    let mut steps: Vec<Step> = (0..prefix).map(|i| Step::Keep(i, i)).collect();
    steps.extend(middle(a, b).into_iter().map(|step| match step {
        Step::Keep(i, j) => Step::Keep(i + prefix, j + prefix),
        Step::Remove(i) => Step::Remove(i + prefix),
        Step::Add(j) => Step::Add(j + prefix),
    }));
    let (i, j) = (prefix + a.len(), prefix + b.len());
    steps.extend((0..suffix).map(|k| Step::Keep(i + k, j + k)));
    steps
}

/// By the longest common subsequence.
fn middle<T: PartialEq>(a: &[T], b: &[T]) -> Vec<Step> {
    let whole = || (0..a.len()).map(Step::Remove).chain((0..b.len()).map(Step::Add)).collect();
    if a.is_empty() || b.is_empty() || a.len().saturating_mul(b.len()) > MAX_WORK {
        return whole();
    }
    let width = b.len() + 1;
    // longest[i * width + j]: of a[i..] and b[j..].
    let mut longest = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = match a[i] == b[j] {
                true => longest[(i + 1) * width + j + 1] + 1,
                false => longest[(i + 1) * width + j].max(longest[i * width + j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut steps = Vec::new();
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            steps.push(Step::Keep(i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            steps.push(Step::Remove(i));
            i += 1;
        } else {
            steps.push(Step::Add(j));
            j += 1;
        }
    }
    steps.extend((i..a.len()).map(Step::Remove));
    steps.extend((j..b.len()).map(Step::Add));
    steps
}

/// How many lines around a change are shown.
const CONTEXT: usize = 3;

/// A unified diff's hunks, without the file names; empty if nothing differs.
pub(crate) fn unified(old: &str, new: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let steps = steps(&a, &b);
    let changed: Vec<usize> =
        (0..steps.len()).filter(|&index| !matches!(steps[index], Step::Keep(..))).collect();
    let mut out = String::new();
    let mut next = 0;
    while let Some(&first) = changed.get(next) {
        let mut last = first;
        while let Some(&after) = changed.get(next).filter(|&&after| after <= last + 2 * CONTEXT + 1)
        {
            last = after;
            next += 1;
        }
        let from = first.saturating_sub(CONTEXT);
        let to = (last + CONTEXT + 1).min(steps.len());
        hunk(&mut out, &steps, from..to, &a, &b);
    }
    out
}

fn hunk(out: &mut String, steps: &[Step], range: std::ops::Range<usize>, a: &[&str], b: &[&str]) {
    // How many lines of each side come before the hunk, and are in it.
    let count = |steps: &[Step]| {
        steps.iter().fold((0, 0), |(old, new), step| match step {
            Step::Keep(..) => (old + 1, new + 1),
            Step::Remove(_) => (old + 1, new),
            Step::Add(_) => (old, new + 1),
        })
    };
    let before = count(&steps[..range.start]);
    let inside = count(&steps[range.clone()]);
    // A side without lines is named by the line before.
    let start = |before: usize, inside: usize| before + usize::from(inside > 0);
    let side = |before, inside| match inside {
        1 => format!("{}", start(before, inside)),
        _ => format!("{},{inside}", start(before, inside)),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "@@ -{} +{} @@", side(before.0, inside.0), side(before.1, inside.1));
    for step in &steps[range] {
        let (sign, line) = match *step {
            Step::Keep(i, _) => (' ', a[i]),
            Step::Remove(i) => ('-', a[i]),
            Step::Add(j) => ('+', b[j]),
        };
        out.push(sign);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    #[test]
    fn is_what_diff_prints() {
        let temp = tempfile::tempdir().unwrap();
        let (a, b) = (temp.path().join("a"), temp.path().join("b"));
        let long: String = (0..40).map(|n| format!("line {n}\n")).collect();
        let changed = long.replace("line 7\n", "LINE 7\n").replace("line 30\n", "");
        let near = long.replace("line 7\n", "x\n").replace("line 14\n", "y\n");
        for (old, new) in [
            ("", "a\n"),
            ("a\n", ""),
            ("a\n", "a"),
            ("a\nb\nc\n", "a\nx\nc\n"),
            ("a", "b"),
            (&long, &changed),
            (&long, &near),
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
    fn large_texts_are_replaced_as_a_whole() {
        let old: Vec<usize> = (0..3000).collect();
        let new: Vec<usize> = (0..3000).map(|n| n + 10_000).collect();
        assert_eq!(steps(&old, &new).len(), 6000);
    }
}
