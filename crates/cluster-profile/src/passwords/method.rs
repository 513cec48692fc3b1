//! The hash methods of crypt(5) that are strong enough, and the form of their hashes.

/// A hash method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// `$5$`: SHA-256, of every libcrypt.
    Sha256,
    /// `$6$`: SHA-512, of every libcrypt.
    Sha512,
    /// `$y$`, `$gy$`: yescrypt, of libxcrypt.
    Yescrypt,
    /// `$7$`: scrypt, of libxcrypt.
    Scrypt,
    /// `$2a$`, `$2b$`, `$2y$`: bcrypt, of libxcrypt.
    Bcrypt,
}

/// Returns whether all characters are of crypt's base 64.
fn is_base64(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/')
}

/// The length of 32 bytes in base 64.
const SUM_256: usize = 43;
/// The length of 64 bytes in base 64.
const SUM_512: usize = 86;

impl Method {
    /// Returns the method that a hash begins with.
    pub fn of(hash: &str) -> Option<Self> {
        let id = hash.strip_prefix('$')?.split('$').next()?;
        match id {
            "5" => Some(Method::Sha256),
            "6" => Some(Method::Sha512),
            "y" | "gy" => Some(Method::Yescrypt),
            "7" => Some(Method::Scrypt),
            "2a" | "2b" | "2y" => Some(Method::Bcrypt),
            _ => None,
        }
    }

    /// Returns whether the libcrypt that was part of glibc, until Debian 10 and Ubuntu
    /// 18.04, supports it.
    pub fn is_of_glibc(self) -> bool {
        matches!(self, Method::Sha256 | Method::Sha512)
    }

    /// Returns what a hash of this method begins with, for messages.
    pub fn prefix(self) -> &'static str {
        match self {
            Method::Sha256 => "$5$",
            Method::Sha512 => "$6$",
            Method::Yescrypt => "$y$",
            Method::Scrypt => "$7$",
            Method::Bcrypt => "$2b$",
        }
    }

    /// Returns whether a hash that begins with the method's prefix has all its parts in
    /// full length.
    pub fn is_whole(self, hash: &str) -> bool {
        let parts: Vec<&str> = hash.split('$').skip(2).collect();
        let sum = |text: &str, length| text.len() == length && is_base64(text);
        match (self, parts.as_slice()) {
            (Method::Sha256 | Method::Sha512, [rounds @ .., salt, text]) => {
                let length = if self == Method::Sha256 { SUM_256 } else { SUM_512 };
                let rounds = match rounds {
                    [] => true,
                    [one] => one.strip_prefix("rounds=").is_some_and(is_rounds),
                    _ => false,
                };
                rounds && salt.len() <= 16 && sum(text, length)
            }
            (Method::Yescrypt, [parameters, salt, text]) => {
                !parameters.is_empty()
                    && is_base64(parameters)
                    && salt.len() <= 86
                    && is_base64(salt)
                    && sum(text, SUM_256)
            }
            // The parameters are N, r and p in 1, 5 and 5 characters; the salt is arbitrary.
            (Method::Scrypt, [before, text]) => {
                before.get(..11).is_some_and(is_base64) && sum(text, SUM_256)
            }
            (Method::Bcrypt, [cost, text]) => {
                cost.len() == 2 && matches!(cost.parse(), Ok(4..=31u8)) && sum(text, 53)
            }
            _ => false,
        }
    }
}

/// Returns whether libcrypt accepts this number of rounds: 1000 to 999,999,999, without a
/// leading zero.
fn is_rounds(text: &str) -> bool {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits && !text.starts_with('0') && matches!(text.parse(), Ok(1000..=999_999_999u32))
}
