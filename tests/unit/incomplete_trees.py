"""Trees of which not all was weighed, for Bayesian fits."""

import numpy as np


def weighed(frame, rng):
    """Add stem, branch and root with gaps, and two trees of which only the total of some components was weighed."""
    dbh, n = frame["dbh"], len(frame)
    for name, a, b in (("stem", 0.05, 2.4), ("branch", 0.02, 2.2), ("root", 0.03, 2.1)):
        frame[name] = a * dbh**b * np.exp(0.2 * rng.standard_normal(n))
    frame.loc[frame.index % 3 != 0, "root"] = np.nan
    frame.loc[5, "branch"] = frame.loc[7, "stem"] = np.nan
    frame["agb"] = frame["stem"] + frame["branch"]
    frame.loc[9, ["stem", "branch", "root"]] = np.nan
    frame.loc[11, ["stem", "branch"]] = np.nan
    return frame
