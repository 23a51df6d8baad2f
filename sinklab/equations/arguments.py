"""Parameter values and data as arrays, checked, however the caller holds them."""

import numpy as np

from sinklab.equations.names import require
from sinklab.errors import EquationError
from sinklab.language import tr


def parameter_array(values, parameters) -> np.ndarray:
    """Parameter values in the order of ``parameters``.

    Parameters
    ----------
    values : mapping of str to float or array (n_draw,), or array of shape (k,) or (n_draw, k)
        Further names in a mapping are ignored.
    parameters : tuple of str

    Returns
    -------
    theta : array, shape (k,) or (n_draw, k)
    """
    k = len(parameters)
    if hasattr(values, "keys"):
        missing = [name for name in parameters if name not in values.keys()]
        if missing:
            raise EquationError(
                tr(
                    f"no value for the parameters {', '.join(missing)}.",
                    f"参数 {'、'.join(missing)} 没有值。",
                )
            )
        parts = [np.asarray(values[name], dtype=float) for name in parameters]
        return np.stack(np.broadcast_arrays(*parts), axis=-1) if parts else np.empty(0)
    theta = np.asarray(values, dtype=float)
    if theta.ndim not in (1, 2) or theta.shape[-1] != k:
        order = ", ".join(parameters)
        raise EquationError(
            tr(
                f"parameter values of shape {theta.shape}; expected ({k},) or (n_draw, {k}), ordered {order}.",
                f"参数值的形状为 {theta.shape}；应为 ({k},) 或 (n_draw, {k})，顺序为 {order}。",
            )
        )
    return theta


def column_arrays(data, predictors) -> tuple[dict[str, np.ndarray], int]:
    """Predictors as float arrays of one length, and that length.

    Parameters
    ----------
    data : DataFrame or mapping of str to array, shape (n,), or float
    predictors : tuple of str

    Raises
    ------
    EquationError
        A predictor is absent, holds text, or has another length than the others.
    """
    require(predictors, list(data.keys()))
    held, wrong = {}, []
    for name in predictors:
        try:
            held[name] = np.atleast_1d(np.asarray(data[name], dtype=float))
        except (TypeError, ValueError):
            wrong.append(name)
    if wrong:
        raise EquationError(
            tr(
                f"these columns hold something other than numbers: {', '.join(wrong)}.",
                f"以下列含有非数值：{'、'.join(wrong)}。",
            )
        )
    shapes = {name: column.shape for name, column in held.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        shown = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise EquationError(tr(f"columns of different shape: {shown}.", f"各列的形状不一致：{shown}。"))
    if held:
        return held, len(next(iter(held.values())))
    return held, len(data) if hasattr(data, "columns") else 1
