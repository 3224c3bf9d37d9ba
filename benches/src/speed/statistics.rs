//! Medians, and how far the rest lies from them.

use serde::Serialize;
use std::fmt;

/// The middle of some values and the middle half around it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half of the values lie below.
    pub median: f64,
    /// A quarter of the values lie below.
    pub lower: f64,
    /// A quarter of the values lie above.
    pub upper: f64,
}

impl Spread {
    /// Of these values; of none, all is zero.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let Some(last) = values.len().checked_sub(1) else { return 0.0 };
            let place = share * last as f64;
            let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        Spread { median: at(0.5), lower: at(0.25), upper: at(0.75) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2}–{:.2})", self.median, self.lower, self.upper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_its_half() {
        assert_eq!(Spread::of([5.0, 1.0, 2.0, 4.0, 3.0]), Spread { median: 3.0, lower: 2.0, upper: 4.0 });
        assert_eq!(Spread::of([1.0, 2.0]).median, 1.5);
        assert_eq!(Spread::of([]).median, 0.0);
    }
}
