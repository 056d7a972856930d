//! Rules broken on purpose: a simulation that does not notice proves nothing.

/// A rule of the protocol (design: "The one idea") that the world breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Rule 1: a swap of the head does not look at the version.
    SwapIgnoresVersion,
    /// Rule 2: a finalizer sees its own run as open, though it is closed.
    ClosedRunLooksOpen,
    /// Rule 3: a document that stands is written over.
    WriteReplaces,
    /// Rule 3: a layout that stands is not seen by who comes second.
    LayoutReplaced,
    /// Rule 4: the joined file's bytes depend on who joins them.
    JoinIsRandom,
    /// Rules 3 and 4: an object that stands, of whatever kind, is replaced.
    CreateReplaces,
    /// An abort empties what stands, and leaves free the names of what does not.
    AbortTakesNoName,
    /// A finalizer does not see that its run is being aborted.
    AbortIsNotSeen,
    /// A reset publishes offsets twice without permission.
    ResetAsksNobody,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::SwapIgnoresVersion,
        Self::ClosedRunLooksOpen,
        Self::WriteReplaces,
        Self::LayoutReplaced,
        Self::JoinIsRandom,
        Self::CreateReplaces,
        Self::AbortTakesNoName,
        Self::AbortIsNotSeen,
        Self::ResetAsksNobody,
    ];
}
