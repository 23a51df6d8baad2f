"""What a template can ask for: numbers, equations, tables and figures, all fetched from parameter tables."""

from functools import partial
from pathlib import Path

from sinklab import vocabulary
from sinklab.drafts import equations_in_text, markdown, numbers, tables_in_text, trees, words
from sinklab.drafts.citations import Citations
from sinklab.drafts.decided import Decided
from sinklab.drafts.description import Description
from sinklab.errors import DraftError, TableError, listing
from sinklab.language import tr
from sinklab.tables import Table

#: Names of the desk that templates may use.
OFFERED = (
    "has_table has responses ranges parts value number n limits equation equations legend parameter_table "
    "index_table index_formulas range_table residual_table correlation_tables correlation_refs sample_table "
    "values_table figure species label sources table_list status_note range_notes"
).split()


class Desk:
    """Functions of a template; an ``alias`` is a word that the description gives to a table.

    Parameters
    ----------
    description : Description
    lang : "zh" or "en"
    folder : Path
        Where figures are drawn.
    """

    def __init__(self, description: Description, lang: str, folder: Path):
        self._description, self._lang, self._folder = description, lang, Path(folder)
        self._tables = _read_tables(description)
        self.citations = Citations()
        self._decided = Decided(description, lang, self.citations)
        self._printed_in: dict[str, list[str]] = {}

    def names(self) -> dict:
        """Names that a template may use."""
        return {name: getattr(self, name) for name in OFFERED} | self._decided.names()

    # What there is

    def has_table(self, alias: str) -> bool:
        """Whether the description names a table of this alias."""
        return alias in self._tables

    def has(self, alias: str, response: str) -> bool:
        """Whether a table has an equation for a response."""
        return self.has_table(alias) and response in self._fit(alias).system.responses

    def responses(self, alias: str) -> list[str]:
        """Responses of a table, in the order of its equations."""
        return list(self._fit(alias).system.responses)

    def ranges(self, alias: str) -> list[str]:
        """Predictors whose fitted span a table gives."""
        return list(self._fit(alias).ranges)

    def parts(self, alias: str, response: str) -> list[str]:
        """Left sides that an equation is made of, such as the components of a total."""
        system = self._fit(alias).system
        at = equations_in_text.line(system, response, self._tables[alias].ref)
        inside = equations_in_text.inside(system.equations[at])
        return [r for r in system.responses if r in inside]

    # Numbers

    def value(self, ref: str, name: str, column: str = "value") -> str:
        """One number of a table, with the digits that its standard error supports.

        Parameters
        ----------
        ref : str
            Alias, or a table as ``id@version``.
        name : str
            A coefficient or scalar value, with its group in brackets when it has one.
        column : str
            ``value``, ``se``, ``lower``, ``upper``, ``q025`` …
        """
        table = self._tables.get(ref) or Table.read(ref)
        number, status = table.value(name, column), table.value(name, "status")
        if isinstance(number, str):
            return markdown.escape(number)
        text = numbers.with_error(table.value(name), table.value(name, "se"), number)[2]
        file = "coefficients" if "coefficients" in table.frames else "values"
        return self.citations.add(table.ref, file, name, column, number, text, status)

    def number(self, alias: str, response: str, index: str) -> str:
        """One index of fit of a response."""
        table = self._fit(alias).index_table
        if response not in table.index or index not in table:
            raise DraftError(
                tr(
                    f"{self._tables[alias].ref}: no index {index} of {response}",
                    f"{self._tables[alias].ref}：没有 {response} 的指标 {index}",
                )
            )
        value = table.loc[response, index]
        text = f"{int(value)}" if index == "n" else tables_in_text.index_text(index, value)
        return self._cite(alias)("indices", response, index, value, text)

    def n(self, alias: str, response: str | None = None) -> str:
        """Number of trees behind a response, or the largest of all."""
        counts = self._fit(alias).n
        response = response or max(counts, key=counts.get)
        return self._cite(alias)("equations", response, "n", counts[response], f"{counts[response]}")

    def limits(self, alias: str, predictor: str) -> str:
        """Fitted span of a predictor with its unit: ``1.5 cm～41.2 cm``."""
        cite, unit = self._cite(alias), words.unit_symbol(vocabulary.variable(predictor).unit)
        bounds = zip(("minimum", "maximum"), self._fit(alias).ranges[predictor], strict=True)
        said = [
            cite("ranges", predictor, column, bound, numbers.measured(bound)) + f"\N{NO-BREAK SPACE}{unit}"
            for column, bound in bounds
        ]
        return ("～" if self._lang == "zh" else " to ").join(said)

    def range_notes(self) -> list[str]:
        """Sentences about predictors that are to be used outside their fitted span, by ``use`` of the description."""
        found = []
        for alias, spans in (self._description.data.get("use") or {}).items():
            for predictor, (low, high) in spans.items():
                smallest, largest = self._fit(alias).ranges[predictor]
                if low < smallest or high > largest:
                    wanted = words.span(predictor, low, high, self._lang)
                    about = words.title(predictor, self._lang), wanted, self.limits(alias, predictor)
                    found.append(words.outside_note(*about, f"`{self._tables[alias].ref}`", self._lang))
        return found

    # Equations

    def equation(self, alias: str, response: str) -> str:
        """One numbered equation, cited as ``[@eq:alias-response]``."""
        ref = self._named(alias).ref
        return equations_in_text.numbered(self._fit(alias).system, alias, response, ref, self._lang)

    def equations(self, alias: str, responses=None) -> str:
        """Several numbered equations, all by default."""
        return "\n".join(self.equation(alias, r) for r in responses or self.responses(alias))

    def legend(self, alias: str, responses=None, skip=(), parameters: str | None = None) -> str:
        """Explain the symbols of equations; see :func:`~sinklab.drafts.equations_in_text.legend`."""
        system = self._fit(alias).system
        return equations_in_text.legend(system, responses or system.responses, skip, parameters, self._lang)

    # Tables

    def parameter_table(self, alias: str, label: str, caption: str) -> str:
        """Estimates with standard errors and confidence limits."""
        return self._table(tables_in_text.parameters, alias, label, caption)

    def index_table(self, alias: str, label: str, caption: str) -> str:
        """The six indices of each response."""
        return self._table(tables_in_text.indices, alias, label, caption)

    def index_formulas(self) -> list:
        """Name, LaTeX, meaning and symbol of the six indices."""
        return tables_in_text.index_formulas(self._lang)

    def range_table(self, alias: str, label: str, caption: str) -> str:
        """Fitted span of each predictor."""
        return self._table(tables_in_text.ranges, alias, label, caption)

    def residual_table(self, alias: str, label: str, caption: str) -> str:
        """Standard deviation of the residuals of each equation."""
        return self._table(tables_in_text.residuals, alias, label, caption)

    def correlation_tables(self, alias: str, label: str, caption: str) -> str:
        """Standard errors and correlations of the estimates, in as many parts as the page asks for."""
        return self._table(tables_in_text.correlations, alias, label, caption)

    def correlation_refs(self, alias: str, label: str) -> str:
        """References to all parts of :meth:`correlation_tables`."""
        count = len(tables_in_text.matrix_parts(len(self._fit(alias).parameters)))
        return "[" + "; ".join(f"@tbl:{label}-{i + 1}" for i in range(count)) + "]"

    def sample_table(self, alias: str, label: str, caption: str) -> str:
        """Trees behind each response, and what was weighed."""
        return self._table(tables_in_text.samples, alias, label, caption)

    def values_table(self, alias: str, label: str, caption: str, name: str = "", group: str = "") -> str:
        """Scalar values: those of a name, and those whose group contains ``group``."""
        table = self._named(alias)
        frame = table.values
        frame = frame[frame["name"].eq(name) | frame["variable"].eq(name)] if name else frame
        frame = frame[frame["group"].str.contains(group, regex=False)] if group else frame
        printed = [part.strip() for cell in frame["sources"] for part in str(cell).split(";")]
        self._printed_in.setdefault(table.ref, []).extend(printed)
        labels = self._description.localised(self._lang).get("labels")
        return tables_in_text.values(self._cite(alias), frame, self._lang, label, caption, table.ref, labels)

    # Figures

    def figure(self, alias: str, response: str, label: str, caption: str) -> str:
        """Fitted curve with both intervals and, where the trees are at hand and unchanged, the trees."""
        from sinklab import plots

        fit = self._fit(alias)
        data = trees.of_fit(fit)
        file = f"{markdown.identifier(label)}.png"
        plots.save(plots.fit_figure(fit, response, data, self._lang), self._folder / file)
        if data is None:
            caption += "（未绘样木）" if self._lang == "zh" else " (trees not drawn)"
        return f"\n![{caption}]({file}){{#fig:{label} width=11cm}}\n"

    # Words

    def species(self, key: str) -> str:
        """Name of a species with its Latin name."""
        return words.species(key, self._lang)

    def label(self, name: str) -> str:
        """Label of a variable."""
        return vocabulary.label(name, self._lang)

    def sources(self) -> list[str]:
        """Where the numbers come from, one line each; of printed values, those that stand above."""
        cited = []
        for table in self._tables.values():
            used = self._printed_in.get(table.ref)
            wanted = [s for s in table.sources if used is None or s["title"] in used]
            cited += [s.get("citation") or s["title"] for s in wanted]
        return list(dict.fromkeys(map(markdown.escape, cited)))

    def table_list(self) -> list[dict]:
        """Reference, title and status of every table."""
        title = "title_zh" if self._lang == "zh" else "title"
        return [
            {"ref": t.ref, "title": markdown.escape(getattr(t, title)), "status": t.status}
            for t in self._tables.values()
        ]

    def status_note(self) -> str:
        """Warning of a preview: the tables whose numbers are simulated; nothing when none are."""
        refs = [f"`{t.ref}`" for t in self._tables.values() if t.status == "demonstration"]
        text = words.demonstration_note(refs, self._lang)
        return f"\n::: statusnote\n{text}\n:::\n" if refs else ""

    # Behind the functions

    def _named(self, alias: str) -> Table:
        if alias not in self._tables:
            known = ", ".join(self._tables)
            raise DraftError(
                tr(
                    f"draft {self._description.name}: no table is called {alias!r} there; there are: {known}",
                    f"文稿 {self._description.name}：未定义名为 {alias!r} 的参数表；现有：{known}",
                )
            )
        return self._tables[alias]

    def _fit(self, alias: str):
        return self._named(alias).model()

    def _cite(self, alias: str):
        table = self._named(alias)
        return partial(_note, self.citations, table.ref, table.status)

    def _table(self, write, alias, label, caption) -> str:
        return write(self._cite(alias), self._fit(alias), self._lang, label, caption)


def _note(citations, ref, table_status, file, name, column, value, printed, status=None) -> str:
    return citations.add(ref, file, name, column, value, printed, status or table_status)


def _read_tables(description) -> dict[str, Table]:
    found, problems = {}, []
    for alias, ref in description.tables.items():
        try:
            found[alias] = Table.read(ref)
        except TableError as error:
            problems.append(f"{alias}: {error}")
    if problems:
        raise DraftError(
            tr(f"draft {description.name}, tables:", f"文稿 {description.name} 的参数表：")
            + "\n"
            + listing(problems)
        )
    return found
