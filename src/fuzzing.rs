//! Doors to what is not public, for the fuzz targets in `fuzz/`: they are there only under `cfg(fuzzing)`.

pub use crate::http1::fuzzing::*;
