//! YAML is read as cloud-init's own loader reads it, and booleans are what its functions say.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value as Json, json};
use system_model::CloudValue;

use crate::{Random, judge};

const SCALARS: usize = 12_000;
const DOCUMENTS: usize = 8_000;

/// Scalars that readers of YAML do not agree on.
const WORDS: &[&str] = &[
    "y",
    "Y",
    "n",
    "N",
    "yes",
    "Yes",
    "YES",
    "yEs",
    "no",
    "on",
    "On",
    "ON",
    "oN",
    "off",
    "true",
    "TRUE",
    "True",
    "tRue",
    "false",
    "~",
    "null",
    "Null",
    "nULL",
    "",
    "0644",
    "0o644",
    "08",
    "09.5",
    "0b1",
    "0b_",
    "0b2",
    "-0b11",
    "0x1F",
    "0x",
    "0xg",
    "0_1",
    "1_000",
    "_1",
    "1:30",
    "1:60",
    "01:30",
    "-1:30:59",
    "190:20:30.15",
    "1:5.",
    "1.",
    ".5",
    "-.5",
    "1.5e3",
    "1.5e+3",
    "1e3",
    "1.e+1",
    "._",
    ".inf",
    "-.INF",
    "+.inf",
    ".NaN",
    "-.nan",
    "=",
    "<<",
    "2001-12-14",
    "2001-13-14",
    "2001-2-3",
    "2001-12-14t21:59:43Z",
    "2001-12-14 21:59:43.10 -5",
    "2001-12-14 21:59:43 +5:30",
    "2001-12-14 21:59:60",
    "0",
    "-0",
    "+1",
    "1",
    "1.0",
    "'1'",
    "\"yes\"",
    "'yes'",
    "!!str yes",
    "!!bool yes",
    "!!bool 'On'",
    "!!bool y",
    "!!int '3'",
    "!!int 0x1f",
    "!!float 1",
    "!!null x",
    "! 1",
    "! 'x'",
    "!x y",
    "!!binary aGk=",
    "!!binary '?'",
    "!!set {a}",
    "!!omap [a: 1]",
    "!!python/unicode x",
    "!!timestamp 2001-12-14",
    "!<tag:yaml.org,2002:int> 5",
    "12345678901234567890",
    "1e400",
    "\"\\x41\\u00e9\"",
    "'it''s'",
    "a b",
    "a#b",
    "a #b",
    "a:b",
    "[a?b]",
    "[http://x/?y=1]",
    "http://x/?y=1",
    "{a:1}",
    "{a: 1}",
    "{yes: 1, 1: 2, 1.0: 3, true: 4}",
    "[1, [yes, n], {}]",
    "{? a : b}",
    "{a, b: }",
    "[a, , b]",
    "{[a]: b}",
    "'x'#y",
    "\u{85}",
    "a\u{2028}b",
    "\u{7f}",
    "\u{feff}x",
    "é",
    "|\n  a\n  b",
    "|-\n  a\n",
    ">\n a\n b\n",
    "|2\n   a",
    "'a\n  b'",
    "a\n  b",
    "&a x",
    "*a",
    "%x",
    "@x",
    "`x`",
    "- a",
    "a: b",
    "? a",
    ": a",
];

/// Lines that documents are put together from.
const LINES: &[&str] = &[
    "a: 1",
    "b: yes",
    "a: y",
    "y: 1",
    "- x",
    "  - y",
    "  c: {d: e}",
    "key:",
    "  sub: |",
    "    text",
    "   text",
    "\ttab: 1",
    "a:\t1",
    "a: 1\t",
    "a: 'x\ty'",
    "# c\td",
    "  # comment",
    "# c",
    "list: [1, 2,",
    "  3]",
    "m: {a: 1,",
    "b: 2}",
    "s: 'a",
    "  b'",
    "t: \"x",
    "y\"",
    "? k",
    ": v",
    "--- ",
    "---",
    "...",
    "x: *a",
    "y: &a z",
    "m: &m {a: 2, b: 3}",
    "<<: *m",
    "<<: [*m, {b: 4}]",
    "<<: x",
    "'<<': {a: 5}",
    "z: {<<: *m, a: 1}",
    "q: >-",
    "  folded",
    "",
    "  ",
    "w: !!str 1",
    "n: ~",
    "p: a b",
    "  c",
    "- - a",
    "  - b",
    "-",
    "  - ",
    "- k: v",
    "  l: w",
    "k : v",
    "'k': v",
    "\"k\":v",
    "[a]: b",
    "{a: b}: c",
    "k: - a",
    "k: a: b",
    "k: 'a' b",
    "k: [a, b] c",
    "k: #c",
    "k:#c",
    "k: a#b",
    "on: 1",
    "1: one",
    "~: x",
    "=: x",
    "k: =",
    "%YAML 1.1",
    "%TAG !e! tag:yaml.org,2002:",
    "e: !e!int '3'",
    "users:",
    "- name: a",
    "  sudo: ALL=(ALL)",
];

