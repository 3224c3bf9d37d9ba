//! How the cost of an install grows with the number of its packages: per package it must not.
//!
//! What is compared is processor time and memory, which other programs on the machine disturb little; the clock is shown beside.

mod plot;

pub use plot::svg;

use crate::generated::Shape;
use crate::launcher::Launcher;
use crate::load::{Installed, Load};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

/// How many of as many packages an install may have at least, for the price of one of them to say anything: below that it is mostly what
/// an install costs without any.
const PACKAGES_MIN: usize = 1_000;

/// One install.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Of how many packages.
    pub packages: usize,
    /// On all processors, in the program and the system, in milliseconds.
    pub processor_ms: f64,
    /// From its start to its end, in milliseconds.
    pub wall_ms: f64,
    /// The most that it held at once, in bytes.
    pub peak_bytes: u64,
}

impl Cost {
    /// What each of its packages cost in processor time, in microseconds.
    pub fn processor_us(&self) -> f64 {
        self.processor_ms * 1e3 / self.packages as f64
    }

    /// What each of its packages cost in memory, in kilobytes.
    pub fn kilobytes(&self) -> f64 {
        self.peak_bytes as f64 / 1e3 / self.packages as f64
    }
}

/// What installs cost, by who needs whom and what was there before, in the order of their sizes.
pub type Growth = BTreeMap<(Shape, &'static str), Vec<Cost>>;

/// Installs as many packages as each of `sizes` says, in every shape, from every beginning.
///
/// # Errors
/// When an install fails or leaves packages out.
pub fn measure(sizes: &[usize], executable: &Path, launcher: &Launcher, work: &Path) -> io::Result<Growth> {
    let mut growth = Growth::new();
    for shape in Shape::ALL {
        for packages in sizes {
            // Of peer variants there are always three.
            let packages = if shape == Shape::Peers { packages.div_ceil(3) * 3 } else { *packages };
            let load =
                Load { shape, packages, open_files_max: 1024, network_concurrency: 64, memory_bytes_max: u64::MAX };
            for Installed { case, ran, .. } in load.run(executable, launcher, work)? {
                growth.entry((shape, case)).or_default().push(Cost {
                    packages,
                    processor_ms: (ran.user + ran.system).as_secs_f64() * 1e3,
                    wall_ms: ran.wall.as_secs_f64() * 1e3,
                    peak_bytes: ran.peak_bytes,
                });
            }
        }
    }
    Ok(growth)
}

/// What costs more per package than `factor` times what it costs in the first install that is large enough to tell.
pub fn problems(growth: &Growth, factor: f64) -> Vec<String> {
    let mut problems = Vec::new();
    for ((shape, case), costs) in growth {
        let Some((first, larger)) =
            costs.iter().position(|cost| cost.packages >= PACKAGES_MIN).map(|at| (costs[at], &costs[at + 1..]))
        else {
            continue;
        };
        for cost in larger {
            let prices = [
                ("µs of processor time", first.processor_us(), cost.processor_us()),
                ("kB of memory", first.kilobytes(), cost.kilobytes()),
            ];
            for (unit, before, after) in prices.into_iter().filter(|(_, before, after)| *after > before * factor) {
                problems.push(format!(
                    "{shape}, {case}: a package takes {after:.0} {unit} among {}, and {before:.0} among {}",
                    cost.packages, first.packages
                ));
            }
        }
    }
    problems
}

/// A table of what a package costs, in Markdown.
pub fn markdown(growth: &Growth) -> String {
    let mut table = "| packages | before | number | processor, µs each | memory, kB each | took, ms |\n\
                     |---|---|---|---|---|---|\n"
        .to_owned();
    for ((shape, case), costs) in growth {
        for cost in costs {
            let (processor_us, kilobytes, wall_ms) = (cost.processor_us(), cost.kilobytes(), cost.wall_ms);
            let packages = cost.packages;
            let _ = writeln!(
                table,
                "| {shape} | {case} | {packages} | {processor_us:.0} | {kilobytes:.0} | {wall_ms:.0} |"
            );
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth(costs: &[(usize, f64, u64)]) -> Growth {
        let costs = costs.iter().map(|&(packages, processor_ms, peak_bytes)| Cost {
            packages,
            processor_ms,
            wall_ms: processor_ms,
            peak_bytes,
        });
        Growth::from([((Shape::Chain, "nothing there"), costs.collect())])
    }

    #[test]
    fn what_grows_faster_than_its_packages_is_told() {
        let flat = growth(&[(100, 50.0, 20_000_000), (1_000, 100.0, 30_000_000), (10_000, 1_100.0, 290_000_000)]);
        assert_eq!(problems(&flat, 1.5), [""; 0]);
        let square = growth(&[(1_000, 100.0, 30_000_000), (10_000, 10_000.0, 290_000_000)]);
        assert_eq!(
            problems(&square, 1.5),
            ["a chain, nothing there: a package takes 1000 µs of processor time among 10000, and 100 among 1000"]
        );
        let hoarding = growth(&[(1_000, 100.0, 30_000_000), (5_000, 500.0, 290_000_000)]);
        assert!(problems(&hoarding, 1.5)[0].contains("58 kB of memory among 5000"));
    }

    #[test]
    fn every_size_is_a_row_and_a_point() {
        let growth = growth(&[(100, 50.0, 20_000_000), (1_000, 100.0, 30_000_000)]);
        assert!(markdown(&growth).contains("| a chain | nothing there | 1000 | 100 | 30 | 100 |"));
        let svg = svg(&growth);
        assert_eq!(svg.matches("<circle").count(), 4, "two prices of two installs");
        assert!(svg.contains("a chain"));
    }
}
