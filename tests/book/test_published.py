"""The paper's numbers must agree with each other, and their verdicts with the rules."""

from __future__ import annotations

import json
import math
import re
from collections import Counter

import pytest
from fersep_book import published, records, verdicts
from hypothesis import given, settings
from hypothesis import strategies as st

from fersep.data import BASIC_CLASSES, COMPOUND_CLASSES

ENTRIES = published.entries()
BASIC, COMPOUND = BASIC_CLASSES, COMPOUND_CLASSES
TEST_SETS = ("rafdb_basic", "rafdb_compound", "affectnet")
MATRICES = {
    "fig5a": (BASIC, "rafdb_basic"),
    "fig5b": (BASIC, "affectnet"),
    "fig6": (COMPOUND, "rafdb_compound"),
}
# The printed numbers that no count of images gives: 40 of 74 would be .541, 503 of
# 618 would be 81.39, and MMI's two fit 416 images, not 410.
IMPOSSIBLE = {
    "fig5a.FE.FE",
    "table3.ResNet18+Ls+Lsep.affectnet.mmi",
    "table3.ResNet18+Ls+Lsep.rafdb_basic.ck_plus",
    "table3.ResNet18+Ls+Lsep.rafdb_basic.mmi",
}


def number(key: str) -> float:
    return published.number(key)


def counts(figure: str) -> list[list[int]]:
    classes, _ = MATRICES[figure]
    return [[ENTRIES[f"{figure}.{t}.{p}"]["count"] for p in classes] for t in classes]


def test_every_entry_has_the_same_form():
    for key, entry in ENTRIES.items():
        assert list(entry) == ["key", "value", "where", "n", "count", "rule"], key
        assert isinstance(entry["value"], str)
        assert entry["rule"] in verdicts.MARGINS
        assert (entry["count"] is None) or 0 <= entry["count"] <= entry["n"]


def test_keys_are_unique():
    text = (records.Path(records.__file__).parent / "published.json").read_text("utf-8")
    keys = re.findall(r'"key": "([^"]+)"', text)
    assert len(keys) == len(set(keys)) == len(ENTRIES)


def test_nothing_of_the_paper_is_missing():
    heads = Counter(key.split(".")[0] for key in ENTRIES)
    assert heads["table1"] == 2 * 9
    assert heads["table2"] == 2 + 2 + 2 + 3 + 3
    assert heads["table3"] == 4 * 2
    assert heads["centers"] == 2 * 7
    assert heads["fig4"] == 11
    assert heads["features"] == 6
    assert heads["fig5a"] == heads["fig5b"] == 7 * 7
    assert heads["fig6"] == 11 * 11


@pytest.mark.parametrize("figure", MATRICES)
def test_rows_of_a_confusion_matrix_hold_its_images(figure):
    classes, data = MATRICES[figure]
    matrix = counts(figure)
    for true, row in zip(classes, matrix, strict=True):
        entry = ENTRIES[f"{figure}.{true}.{true}"]
        if figure != "fig5b":
            assert sum(row) == entry["n"]
        else:  # rounded to 3 decimals, and images come in two thousandths
            assert sum(row) == 500
    assert sum(map(sum, matrix)) == number(f"data.{data}.test")


@pytest.mark.parametrize("figure", MATRICES)
def test_diagonal_gives_the_accuracy_of_table_2(figure):
    _, data = MATRICES[figure]
    trace = sum(row[i] for i, row in enumerate(counts(figure)))
    assert trace == ENTRIES[f"table2.ResNet18+Ls+Lsep.{data}"]["count"]


def test_counts_give_the_printed_percentages():
    for key, entry in ENTRIES.items():
        if entry["rule"] in ("accuracy", "share") and entry["count"] is not None:
            fits = verdicts.rounds_to(entry["count"], entry["n"], entry["value"])
            assert fits or key in IMPOSSIBLE, key


def test_accuracies_have_one_possible_count():
    for key, entry in ENTRIES.items():
        if entry["rule"] == "accuracy" and key not in IMPOSSIBLE:
            possible = verdicts.attainable(entry["value"], entry["n"])
            assert possible == [entry["count"]], key


