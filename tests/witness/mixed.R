# Mixed models of tests/witness/mixed_trees.csv by R:  Rscript mixed.R > mixed.json
suppressPackageStartupMessages({library(nlme); library(lme4); library(jsonlite)})
trees <- read.csv("mixed_trees.csv")
control <- nlmeControl(maxIter = 200, tolerance = 1e-7, msMaxIter = 500, pnlsTol = 1e-4, msTol = 1e-10)
# A factor that varies does so as a logarithm. Of the restricted likelihood nlme gives an approximation of its own.
nonlinear <- function(weights) {
  m <- nlme(agb ~ exp(a) * dbh^b, trees, fixed = a + b ~ 1, random = a ~ 1 | site, start = c(a = -3, b = 2.4),
            weights = weights, method = "ML", control = control)
  list(loglik = c(logLik(m)), fixed = unname(fixef(m)), se = unname(summary(m)$tTable[, "Std.Error"]),
       sd = as.numeric(VarCorr(m)["a", "StdDev"]), sigma = m$sigma,
       exponent = unname(coef(m$modelStruct$varStruct, unconstrained = FALSE)), effects = ranef(m)$a)
}
nested <- nlme(agb ~ exp(a) * dbh^b, read.csv("nested_trees.csv"), fixed = a + b ~ 1, random = a ~ 1 | province/site,
               start = c(a = -3, b = 2.4), weights = varPower(form = ~ fitted(.)), method = "ML", control = control)
trees$y <- log(trees$agb); trees$x <- log(trees$dbh)
linear <- function(formula) {
  m <- lmer(formula, trees, REML = FALSE, control = lmerControl(optCtrl = list(ftol_abs = 1e-12, xtol_abs = 1e-12)))
  v <- as.data.frame(VarCorr(m))
  list(loglik = c(logLik(m)) - sum(trees$y), fixed = unname(fixef(m)), variance = head(v$vcov, -1), sigma = sigma(m))
}
cat(toJSON(list(
  versions = list(R = as.character(getRversion()), nlme = as.character(packageVersion("nlme")),
                  lme4 = as.character(packageVersion("lme4"))),
  power_mean = nonlinear(varPower(form = ~ fitted(.))), power_dbh = nonlinear(varPower(form = ~ dbh)),
  nested = list(loglik = c(logLik(nested)), fixed = unname(fixef(nested)), sigma = nested$sigma,
                sd = as.numeric(VarCorr(nested)[c(2, 4), "StdDev"])),
  intercepts = linear(y ~ x + (1 | site)), slopes = linear(y ~ x + (x | site))
), auto_unbox = TRUE, digits = 10, pretty = TRUE), "\n")
