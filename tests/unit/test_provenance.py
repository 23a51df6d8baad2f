import hashlib

import numpy as np
import pandas as pd
import pytest

from sinklab import paths


@pytest.fixture
def frame():
    return pd.DataFrame({"dbh": [5, 10, 20], "species": ["fir", None, "pine"], "ok": [True, False, True]})


def test_fingerprint_does_not_depend_on_how_the_frame_is_held(frame):
    other = pd.DataFrame(
        {
            "ok": frame["ok"],
            "species": frame["species"].astype("category"),
            "dbh": frame["dbh"].astype(float),
        }
    ).set_index(pd.Index([7, 3, 9]))
    assert paths.fingerprint(frame) == paths.fingerprint(other)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.rename(columns={"dbh": "height"}),
        lambda f: f.assign(dbh=[5, 10, np.nextafter(20, 21)]),
        lambda f: f.assign(dbh=[5, 10, np.nan]),
        lambda f: f.assign(dbh=["5", "10", "20"]),
        lambda f: f.assign(species=["fir", "", "pine"]),
        lambda f: f.assign(species=["fi", "r", "pine"]),
        lambda f: f.iloc[::-1],
        lambda f: f.iloc[:2],
        lambda f: f.drop(columns="ok"),
    ],
)
def test_fingerprint_sees_every_change_of_content(frame, change):
    assert paths.fingerprint(frame) != paths.fingerprint(change(frame.copy()))


def test_fingerprint_is_the_same_everywhere():
    frame = pd.DataFrame({"x": [1.0, -0.0, np.nan], "s": ["杉木", "a", None]})
    packed = "杉木".encode()
    by_hand = hashlib.sha256(b"rows 3")
    by_hand.update(b"t" + (1).to_bytes(8, "little") + b"s")
    by_hand.update(b"s" + b"t" + len(packed).to_bytes(8, "little") + packed)
    by_hand.update(b"t" + (1).to_bytes(8, "little") + b"a" + b"-")
    by_hand.update(b"t" + (1).to_bytes(8, "little") + b"x")
    by_hand.update(b"n" + np.array([1.0, 0.0, np.nan], "<f8").tobytes())
    assert paths.fingerprint(frame) == by_hand.hexdigest()


def test_file_hash_is_sha256(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    assert paths.file_sha256(path) == hashlib.sha256(b"abc").hexdigest()
    assert paths.files_sha256([path]) == {"a.bin": hashlib.sha256(b"abc").hexdigest()}


def test_versions_are_read_without_imports():
    found = paths.versions(("numpy", "a-package-that-is-not-there"))
    assert found["numpy"] == np.__version__
    assert set(found) == {"python", "numpy"}


def test_source_hash_follows_the_source(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    module = tmp_path / "sub" / "a.py"
    module.write_bytes(b"x = 1\n")
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "provenance.py"))

    def digest():
        paths.source_sha256.cache_clear()
        return paths.source_sha256()

    first = digest()
    module.write_bytes(b"x = 1\r\n")
    assert digest() == first
    module.write_bytes(b"x = 2\n")
    assert digest() != first
    paths.source_sha256.cache_clear()
