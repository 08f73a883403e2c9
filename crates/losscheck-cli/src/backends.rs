//! The one list of backends.

use losscheck::backend::Backend;
use losscheck::backend::reference::Reference;
use losscheck_candle::{Candle, CandleNn};

/// Every backend in this build, in the order of the tables.
pub fn backends() -> Vec<Box<dyn Backend>> {
    vec![
        Box::new(Reference),
        Box::new(CandleNn),
        Box::new(Candle),
        #[cfg(feature = "tch")]
        Box::new(losscheck_tch::Tch),
    ]
}

/// The backends of these names.
pub(crate) fn of_names(names: &[String]) -> Vec<Box<dyn Backend>> {
    backends().into_iter().filter(|backend| names.iter().any(|name| name == backend.name())).collect()
}

/// The backends as the library takes them.
pub(crate) fn borrow(backends: &[Box<dyn Backend>]) -> Vec<&dyn Backend> {
    backends.iter().map(AsRef::as_ref).collect()
}

/// Their names.
pub(crate) fn names(backends: &[Box<dyn Backend>]) -> Vec<&str> {
    backends.iter().map(|backend| backend.name()).collect()
}

/// The name of a backend, for the command line.
pub(crate) fn parse(name: &str) -> Result<String, String> {
    let backends = backends();
    let names = names(&backends);
    match names.iter().find(|known| **known == name) {
        Some(_) => Ok(name.to_owned()),
        None if name == "tch" => Err("this build is without libtorch: `tch` needs `--features tch`".to_owned()),
        None => Err(format!("expected one of {}", names.join(", "))),
    }
}
