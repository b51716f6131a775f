//! Transactions of I²C and SPI.

use std::fmt;

use embedded_hal::i2c::{Error as _, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use embedded_hal::spi::{self, SpiDevice};
use serde::{Deserialize, Serialize};

use super::{Said, Tapped};

/// Bytes as pairs of digits: `30a2`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hex(pub Vec<u8>);

impl fmt::Display for Hex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl From<Hex> for String {
    fn from(hex: Hex) -> Self {
        hex.to_string()
    }
}

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
        let byte = |pair: &[u32]| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        };
        let bytes = digits.and_then(|digits| digits.chunks(2).map(byte).collect());
        bytes.map(Self).ok_or_else(|| format!("no bytes: `{text}`"))
    }
}

/// A part of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Written to the chip.
    #[serde(rename = "w")]
    Write(Hex),
    /// Read from it.
    #[serde(rename = "r")]
    Read(Hex),
    /// Written, and read at the same time.
    #[serde(rename = "wr")]
    Both(Hex, Hex),
    /// Waited, in nanoseconds.
    #[serde(rename = "wait")]
    Wait(u32),
}

/// How a transaction failed, as drivers can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Nobody acknowledged.
    Absent,
    /// Somebody held a line.
    Held,
    /// The controller gave up.
    Bus,
    /// Something else.
    Other,
}

impl From<ErrorKind> for Failure {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NoAcknowledge(_) => Self::Absent,
            ErrorKind::ArbitrationLoss => Self::Held,
            ErrorKind::Bus => Self::Bus,
            _ => Self::Other,
        }
    }
}

impl embedded_hal::i2c::Error for Failure {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Absent => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address),
            Self::Held => ErrorKind::ArbitrationLoss,
            Self::Bus => ErrorKind::Bus,
            Self::Other => ErrorKind::Other,
        }
    }
}

impl spi::Error for Failure {
    fn kind(&self) -> spi::ErrorKind {
        spi::ErrorKind::Other
    }
}

/// In words, as in `not acknowledged`.
impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Absent => "not acknowledged",
            Self::Held => "a line is held",
            Self::Bus => "the controller gave up",
            Self::Other => "failed",
        })
    }
}

impl<I: I2c> ErrorType for Tapped<I> {
    type Error = I::Error;
}

impl<I: I2c> I2c for Tapped<I> {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), I::Error> {
        let result = self.inner.transaction(address, operations);
        let failed = result.as_ref().err().map(|error| error.kind().into());
        self.tap.tell(|| Said::I2c {
            at: address,
            steps: operations.iter().map(step).collect(),
            failed,
        });
        result
    }
}

fn step(operation: &Operation<'_>) -> Step {
    match operation {
        Operation::Write(bytes) => Step::Write(Hex(bytes.to_vec())),
        Operation::Read(buffer) => Step::Read(Hex(buffer.to_vec())),
    }
}

impl<S: SpiDevice> spi::ErrorType for Tapped<S> {
    type Error = S::Error;
}

impl<S: SpiDevice> SpiDevice for Tapped<S> {
    fn transaction(&mut self, operations: &mut [spi::Operation<'_, u8>]) -> Result<(), S::Error> {
        let sent: Vec<Vec<u8>> = operations.iter().map(sent).collect();
        let result = self.inner.transaction(operations);
        let failed = result.as_ref().err().map(|_| Failure::Other);
        let steps = || operations.iter().zip(&sent).map(|(it, sent)| spi_step(it, sent)).collect();
        self.tap.tell(|| Said::Spi { steps: steps(), failed });
        result
    }
}

/// What a transfer in place sends is gone afterwards.
fn sent(operation: &spi::Operation<'_, u8>) -> Vec<u8> {
    match operation {
        spi::Operation::TransferInPlace(buffer) => buffer.to_vec(),
        spi::Operation::Write(bytes) | spi::Operation::Transfer(_, bytes) => bytes.to_vec(),
        spi::Operation::Read(_) | spi::Operation::DelayNs(_) => Vec::new(),
    }
}

fn spi_step(operation: &spi::Operation<'_, u8>, sent: &[u8]) -> Step {
    match operation {
        spi::Operation::Read(buffer) => Step::Read(Hex(buffer.to_vec())),
        spi::Operation::Write(bytes) => Step::Write(Hex(bytes.to_vec())),
        spi::Operation::Transfer(buffer, _) | spi::Operation::TransferInPlace(buffer) => {
            Step::Both(Hex(sent.to_vec()), Hex(buffer.to_vec()))
        }
        spi::Operation::DelayNs(time) => Step::Wait(*time),
    }
}
