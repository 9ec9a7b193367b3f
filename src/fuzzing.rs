//! Access to internals for the fuzz targets in `fuzz/`. It exists only with the feature `_fuzzing`.

pub use crate::http1::fuzzing::*;
pub use crate::proxy::client::fuzzing::*;
pub use crate::route::marks::Marks;
pub use crate::route::path::canonical;
pub use crate::route::pattern::Pattern;
pub use crate::route::strip::strip_prefix;
pub use crate::route::table::{Entry, Match, RouteTable};
