# glmnet with its threshold at 1e-30, on six small tables: writes glmnet.json beside this file.
#     Rscript glmnet.R
# The tables are in the file, so that nothing that reads it needs R. Coefficients at three penalties
# for elastic_net 0, 0.5, 1; for one table the mean squared error of three folds of neighbouring rows.

suppressMessages(library(glmnet))
options(warn = 2)  # a path that stopped early is no value
THRESHOLD <- 1e-30
# naive: from residuals; from covariances a fold below goes round and round in its last bits.
how <- list(thresh = THRESHOLD, maxit = 1e9, type.gaussian = "naive")

state <- 20240229
uniform <- function(n) sapply(seq_len(n), function(i) {  # Park and Miller's, exact in float64
  state <<- (state * 16807) %% 2147483647
  state / 2147483647
})
whole <- function(n, width) round(width * uniform(n))

longley <- as.matrix(read.csv("nist/Longley.csv"))
base <- whole(30, 100)
correlated <- cbind(base, base + whole(30, 6), 200 - base + whole(30, 9), whole(30, 50))
offset <- 1e6 + cbind(whole(24, 30), whole(24, 40), whole(24, 20))
wide <- matrix(whole(12 * 10, 60), 12)
codes <- cbind(whole(36, 4), whole(36, 1), whole(36, 11), 1:36)
scales <- cbind(whole(24, 9), 1e3 * whole(24, 90), whole(24, 500) / 1024)
target <- function(x, slopes, noise) as.vector(x %*% slopes) + whole(nrow(x), noise)
tables <- list(
  "NIST Longley" = list(x = longley[, -1], y = longley[, 1]),
  "correlated columns" = list(x = correlated, y = target(correlated, c(3, -1, 1, 2), 40)),
  "a million, and tens" = list(x = offset, y = target(offset, c(2, -3, 1), 30)),
  "10 columns, 12 rows" = list(x = wide, y = target(wide, c(5, 4, -3, 2, 1, 0, 0, 0, -1, 2), 20)),
  "categories as numbers" = list(x = codes, y = target(codes, c(7, 20, -2, 1), 15)),
  "scales far apart" = list(x = scales, y = target(scales, c(8, 1 / 512, 64), 25))
)

exact <- function(v) ifelse(as.numeric(sprintf("%.15g", v)) == v, sprintf("%.15g", v), sprintf("%.17g", v))
stated <- function(v) ifelse(v == 0, "0", sprintf("%.17g", v))
list_of <- function(v) paste0("[", paste(v, collapse = ", "), "]")
quoted <- function(v) list_of(paste0('"', v, '"'))
entry <- function(name, of, key, cases, more = "") sprintf(
  '    {"name": "%s", "of": "glmnet %s, R %s.%s", "source": "tandem, experiments/accuracy/glmnet.R", "test": "%s", "data": "%s",%s "cases": [\n%s\n    ]}',
  name, packageVersion("glmnet"), R.version$major, R.version$minor, of, key, more, paste(cases, collapse = ",\n"))
case <- function(lambda, alpha, key, figures) sprintf(
  '      {"penalty": ["glmnet", %s, %s], "%s": %s}', exact(lambda), alpha, key, quoted(stated(figures)))
penalties <- function(y) signif(sd(y) * c(0.3, 0.1, 0.01), 2)

lines <- function(name, of) {
  found <- lapply(c(0, 0.5, 1), function(alpha) {
    lambda <- penalties(of$y)
    fit <- do.call(glmnet, c(list(of$x, of$y, alpha = alpha, lambda = lambda), how))
    sapply(seq_along(lambda), function(i) case(lambda[i], alpha, "line", as.vector(coef(fit)[, i])))
  })
  entry("coefficients", name, name, unlist(found))
}

held_out <- function(name, of) {  # folds by place
  folds <- sort(rep(0:2, length.out = length(of$y)))
  found <- lapply(c(0, 0.5, 1), function(alpha) {
    lambda <- penalties(of$y)
    asked <- list(of$x, of$y, alpha = alpha, lambda = lambda, foldid = folds + 1)
    fit <- do.call(cv.glmnet, c(asked, how))
    sapply(seq_along(lambda), function(i) case(lambda[i], alpha, "mse", fit$cvm[i]))
  })
  more <- sprintf(' "folds": %s,', list_of(folds))
  entry("cross-validated MSE", paste(name, "in three folds", sep = ", "), name, unlist(found), more)
}

data <- mapply(function(name, of) sprintf('    "%s": {"x": %s,\n      "y": %s}', name,
  list_of(apply(of$x, 2, function(v) list_of(exact(v)))), list_of(exact(of$y))), names(tables), tables)
values <- c(mapply(lines, names(tables), tables), held_out("correlated columns", tables[[2]]))
writeLines(c(
  sprintf('{\n  "about": "By glmnet.R: thresh %g, family gaussian, standardize. Keys: published.json.",', THRESHOLD),
  '  "data": {', paste(data, collapse = ",\n"), '  },\n  "values": [', paste(values, collapse = ",\n"), "  ]\n}"),
  "glmnet.json")
