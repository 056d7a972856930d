//! ApiVersions v0–v3.

use super::{Api, Fault, codes};
use crate::state::State;
use crate::wire::Writer;

/// Produce v3, which is listed and not answered: librdkafka reads batches of format v2 only from a
/// broker that lists it. With it kcat and its like can look into the demo's topics.
const PRODUCE: (i16, (i16, i16)) = (0, (3, 3));

/// The answer: error, [api key, min, max], *v1+* throttle.
pub(crate) fn answer(state: &State, version: i16, fault: Option<&Fault>) -> Vec<u8> {
    let mut to = Writer::new(Api::ApiVersions.is_flexible(version));
    to.i16(Fault::whole(fault).unwrap_or(codes::NONE));
    let answered = Api::ALL.iter().map(|api| (api.key(), state.versions(*api)));
    let listed: Vec<_> = std::iter::once(PRODUCE).chain(answered).collect();
    to.array(listed.iter(), |to, (key, versions)| put_range(to, *key, *versions));
    if version >= 1 {
        to.i32(0);
    }
    to.tags();
    to.into_bytes()
}

/// The answer to a version that is not known: of v0, with the versions that are (KIP-511).
pub(crate) fn unsupported(state: &State) -> Vec<u8> {
    let mut to = Writer::new(false);
    to.i16(codes::UNSUPPORTED_VERSION);
    to.array([Api::ApiVersions].iter(), |to, api| put_range(to, api.key(), state.versions(*api)));
    to.into_bytes()
}

fn put_range(to: &mut Writer, key: i16, (min, max): (i16, i16)) {
    to.i16(key);
    to.i16(min);
    to.i16(max);
    to.tags();
}