def test_impossible_numbers():
    found = {
        key
        for key, entry in ENTRIES.items()
        if entry["rule"] in ("accuracy", "share")
        and entry["n"]
        and not verdicts.attainable(entry["value"], entry["n"])
    }
    assert found == IMPOSSIBLE
    for data, count in (("affectnet", 297), ("rafdb_basic", 290)):
        printed = ENTRIES[f"table3.ResNet18+Ls+Lsep.{data}.mmi"]["value"]
        assert verdicts.attainable(printed, 416) == [count]


@pytest.mark.parametrize("data", TEST_SETS)
def test_gain_is_the_difference(data):
    before, after = (
        ENTRIES[f"table2.ResNet18+{loss}.{data}"] for loss in ("Ls", "Ls+Lsep")
    )
    gain = ENTRIES[f"gain.{data}"]
    difference = float(after["value"]) - float(before["value"])
    assert math.isclose(number(f"gain.{data}"), difference, abs_tol=1e-9)
    assert gain["count"] == after["count"] - before["count"]
    assert gain["n"] == before["n"] == after["n"] == number(f"data.{data}.test")


def test_headline_is_the_best_of_the_sweep():
    sweep = {key: number(key) for key in ENTRIES if key.startswith("fig4.")}
    best = max(sweep, key=lambda key: sweep[key])
    assert best == f"fig4.{ENTRIES['setting.lambda']['value']}"
    assert sweep[best] == number("table2.ResNet18+Ls+Lsep.rafdb_basic")


@pytest.mark.parametrize("loss", ["Ls", "Ls+Lsep"])
def test_average_of_table_1(loss):
    mean = sum(number(f"table1.{loss}.{c}") for c in BASIC) / 7
    # Seven numbers with an error of half a digit, and the printed mean with another.
    assert abs(mean - number(f"table1.{loss}.avg_intra")) <= 0.01


@pytest.mark.parametrize(
    ("data", "classes"),
    [("rafdb_basic", BASIC), ("rafdb_compound", COMPOUND), ("affectnet", BASIC)],
)
def test_class_sizes_add_up(data, classes):
    total = sum(number(f"data.{data}.train.{c}") for c in classes)
    assert total == number(f"data.{data}.train")


def test_sequences_of_ck_plus():
    labeled, contempt = number("data.ck_plus.labeled"), number("data.ck_plus.contempt")
    assert labeled - contempt == number("data.ck_plus.sequences")


def test_unknown_key_is_one_sentence():
    with pytest.raises(KeyError, match="no entry 'table9'"):
        published.entry("table9")


# The verdicts.

ends = st.tuples(st.floats(-10, 10), st.floats(-10, 10)).map(
    lambda pair: (min(pair), max(pair))
)


@given(ends, st.floats(-10, 10), st.floats(0, 5))
def test_number_verdict_is_what_the_rule_says(ours, published, margin):
    low, high = published - margin, published + margin
    answer = verdicts.number_verdict(ours, published, margin)
    inside = low <= ours[0] and ours[1] <= high
    apart = ours[1] < low or ours[0] > high
    assert answer == ("equal" if inside else "different" if apart else "inconclusive")


@given(ends, st.floats(-10, 10))
def test_claim_verdict_mirrors(ours, threshold):
    above = verdicts.claim_verdict(ours, "above", threshold)
    mirrored = verdicts.claim_verdict((-ours[1], -ours[0]), "below", -threshold)
    assert above == mirrored
    assert (above == "holds") == (ours[0] > threshold)
    assert (above == "fails") == (ours[1] < threshold)


@settings(deadline=None)  # the first call loads SciPy
@given(st.floats(-5, 5), st.floats(0.01, 5), st.integers(2, 30))
def test_interval_narrows_with_seeds(mean, spread, n):
    few = verdicts.interval(mean, spread, n)
    many = verdicts.interval(mean, spread, n + 1)
    assert few is not None
    assert many is not None
    assert few[0] < many[0] < mean < many[1] < few[1]


def test_interval_is_students():
    low, high = verdicts.interval(2.0, 1.0, 4) or (0, 0)
    half = 3.182446305284263 / 2  # t(0.975) with three degrees of freedom
    assert math.isclose(low, 2 - half)
    assert math.isclose(high, 2 + half)


def test_one_seed_decides_nothing():
    assert verdicts.interval(5.0, None, 1) is None
    assert verdicts.number_verdict(None, 5.0, 1.0) == "inconclusive"
    assert verdicts.claim_verdict(None, "above", 0) == "inconclusive"


