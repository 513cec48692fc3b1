//! Default passwords: everybody who has the image knows them.

use sha_crypt::{PasswordVerifier as _, ShaCrypt};
use system_model::{CloudPassword, GivenPassword};
use yescrypt::Yescrypt;

use super::Method;

/// The passwords that images for small boards give their users, as their makers document
/// them. A user's own name (`odroid`, `pi`, `ubuntu`, `alarm`, `orangepi` …) is always
/// tried.
const DEFAULTS: [(&str, &str); 9] = [
    // Hardkernel's images.
    ("root", "odroid"),
    // Armbian, until its first login.
    ("root", "1234"),
    // Raspberry Pi OS until April 2022.
    ("pi", "raspberry"),
    // BeagleBoard.org.
    ("debian", "temppwd"),
    // Orange Pi's, DietPi, FriendlyElec's, Khadas's.
    ("root", "orangepi"),
    ("root", "dietpi"),
    ("root", "fa"),
    ("root", "khadas"),
    // Kali until 2020.
    ("root", "toor"),
];

/// The yescrypt parameters that are tried: those of mkpasswd and Debian's PAM, and lower
/// ones. Others need more than 16 MiB of memory.
const YESCRYPT: [&str; 4] = ["j75", "j85", "j8T", "j9T"];

/// A default password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultPassword<'a> {
    /// There is none: the console does not ask for one.
    Empty,
    /// It is this word.
    Word(&'a str),
}

/// Returns the default password that a password field of /etc/shadow stands for: none, the
/// user's own name, or one that images have.
///
/// SHA-crypt and yescrypt hashes are tried, if they have their method's default cost. That
/// takes some milliseconds for each word, ten words at most. Other hashes count as
/// unknown.
pub fn default_password<'a>(user: &'a str, field: &str) -> Option<DefaultPassword<'a>> {
    if field.is_empty() {
        return Some(DefaultPassword::Empty);
    }
    let method = tried(field)?;
    words(user).find(|word| fits(method, field, word)).map(DefaultPassword::Word)
}

/// Returns the passwords that images have for a user.
fn words(user: &str) -> impl Iterator<Item = &str> {
    let of_images = DEFAULTS.iter().filter(move |(name, _)| *name == user).map(|(_, word)| *word);
    // A longer name is not a user's, and would only cost time.
    of_images.chain(Some(user).filter(|user| user.len() <= 64))
}

/// Returns the default password that one which cloud-init gives a user is: the user's own name, or
/// one that images have.
pub fn cloud_default_password(given: &CloudPassword) -> Option<DefaultPassword<'_>> {
    let user = given.user.as_str();
    match &given.password {
        GivenPassword::Hash(hash) => default_password(user, hash),
        GivenPassword::Plain(password) => {
            words(user).find(|word| word == password).map(DefaultPassword::Word)
        }
    }
}

/// Returns whether images have this password for one of their users.
pub(crate) fn is_default_word(word: &str) -> bool {
    DEFAULTS.iter().any(|(name, default)| word == *name || word == *default)
}

/// Returns the method of a hash, if words can be tried quickly.
fn tried(hash: &str) -> Option<Method> {
    let method = Method::of(hash).filter(|method| method.is_whole(hash))?;
    let quick = match method {
        Method::Sha256 | Method::Sha512 => !hash.contains("$rounds="),
        Method::Yescrypt => {
            let parameters = hash.strip_prefix("$y$").and_then(|rest| rest.split('$').next());
            parameters.is_some_and(|parameters| YESCRYPT.contains(&parameters))
        }
        Method::Scrypt | Method::Bcrypt => false,
    };
    quick.then_some(method)
}

/// Returns whether a hash is that of a word.
fn fits(method: Method, hash: &str, word: &str) -> bool {
    match method {
        Method::Yescrypt => Yescrypt::default().verify_password(word.as_bytes(), hash).is_ok(),
        _ => ShaCrypt::default().verify_password(word.as_bytes(), hash).is_ok(),
    }
}
