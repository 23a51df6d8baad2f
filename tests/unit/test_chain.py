"""The chain of a methodology: units, symbols, print, and its worked example against a spreadsheet written by hand."""

import re
import shutil
import subprocess

import numpy as np
import openpyxl
import pytest

from sinklab import account as chains
from sinklab.drafts import clauses, description
from sinklab.language import DataError

METHODOLOGIES = [n for n in description.names() if clauses.of_draft(description.read(n).data)]


@pytest.mark.parametrize("name", METHODOLOGIES)
def test_units_symbols_and_results_of_each_methodology_are_sound(name):
    assert clauses.of_draft(description.read(name).data).problems() == []


def test_every_module_is_sound_also_where_no_draft_counts_it_yet():
    for module, row in chains.modules().items():
        if row["plot"] or row["part"] in ("emission", "leakage") and chains.Chain([module]).equations:
            assert chains.methodology([module, *(["tree"] if module == "deadwood" else [])]).problems() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "c_TREE[i,k,t] = CF * sum(m, W[i,k,m,t]) / (k_t * a_P)",
            "right side in",
        ),  # carbon taken for carbon dioxide
        (
            "c_TREE[i,k,t] = k_CO2 * CF * sum(m, W[i,k,m,t]) / a_P",
            "right side in",
        ),  # kilograms taken for tonnes
        ("DC = sum(i, A[i] * d_MEAN[i]) - c_ROT", "do not go together"),  # t/hm² taken off t
        ("DC = A[i] * d_MEAN[i]", "left free"),
        ("DC = sum(i, A[i] * d_MEAN[k])", "expected the indices"),
        ("nu = exp(DC)", "without a unit"),
    ],
)
def test_a_fault_of_meaning_is_found(text, said):
    found = chains.Chain([], [("wrong", "tree", text)]).problems()
    assert any(said in line for line in found), found


def test_a_symbol_stands_for_one_thing():
    found = chains.Chain([], [("a", "tree", "nu = v_G[i,k,l,t]"), ("b", "tree", "P = R_S")]).problems()
    assert not any("two things" in line for line in found)
    library = chains.symbols()
    same = chains.Chain(["sampling"])
    same.symbols = same.symbols | {"R_G": library["R_G"].__class__(**vars(library["R_G"]) | {"latex": "e"})}
    assert any("$e$: E_A, R_G" in line for line in same.problems())


def test_what_a_chain_lacks_is_named_all_at_once():
    with pytest.raises(DataError, match=r"(?s)F_ON.*F_SN"):
        chains.Chain(["fertilizer"]).compute({})
    with pytest.raises(DataError, match="no such|unknown|there are|trea"):
        chains.Chain(["trea"])
    with pytest.raises(DataError, match="cannot read"):
        chains.read_equation("x", "tree", "A = __import__('os')")


def test_printed_vectors_are_reproduced_by_the_chain():
    """AR-TOOL14: 60 ± 9 gives 2.25; VM0047: a half-width of 25 % costs 15 %; VM0042 v2.2: all of it is deducted."""
    for rule, u, deducted in (("ar_tool14", 0.15, 2.25), ("vm0047", 0.25, 9.0), ("vm0042", 0.043, 2.58)):
        chain = chains.methodology(["tree"], rule)
        shares = chains.Chain([], [(e.name, e.module, e.text) for e in chain.of("deduction")])
        known = shares.compute({"U": u, "H_W": 60 * u, "DC": 60.0, "DT": 1.0})
        assert known["D"] == pytest.approx(deducted)
    with pytest.raises(DataError, match="net removal"):
        chains.methodology(["tree"], "vm0033")


def test_a_reversal_is_carried_over_and_taken_from_the_buffer():
    chain = chains.Chain(["permanence"])
    known = chain.compute({"X": -30.0, "K_RISK": 0.1, "DT": 5.0, "Z_0": -10.0, "B_0A": 100.0})
    assert (known["CR"], known["Z"], known["REV"], known["B_A"]) == (0.0, -160.0, 100.0, 0.0)
    known = chain.compute({"X": 40.0, "K_RISK": 0.1, "DT": 5.0, "Z_0": -60.0, "B_0A": 0.0})
    assert (known["CR"], known["Z"], known["B_A"]) == (120.0, 0.0, 20.0)


