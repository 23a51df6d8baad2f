r"""Bayesian fits: the same equations, sampled.

*What it assumes.* The residuals of ``nsur``: normal with a variance function, or lognormal about the mean,
correlated between the components of one tree; a tree contributes the components it has. Coefficients
written ``a[species]`` are partially pooled: drawn from a normal distribution over the groups (of the
logarithm, where the coefficient multiplies a mean), whose mean and spread are estimated with the rest.
Predictors measured with error are unknowns, lognormal given the other predictors. Every quantity
has a prior, stated or built by a stated rule, and the result lists them all.

*How.* A PyMC model made from the equations (:mod:`.model`); its log-density and slope,
written as a few loops (:mod:`.sample`) and compiled by numba, are sampled by nutpie. The sampler moves along axes
that a normal approximation makes independent (:func:`.engine.approximate`), so units and correlated coefficients cost
nothing; the value of each group stands between the mean of the groups and its own trees where the data put it, and
spreads may pass through 0 (:mod:`.model`). Structure is compiled once; the seed alone decides the draws
(:mod:`.sample`). Draws with divergences are sampled again with smaller steps, and the result says so.

*When.* Few trees and known equations; many species or sites of which some have few trees; errors of measurement;
or when the full distribution is wanted. ``nsur`` gives the same answer in a tenth of a second when trees
are many and priors weak.

*Trust.* R-hat, effective sample sizes, divergences, E-BFMI, Pareto k and the tail areas of the data among data
simulated from posterior and priors (:func:`.result.compare_data`) stand in the certificate with their thresholds; a fit
that fails one that matters has not converged. The last three are left out when predictors have errors. The
result tells what each group borrowed and how its values move with the prior (:func:`.result.shrinkage_table`).

Source
------
Gelman A. et al. (2013) Bayesian Data Analysis, 3rd edition, chapters 5 and 15. CRC Press.
Vehtari A., Gelman A., Gabry J. (2017) Practical Bayesian model evaluation using leave-one-out
cross-validation and WAIC. Statistics and Computing 27:1413-1432.
Vehtari A. et al. (2021) Rank-normalization, folding, and localization: an improved R-hat for assessing
convergence of MCMC. Bayesian Analysis 16:667-718.
"""
