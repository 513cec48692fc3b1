//! Arguments that do not fit an option that changes what the others are.

use clap::error::ErrorKind;
use plain_text::shell_word;

/// Returns what is wrong with the arguments of `nodecard flash --image`, in which the device
/// takes the place of the profile. `None` for other commands and other errors.
pub fn of_image(error: &clap::Error, words: &[String]) -> Option<String> {
    let at = words.iter().position(|word| word == "flash")?;
    let mut image = None;
    let mut others = Vec::new();
    let mut words = words.iter().skip(at + 1);
    while let Some(word) = words.next() {
        if word == "--image" {
            image = words.next().cloned();
        } else if let Some(value) = word.strip_prefix("--image=") {
            image = Some(value.to_owned());
        } else if !word.starts_with('-') {
            others.push(word);
        }
    }
    let image = shell_word(&image?);
    match (error.kind(), others.as_slice()) {
        (ErrorKind::MissingRequiredArgument, []) => Some(format!(
            "--image needs a device to write to: nodecard flash --image {image} DEVICE"
        )),
        (ErrorKind::ValueValidation | ErrorKind::ArgumentConflict, [_, target]) => {
            let device = shell_word(device_of(target));
            Some(format!("--image takes no profile: nodecard flash --image {image} {device}"))
        }
        _ => None,
    }
}

/// Returns the device or file in `NODE=TARGET`, or all of it if it is no such pair.
pub fn device_of(target: &str) -> &str {
    target.split_once('=').map_or(target, |(_, device)| device)
}
