//! Nowhere.

use super::{Fates, Fill, Slot, Transmitter, TxError};

/// Takes every frame and forgets it: what is left is the generator's own cost.
#[derive(Default)]
pub struct Null {
    slots: Vec<Slot>,
}

impl Null {
    /// A new one.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Transmitter for Null {
    fn name(&self) -> &'static str {
        "null"
    }

    fn prepare(&mut self, longest: usize, _: Option<f64>) -> Result<(), TxError> {
        self.slots = Slot::many(longest);
        Ok(())
    }

    fn transmit(&mut self, count: usize, fill: &mut Fill, fates: &mut Fates) -> Result<(), TxError> {
        fates.left(fill(&mut self.slots[..count]));
        Ok(())
    }
}