def test_unknown_direction_is_refused():
    with pytest.raises(ValueError, match="'sideways'"):
        verdicts.claim_verdict((0.0, 1.0), "sideways", 0)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_printed_share_finds_its_count(pair):
    count, n = pair
    printed = f"{100 * count / n:.2f}%"
    assert count in verdicts.attainable(printed, n)
    for other in verdicts.attainable(printed, n):
        assert abs(other / n - count / n) <= 1.01e-4


# What a record yields.


def record(
    data: str,
    profile: str = "gpu",
    lam: float = 0.9,
    root: str = "",
    weights: str = "imagenet",
    **values,
):
    return {
        "chapter": "09_similarity",
        "profile": profile,
        "parameters": {
            "data": data,
            "root": root,
            "lam": lam,
            "width": 64,
            "weights": weights,
        },
        "values": [
            {"key": key.replace("__", "."), "mean": m, "spread": s, "n": 5, "unit": ""}
            for key, (m, s) in values.items()
        ],
        "provenance": {},
    }


CLAIM = {"key": "accuracy.gain", "direction": "above", "threshold": 0}
PRINTED = "table2.ResNet18+Ls+Lsep.rafdb_basic"


def test_claim_from_a_record():
    good = record("rendered_basic", accuracy__gain=(1.0, 0.1))
    assert verdicts.judge_claim(CLAIM, [good])[1] == "holds"
    bad = record("rendered_basic", accuracy__gain=(-1.0, 0.1))
    assert verdicts.judge_claim(CLAIM, [bad])[1] == "fails"
    wide = record("rendered_basic", accuracy__gain=(0.1, 2.0))
    assert verdicts.judge_claim(CLAIM, [wide])[1] == "inconclusive"
    assert verdicts.judge_claim(CLAIM, []) == ("", "not measured")


@pytest.mark.parametrize("claim", verdicts.claims(), ids=lambda claim: claim["id"])
@pytest.mark.parametrize("mean", [-50.0, 0.0, 50.0])
def test_smoke_never_yields_a_verdict_on_a_claim(claim, mean):
    quick = record("rendered_basic", "smoke")
    quick["values"] = [
        {"key": claim["key"], "mean": mean, "spread": 0.01, "n": 5, "unit": ""}
    ]
    number, verdict = verdicts.judge_claim(claim, [quick])
    assert number
    assert verdict == "smoke run: no verdict"


def test_number_needs_the_papers_own_data():
    entry = ENTRIES[PRINTED]
    rendered = record("rendered_basic", accuracy__separate=(86.38, 0.1))
    assert verdicts.judge_number(entry, [rendered]) == ("", "needs RAF-DB")
    own = record("raf_db_basic", accuracy__separate=(86.38, 0.1))
    assert verdicts.judge_number(entry, [own])[1] == "equal"
    far = record("raf_db_basic", accuracy__separate=(80.0, 0.1))
    assert verdicts.judge_number(entry, [far])[1] == "different"
    unsure = record("raf_db_basic", accuracy__separate=(86.0, 3.0))
    assert verdicts.judge_number(entry, [unsure])[1] == "inconclusive"
    quick = record("raf_db_basic", "smoke", accuracy__separate=(86.38, 0.1))
    assert verdicts.judge_number(entry, [quick])[1] == "smoke run: no verdict"


@pytest.mark.parametrize("other", [{"lam": 0.5}, {"weights": ""}])
def test_number_needs_the_papers_own_setting(other):
    entry = ENTRIES[PRINTED]
    same = record("raf_db_basic", accuracy__separate=(86.38, 0.1))
    assert verdicts.judge_number(entry, [same])[1] == "equal"
    changed = record("raf_db_basic", **other, accuracy__separate=(86.38, 0.1))
    assert verdicts.judge_number(entry, [changed])[1] == "needs RAF-DB"


