"""What was matched is one line, which no long list of names makes longer than a terminal."""

from harness.records.records import ClassMatch
from harness.report.class_match import lines

MANY = tuple(f"thing {k}" for k in range(60))


def match(**changes):
    return ClassMatch(
        **{"matched_by": "name", "n_matched": 6, "n_categories": 6, "source": "the card", **changes}
    )


def test_models_that_were_matched_alike_share_a_line():
    found = lines([("a", match()), ("b", match()), ("c", match(n_matched=5))])
    assert found == [
        "a and 1 more: 6 of 6 classes matched by name (the card)",
        "c: 5 of 6 classes matched by name (the card)",
    ]


def test_a_line_names_as_many_left_out_classes_as_fit_and_counts_the_others():
    facts = match(unknown_to_model=MANY, not_in_dataset=("cat", *MANY))
    (short,) = lines([("ssd", facts)], 160)
    assert len(short) <= 160
    assert "; the model does not know thing 0, thing 1" in short and " and 59 more" not in short
    assert short.count(" more") == 2
    (whole,) = lines([("ssd", facts)])
    assert whole.endswith("the data set has no cat, " + ", ".join(MANY))


def test_a_line_says_why_classes_were_taken_by_id():
    (found,) = lines([("ssd", match(matched_by="id", remark="nothing names the model's classes"))])
    assert found == "ssd: 6 of 6 classes taken by id: nothing names the model's classes"
