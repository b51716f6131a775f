//! Exit codes, as `sysexits.h` names them.

use std::process::ExitCode;

/// A check said no.
pub const FAILED: u8 = 1;
/// `EX_UNAVAILABLE`: a peer cannot be reached, a port is taken.
pub const UNAVAILABLE: u8 = 69;
/// `EX_NOPERM`: not allowed.
pub const PERMISSION: u8 = 77;
/// `EX_CONFIG`: the configuration is wrong; systemd does not try again.
pub const CONFIGURATION: u8 = 78;

/// As the process ends.
pub fn code(code: u8) -> ExitCode {
    ExitCode::from(code)
}
