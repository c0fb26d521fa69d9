//! Straight lines by least squares.

use serde::Serialize;

/// A line `y = a + b·x` fitted by least squares.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Line {
    /// Intercept.
    pub a: f64,
    /// Slope.
    pub b: f64,
    /// Share of the variance that the line explains, 0 to 1.
    pub r2: f64,
    /// What each y lies above the line, in the order of the points.
    pub residuals: Vec<f64>,
}

impl Line {
    /// Fits a line to points `(x, y)`; none for fewer than three points, or when all have one x.
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let n = points.len() as f64;
        if points.len() < 3 || points.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
            return None;
        }
        let mean_x = points.iter().map(|p| p.0).sum::<f64>() / n;
        let mean_y = points.iter().map(|p| p.1).sum::<f64>() / n;
        let sxx: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
        let sxy: f64 = points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
        let syy: f64 = points.iter().map(|p| (p.1 - mean_y).powi(2)).sum();
        if sxx <= f64::EPSILON * mean_x * mean_x * n {
            return None;
        }
        let b = sxy / sxx;
        let a = mean_y - b * mean_x;
        let residuals: Vec<f64> = points.iter().map(|(x, y)| y - (a + b * x)).collect();
        // A constant y is explained wholly by its mean: there is no variance that a line could explain.
        let r2 = if syy > 0.0 { 1.0 - residuals.iter().map(|r| r * r).sum::<f64>() / syy } else { 0.0 };
        Some(Self { a, b, r2: r2.clamp(0.0, 1.0), residuals })
    }

    /// The line's value at `x`.
    pub fn at(&self, x: f64) -> f64 {
        self.a + self.b * x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_a_known_line() {
        // Anscombe's first set: y = 3.00 + 0.500 x, R² = 0.67.
        let x = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0];
        let y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
        let line = Line::fit(&x.into_iter().zip(y).collect::<Vec<_>>()).unwrap();
        assert!((line.a - 3.0001).abs() < 1e-4 && (line.b - 0.50009).abs() < 1e-5, "{line:?}");
        assert!((line.r2 - 0.66654).abs() < 1e-5);
        assert!(line.residuals.iter().sum::<f64>().abs() < 1e-9);
    }

    #[test]
    fn no_other_line_is_nearer() {
        let points = [(0.0, 1.0), (1.0, 3.5), (2.0, 3.0), (5.0, 9.0)];
        let line = Line::fit(&points).unwrap();
        let squares = |a: f64, b: f64| points.iter().map(|(x, y)| (y - a - b * x).powi(2)).sum::<f64>();
        for (da, db) in [(0.01, 0.0), (-0.01, 0.0), (0.0, 0.01), (0.0, -0.01), (0.01, -0.01)] {
            assert!(squares(line.a, line.b) < squares(line.a + da, line.b + db));
        }
        assert!((line.at(2.0) - (line.a + 2.0 * line.b)).abs() < 1e-12);
    }

    #[test]
    fn what_can_not_be_fitted_is_not() {
        assert!(Line::fit(&[(0.0, 1.0), (1.0, 2.0)]).is_none());
        assert!(Line::fit(&[(2.0, 1.0), (2.0, 2.0), (2.0, 3.0)]).is_none());
        assert!(Line::fit(&[(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)]).is_none());
        assert_eq!(Line::fit(&[(0.0, 4.0), (1.0, 4.0), (2.0, 4.0)]).unwrap().r2, 0.0);
    }
}
