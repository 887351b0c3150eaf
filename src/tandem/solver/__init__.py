"""From sums to coefficients and errors: the objective, training sets, every grid point, centres."""

from tandem.solver.centres import centres_for
from tandem.solver.collinear import NEARLY, groups
from tandem.solver.fits import LOST, errors, fit, intercepts
from tandem.solver.objective import sklearn_estimator
from tandem.solver.recentre import recentred
from tandem.solver.refine import settled
from tandem.solver.residuals import residual
from tandem.solver.solve import KKT_TOLERANCE
from tandem.solver.training_sets import Folding, Split, canonical

__all__ = [
    "KKT_TOLERANCE",
    "LOST",
    "NEARLY",
    "Folding",
    "Split",
    "canonical",
    "centres_for",
    "errors",
    "fit",
    "groups",
    "intercepts",
    "recentred",
    "residual",
    "settled",
    "sklearn_estimator",
]
