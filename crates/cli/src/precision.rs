//! Precisions on the command line, by name.

use genesys_train::Precision;

use crate::output;

/// The precision of that name.
///
/// # Errors
/// The names there are.
pub(crate) fn parse(name: &str) -> Result<Precision, String> {
    name.parse()
}

/// What this processor computes in, which a run is held to from its beginning; a line says where it is not what was asked for.
pub(crate) fn of_run(asked: Precision) -> Precision {
    let here = asked.here();
    if here != asked {
        output::say(format_args!(
            "note: this processor does not multiply numbers in {asked}, so designs train in {here}"
        ));
    }
    here
}
