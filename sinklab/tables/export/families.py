"""Quantile functions of the families of :mod:`sinklab.distributions` in other languages."""

PYTHON_QUANTILES = {
    "normal": "stats.norm(p1, p2).ppf(q)",
    "lognormal": "stats.lognorm(p2, scale=np.exp(p1)).ppf(q)",
    "gamma": "stats.gamma(p1, scale=p2).ppf(q)",
    "weibull": "stats.weibull_min(p1, scale=p2).ppf(q)",
    "beta": "stats.beta(p1, p2).ppf(q)",
    "logitnormal": "1 / (1 + np.exp(-stats.norm(p1, p2).ppf(q)))",
}
R_QUANTILES = {
    "normal": "qnorm(q, p1, p2)",
    "lognormal": "qlnorm(q, p1, p2)",
    "gamma": "qgamma(q, p1, scale = p2)",
    "weibull": "qweibull(q, p1, p2)",
    "beta": "qbeta(q, p1, p2)",
    "logitnormal": "plogis(qnorm(q, p1, p2))",
}
#: Spreadsheet formulas with cells ``{q}``, ``{p1}``, ``{p2}``; names that every spreadsheet knows.
EXCEL_QUANTILES = {
    "normal": "NORMINV({q},{p1},{p2})",
    "lognormal": "LOGINV({q},{p1},{p2})",
    "gamma": "GAMMAINV({q},{p1},{p2})",
    "weibull": "{p2}*(-LN(1-{q}))^(1/{p1})",
    "beta": "BETAINV({q},{p1},{p2})",
    "logitnormal": "1/(1+EXP(-NORMINV({q},{p1},{p2})))",
}
