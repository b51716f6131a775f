//! What every simulated chip has in common, whatever bus it is on.

use std::fmt;

use crate::sim::air::Air;
use crate::time::Tick;

/// A chip down to its registers.
pub trait Model: Send + fmt::Debug {
    /// Sets the air around it.
    fn expose(&mut self, air: Air);
    /// Sets the air around what hangs at one of its inputs; a chip without inputs is a thermometer
    /// itself.
    fn expose_input(&mut self, _input: u8, air: Air) {
        self.expose(air);
    }
    /// Its supply fails for a moment.
    fn power_up(&mut self, now: Tick);
    /// From now on its conversions never end.
    fn hang(&mut self);
    /// What its converter made of the temperature when it was last asked, as the datasheet numbers
    /// that.
    fn raw(&self) -> u32;
    /// Breaks or mends what hangs at its inputs. `false`: nothing does that could break so.
    fn damage(&mut self, _damage: Option<Damage>) -> bool {
        false
    }
}

/// What can be wrong with an element at the inputs of a chip, and with its wires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A wire is cut.
    Cut,
    /// Its two ends touch.
    Shorted,
    /// It touches ground.
    Grounded,
    /// It touches the supply.
    Supplied,
}

impl Damage {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Cut, Self::Shorted, Self::Grounded, Self::Supplied];
}
