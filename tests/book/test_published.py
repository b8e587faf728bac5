"""The paper's numbers must agree with each other, and their verdicts with the rules."""

import json
import math
from collections import Counter
from pathlib import Path

import papermill
import pytest
from fersep_book import published, verdicts
from fersep_book.records import Record, Value
from hypothesis import given
from hypothesis import strategies as st

from fersep.data import BASIC_CLASSES, COMPOUND_CLASSES

BOOK = Path(__file__).parents[2] / "book"
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


number = published.number


def counts(figure: str) -> list[list[int]]:
    classes, _ = MATRICES[figure]
    return [[ENTRIES[f"{figure}.{t}.{p}"]["count"] for p in classes] for t in classes]


def test_every_entry_has_the_same_form():
    entries = json.loads((BOOK / "fersep_book" / "published.json").read_text("utf-8"))
    assert len({entry["key"] for entry in entries}) == len(entries) == len(ENTRIES)
    for entry in entries:
        assert list(entry) == ["key", "value", "where", "n", "count", "rule"], entry
        assert isinstance(entry["value"], str)
        assert entry["rule"] in verdicts.MARGINS | verdicts.NO_VERDICT
        assert (entry["count"] is None) or 0 <= entry["count"] <= entry["n"]


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


def test_accuracies_have_one_possible_count_and_shares_the_one_listed():
    for key, entry in ENTRIES.items():
        if entry["rule"] in ("accuracy", "share") and entry["count"] is not None:
            possible = verdicts.attainable(entry["value"], entry["n"])
            if entry["rule"] == "accuracy" and key not in IMPOSSIBLE:
                assert possible == [entry["count"]], key
            assert entry["count"] in possible or key in IMPOSSIBLE, key


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

ends = st.tuples(st.floats(-10, 10), st.floats(-10, 10)).map(sorted).map(tuple)


def claim(direction: str, threshold: float) -> verdicts.Claim:
    key = "accuracy.gain"
    return verdicts.Claim("a", "It.", "Here", key, direction, threshold, "08", None)


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        ((0.6, 1.4), "equal"),
        ((0.5, 1.5), "equal"),
        ((0.4, 1.4), "inconclusive"),
        ((-9.0, 9.0), "inconclusive"),
        ((1.6, 1.7), "different"),
        ((0.1, 0.4), "different"),
        (None, "inconclusive"),
    ],
)
def test_number_is_equal_if_our_interval_lies_within_the_margin(ours, verdict):
    assert verdicts.number_verdict(ours, 1.0, 0.5) == verdict


@given(ends, st.floats(-10, 10))
def test_claim_verdict_mirrors(ours, threshold):
    above = verdicts.claim_verdict(ours, claim("above", threshold))
    mirrored = (-ours[1], -ours[0])
    assert above == verdicts.claim_verdict(mirrored, claim("below", -threshold))
    assert (above == "holds") == (ours[0] > threshold)
    assert (above == "fails") == (ours[1] < threshold)


def test_interval_is_students():
    low, high = verdicts.interval(Value("a", 2.0, 1.0, 4, "")) or (0, 0)
    half = 3.182446305284263 / 2  # t(0.975) with three degrees of freedom
    assert math.isclose(low, 2 - half)
    assert math.isclose(high, 2 + half)


def test_one_seed_decides_nothing():
    assert verdicts.interval(Value("a", 5.0, None, 1, "")) is None
    assert verdicts.claim_verdict(None, claim("above", 0)) == "inconclusive"


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_printed_share_finds_its_count(pair):
    count, n = pair
    printed = f"{100 * count / n:.2f}%"
    assert count in verdicts.attainable(printed, n)
    for other in verdicts.attainable(printed, n):
        assert abs(other / n - count / n) <= 1.01e-4


# What a record yields.


