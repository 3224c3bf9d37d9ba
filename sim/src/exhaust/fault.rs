//! What goes wrong in a small world.

use installer::rt::Point;

/// The points that a leader comes to in this world.
const LEADER_POINTS: [Point; 4] = [Point::LeaderStart, Point::BodyComplete, Point::LeaderPublish, Point::LeaderNotify];

/// The points that a waiter comes to.
const WAITER_POINTS: [Point; 2] = [Point::WaiterRegister, Point::WaiterPark];

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
    /// The first caller goes away here.
    CallerCancelled(Point),
}

impl Fault {
    /// All of them.
    pub fn all() -> Vec<Fault> {
        let mut faults = vec![Fault::None, Fault::FailsForNow, Fault::FailsForGood];
        faults.extend(LEADER_POINTS.map(Fault::LeaderCancelled));
        faults.extend(LEADER_POINTS.map(Fault::LeaderPanics));
        faults.extend(WAITER_POINTS.map(Fault::CallerCancelled));
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
            Fault::CallerCancelled(point) => format!("a caller goes away at {}", point.label()),
        }
    }
}
