//! Inspecting images.

use crate::support::*;

#[test]
fn an_image_is_described() {
    let bench = Bench::new();
    let base = sample_base();
    let inspect = |arguments: &[&str]| {
        let all = [&["inspect"], arguments].concat();
        let output = bench.nodecard(&all).output().expect("nodecard runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, error) = inspect(&[base.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{error}");
    for part in
        ["41.5 MiB, MBR 3cedfd53", "p2 root", "Ubuntu 16.04.3 LTS", "host name   xu4-master"]
    {
        assert!(out.contains(part), "{part} is missing: {out}");
    }
    let (code, out, error) = inspect(&[base.to_str().unwrap(), "--json"]);
    assert_eq!(code, Some(0), "{error}");
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["system"]["users"][0]["name"], "root");
    let (code, _, error) = inspect(&["nowhere.img"]);
    assert_eq!(code, Some(4), "{error}");
    let (code, _, error) = inspect(&[base.to_str().unwrap(), "--root", "7"]);
    assert_eq!(code, Some(2), "{error}");
}
