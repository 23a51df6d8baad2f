"""Candidate curves for the same data: each is fitted, judged and ranked, and the reason is kept when one is lost.

Growth of stands and heights of trees both try several curves with an asymptote, for all data or with an asymptote for
every group; what they share stands here.
"""

from sinklab.errors import DataError, SinklabError
from sinklab.language import tr

#: A logarithm of the asymptote with a larger standard error is not determined by the data.
ASYMPTOTE_SE = 0.5


def fit_candidates(data, candidates, nothing: str, large_enough: str, **options):
    """Fit curves and keep those that converged to a determined asymptote.

    Parameters
    ----------
    data : DataFrame
    candidates : dict
        By form: text of the curve, start values, and the name of the parameter that stands for the asymptote.
    nothing : str
        First words of the error when no curve is left.
    large_enough : str
        What the data lack where an asymptote is not determined, as ``no stands old enough``.
    **options
        Of :func:`sinklab.fit`; ``group`` fits mixed curves and is part of their label.

    Returns
    -------
    fits : dict of FitResult
        By form, the smallest AIC first.
    failed : dict of str
        Reason by form.

    Raises
    ------
    DataError
        No curve is left, with the reasons.
    """
    import sinklab as sl
    from sinklab import indices

    group = options.pop("group", "")
    fits, failed = {}, {}
    for form, (text, start, leading) in candidates.items():
        try:
            found = sl.fit(
                data,
                text,
                method="mixed" if group else "nsur",
                start=start,
                label=f"{form}, {group}" if group else form,
                **options,
            )
        except SinklabError as error:
            failed[form] = str(error).splitlines()[0]
            continue
        se = found.parameters.set_index("name").loc[leading, "se"]
        if not found.converged:
            failed[form] = tr("did not converge", "未收敛")
        elif not se <= ASYMPTOTE_SE:
            failed[form] = (
                tr(
                    f"asymptote not determined (standard error of its logarithm {se:.2g}): ",
                    f"渐近值无法确定（其对数的标准误 {se:.2g}）：",
                )
                + large_enough
            )
        else:
            fits[form] = found
    if not fits:
        raise DataError(nothing + "; ".join(f"{form}: {reason}" for form, reason in failed.items()))

    def aic(form):
        return indices.aic(fits[form].loglik, len(fits[form].parameters) + fits[form].n_variance)

    return {form: fits[form] for form in sorted(fits, key=aic)}, failed
