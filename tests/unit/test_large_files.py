"""Files larger or odder than any field book: read within bounds, piece by piece, or refused in one message."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from published_tables import system_table

from sinklab.cli import main
from sinklab.data import files
from sinklab.data.reading import read
from sinklab.language import DataError

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_cell_may_be_longer_than_a_page(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text(f"dbh,agb,备注\n5,4,{'很' * 300_000}\n9,8,x\n", encoding="utf-8")
    frame = read(path)
    assert frame["dbh"].tolist() == [5, 9] and len(frame["备注"][0]) == 300_000


def test_lines_may_end_with_a_carriage_return_alone(tmp_path):
    path = tmp_path / "cr.csv"
    path.write_bytes(b"dbh,agb\r5,4\r9,8\r")
    assert read(path)[["dbh", "agb"]].to_numpy().tolist() == [[5, 4], [9, 8]]


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbf", b"\xff\xfe", b",,,\n,,,\n", b";;\r;;\r", b"\n" * 9, b"\xef\xbb\xbf,,\n"]
)
def test_files_that_hold_nothing_are_refused(tmp_path, content):
    path = tmp_path / "nothing.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match="nothing.csv"):
        read(path)


def test_more_columns_than_a_form_has_are_refused_at_once(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(
        ",".join(f"c{i}" for i in range(30_000)) + "\n" + ",".join("1" * 30_000) + "\n", encoding="utf-8"
    )
    with pytest.raises(DataError, match="30,000 columns; expected at most 5,000"):
        read(path)


def test_more_lines_than_one_table_holds_are_refused_before_they_are_read(tmp_path, monkeypatch):
    path = tmp_path / "many.csv"
    path.write_text("dbh,agb\n" + "5,4\n" * 100, encoding="utf-8")
    monkeypatch.setattr(files, "MOST_LINES", 50)
    monkeypatch.setattr(files, "decoded", None)
    with pytest.raises(DataError, match="102 lines; at most 50"):
        read(path)


@pytest.fixture
def params(tmp_path, monkeypatch):
    monkeypatch.setenv("SINKLAB_PARAMS", str(tmp_path / "params"))
    system_table().write(tmp_path / "params")


@pytest.mark.parametrize(("encoding", "end"), [("utf-8-sig", "\n"), ("gb18030", "\r\n"), ("utf-8", "\r")])
def test_a_file_read_in_pieces_gives_what_it_gives_as_a_whole(
    tmp_path, params, monkeypatch, capsys, encoding, end
):
    luck = random.Random(3)
    lines = ["调查表", "样地号,胸径(mm),树高/m,备注"]
    for i in range(1000):
        remark = f'"第{i}行{end}有""引号"""' if i % 7 == 0 else ""
        lines.append(f"{i // 30:03d},{luck.uniform(50, 500):.1f},{luck.uniform(4, 25):.1f},{remark}")
    path = tmp_path / "trees.csv"
    path.write_bytes(end.join([*lines, ""]).encode(encoding))
    given = ["predict", "agb_forest_test", str(path), "-o"]
    assert main([*given, str(tmp_path / "whole.csv")]) == 0
    whole = capsys.readouterr().err
    monkeypatch.setattr(files, "PIECE", 90)
    monkeypatch.setattr(files, "MOST_LINES", 300)
    assert main([*given, str(tmp_path / "pieces.csv")]) == 0
    told = capsys.readouterr().err
    assert (tmp_path / "pieces.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert told.count("% of") >= 9 and "100% of" in told
    outside = next(line for line in whole.splitlines() if "outside the fitted range" in line)
    assert outside in told and "1000 records" in outside


def test_a_fault_far_below_is_told_with_its_line_and_nothing_is_written(
    tmp_path, params, monkeypatch, capsys
):
    monkeypatch.setattr(files, "PIECE", 50)
    path = tmp_path / "trees.csv"
    rows = [f"{10 + i % 20},{8 + i % 9}" for i in range(400)]
    for fault, words in ((f"{rows[321]}x", "from line 302 on"), ("12,13,14,15", "from line 302 on")):
        changed = [*rows[:321], fault, *rows[322:]]
        path.write_text("\n".join(["dbh,height", *changed, ""]), encoding="utf-8")
        assert main(["predict", "agb_forest_test", str(path), "-o", str(tmp_path / "out.csv")]) == 2
        assert words in capsys.readouterr().err and not (tmp_path / "out.csv").exists()


MEASURE = """
import resource, sys
from sinklab.cli import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
sys.exit(code)
"""


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.skipif(os.name == "nt", reason="the memory of a process is asked of a POSIX system")
def test_five_million_records_take_the_memory_of_a_few(tmp_path, params):
    used = {}
    for n in (300_000, 5_000_000):
        path, luck = tmp_path / f"{n}.csv", np.random.default_rng(1)
        with path.open("w", encoding="utf-8") as stream:
            stream.write("tree_id,dbh,height\n")
            for start in range(0, n, 100_000):
                dbh, height = luck.uniform(5, 40, 100_000), luck.uniform(4, 25, 100_000)
                numbers = zip(range(start, start + 100_000), dbh, height, strict=True)
                stream.writelines(f"{i:07d},{d:.1f},{h:.1f}\n" for i, d, h in numbers)
        command = [
            sys.executable,
            "-c",
            MEASURE,
            "predict",
            "agb_forest_test",
            str(path),
            "-o",
            f"{path}.out",
        ]
        begun = time.monotonic()
        done = subprocess.run(
            command,
            env=dict(os.environ, PYTHONPATH=str(REPOSITORY)),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        used[n] = float(done.stdout)
        print(f"{n} records: {used[n]:.0f} MB, {time.monotonic() - begun:.0f} s")
        assert done.stderr.count("% of") >= n // 100_000
        assert files.count_lines(f"{path}.out") == n + 2
    tail = pd.read_csv(f"{tmp_path}/5000000.csv.out", skiprows=range(1, 4_999_990))
    assert tail.iloc[-1, 0] == 4_999_999 and np.isfinite(tail["agb"]).all()
    assert used[5_000_000] < 1.15 * used[300_000] + 50
