# The four-component system by nlme::gnls and systemfit::nlsystemfit: Rscript additive.R DATA.csv
suppressPackageStartupMessages({library(nlme); library(systemfit)})
trees <- read.csv(commandArgs(TRUE)[1])
parts <- c("stem", "bark", "branch", "foliage")
lines <- lapply(parts, function(p) coef(lm(log(trees[[p]]) ~ log(D) + log(H), trees)))
start <- unlist(lapply(1:3, function(k) sapply(lines, `[[`, k)))
long <- do.call(rbind, lapply(seq_along(parts), function(j)
  data.frame(tree = trees$tree, part = factor(parts[j], levels = parts), j = j, D = trees$D, H = trees$H, y = trees[[parts[j]]])))
long <- long[order(long$tree, long$j), ]
seconds <- function(code) { call <- substitute(code); here <- parent.frame()
  min(sapply(1:2, function(i) system.time(eval(call, here))[[3]])) }
fit <- NULL
control <- gnlsControl(nlsTol = 0.1, maxIter = 200, nlsMaxIter = 50, msMaxIter = 200)
time <- seconds(fit <- gnls(y ~ exp(la) * D^b * H^h, data = long, params = la + b + h ~ part - 1, start = as.numeric(start),
  weights = varComb(varIdent(form = ~ 1 | part), varPower(form = ~ fitted(.) | part)),
  correlation = corSymm(form = ~ j | tree), control = control))
cat(sprintf("gnls %.3f %.3f\n", time, as.numeric(logLik(fit))))
weight <- function(p) { f <- exp(fitted(lm(log(trees[[p]]) ~ log(D) + log(H), trees)))
  exp(fitted(lm(log((trees[[p]] - f)^2 + 1e-9) ~ log(D), trees)) / 2) }
for (j in 1:4) { w <- weight(parts[j]); trees[[paste0("y", j)]] <- trees[[parts[j]]] / w; trees[[paste0("w", j)]] <- w }
forms <- lapply(1:4, function(j) as.formula(sprintf("y%d ~ a%d * D^b%d * H^h%d / w%d", j, j, j, j, j)))
begin <- unlist(lapply(1:4, function(j) setNames(c(exp(lines[[j]][[1]]), lines[[j]][[2]], lines[[j]][[3]]), paste0(c("a", "b", "h"), j))))
time <- seconds(fit <- nlsystemfit("SUR", forms, begin, data = trees, eqnlabels = as.list(parts), maxiter = 1000))
cat(sprintf("nlsystemfit %.3f NA\n", time))