impl Random {
    fn scalar(&mut self) -> String {
        if self.below(3) > 0 {
            return self.pick(WORDS).to_owned();
        }
        let alphabet = ["0123456789_.:-+eExb", "yYnNoOfFtTrRuUeEsS", "0123456789-:T .Z"];
        let alphabet = self.pick(&alphabet).as_bytes();
        (0..=self.below(7))
            .map(|_| char::from(alphabet[self.below(alphabet.len() as u64) as usize]))
            .collect()
    }

    fn lines(&mut self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for _ in 0..=self.below(6) {
            let line = match self.below(4) {
                0 => format!("{}: {}", self.pick(&["a", "b", "key"]), self.scalar()),
                _ => self.pick(LINES).to_owned(),
            };
            lines.push(line);
        }
        let end = self.pick(&["", "\n", "\r\n"]);
        format!("{}{end}", lines.join(if self.below(20) == 0 { "\r\n" } else { "\n" }))
    }
}

fn typed(value: &CloudValue) -> Json {
    match value {
        CloudValue::Null => json!(["null"]),
        CloudValue::Bool(value) => json!(["bool", value]),
        CloudValue::Integer(number) => json!(["int", number.to_string()]),
        CloudValue::Float(number) => {
            let bits = if number.is_nan() {
                "nan".to_owned()
            } else {
                format!("{:016x}", number.to_bits())
            };
            json!(["float", bits, value.text()])
        }
        CloudValue::Text(text) => json!(["text", text]),
        CloudValue::Date(_) => json!(["date"]),
        CloudValue::Bytes(bytes) => json!(["bytes", data_encoding::BASE64.encode(bytes)]),
        CloudValue::List(values) => json!(["list", values.iter().map(typed).collect::<Vec<_>>()]),
        CloudValue::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| json!([typed(key), typed(value)]));
            json!(["map", entries.collect::<Vec<_>>()])
        }
    }
}

/// Returns why the model may refuse what PyYAML reads: it says so, and the parser or the model
/// lacks it.
fn excuse(text: &str, why: &str) -> Option<&'static str> {
    if why.contains("unusual line break") {
        Some("line ends of YAML 1.1")
    } else if why.contains("the unknown tag ") {
        Some("sets and ordered maps")
    } else if ["'#", "\"#", "]#", "}#", "'# ", "}# "].iter().any(|end| text.contains(end)) {
        Some("comments without a space before them")
    } else if text.contains("-]") {
        Some("a bare dash within brackets")
    } else {
        None
    }
}

#[test]
fn yaml_is_read_as_cloud_init_reads_it() {
    let Some((python, package)) = judge() else { return };
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let scalars = (0..SCALARS).map(|case| {
        let scalar = random.scalar();
        if case % 2 == 0 { scalar } else { format!("[{scalar}]") }
    });
    let mut texts: Vec<String> = scalars.collect();
    texts.extend((0..DOCUMENTS).map(|_| random.lines()));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("texts");
    let lines: Vec<String> =
        texts.iter().map(|text| data_encoding::HEXLOWER.encode(text.as_bytes())).collect();
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloud_init/read_yaml.py");
    let output = Command::new(python)
        .args([&script, &package])
        .stdin(Stdio::from(fs::File::open(path).unwrap()))
        .output()
        .unwrap();
    let theirs = String::from_utf8(output.stdout).unwrap();
    assert_eq!(theirs.lines().count(), texts.len(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut read, mut wrong) = (0, Vec::new());
    let mut excused = std::collections::BTreeMap::new();
    for (text, theirs) in texts.iter().zip(theirs.lines()) {
        let theirs: Json = serde_json::from_str(theirs).unwrap();
        let ours = CloudValue::parse(text);
        read += usize::from(!theirs.is_null());
        if let Err(why) = &ours
            && !theirs.is_null()
            && let Some(excuse) = excuse(text, why)
        {
            *excused.entry(excuse).or_insert(0) += 1;
            continue;
        }
        let said = ours.as_ref().map_or(Json::Null, |value| {
            let is_true = value.is_true();
            json!([typed(value), [is_true, value.is_false(), is_true, value.is_truthy()]])
        });
        if said != theirs {
            wrong.push(format!("{text:?}\n  theirs {theirs}\n  ours   {said} {:?}", ours.err()));
        }
    }
    wrong.sort_by_key(String::len);
    wrong.dedup();
    println!("{} texts, of which PyYAML reads {read}; not read here: {excused:?}", texts.len());
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
}
