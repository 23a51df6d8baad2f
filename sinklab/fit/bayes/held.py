"""The data of a model, kept together in few arrays: compiling takes time for each of them, not for each number."""

import numpy as np

#: Data of some of the rows, whose number may differ from one data set to the next.
_OF_A_SUBSET = ("y_", "rows_")


class Held:
    """Data that were taken into a model.

    What has a value for each row is kept as one matrix, what has a fixed size as one vector. ``tensors``
    holds the tensor of each array by name, ``arrays`` the values of the model's data and ``sizes`` what their axes
    are called; a number stands for an axis that is as long in every data set of the structure.

    Parameters
    ----------
    n_row : int
    """

    def __init__(self, n_row: int):
        import pymc as pm

        self.pm, self.n_row = pm, n_row
        self.tensors, self.arrays, self.sizes = {}, {}, {}
        self._matrices, self._names_by_row = {"number": [], "index": []}, []
        self._numbers, self._n_number = [], 0

    def take(self, name: str, array, along: str | None = None):
        """Tensor of an array, which is taken in once; ``along`` names another that is as long."""
        if name in self.tensors:
            return self.tensors[name]
        array = np.asarray(array)
        array = array.astype(np.int32) if array.dtype.kind in "iu" else array.astype(float)
        kind = "index" if array.dtype.kind == "i" else "number"
        if array.shape == (self.n_row,) and not name.startswith(_OF_A_SUBSET):
            matrix = self._kept(f"{kind}_by_row", np.zeros((1, 1), array.dtype))
            self.tensors[name] = matrix[len(self._matrices[kind])]
            self._matrices[kind].append(array)
            self._names_by_row.append(name)
        elif kind == "number" and not name.startswith(_OF_A_SUBSET):
            held = self._kept("numbers", np.zeros(1))[self._n_number : self._n_number + array.size]
            self.tensors[name] = held if array.ndim == 1 else held.reshape(array.shape)
            self._numbers.append(array.ravel())
            self._n_number += array.size
        else:
            self.arrays[name], self.tensors[name] = array, self.pm.Data(name, array)
            self.sizes[name] = (along or name,)
        return self.tensors[name]

    def _kept(self, name, begin):
        if name not in self.tensors:
            self.tensors[name] = self.pm.Data(name, begin)
        return self.tensors[name]

    def fill(self, model) -> None:
        """Give the collected data their values."""
        self.arrays |= {f"{kind}_by_row": np.stack(rows) for kind, rows in self._matrices.items() if rows}
        self.sizes |= {
            name: (str(len(rows)), "rows") for name, rows in self.arrays.items() if name not in self.sizes
        }
        self.arrays["numbers"] = np.concatenate(self._numbers)
        self.sizes["numbers"] = (str(self._n_number),)
        for name, array in self.arrays.items():
            model[name].set_value(array)

    @property
    def structure(self) -> tuple:
        """All that compiled code depends on: what is held, and which of it by row."""
        return tuple(self.tensors), tuple(self._names_by_row)
