//! ApiVersions v0–v3.

use super::{Api, Fault, codes};
use crate::state::State;
use crate::wire::Writer;

/// The answer: error, [api key, min, max], *v1+* throttle.
pub(crate) fn answer(state: &State, version: i16, fault: Option<&Fault>) -> Vec<u8> {
    let mut to = Writer::new(Api::ApiVersions.is_flexible(version));
    to.i16(Fault::whole(fault).unwrap_or(codes::NONE));
    to.array(Api::ALL.iter(), |to, api| put_range(to, state, *api));
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
    to.array([Api::ApiVersions].iter(), |to, api| put_range(to, state, *api));
    to.into_bytes()
}

fn put_range(to: &mut Writer, state: &State, api: Api) {
    let (min, max) = state.versions(api);
    to.i16(api.key());
    to.i16(min);
    to.i16(max);
    to.tags();
}
