//! What goes wrong in a small world.

use installer::rt::Point;

/// The points that a leader comes to in this world.
const LEADER_POINTS: [Point; 4] = [Point::LeaderStart, Point::BodyComplete, Point::LeaderPublish, Point::LeaderNotify];

/// What goes wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The first download fails in a way that may pass.
    FailsForNow,
    /// Every download fails for good.
    FailsForGood,
    /// The first leader is cancelled here.
    LeaderCancelled(Point),
    /// The first leader panics here.
    LeaderPanics(Point),
    /// The first caller goes away, at any moment.
    CallerLeaves,
    /// The first caller is kept and not polled again, from any moment on.
    CallerStalls,
}

impl Fault {
    /// All of them.
    pub fn all() -> Vec<Fault> {
        let mut faults =
            vec![Fault::None, Fault::FailsForNow, Fault::FailsForGood, Fault::CallerLeaves, Fault::CallerStalls];
        faults.extend(LEADER_POINTS.map(Fault::LeaderCancelled));
        faults.extend(LEADER_POINTS.map(Fault::LeaderPanics));
        faults
    }

    /// In a few words.
    pub fn words(self) -> String {
        match self {
            Fault::None => "nothing goes wrong".to_owned(),
            Fault::FailsForNow => "the first download fails for now".to_owned(),
            Fault::FailsForGood => "every download fails for good".to_owned(),
            Fault::LeaderCancelled(point) => format!("the leader is cancelled at {}", point.label()),
            Fault::LeaderPanics(point) => format!("the leader panics at {}", point.label()),
            Fault::CallerLeaves => "a caller goes away".to_owned(),
            Fault::CallerStalls => "a caller is not polled again".to_owned(),
        }
    }
}
