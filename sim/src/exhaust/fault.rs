//! What goes wrong in a small world.

use installer::rt::Point;

/// The points that a download comes to in this world.
pub(super) const DOWNLOAD_POINTS: [Point; 1] = [Point::BodyComplete];

/// The points at which a leader still has no result.
fn before_the_result() -> impl Iterator<Item = Point> {
    [Point::LeaderStart].into_iter().chain(DOWNLOAD_POINTS)
}

/// What goes wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The first download fails here in a way that may pass.
    FailsForNow(Point),
    /// Every download fails here for good.
    FailsForGood(Point),
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
        let mut faults = vec![Fault::None, Fault::CallerLeaves, Fault::CallerStalls];
        faults.extend(before_the_result().map(Fault::FailsForNow));
        faults.extend(before_the_result().map(Fault::FailsForGood));
        let leader_points = || before_the_result().chain([Point::LeaderPublish, Point::LeaderNotify]);
        faults.extend(leader_points().map(Fault::LeaderCancelled));
        faults.extend(leader_points().map(Fault::LeaderPanics));
        faults
    }

    /// In a few words.
    pub fn words(self) -> String {
        match self {
            Fault::None => "nothing goes wrong".to_owned(),
            Fault::FailsForNow(point) => format!("the first download fails for now at {}", point.label()),
            Fault::FailsForGood(point) => format!("every download fails for good at {}", point.label()),
            Fault::LeaderCancelled(point) => format!("the leader is cancelled at {}", point.label()),
            Fault::LeaderPanics(point) => format!("the leader panics at {}", point.label()),
            Fault::CallerLeaves => "a caller goes away".to_owned(),
            Fault::CallerStalls => "a caller is not polled again".to_owned(),
        }
    }
}
