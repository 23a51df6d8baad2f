# Families of residuals and groups with a sigma of their own, by R, on mixed_trees.csv:  Rscript families.R > families.json
suppressPackageStartupMessages({library(nlme); library(MASS); library(jsonlite)})
trees <- read.csv("mixed_trees.csv")
# Three groups of sites, by their order.
trees$block <- c("east", "north", "south")[as.integer(factor(trees$site)) %% 3 + 1]
control <- gnlsControl(tolerance = 1e-10, nlsTol = 1e-5, msTol = 1e-12, maxIter = 200, nlsMaxIter = 200, returnObject = TRUE)
start <- c(a = 0.1, b = 2.4)
told <- function(m) list(values = unname(coef(m)), se = unname(sqrt(diag(vcov(m)))), loglik = as.numeric(logLik(m)),
  sigma = m$sigma, ratios = as.list(coef(m$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)))
trees$square <- trees$dbh^2
ident <- gls(agb ~ square, trees, weights = varIdent(form = ~ 1 | block), method = "ML",
  control = glsControl(tolerance = 1e-12, msTol = 1e-14))
both <- gnls(agb ~ a * dbh^b, trees, start = start, control = control,
  weights = varComb(varIdent(form = ~ 1 | block), varPower(form = ~ dbh)))
mixed <- nlme(agb ~ exp(la) * dbh^b, trees, fixed = la + b ~ 1, random = la ~ 1 | site, start = c(la = -3, b = 2.4),
  weights = varComb(varIdent(form = ~ 1 | block), varPower(form = ~ dbh)), method = "ML",
  control = nlmeControl(tolerance = 1e-7, pnlsTol = 1e-6, msTol = 1e-12, maxIter = 500, returnObject = TRUE))
gamma <- glm(agb ~ log(dbh), Gamma("log"), trees, control = glm.control(epsilon = 1e-14))
shape <- gamma.shape(gamma, it.lim = 100, eps.max = 1e-12)
dispersion <- 1 / shape$alpha
cat(toJSON(list(
  versions = list(R = as.character(getRversion()), nlme = as.character(packageVersion("nlme")),
                  MASS = as.character(packageVersion("MASS"))),
  ident = told(ident), both = told(both),
  mixed = list(values = unname(fixef(mixed)), loglik = as.numeric(logLik(mixed)), sigma = mixed$sigma,
               between = as.numeric(VarCorr(mixed)[1, 1]),
               ratios = as.list(coef(mixed$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE))),
  gamma = list(values = unname(coef(gamma)), se = unname(summary(gamma)$coefficients[, 2]), shape = shape$alpha,
               loglik = sum(dgamma(trees$agb, shape = shape$alpha, rate = shape$alpha / fitted(gamma), log = TRUE)))
), auto_unbox = TRUE, digits = 12, pretty = TRUE), "\n")
