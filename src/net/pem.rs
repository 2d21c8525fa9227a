//! PEM files looked through line by line, so that a mistake in one has a place.

use base64::Engine;

/// What a file must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// At least one certificate.
    Certificates,
    /// One private key that is not encrypted.
    Key,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemError {
    /// The line, from 1.
    pub line: u32,
    /// What is wrong there. Nothing of the file's content but labels is in it.
    pub message: String,
}

const KEYS: &[&str] = &["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];

/// Looks through the text of a file. Text between the blocks is ignored, as everybody does (RFC 7468 section 2).
pub fn check(text: &str, wanted: Wanted) -> Result<(), PemError> {
    let mut found = 0;
    let mut open: Option<(u32, &str, String)> = None;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        let wrong = |line: u32, message: String| Err(PemError { line, message });
        match (&mut open, label(line, "-----BEGIN "), label(line, "-----END ")) {
            (None, Some(begun), _) => open = Some((number, begun, String::new())),
            (None, None, _) => {}
            (Some((begun, name, _)), Some(_), _) => {
                return wrong(number, format!("the block `{name}` of line {begun} is not ended"));
            }
            (Some((begun, name, body)), None, Some(ended)) => {
                if *name != ended {
                    let message = format!("the block `{name}` of line {begun} is ended as something else");
                    return wrong(number, message);
                }
                let decoded = base64::engine::general_purpose::STANDARD.decode(body.as_bytes());
                if decoded.map_or(true, |bytes| bytes.is_empty()) {
                    return wrong(*begun, format!("the block `{name}` is not base64"));
                }
                if wanted == Wanted::Key && *name == "ENCRYPTED PRIVATE KEY" {
                    return wrong(*begun, "the private key is encrypted".to_owned());
                }
                found += u32::from(match wanted {
                    Wanted::Certificates => *name == "CERTIFICATE",
                    Wanted::Key => KEYS.contains(name),
                });
                open = None;
            }
            (Some((_, name, body)), None, None) => {
                if !line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)) {
                    return wrong(number, format!("this line of the block `{name}` is not base64"));
                }
                body.push_str(line);
            }
        }
    }
    let error = |line, message: String| Err(PemError { line, message });
    match (open, wanted, found) {
        (Some((begun, name, _)), ..) => error(begun, format!("the block `{name}` is not ended")),
        (None, Wanted::Certificates, 0) => {
            error(1, "there is no `-----BEGIN CERTIFICATE-----` in this file".to_owned())
        }
        (None, Wanted::Key, 0) => {
            error(1, "there is no `-----BEGIN PRIVATE KEY-----` in this file".to_owned())
        }
        (None, Wanted::Key, 2..) => error(1, "there is more than one private key in this file".to_owned()),
        _ => Ok(()),
    }
}

fn label<'a>(line: &'a str, begin: &str) -> Option<&'a str> {
    let name = line.strip_prefix(begin)?.strip_suffix("-----")?;
    (name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' ')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str, wanted: Wanted) -> (u32, String) {
        let error = check(text, wanted).unwrap_err();
        (error.line, error.message)
    }

    #[test]
    fn whole_files_pass() {
        let certificate =
            "subject=/CN=me\n-----BEGIN CERTIFICATE-----\r\nAAAA\r\nBBBB\r\n-----END CERTIFICATE-----\r\n";
        assert_eq!(check(&certificate.repeat(2), Wanted::Certificates), Ok(()));
        for name in KEYS {
            let key = format!("-----BEGIN {name}-----\nAAA=\n-----END {name}-----\n");
            assert_eq!(check(&format!("{certificate}{key}"), Wanted::Key), Ok(()), "{name}");
        }
    }

    #[test]
    fn mistakes_have_a_line() {
        let all = [
            wrong("", Wanted::Certificates),
            wrong("hunter2", Wanted::Key),
            wrong("\n-----BEGIN CERTIFICATE-----\nAAAA\n", Wanted::Certificates),
            wrong("-----BEGIN CERTIFICATE-----\nAA AA\n-----END CERTIFICATE-----", Wanted::Certificates),
            wrong("-----BEGIN CERTIFICATE-----\nAAAAA\n-----END CERTIFICATE-----", Wanted::Certificates),
            wrong("-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----", Wanted::Certificates),
            wrong("-----BEGIN CERTIFICATE-----\n-----BEGIN CERTIFICATE-----", Wanted::Certificates),
            wrong(
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
                Wanted::Key,
            ),
        ];
        let shown: Vec<_> = all.iter().map(|(line, message)| format!("{line}: {message}")).collect();
        assert!(!shown.join("").contains("hunter2"));
        insta::assert_snapshot!(shown.join("\n"), @r"
        1: there is no `-----BEGIN CERTIFICATE-----` in this file
        1: there is no `-----BEGIN PRIVATE KEY-----` in this file
        2: the block `CERTIFICATE` is not ended
        2: this line of the block `CERTIFICATE` is not base64
        1: the block `CERTIFICATE` is not base64
        3: the block `CERTIFICATE` of line 1 is ended as something else
        2: the block `CERTIFICATE` of line 1 is not ended
        1: the private key is encrypted
        ");
    }
}
