//! Configuration is merged as cloud-init itself merges it.
//!
//! `CASES_TOOLS` names a directory with cloud-init's package unpacked (`cloud-init/`) and a Python
//! that has what it imports (`python/bin/python`).

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Map, Value as Json, json};
use system_model::{BootModel, CloudValue, MemoryFiles};

mod modules;
mod yaml;

/// Returns the Python and the package of cloud-init that judge, or says that they are missing.
fn judge() -> Option<(PathBuf, PathBuf)> {
    let tools = std::env::var("CASES_TOOLS").unwrap_or_default();
    let python = Path::new(&tools).join("python/bin/python");
    let package = Path::new(&tools).join("cloud-init/usr/lib/python3/dist-packages");
    if tools.is_empty() || !python.exists() || !package.exists() {
        test_support::not_judged("cloud-init was not asked: CASES_TOOLS does not name it");
        return None;
    }
    Some((python, package))
}

const CASES: usize = 1500;

/// A small generator of numbers (xorshift), the same at every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }

    fn value(&mut self, depth: u64) -> String {
        match self.below(if depth == 0 { 5 } else { 9 }) {
            0 => self.below(20).to_string(),
            1 | 2 => self
                .pick(&[
                    "yes", "off", "true", "No", "null", "~", "'off'", "on", "010", "0x1f", "1.5",
                ])
                .to_owned(),
            3 | 4 => self.pick(&["x", "y z", "\"q\"", "localhost", "a-b", "1a", "''"]).to_owned(),
            5 | 6 => {
                let values: Vec<String> =
                    (0..self.below(4)).map(|_| self.value(depth - 1)).collect();
                format!("[{}]", values.join(", "))
            }
            _ => {
                let entries: Vec<String> = (0..self.below(4))
                    .map(|_| format!("{}: {}", self.pick(&["a", "b", "c"]), self.value(depth - 1)))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    fn document(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.below(6) {
            let key = self.pick(&["a", "b", "c", "hostname", "users"]);
            writeln!(text, "{key}: {}", self.value(3)).unwrap();
        }
        if self.below(4) == 0 {
            let how = self.pick(&[
                "'dict(recurse_array)+list(append)'",
                "'dict(replace)+list()+str()'",
                "'list(prepend)+dict(recurse_list,recurse_str)+str(append)'",
                "'list(replace,recurse_dict)+dict(recurse_array,allow_delete)+str()'",
                "[{name: list, settings: [append]}, {name: dict, settings: [no_replace, recurse_list]}]",
                "'dict(no_replace)'",
            ]);
            writeln!(text, "{}: {how}", self.pick(&["merge_how", "merge_type"])).unwrap();
        }
        if self.below(25) == 0 {
            text.push_str("broken: [\n");
        }
        text
    }
}

fn to_json(value: &CloudValue) -> Json {
    match value {
        CloudValue::Null => Json::Null,
        CloudValue::Bool(value) => json!(value),
        CloudValue::Integer(number) => json!(*number as i64),
        CloudValue::Float(number) => json!(number),
        CloudValue::Text(text) | CloudValue::Date(text) => json!(text),
        CloudValue::Bytes(bytes) => json!(bytes),
        CloudValue::List(values) => values.iter().map(to_json).collect(),
        CloudValue::Map(entries) => Json::Object(
            entries.iter().map(|(k, v)| (key_of_json(k), to_json(v))).collect::<Map<_, _>>(),
        ),
    }
}

/// Returns a key as Python's json writes it.
fn key_of_json(key: &CloudValue) -> String {
    match key {
        CloudValue::Null => "null".to_owned(),
        key => key.text().unwrap_or_default(),
    }
}

#[test]
fn merging_is_that_of_cloud_init() {
    let Some((python, package)) = judge() else { return };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let directory = tempfile::tempdir().unwrap();
    let mut roots = String::new();
    let mut ours = Vec::new();
    let mut unreadable = Vec::new();
    for case in 0..CASES {
        let root = directory.path().join(case.to_string());
        let mut files = MemoryFiles::new();
        files.boot_partition(1, "/boot/firmware");
        let mut write = |on_disk: &str, in_image: &str, text: &str| {
            let path = root.join(on_disk);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            files.write(in_image, text);
        };
        let config = "etc/cloud/cloud.cfg";
        write(config, "/etc/cloud/cloud.cfg", &random.document());
        for _ in 0..random.below(4) {
            let name =
                random.pick(&["05_a.cfg", "99-x.cfg", "99_x.cfg", "B.cfg", "b.cfg", "c.txt"]);
            let path = format!("{config}.d/{name}");
            write(&path, &format!("/{path}"), &random.document());
        }
        write("meta-data", "/boot/firmware/meta-data", "instance-id: x\n");
        for name in ["user-data", "vendor-data"] {
            if random.below(3) > 0 {
                let text = format!("#cloud-config\n{}", random.document());
                write(name, &format!("/boot/firmware/{name}"), &text);
            } else if name == "user-data" {
                // Without the file there is no seed.
                write(name, "/boot/firmware/user-data", "");
            }
        }
        writeln!(roots, "{}", root.display()).unwrap();
        let model = BootModel::read(&files).unwrap();
        let cloud_init = model.cloud_init().unwrap();
        unreadable.push(format!("{:?}", cloud_init.unreadable()));
        ours.push(json!([to_json(cloud_init.system_config()), to_json(cloud_init.config())]));
    }
    let mut child = Command::new(python)
        .args([Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloud_init/judge.py"), package])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || input.write_all(roots.as_bytes()));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    let theirs = String::from_utf8(output.stdout).unwrap();
    assert_eq!(theirs.lines().count(), CASES);
    let mut wrong = Vec::new();
    let mut given_up = 0;
    for (case, (line, ours)) in theirs.lines().zip(&ours).enumerate() {
        let theirs: Json = serde_json::from_str(line).unwrap();
        if theirs == Json::Null {
            given_up += 1;
        } else if theirs != *ours {
            wrong.push(format!(
                "{case}\n  theirs {theirs}\n  ours   {ours}\n  {}",
                unreadable[case]
            ));
        }
    }
    println!(
        "{CASES} configurations, {} merged in another way; cloud-init fails on {given_up}",
        wrong.len()
    );
    if let Some(first) = wrong.first() {
        let case = first.lines().next().unwrap();
        let mut texts = String::new();
        for name in ["etc/cloud/cloud.cfg", "user-data", "vendor-data"] {
            let path = directory.path().join(case).join(name);
            writeln!(texts, "{name}:\n{}", fs::read_to_string(path).unwrap_or_default()).unwrap();
        }
        panic!("{} differ: {first}\n{texts}", wrong.len());
    }
}
