//! What cloud-init reads from the kernel's command line (util.py `read_cc_from_cmdline`,
//! net/cmdline.py `read_kernel_cmdline_config`).

use super::{decode::escapes, value::Value};
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
            let text = escapes(text.trim_start().as_bytes(), b'%');
            texts.push(String::from_utf8_lossy(&text).replace("\\n", "\n"));
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
