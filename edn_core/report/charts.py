"""Training curves as SVG that stands in the page: its colours are the page's, light or dark."""

import io
import re
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from edn_core.report.gather import Row, Training

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
# Colours that stand for the page's: drawn as these, written as CSS variables.
TEXT, LINE, MARK = "#000001", "#000002", "#000003"
SERIES = tuple(f"#0000{10 + number}" for number in range(6))
STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
# Fixed places, so that a term has the same colour in every stage.
TERMS = {
    "G/gan": "generator: GAN",
    "G/feature_matching": "generator: feature matching",
    "G/l1": "generator: L1",
    "G/perceptual": "generator: perceptual",
    "D/real": "discriminator: real",
    "D/fake": "discriminator: fake",
}
WIDTH_IN = 3.6
FEW_POINTS = 30  # up to this many, each is marked: a single one draws no line


def draw_training(training: Training, key: str) -> str:
    """Loss terms, validation SSIM and learning rate over the steps of one stage.

    Args:
        training: with at least one row.
        key: begins every id in the SVG, which must be unique in the page.

    Returns:
        The ``<svg>`` element, without ids or styles of its own beyond those; the same rows give
        the same text. Empty where no row has anything to draw.
    """
    terms = [name for name in dict.fromkeys(k for row in training.rows for k in row) if "/" in name]
    scores = _points(training.rows, "validation_ssim")
    rates = _points(training.rows, "learning_rate")
    panels = [
        *([("losses", 2.3)] if terms else []),
        *([("validation", 1.25)] if scores[0] else []),
        *([("rate", 0.9)] if rates[0] else []),
    ]
    if not panels:
        return ""
    height = sum(share for _, share in panels) + 0.5 + (0.16 * (len(terms) + 1) // 2)
    settings: Any = {  # matplotlib types its keys one by one
        "svg.fonttype": "none",
        "svg.hashsalt": key,
        "font.size": 8.5,
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), TEXT),
        **dict.fromkeys(("axes.edgecolor", "grid.color"), LINE),
        **{"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True},
    }
    with matplotlib.rc_context(rc=settings):
        figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
        figure.patch.set_alpha(0)
        ratios = [share for _, share in panels]
        grid = figure.subplots(len(panels), sharex=True, squeeze=False, height_ratios=ratios)
        axes = dict(zip((name for name, _ in panels), grid[:, 0], strict=True))
        for one in axes.values():
            one.patch.set_alpha(0)
            one.grid(linewidth=0.5)
        if terms:
            _draw_losses(axes["losses"], training.rows, terms)
            figure.legend(
                loc="outside lower center", ncols=2, frameon=False, fontsize=7.5, handlelength=1.8
            )
        if scores[0]:
            _draw_scores(axes["validation"], scores, training.kept_step)
        if rates[0]:
            axes["rate"].plot(*rates, color=TEXT, marker=_marker(rates), markersize=2.5)
            axes["rate"].set_ylim(bottom=0)
            axes["rate"].set_title("learning rate", loc="left", fontsize=9)
            axes["rate"].ticklabel_format(axis="y", style="plain")
        grid[-1, 0].set_xlabel("step")
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return _for_page(stream.getvalue(), key, f"Training curves of the stage {training.stage}")


def _draw_losses(axes: Axes, rows: tuple[Row, ...], terms: list[str]) -> None:
    lowest = min(row[name] for row in rows for name in terms if name in row)
    known = [name for name in TERMS if name in terms]
    for name in [*known, *(name for name in terms if name not in TERMS)]:
        place = (list(TERMS).index(name) if name in TERMS else terms.index(name)) % len(SERIES)
        points = _points(rows, name)
        axes.plot(
            *points,
            label=TERMS.get(name, name.replace("_", " ")),
            color=SERIES[place],
            linestyle=STYLES[place],
            linewidth=1.4,
            marker=_marker(points),
            markersize=3,
        )
    axes.set_title("weighted loss terms", loc="left", fontsize=9)
    if lowest > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_scores(axes: Axes, scores: tuple[list[float], list[float]], kept: int | None) -> None:
    axes.plot(*scores, color=SERIES[0], marker=_marker(scores), markersize=3, linewidth=1.4)
    title = "validation SSIM"
    if kept is not None:
        value = dict(zip(*scores, strict=True))[kept]
        axes.axvline(kept, color=MARK, linewidth=1, linestyle="--")
        axes.plot([kept], [value], color=MARK, marker="o", markersize=6)
        title += f" (kept: step {kept}, {value:.3f})"
    axes.set_title(title, loc="left", fontsize=9)


def _points(rows: tuple[Row, ...], name: str) -> tuple[list[float], list[float]]:
    there = [row for row in rows if name in row]
    return [row["step"] for row in there], [row[name] for row in there]


def _marker(points: tuple[list[float], list[float]]) -> str:
    return "o" if len(points[0]) <= FEW_POINTS else ""


def _for_page(text: str, key: str, title: str) -> str:
    """Matplotlib's SVG as an element of an HTML page: unique ids, the page's colours and font."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(text)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in ("metadata", "style"):
                parent.remove(child)
    # Matplotlib names clip paths by their place in memory: numbered here, same rows, same bytes.
    used = dict.fromkeys(re.findall(r'(?:url\(#|href="#)([^")]+)', text))
    names = {name: f"{key}-{number}" for number, name in enumerate(used)}
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name in names:
            element.set("id", names[name])
        for attribute, value in element.attrib.items():
            link = re.fullmatch(r"(url\(#|#)([^)]+)(\)?)", value)
            if link and link[2] in names:
                element.set(attribute, f"{link[1]}{names[link[2]]}{link[3] or ''}")
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("role", "img")
    root.set("aria-label", title)
    element = ElementTree.Element(f"{{{SVG}}}title")
    element.text = title
    root.insert(0, element)
    page = ElementTree.tostring(root, encoding="unicode")
    colours = {TEXT: "currentColor", LINE: "var(--line)", MARK: "var(--mark)"}
    colours |= {colour: f"var(--series-{number})" for number, colour in enumerate(SERIES)}
    for colour, variable in colours.items():
        page = page.replace(colour, variable)
    page = re.sub(r"font: ([0-9.]+px)[^;\"]*", r"font: \1 var(--font)", page)
    return re.sub(r"\s*\n\s*", " ", page)