def record(data: str, profile: str = "gpu", **values) -> Record:
    """Return a record in the paper's setting, except for the parameters among values.

    A pair is the mean and the spread of a value over five seeds.
    """
    parameters = {"data": data, "lam": 0.9, "width": 64, "weights": "imagenet"}
    found = []
    for key, kept in values.items():
        if isinstance(kept, tuple):
            found.append(Value(key.replace("__", "."), *kept, 5, ""))
        else:
            parameters[key] = kept
    return Record("09_similarity", profile, parameters, [], found)


GAIN = claim("above", 0)
PRINTED = "table2.ResNet18+Ls+Lsep.rafdb_basic"


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [((1.0, 0.1), "holds"), ((-1.0, 0.1), "fails"), ((0.1, 2.0), "inconclusive")],
)
def test_claim_from_a_record(gain, verdict):
    found = [record("rendered_basic", accuracy__gain=gain)]
    assert verdicts.judge_claim(GAIN, found)[1] == verdict


def test_smoke_never_yields_a_verdict():
    for mean in (-50.0, 0.0, 50.0):
        quick = record("raf_db_basic", "smoke", accuracy__gain=(mean, 0.01))
        number, verdict = verdicts.judge_claim(GAIN, [quick])
        assert number.startswith(f"{mean:.1f}".replace("-", "−"))
        assert verdict == verdicts.SMOKE
    quick = record("raf_db_basic", "smoke", accuracy__separate=(86.38, 0.1))
    assert verdicts.judge_number(ENTRIES[PRINTED], [quick])[1] == verdicts.SMOKE


@pytest.mark.parametrize(
    ("data", "ours", "setting", "verdict"),
    [
        ("raf_db_basic", (86.38, 0.1), {}, "equal"),
        ("raf_db_basic", (80.0, 0.1), {}, "different"),
        ("raf_db_basic", (86.0, 3.0), {}, "inconclusive"),
        # A folder of the reader's own is known by its name.
        ("folder", (86.38, 0.1), {"root": "raf_db_basic"}, "equal"),
        ("rendered_basic", (86.38, 0.1), {}, "needs RAF-DB"),
        ("raf_db_basic", (86.38, 0.1), {"lam": 0.5}, "needs RAF-DB"),
        ("raf_db_basic", (86.38, 0.1), {"weights": ""}, "needs RAF-DB"),
    ],
)
def test_number_needs_the_papers_own_data_and_setting(data, ours, setting, verdict):
    found = [record(data, accuracy__separate=ours, **setting)]
    assert verdicts.judge_number(ENTRIES[PRINTED], found)[1] == verdict


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


def test_every_number_has_a_verdict():
    for entry in ENTRIES.values():
        ours, verdict = verdicts.judge_number(entry, [])
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
    lines = {verdicts.papermill_line(key) for key in ENTRIES} - {""}
    assert lines
    for line in lines:
        words = line.split()
        declared = papermill.inspect_notebook(BOOK.parent / words[1])
        asked = {words[i + 1] for i, word in enumerate(words) if word == "-p"}
        assert asked <= set(declared), line


def test_claims_are_decided_by_values_that_chapters_record():
    assert len({claim.id for claim in verdicts.claims()}) == 12
    for each in verdicts.claims():
        assert each.direction in ("above", "below")
        assert (BOOK / f"{each.chapter}.ipynb").is_file()


def test_rendered_and_real_faces_are_judged_apart():
    runs = [
        record("rendered_basic", accuracy__gain=(1.0, 0.1)),
        record("facial_expressions", accuracy__gain=(-1.0, 0.1)),
        record("", accuracy__gain=(9.0, 0.1)),
    ]
    judged = verdicts.judge_on_both(GAIN, runs)
    assert {kind: verdict for kind, (_, verdict) in judged.items()} == {
        "rendered": "holds",
        "real": "fails",
    }
    alone = verdicts.judge_on_both(GAIN, runs[:1])
    assert alone["real"] == ("", verdicts.UNTRIED)
