"""From sums to coefficients and errors: the objective, training sets, every grid point, centres."""
