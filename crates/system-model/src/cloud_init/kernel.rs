//! What cloud-init reads from the kernel's command line (util.py `read_cc_from_cmdline`,
//! net/cmdline.py `read_kernel_cmdline_config`).

use super::value::Value;
use crate::{CommandLines, command_line::CommandLine};

/// Returns the text of each command line that holds configuration between `cc:` and `end_cc`.
pub(super) fn configurations(lines: &CommandLines) -> Vec<(&CommandLine, String)> {
    let mut found = Vec::new();
    for line in lines.counting() {
        let words: Vec<&str> = line.arguments.iter().map(|one| one.text.as_str()).collect();
        let whole = words.join(" ");
        let mut texts = Vec::new();
        let mut rest = whole.as_str();
        while let Some((_, after)) = rest.split_once("cc:") {
            let (text, next) = after.split_once("end_cc").unwrap_or((after, ""));
            texts.push(unquote(text.trim_start()).replace("\\n", "\n"));
            rest = next;
        }
        if !texts.is_empty() {
            found.push((line, texts.join("\n")));
        }
    }
    found
}

/// Returns the network configuration that a command line gives. One that this model cannot
/// unpack is the text as it is.
pub(super) fn network(lines: &CommandLines) -> Option<(&CommandLine, Value)> {
    let (line, argument) = lines.find("network-config")?;
    let text = argument.value.as_deref().filter(|text| !text.is_empty())?;
    if text == "disabled" {
        return Some((line, Value::Map(vec![(Value::from("config"), Value::from(text))])));
    }
    let bytes = data_encoding::BASE64.decode(text.as_bytes()).ok();
    let document = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let value = document.and_then(|document| Value::parse(&document).ok());
    Some((line, value.unwrap_or_else(|| Value::Text(text.to_owned()))))
}

/// Decodes `%xx`.
fn unquote(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let coded = after.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = coded.and_then(|two| data_encoding::HEXLOWER_PERMISSIVE.decode(two).ok());
        match byte.as_deref() {
            Some([byte]) => {
                bytes.push(*byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
