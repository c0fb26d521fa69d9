//! Statistics for few trials on a noisy machine: medians with intervals, straight lines, correlations.
//!
//! Nothing here assumes a distribution. Everything random comes from a seed, so that the same records always give
//! the same report.

mod changes;
mod correlation;
mod estimate;
mod floor;
mod line;
mod shift;

pub use changes::{Stretch, stretches};
pub use correlation::{pearson, spearman};
pub use estimate::{Estimate, Estimator, Resamples, median, percentiles};
pub use floor::Floor;
pub use line::Line;
pub use shift::{Between, Shift, holm};
