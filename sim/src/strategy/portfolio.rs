//! Which strategy a run has. The default is a portfolio: seeds take turns, so that no kind of bug is nobody's.

use super::{FewHolds, Fifo, Pct, Pos, Random, Strategy, Trial, Urw};
use serde::{Deserialize, Serialize};

/// A strategy, by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum StrategyKind {
    /// All of the others, in turn
    #[default]
    Portfolio,
    /// Uniform choice among ready tasks, random waits
    Random,
    /// A walk weighted by the turns that each task has left
    Urw,
    /// A random priority for each turn
    Pos,
    /// A random priority for each task, and a few moments at which one falls behind
    Pct,
    /// The default order, but for one to three moments at which somebody waits
    FewHolds,
    /// The default order
    Fifo,
}

/// PCT's depths and the numbers of holds, in turn.
const DEPTHS: u64 = 3;

impl StrategyKind {
    /// All kinds but the default order, which is always the same.
    pub fn exploring() -> Vec<StrategyKind> {
        std::iter::once(StrategyKind::Portfolio).chain(Self::RANDOM).collect()
    }

    /// All kinds that choose by chance.
    pub const RANDOM: [StrategyKind; 5] =
        [StrategyKind::Random, StrategyKind::FewHolds, StrategyKind::Urw, StrategyKind::Pos, StrategyKind::Pct];

    /// The strategy of this seed.
    pub fn strategy(self, seed: u64, trial: &Trial) -> Box<dyn Strategy> {
        let depth = |seed: u64| 1 + (seed % DEPTHS) as usize;
        match self {
            StrategyKind::Portfolio => {
                let kinds = Self::RANDOM.len() as u64;
                let turn = (seed % kinds) as usize;
                Self::RANDOM[turn].strategy(seed / kinds, trial)
            }
            StrategyKind::Random => Box::new(Random::new(seed)),
            StrategyKind::Urw => Box::new(Urw::new(seed, trial)),
            StrategyKind::Pos => Box::new(Pos::new(seed)),
            StrategyKind::Pct => Box::new(Pct::new(seed, depth(seed), trial)),
            StrategyKind::FewHolds => Box::new(FewHolds::new(seed, depth(seed), trial)),
            StrategyKind::Fifo => Box::new(Fifo),
        }
    }

    /// As the command line has it.
    pub fn label(self) -> &'static str {
        match self {
            StrategyKind::Portfolio => "portfolio",
            StrategyKind::Random => "random",
            StrategyKind::Urw => "urw",
            StrategyKind::Pos => "pos",
            StrategyKind::Pct => "pct",
            StrategyKind::FewHolds => "few-holds",
            StrategyKind::Fifo => "fifo",
        }
    }
}
