r"""Mixed-effects systems (``mixed``): parameters written ``a[site]`` vary at random between groups.

*What it assumes.* In group :math:`g` the parameters are :math:`\beta + b_g` with
:math:`b_g \sim N(0, \Psi)`; trees of a group share :math:`b_g` and are otherwise independent, with the
variance functions and the residual correlation of ``nsur``. All parameters that vary do so by one
column (sites, plots, studies), and :math:`\Psi` is unstructured.

*How.* Maximum likelihood by alternating as Lindstrom and Bates (1990): penalised least squares gives
:math:`\beta` and :math:`b`; the equations made linear there are a linear mixed model, whose likelihood
gives :math:`\Psi`, the residual covariance and the exponents of the variance functions. Weights that
follow the prediction are taken at the predictions for the tree's own group. The log-likelihood
reported is the one of the linear model at the end. With ``variance="lognormal"`` the equation must be
a product of powers; it is a linear mixed model of logarithms, fitted by statsmodels, where a varying
factor multiplies by :math:`\exp(b_g)`.

*What comes out.* The parameters are those of the typical group; ``fit.random`` holds :math:`\Psi` and
the effects of the groups seen. Predictions are for a group that nothing is known of, and the interval
of an individual contains the spread between groups. :func:`sinklab.calibration.calibrated` predicts
for a group of which some trees were weighed (EBLUP).

*When.* Trees from several sites, when the next site matters: dummy variables (``nsur`` with
``a[site]``) answer for the sites of the sample only.

Source
------
Lindstrom M.J., Bates D.M. (1990) Nonlinear mixed effects models for repeated measures data.
Biometrics 46:673-687. Pinheiro J.C., Bates D.M. (2000) Mixed-Effects Models in S and S-PLUS,
chapters 7 and 8. Springer.
"""

from sinklab.fit.mixed.engine import fit_mixed

__all__ = ["fit_mixed"]