def test_shared_errors_do_not_vanish_and_permanent_plots_help():
    """Plots that keep their differences give a change without error from sampling; the error of the model stays."""
    import xarray as xr

    dates = xr.DataArray([0.0, 5.0], dims="t", coords={"t": ["t1", "t2"]})
    plots = xr.DataArray([[100.0, 140.0, 90.0]], dims=("i", "k")) + dates
    chain = chains.methodology(["tree"])
    steps = chains.Chain(
        [], [(e.name, e.module, e.text) for m in ("change", "change_error") for e in chain.of(m)]
    )
    draws = xr.DataArray([480.0, 500.0, 520.0], dims="b")
    area, count = (xr.DataArray([v], dims="i") for v in (100.0, 3.0))
    known = steps.compute({"c": plots, "A": area, "n": count, "P": 0.9, "DC_B": draws, "N_BD": 3.0})
    assert (known["DC"], known["SE_S"], known["SE_M"], known["SE_DC"]) == pytest.approx(
        (500.0, 0.0, 20.0, 20.0)
    )


# The worked example by hand


class Sheet:
    """A sheet on which numbers and formulas are put one below the other; what was put is found by name."""

    def __init__(self):
        self.book = openpyxl.Workbook()
        self.page, self.at, self.rows = self.book.active, 0, {}

    def put(self, name, cells):
        self.at += 1
        self.rows[name] = self.at
        self.page.cell(self.at, 1, name)
        for column, content in enumerate(cells, start=2):
            self.page.cell(self.at, column, content)

    def one(self, name, column=0):
        return f"{chr(66 + column)}{self.rows[name]}"

    def cells(self, text):
        """Put cells for names in braces, ranges for names with a count; square brackets are arrays."""
        found = re.sub(r"\{(\w+):(\d)\}", lambda m: self.all(m[1], int(m[2])), text)
        found = re.sub(r"\{(\w+)\}", lambda m: self.one(m[1]), found)
        return found.replace("[", "{").replace("]", "}")

    def all(self, name, count):
        return f"{self.one(name)}:{self.one(name, count - 1)}"


def parts(name, value):
    """Rows of an array: by date, then by stratum; the last index lies along the row."""
    dims = getattr(value, "dims", ())
    if "t" in dims:
        for position, date in enumerate(("t1", "t2")):
            yield from parts(f"{name}.{date}", value.isel(t=position, drop=True))
    elif "i" in dims and len(dims) > 1:
        for i in range(value.sizes["i"]):
            yield from parts(f"{name}.{i + 1}", value.isel(i=i, drop=True))
    else:
        yield name, np.atleast_1d(value.to_numpy() if dims else float(value)).astype(float)


