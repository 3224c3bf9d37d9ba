//! Measured runs as tables.

use super::{Case, Costs, Limit, Run, Spread, Work};
use crate::replay::Link;
use serde::Serialize;

/// One program's runs in one case, in the order of the rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Series {
    /// The program's name.
    pub peer: String,
    /// What was there already.
    pub case: Case,
    /// Its runs.
    pub runs: Vec<Run>,
}

/// One project on one disk over one line.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The project's name.
    pub project: String,
    /// What the disk is called.
    pub disk: String,
    /// The line to the registry.
    pub link: Link,
    /// What the install has to make.
    pub work: Work,
    /// What one of each costs here.
    pub costs: Costs,
    /// The runs, by case, then in the order of the programs.
    pub series: Vec<Series>,
}

impl Comparison {
    /// The series of one case: that of the program that the others are compared with comes first.
    pub fn of(&self, case: Case) -> Vec<&Series> {
        self.series.iter().filter(|series| series.case == case).collect()
    }

    /// The cases that were run.
    pub fn cases(&self) -> Vec<Case> {
        Case::ALL.into_iter().filter(|case| self.series.iter().any(|series| series.case == *case)).collect()
    }

    /// The least that the machine allows.
    pub fn limit(&self, case: Case) -> Limit {
        self.costs.limit(case, &self.work, self.link)
    }
}

impl Series {
    /// Of one figure of its runs.
    pub fn spread(&self, figure: impl Fn(&Run) -> f64) -> Spread {
        Spread::of(self.runs.iter().map(figure))
    }

    /// `first`'s wall time as a share of this one's, round by round.
    pub fn ratio_to(&self, first: &Series) -> Spread {
        Spread::of(first.runs.iter().zip(&self.runs).map(|(first, this)| first.wall_ms / this.wall_ms))
    }
}

/// Tables for people: a section for each case.
pub fn markdown(comparison: &Comparison) -> String {
    let Comparison { project, disk, link, work, costs, .. } = comparison;
    let mut text = format!(
        "### {project}, {disk}, {link}\n\n{} files ({:.1} MB), {} directories, {} links. To write the files takes {:.0} ms, to link \
         them with all that {:.0} ms, and to ask for the size of each {:.0} ms.\n",
        work.files,
        work.bytes as f64 / 1e6,
        work.directories,
        work.symlinks,
        costs.write_ms,
        costs.link_ms,
        costs.look_ms,
    );
    for case in comparison.cases() {
        let series = comparison.of(case);
        let Some(first) = series.first() else { continue };
        text.push_str(&format!(
            "\n{case}; the limit is {}\n\n\
             | | ms | {} takes of that | user ms | system ms | peak MB | tarball GETs (again) | packument GETs (again) |\n\
             |---|---|---|---|---|---|---|---|\n",
            comparison.limit(case),
            first.peer,
        ));
        for series in &series {
            let median = |figure: fn(&Run) -> f64| series.spread(figure).median;
            let wall = series.spread(|run| run.wall_ms);
            let requests = |all: fn(&Run) -> usize, again: fn(&Run) -> usize| {
                let most = |of: fn(&Run) -> usize| series.runs.iter().map(of).max().unwrap_or(0);
                format!("{} ({})", most(all), most(again))
            };
            text.push_str(&format!(
                "| {} | {:.0} ({:.0}–{:.0}) | {} | {:.0} | {:.0} | {:.0} | {} | {} |\n",
                series.peer,
                wall.median,
                wall.lower,
                wall.upper,
                series.ratio_to(first),
                median(|run| run.user_ms),
                median(|run| run.system_ms),
                median(|run| run.peak_bytes as f64 / 1e6),
                requests(|run| run.tarball_requests, |run| run.tarball_duplicates),
                requests(|run| run.packument_requests, |run| run.packument_duplicates),
            ));
        }
    }
    text
}
