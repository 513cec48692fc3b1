//! The hashes, compared with those that debugfs computes.

use super::{tools::run, *};

const SEED: &str = "01234567-89ab-cdef-0f1e-2d3c4b5a6978";

#[test]
fn hashes_are_those_of_e2fsprogs() {
    let bytes = [
        0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x69,
        0x78,
    ];
    let seed = [0, 4, 8, 12].map(|at| word(&bytes, at));
    let mut random = Random(1);
    let names: Vec<Vec<u8>> = (1..=255)
        .flat_map(|length| [(length, 0x21, 0x7f), (length, 0x80, 0x100), (length, 0x21, 0x100)])
        .map(|(length, from, to)| {
            let mut byte = || (from + random.below(to - from)) as u8;
            // debugfs splits names at quotes and takes a leading dash for an option.
            let plain = |byte| if matches!(byte, b'"' | b'-' | 0x7f) { b'x' } else { byte };
            (0..length).map(|_| plain(byte())).collect()
        })
        .collect();
    for version in 0..6_u8 {
        for (option, seed) in [(format!("-s {SEED} "), seed), (String::new(), [0; 4])] {
            let mut requests = Vec::new();
            for name in &names {
                requests.extend(format!("dx_hash -h {version} {option}").into_bytes());
                requests.extend(name);
                requests.push(b'\n');
            }
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), requests).unwrap();
            let output = run("debugfs", &["-f", file.path().to_str().unwrap()]);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let expected: Vec<u32> = text
                .lines()
                .filter(|line| line.starts_with("Hash of "))
                .map(|line| {
                    let (_, hash) = line.rsplit_once(" is 0x").unwrap();
                    let (hash, _) = hash.split_once(' ').unwrap();
                    u32::from_str_radix(hash, 16).unwrap()
                })
                .collect();
            assert_eq!(expected.len(), names.len(), "{text}");
            let hash = Version::new(version).unwrap();
            for (name, expected) in names.iter().zip(expected) {
                assert_eq!(hash.hash(name, &seed), expected, "{version}: {name:x?}");
            }
        }
    }
}

#[test]
fn only_six_versions_are_known() {
    assert!((6..=255).all(|number| Version::new(number).is_none()));
    assert_eq!((0..6).map(|number| Version::new(number).unwrap().on_disk()).sum::<u8>(), 6);
}