def by_hand(found):
    """Write the example as a person would in a spreadsheet; return the sheet and the rows of each equation."""
    s = Sheet()
    given = {**found.given}
    for name, value in found.plot.items():
        if name not in found.chain.results() and found.chain.symbols[name].kind != "constant":
            given[name] = value
    for name, symbol in found.chain.symbols.items():
        row = found.chain.default(symbol)
        if row and name not in given and name not in found.chain.results():
            given[name] = float(row["value"])
    for name, value in given.items():
        for row, numbers in parts(name, value):
            s.put(row, [float(n) for n in numbers])
    one, every, dates, strata = s.one, s.all, ("t1", "t2"), range(2)
    done = {}

    def say(name, rows):
        done[name] = rows

    def each_date(left, formula):
        for t in dates:
            s.put(f"{left}.{t}", [f"={formula(t)}"])

    def layers(t, *more):
        core = "_C" if "h_C" in found.plot else ""
        count = found.plot[f"h{core}"].sizes["l"]
        names = [f"{n}{core}.{t}" for n in ("rho", "h")]
        product = "*".join(every(n, count) for n in names) + (
            f"*(1-{every(f'v_G.{t}', count)})" if f"v_G.{t}" in s.rows else ""
        )
        return f"SUMPRODUCT({product}{''.join('*' + every(f'{n}{core}.{t}', count) for n in more)})"

    has = {e.name for e in found.chain.equations}
    plots = {
        "tree_plot": ("c_TREE", lambda t: f"SUM({every(f'W.{t}', 6)})/1000/{one('a_P')}*{one('CF')}*44/12"),
        "tree_volume": ("c_TREE", lambda t: f"{one(f'V_M.{t}')}*{one('F_BCE')}*(1+{one('R_S')})*{one('CF')}*44/12"),
        "bamboo_plot": ("c_BAMBOO", lambda t: f"SUMPRODUCT({every(f'N_B.{t}', 4)},{every('m_B', 4)})/1000/{one('a_P')}*{one('CF')}*44/12"),
        "shrub_plot": ("c_SHRUB", lambda t: f"SUM({every(f'm_S.{t}', 5)})/1000/{one('a_S')}*{one('CF')}*44/12"),
        "grass_plot": ("c_GRASS", lambda t: f"AVERAGE({every(f'm_G.{t}', 5)})/1000000*10000*(1+{one('R_G')})*{one('CF_G')}*44/12"),
        "litter_plot": ("c_LI", lambda t: f"AVERAGE({every(f'm_LI.{t}', 4)})/1000000*10000*{one('CF_LI')}*44/12"),
        "deadwood_plot": ("c_DW", lambda t: f"{one(f'c_TREE.{t}')}*{one('f_DW')}"),
        "deadwood_survey": ("c_DW", lambda t: f"SUMPRODUCT({every(f'V_D.{t}', 3)},{every('rho_D', 3)})*{one('CF')}*44/12"),
        "soil_mass": ("M_S", lambda t: f"{layers(t)}*10000*10000/1000000"),
        "soil_plot": ("c_SOIL", lambda t: f"({layers(t, 'o')}/10+{one(f'o_B.{t}')}/1000*({one('M_S.t1')}-{one(f'M_S.{t}')}))*44/12"),
        "karst_plot": ("c_SOIL", lambda t: f"(1-{one(f'delta.{t}')})*{layers(t, 'o')}/1000*10000*10000/1000000*44/12"),
        "core_plot": ("c_SOIL", lambda t: f"{layers(t, 'o')}/1000*10000*10000/1000000*44/12"),
    }  # fmt: skip
    for name, (left, formula) in plots.items():
        if name in has:
            each_date(left, formula)
            say(name, [f"{left}.{t}" for t in dates])
    if "stock" in has:
        a, n = [one("A", i) for i in strata], [one("n", i) for i in strata]
        for t in dates:
            s.put(f"c_MEAN.{t}", [f"=AVERAGE({every(f'c.{t}.{i + 1}', 3)})" for i in strata])
            s.put(f"s.{t}", [f"=STDEV({every(f'c.{t}.{i + 1}', 3)})" for i in strata])
            s.put(f"C.{t}", [f"=SUMPRODUCT({every('A', 2)},{every(f'c_MEAN.{t}', 2)})"])
            terms = "+".join(f"({a[i]}*{one(f's.{t}', i)})^2/{n[i]}" for i in strata)
            s.put(f"SE_C.{t}", [f"=SQRT({terms}+{one(f'SE_MC.{t}')}^2)"])
        for i in strata:
            s.put(f"d.{i + 1}", [f"={one(f'c.t2.{i + 1}', k)}-{one(f'c.t1.{i + 1}', k)}" for k in range(3)])
        s.put("d_MEAN", [f"=AVERAGE({every(f'd.{i + 1}', 3)})" for i in strata])
        s.put("s_D", [f"=STDEV({every(f'd.{i + 1}', 3)})" for i in strata])
        s.put("DC", [f"={a[0]}*{one('d_MEAN')}+{a[1]}*{one('d_MEAN', 1)}"])
        s.put("SE_S", ["=SQRT(" + "+".join(f"({a[i]}*{one('s_D', i)})^2/{n[i]}" for i in strata) + ")"])
        s.put("DC_BM", [f"=AVERAGE({every('DC_B', 8)})"])
        s.put("SE_M", [f"=STDEV({every('DC_B', 8)})"])
        s.put("SE_DC", [f"=SQRT({one('SE_S')}^2+{one('SE_M')}^2)"])
        s.put("nu", [f"={n[0]}+{n[1]}-2"])
        s.put("t_VAL", [f"=TINV(1-{one('P')},{one('nu')})"])
        s.put("H_W", [f"={one('t_VAL')}*{one('SE_DC')}"])
        s.put("U", [f"={one('H_W')}/ABS({one('DC')})"])
        for name, rows in {
            "mean": ["c_MEAN.t1", "c_MEAN.t2"], "spread": ["s.t1", "s.t2"], "stock": ["C.t1", "C.t2"],
            "stock_se": ["SE_C.t1", "SE_C.t2"], "plot_change": ["d.1", "d.2"], "mean_change": ["d_MEAN"],
            "change_sd": ["s_D"], "change": ["DC"], "change_sampling": ["SE_S"], "draws_mean": ["DC_BM"],
            "change_model": ["SE_M"], "change_se": ["SE_DC"], "freedom": ["nu"], "quantile": ["t_VAL"],
            "half_width": ["H_W"], "relative": ["U"],
        }.items():  # fmt: skip
            say(name, rows)
        w, sp = s.cells("SUMPRODUCT({w:2},{s_P:2})"), every("s_P", 2)
        s.put("s_W", [f"={w}"])
        first = f"({one('t_P')}*{one('s_W')}/{one('E_A')})^2"
        finite = f"SUMPRODUCT({every('w', 2)},{sp},{sp})*({one('t_P')}/{one('E_A')})^2/{one('N_P')}"
        s.put("n_T", [f"={first}/(1+{finite})"])
        s.put("n_R", [f"={one('n_T')}*{one('w', i)}*{one('s_P', i)}/{one('s_W')}" for i in strata])
        for name, row in (("plots_sd", "s_W"), ("plots_total", "n_T"), ("plots_stratum", "n_R")):
            say(name, [row])
    single = {
        "share": ("f_U", "LOOKUP({U}-0.000000001,[-1,0.1,0.15,0.2,0.3],[0,0.25,0.5,0.75,1])"),
        "deduction": ("D", "{f_U}*{H_W}/{DT}"),
        "rotation": ("c_ROT", "AVERAGE({c_AGE:6})"),
        "coast_gain": ("DC_SOC", "SUMPRODUCT({A:2},{GAIN_S:2})*44/12"),
        "fire": ("E_FIRE", "SUMPRODUCT({A_BURN:2},{B_FUEL:2})*{C_BF}*({G_CH4}*{GWP_CH4}+{G_N2O}*{GWP_N2O})/1000/{DT}"),
        "fertilizer": ("E_FERT", "({F_SN}*({EF_1}+{f_GASF}*{EF_4}+{f_LEACH}*{EF_5})+{F_ON}*({EF_1}+{f_GASM}*{EF_4}+{f_LEACH}*{EF_5}))*44/28*{GWP_N2O}"),
        "wetland_ch4": ("E_CH4", "SUMPRODUCT({A:2},{EF_CH4:2})/1000*16/12*{GWP_CH4}"),
        "coast_ch4": ("E_CH4", "SUMPRODUCT({A:2},{EF_CH4S:2})/1000*{GWP_CH4}"),
        "peat": ("E_PEAT", "(SUMPRODUCT({A:2},{EF_REW:2})+SUM({A:2})*{EF_DOC})*44/12"),
        "fuel": ("E_FUEL", "SUMPRODUCT({Q_F:2},{NCV:2},{EF_F:2})/1000"),
        "peat_baseline": ("E_BSL", "SUMPRODUCT({A:2},{EF_DRA:2})*44/12+"
        "((1-{f_DIT})*SUMPRODUCT({A:2},{EF_LAN:2})+{f_DIT}*SUMPRODUCT({A:2},{EF_DIT:2}))/1000*{GWP_CH4}"),
        "manure_baseline": ("E_BSL", "{N_A}*{VS}*365*{B_0}*0.67/1000*{MCF_B}*{f_CON}*{GWP_CH4}"),
        "manure_project": ("E_MANP", "({N_A}*{VS}*365*{B_0}*0.67/1000*{MCF_P}+{f_LEAK}*{Q_B})*{GWP_CH4}"),
        "manure_nitrous": ("E_MANN", "MAX({EF_3P}-{EF_3B},0)*{N_A}*{m_N}/1000*44/28*{GWP_N2O}"),
        "electricity": ("E_EL", "{Q_EL}*{EF_EL}"),
        "leak_area": ("LK_A", "{A_DISP}*{f_IS}*{f_NL}*{c_L}/{DT}"),
        "leak_harvest": ("LK_H", "MAX({V_HB}-{V_HP},0)*{F_BCE}*(1+{R_S})*{CF}*44/12*{f_MKT}"),
        "leak_organic": ("LK_OM", "{Q_OM}*{f_OM}*44/12"),
    }  # fmt: skip
    for name, (left, formula) in single.items():
        if name in has:
            s.put(left, [f"={s.cells(formula)}"])
            say(name, [left])

    if "potential_year" in has:
        for biomass, left in (("B_XP", "c_XP"), ("B_XB", "c_XB")):
            for t in dates:
                cells = [f"={one(f'{biomass}.{t}', i)}*(1+{one('R_S')})*{one('CF')}*44/12" for i in strata]
                s.put(f"{left}.{t}", cells)
        rise = [f"{one('f_AV', i)}*{one('A_F', i)}/{one('T_P')}" for i in strata]
        both = [
            f"{one('c_XP.t2', i)}-{one('c_XP.t1', i)}-{one('c_XB.t2', i)}+{one('c_XB.t1', i)}" for i in strata
        ]
        s.put("P_F", ["=" + "+".join(f"{rise[i]}*({both[i]})" for i in strata)])
        land = [f"{one('f_AVG', j)}*{one('A_G', j)}" for j in strata]
        s.put("P_G", ["=" + "+".join(f"{land[j]}*({one('r_XP', j)}-{one('r_XB', j)})" for j in strata)])
        s.put("P_A", [f"={one('P_F')}+{one('P_G')}"])
        errors = [f"({rise[i]}*{one('s_G', i)})^2" for i in strata] + [
            f"({land[j]}*{one('s_R', j)})^2" for j in strata
        ]
        s.put("SE_P", [f"=SQRT({'+'.join(errors)})"])
        say("potential_stock", ["c_XP.t1", "c_XP.t2"])
        say("potential_base", ["c_XB.t1", "c_XB.t2"])
        say("potential_forest", ["P_F"])
        say("potential_grass", ["P_G"])
        say("potential_year", ["P_A"])
        say("potential_se", ["SE_P"])
    if "net" not in has:
        return s, done

    def signed(names):
        return "+".join(one(n) for n in names if n in s.rows) or "0"

    sources = ("E_FIRE", "E_FERT", "E_CH4", "E_PEAT", "E_FUEL", "E_EL", "E_MANP", "E_MANN")
    for name, row, terms in (
        ("project_emissions", "E_PRJ", sources),
        ("leakage", "LK", ("LK_A", "LK_H", "LK_OM")),
    ):
        if name in has:
            s.put(row, [f"={signed(terms)}"])
            say(name, [row])
    if "project" in has:
        s.put("DC_PRJ", [f"={one('DC')}/{one('DT')}+{signed(('DC_SOC',))}-({signed(('E_PRJ',))})"])
        say("project", ["DC_PRJ"])
    base = "0"
    if "baseline_pool" in has:
        s.put("g.1", [f"=({one('c_BSL.t2.1')}-{one('c_BSL.t1.1')})/{one('DT')}"])
        s.put("g.2", [f"=({one('c_BSL.t2.2')}-{one('c_BSL.t1.2')})/{one('DT')}"])
        say("baseline_pool", ["g.1", "g.2"])
        base = f"{one('A')}*{one('g.1')}+{one('A', 1)}*{one('g.2')}"
    if "project" in has:
        s.put("DC_BSL", [f"={base}-({signed(('E_BSL',))})"])
        s.put("X", [f"={one('DC_PRJ')}-{one('DC_BSL')}-({signed(('LK',))})-({signed(('D',))})"])
        say("baseline", ["DC_BSL"])
    else:
        s.put("X", [f"={signed(('E_BSL',))}-({signed(('E_PRJ',))})-({signed(('LK',))})"])
    say("net", ["X"])
    if "buffer" in has:
        s.put("B_K", [f"=MAX({one('X')},0)*{one('K_RISK')}"])
        rest = f"({one('X')}-{one('B_K')})*{one('DT')}+{one('Z_0')}"
        s.put("CR", [f"=MAX({rest},0)"])
        s.put("Z", [f"=MIN({rest},0)"])
        s.put("REV", [f"=MIN({one('B_0A')},MAX(0,-{one('X')}*{one('DT')}))"])
        s.put("B_A", [f"={one('B_0A')}+{one('B_K')}*{one('DT')}-{one('REV')}"])
        for name, row in (
            ("buffer", "B_K"),
            ("credit", "CR"),
            ("carried", "Z"),
            ("reversal", "REV"),
            ("buffer_end", "B_A"),
        ):
            say(name, [row])
    else:
        s.put("CR", [f"=MAX({one('X')},0)*{one('DT')}"])
        say("credit", ["CR"])
    if "ante" in has:
        for t in dates:
            cells = [f"={one(f'B_XA.{t}', i)}*(1+{one('R_S')})*{one('CF')}*44/12" for i in strata]
            s.put(f"c_XA.{t}", cells)
        rise = "+".join(f"{one('A', i)}*({one('c_XA.t2', i)}-{one('c_XA.t1', i)})" for i in strata)
        s.put(
            "CR_XA",
            [f"=(({rise})/{one('DT')}-{one('DC_BSL')}-{one('L_XA')})*(1-{one('K_RISK')})*(1-{one('f_XA')})"],
        )
        say("ante_stock", ["c_XA.t1", "c_XA.t2"])
        say("ante", ["CR_XA"])
    return s, done