def test_our_number_stands_beside_it_on_any_faces():
    rendered = record("rendered_basic", accuracy__separate=(70.0, 0.1))
    assert verdicts.our_number(ENTRIES[PRINTED], [rendered]).startswith("70.0")
    assert verdicts.our_number(ENTRIES["fig4.0.5"], [rendered]) == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fig4.0.5", "lambda.0.5"),
        ("fig4.1.0", "lambda.1.0"),
        ("features.64", "length.64"),
        ("fig5b.AN.DI", "confusion.AN.DI"),
        ("table3.ResNet18+Ls+Lsep.affectnet.mmi", "transfer.accuracy.mmi"),
        ("table3.gACNN.affectnet.mmi", None),
    ],
)
def test_each_number_knows_the_value_that_decides_it(key, value):
    test = verdicts.tested_by(key)
    assert (test[1] if test else None) == value


def test_folder_is_known_by_its_name():
    own = record("folder", root="raf_db_basic", accuracy__separate=(86.38, 0.1))
    assert verdicts.judge_number(ENTRIES[PRINTED], [own])[1] == "equal"


@pytest.mark.parametrize("key", ENTRIES)
def test_every_number_has_a_verdict(key):
    ours, verdict = verdicts.judge_number(ENTRIES[key], [])
    assert ours == ""
    assert verdict


def test_small_cells_get_no_verdict():
    key = "fig6.SS.SS"
    assert ENTRIES[key]["n"] < verdicts.FEWEST_IMAGES
    assert verdicts.judge_number(ENTRIES[key], [])[1] == "18 images: too few"


@pytest.mark.parametrize(
    ("key", "data"),
    [
        ("table3.ResNet18+Ls+Lsep.affectnet.ck_plus", "CK+"),
        ("table3.ResNet18+Ls+Lsep.rafdb_basic.mmi", "MMI"),
        ("table2.ResNet18+Ls.affectnet", "AffectNet"),
        ("fig5b.NE.NE", "AffectNet"),
        ("fig6.HS.FS", "RAF-DB"),
        ("data.rafdb.images", "RAF-DB"),
    ],
)
def test_needed_data(key, data):
    assert verdicts.needed_data(key) == data


def test_deciding_lines_name_real_parameters():
    import nbformat

    book = records.Path(__file__).parents[2] / "book"
    lines = {verdicts.papermill_line(key) for key in ENTRIES} - {""}
    assert lines
    for line in lines:
        words = line.split()
        notebook = nbformat.read(words[1].replace("book", str(book), 1), as_version=4)
        cell = next(
            c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])
        )
        for name in [words[i + 1] for i, word in enumerate(words) if word == "-p"]:
            assert re.search(rf"^{name}: ", cell.source, re.M), (line, name)


def test_claims_are_decided_by_values_that_chapters_record():
    book = records.Path(__file__).parents[2] / "book"
    assert len({claim["id"] for claim in verdicts.claims()}) == 12
    for claim in verdicts.claims():
        assert claim["direction"] in ("above", "below")
        if claim["chapter"]:
            assert (book / f"{claim['chapter']}.ipynb").is_file()


def test_outdated_code_is_noticed():
    from fersep import equations

    assert equations
    now = {"provenance": {"code": records.code_hashes()}}
    assert "fersep.equations" in now["provenance"]["code"]
    assert not verdicts.outdated(now)
    assert verdicts.outdated({"provenance": {"code": {"fersep.equations": "old"}}})
    assert verdicts.outdated({"provenance": {"code": {"fersep.gone": "old"}}})
    assert verdicts.outdated({"provenance": {}})


def test_rendered_and_real_faces_are_judged_apart(monkeypatch, tmp_path):
    claim = {"key": "accuracy.gain", "direction": "above", "threshold": 0}

    def run(data, gain):
        value = {
            "key": "accuracy.gain",
            "mean": gain,
            "spread": 0.1,
            "n": 5,
            "unit": "",
        }
        return {"profile": "cpu", "parameters": {"data": data}, "values": [value]}

    runs = [run("rendered_basic", 1.0), run("facial_expressions", -1.0), run("", 9.0)]
    folder = tmp_path / "results" / "cpu"
    folder.mkdir(parents=True)
    (folder / "some.json").write_text(json.dumps(runs))
    monkeypatch.setenv("FERSEP_BUILD", str(tmp_path / "_build"))
    judged = verdicts.judge_on_both(claim, verdicts.recorded_runs())
    assert {kind: verdict for kind, (_, verdict) in judged.items()} == {
        "rendered": "holds",
        "real": "fails",
    }
    alone = verdicts.judge_on_both(claim, runs[:1])
    assert alone["real"] == ("", verdicts.UNTRIED)
