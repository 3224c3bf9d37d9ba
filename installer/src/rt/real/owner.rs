//! Whose the files are that root makes in somebody else's directory: that user's, who could not go on with them otherwise.

use nix::unistd::{Gid, Uid, geteuid, setfsgid, setfsuid};
use std::marker::PhantomData;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// For whom files are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(Option<User>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
}

impl Owner {
    /// Whoever runs this; or, should that be root, to whom `dir` belongs, or the directory in which it would be made.
    pub fn of(dir: &Path) -> Self {
        if !geteuid().is_root() {
            return Owner(None);
        }
        let there = dir.ancestors().find_map(|dir| std::fs::metadata(dir).ok());
        let user = there.map(|there| User { uid: there.uid(), gid: there.gid() });
        Owner(user.filter(|user| user.uid != 0))
    }

    /// Lets this thread make files, and be allowed what it is allowed, as the owner.
    ///
    /// Not by giving files away afterwards: what is found under a name then may be another file already.
    pub fn act(self) -> Acting {
        Acting { before: self.0.map(become_), stays: PhantomData }
    }
}

/// While it lives, this thread makes files as an [`Owner`]. It stays on its thread.
#[derive(Debug)]
pub struct Acting {
    /// Whom the thread goes on as.
    before: Option<User>,
    stays: PhantomData<*const ()>,
}

impl Drop for Acting {
    fn drop(&mut self) {
        self.before.map(become_);
    }
}

/// Of this thread alone, setfsuid(2); gives who it was. Root's right to change the group goes and comes with the user.
fn become_(user: User) -> User {
    let (user_id, group_id) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    let (uid, gid) = if user.uid == 0 {
        let uid = setfsuid(user_id);
        (uid, setfsgid(group_id))
    } else {
        let gid = setfsgid(group_id);
        (setfsuid(user_id), gid)
    };
    User { uid: uid.as_raw(), gid: gid.as_raw() }
}