@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice, which works the formulas out")
def test_worked_examples_agree_with_a_spreadsheet_written_by_hand(tmp_path):
    written = {}
    for name in METHODOLOGIES:
        found = chains.example(clauses.of_draft(description.read(name).data))
        sheet, done = by_hand(found)
        sheet.book.save(tmp_path / f"{name}.xlsx")
        written[name] = found, sheet, done
    command = [
        "soffice",
        "--headless",
        f"-env:UserInstallation=file://{tmp_path}/office",
        "--convert-to",
        "xlsx",
    ]
    files = [str(tmp_path / f"{name}.xlsx") for name in written]
    subprocess.run([*command, "--outdir", str(tmp_path / "worked"), *files], check=True, capture_output=True)
    for name, (found, sheet, done) in written.items():
        page = openpyxl.load_workbook(tmp_path / "worked" / f"{name}.xlsx", data_only=True).active
        known = found.known | {n: v for n, v in found.plot.items() if n != "c"}
        left = {e.name: e.left for e in found.chain.equations}
        assert {*left} - {*done} - {"pools"} == set(), name
        for equation in left.keys() & done.keys():
            mine = dict(parts(left[equation], known[left[equation]]))
            ours = np.concatenate([np.ravel(v) for v in mine.values()])
            hand = [
                page.cell(sheet.rows[row], 2 + column).value
                for row in done[equation]
                for column in range(len(ours) // len(done[equation]))
            ]
            assert hand == pytest.approx(list(ours), rel=1e-9, abs=1e-9), (name, equation)


@pytest.mark.parametrize("name", METHODOLOGIES)
def test_example_has_a_change_that_is_known_and_something_to_credit(name):
    """An example whose uncertainty takes all shows nothing of what follows."""
    known = chains.example(clauses.of_draft(description.read(name).data)).known
    if "U" in known:
        assert 0.1 < float(known["U"]) < 0.15
    if "CR" in known:
        assert float(known["CR"]) > 0
