# Cluster-robust covariance of regressions of mixed_trees.csv by R:  Rscript cluster.R > cluster.json
suppressPackageStartupMessages({library(nlme); library(clubSandwich); library(jsonlite)})
trees <- read.csv("mixed_trees.csv")
trees$x <- log(trees$dbh); trees$square <- trees$dbh^2
logs <- lm(log(agb) ~ x, trees)
weighted <- gls(agb ~ square, trees, weights = varPower(form = ~ dbh, fixed = 2))
told <- function(m) c(list(values = unname(coef(m))), sapply(c("CR0", "CR2", "CR3"), function(type)
  unname(as.matrix(vcovCR(m, cluster = trees$site, type = type))), simplify = FALSE))
# Moments of the spread between sites: one-way analysis of variance of the residuals, sites of unequal size.
residual <- resid(logs); site <- factor(trees$site); n <- tapply(residual, site, length)
means <- tapply(residual, site, mean); within <- sum((residual - means[site])^2) / (length(residual) - nlevels(site))
cat(toJSON(list(
  versions = list(R = as.character(getRversion()), clubSandwich = as.character(packageVersion("clubSandwich")),
                  nlme = as.character(packageVersion("nlme"))),
  logs = told(logs), weighted = told(weighted),
  between = var(means) - within * mean(1 / n), within = within, centre = mean(means)
), auto_unbox = TRUE, digits = 12, pretty = TRUE), "\n")
