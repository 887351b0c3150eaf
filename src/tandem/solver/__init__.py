"""From sums to coefficients and errors: the objective, training sets, every grid point, centres."""

from tandem.solver.centres import centres_for
from tandem.solver.collinear import NEARLY, groups
from tandem.solver.cross_validation import (
    DigitsLostError,
    Refitted,
    cross_validate,
    hold_out,
    refit,
)
from tandem.solver.encodings import Protocol
from tandem.solver.fits import LOST, errors
from tandem.solver.indicators import frequent_levels
from tandem.solver.objective import Penalty, penalty, sklearn_estimator
from tandem.solver.recentre import canonical, recentred
from tandem.solver.selection import medians
from tandem.solver.solve import make_ready
from tandem.solver.splits import Normal
from tandem.solver.standard import Standard
from tandem.solver.training_sets import Folding
from tandem.solver.trials import OfParts, RowErrors, held_out_errors

__all__ = [
    "LOST",
    "NEARLY",
    "DigitsLostError",
    "Folding",
    "Normal",
    "OfParts",
    "Penalty",
    "Protocol",
    "Refitted",
    "RowErrors",
    "Standard",
    "canonical",
    "centres_for",
    "cross_validate",
    "errors",
    "frequent_levels",
    "groups",
    "held_out_errors",
    "hold_out",
    "make_ready",
    "medians",
    "penalty",
    "recentred",
    "refit",
    "sklearn_estimator",
]
