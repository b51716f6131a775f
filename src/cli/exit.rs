//! Exit codes, as `sysexits.h` names them.

use std::process::ExitCode;

use crate::daemon::signals::Asked;

/// A check said no.
pub(super) const FAILED: u8 = 1;
/// Asked in a way that cannot be answered, as `clap` ends.
pub(super) const USAGE: u8 = 2;
/// `EX_UNAVAILABLE`: a peer cannot be reached, a port is taken.
pub(super) const UNAVAILABLE: u8 = 69;
/// `EX_IOERR`: standard output takes nothing more.
pub(super) const OUTPUT: u8 = 74;
/// `EX_NOPERM`: not allowed; systemd does not try again.
pub(super) const PERMISSION: u8 = 77;
/// `EX_CONFIG`: the configuration is wrong; systemd does not try again.
pub(super) const CONFIGURATION: u8 = 78;

/// Asked to end by a signal, as a shell shows it: 128 and the number of the signal.
pub(super) const fn asked(asked: Asked) -> u8 {
    match asked {
        Asked::HangUp => 129,
        Asked::Interrupt => 130,
        Asked::Terminate => 143,
    }
}

/// As the process ends.
pub(super) fn code(code: u8) -> ExitCode {
    ExitCode::from(code)
}
