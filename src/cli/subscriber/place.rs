//! Names of hosts, and texts inside the lines that are printed, whatever is in them.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use rustls_pki_types::DnsName;

/// A name of DNS (RFC 1123 §2.1) or an address: it means the same wherever it is pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Name(String),
    Address(IpAddr),
}

impl Host {
    /// Checks a host.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        match DnsName::try_from(text) {
            Ok(_) => Ok(Self::Name(text.to_owned())),
            Err(_) => Err("neither a host name nor an IP address"),
        }
    }

    /// As in the authority of a URI, where IPv6 is in brackets (RFC 3986 §3.2.2).
    pub(super) fn in_uri(&self) -> String {
        match self {
            Self::Address(IpAddr::V6(address)) => format!("[{address}]"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(formatter),
            Self::Address(address) => address.fmt(formatter),
        }
    }
}

/// One word of a POSIX shell.
pub(super) fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A literal of C++ and of Python alike.
pub(super) fn literal(text: &str) -> String {
    let mut literal = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => literal.extend(['\\', letter]),
            // Three digits, so that none that follows belongs to it.
            '\0'..' ' | '\x7F' => {
                let _ = write!(literal, "\\{:03o}", u32::from(letter));
            }
            other => literal.push(other),
        }
    }
    literal + "\""
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_nothing_else() {
        for host in ["pi.local", "localhost", "192.168.1.7", "fd00::7"] {
            assert_eq!(Host::parse(host).unwrap().to_string(), host);
        }
        assert_eq!(Host::parse("fd00::7").unwrap().in_uri(), "[fd00::7]");
        for text in ["", "'\"); import os", "pi local", "pi;ls", "$(ls)", "-h", "[::1]", "pi:1883"]
        {
            Host::parse(text).unwrap_err();
        }
    }

    #[test]
    fn texts_come_out_of_shell_and_python_as_they_went_in() {
        for text in ["sp ace'q\"", "$(id) `id` \\ !", "ete\u{e9} \u{2028}", "a\n1\u{7f}7"] {
            let line = format!("printf %s {}", shell(text));
            let said = Command::new("sh").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), text);
            let line = format!("import sys; sys.stdout.buffer.write({}.encode())", literal(text));
            let said = Command::new("python3").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), text);
        }
    }
}
