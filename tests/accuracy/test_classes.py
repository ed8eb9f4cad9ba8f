"""Classes of a model matched with the categories of a data set: by name, whatever the ids are."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.accuracy.class_names import COCO_NAMES, VOC_NAMES, KnownNames, names_of, plain
from harness.accuracy.classes import Choice, match_classes
from harness.accuracy.labels import COCO80_TO_90, LEFT_OUT
from harness.cards import Labels
from harness.errors import ModelError, UsageError

COCO = dict(zip(COCO80_TO_90.tolist(), COCO_NAMES, strict=True))
WORDS = st.lists(
    st.text(string.ascii_lowercase, min_size=1, max_size=8), min_size=1, max_size=12, unique_by=plain
)


def known(*names):
    return KnownNames(names, "the test")


@given(WORDS, st.randoms(use_true_random=False), st.integers(0, 200), st.integers(1, 7))
def test_renumbering_reordering_and_respelling_a_data_set_change_no_meaning(names, chance, start, step):
    order = chance.sample(names, len(names))
    spelled = [chance.choice([name, name.upper(), f" {name}", name.title(), name + "_"]) for name in order]
    categories = {start + step * n: word for n, word in enumerate(spelled)}
    ids = match_classes(Labels(), known(*names), categories).labels.ids
    assert [plain(categories[number]) for number in ids] == [plain(name) for name in names]


@given(WORDS, st.data())
def test_classes_that_a_data_set_lacks_are_left_out_and_named(names, data):
    kept = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    matching = match_classes(Labels(), known(*names), {n + 5: name for n, name in enumerate(kept)})
    assert {
        name for name, number in zip(names, matching.labels.ids, strict=True) if number != LEFT_OUT
    } == set(kept)
    assert set(matching.facts.not_in_dataset) == set(names) - set(kept)
    assert matching.categories is None


def test_categories_that_the_model_does_not_know_are_not_averaged_over():
    matching = match_classes(Labels(names=("person",)), known("person"), COCO)
    assert matching.categories == (1,)
    assert (matching.facts.n_matched, matching.facts.n_categories) == (1, 80)
    assert len(matching.facts.unknown_to_model) == 79
    assert matching.facts.unknown_to_model[:2] == ("bicycle", "car")


@pytest.mark.parametrize(
    ("voc", "coco"),
    [
        ("aeroplane", "airplane"),
        ("motorbike", "motorcycle"),
        ("sofa", "couch"),
        ("tvmonitor", "tv"),
        ("pottedplant", "potted plant"),
        ("diningtable", "dining table"),
    ],
)
def test_the_words_of_voc_and_coco_for_one_thing_are_the_same(voc, coco):
    assert plain(voc) == plain(coco)


def test_every_class_of_voc_is_a_class_of_coco():
    ids = match_classes(Labels(), known(*VOC_NAMES), COCO).labels.ids
    assert LEFT_OUT not in ids and len(set(ids)) == 20


def test_a_model_of_90_classes_that_count_from_1_has_cocos_names():
    names = names_of(Labels(offset=1), (), 90)
    assert names is not None and names.names[0] == "person" and names.names[89] == "toothbrush"
    assert names.names[11] == ""  # id 12 was never annotated
    assert match_classes(Labels(offset=1), names, COCO).labels.ids[16] == 17


@pytest.mark.parametrize("first", ["???", "background", "BACKGROUND", "N/A"])
def test_a_line_for_the_background_is_no_class(first):
    assert names_of(Labels(), (first, "cat", "dog"), 2) == KnownNames(
        ("cat", "dog"), "the model's own metadata"
    )


def test_names_that_are_not_as_many_as_the_classes_name_nothing():
    assert names_of(Labels(), ("cat", "dog", "cow"), 2) is None


def test_without_names_ids_count_and_the_match_says_so():
    matching = match_classes(Labels(offset=1), None, {1: "a", 2: "b"})
    assert matching.facts.matched_by == "id" and matching.labels == Labels(offset=1)
    assert matching.facts.remark == "nothing names the model's classes"


def test_a_data_set_whose_categories_are_numbers_is_matched_by_id():
    matching = match_classes(Labels(), known("cat", "dog"), {0: "0", 1: "class 1"})
    assert matching.facts.matched_by == "id"


def test_a_model_and_a_data_set_without_a_common_class_are_refused():
    with pytest.raises(ModelError, match=r"none of the model's 2 classes \(cat, dog; names from the test\)"):
        match_classes(Labels(), known("cat", "dog"), {1: "ship"})


def test_a_card_can_say_which_class_is_which():
    labels = Labels(map={"kitty": "cat"})
    assert match_classes(labels, known("kitty", "dog"), {7: "dog", 8: "Cat"}).labels.ids == (8, 7)


def test_ids_of_the_card_are_taken_as_they_are():
    labels = Labels(ids=(3, LEFT_OUT))
    assert match_classes(labels, known("a", "b"), {3: "x"}).labels == labels


def test_chosen_categories_are_the_only_ones_that_count():
    matching = match_classes(Labels(), known("cat", "dog", "cow"), {1: "cat", 2: "dog"}, Choice(("DOG",)))
    assert matching.categories == (2,) and matching.facts.unknown_to_model == ()
    with pytest.raises(
        UsageError, match="--classes ship: the data set has no such category; it has cat, dog"
    ):
        match_classes(Labels(), known("cat"), {1: "cat", 2: "dog"}, Choice(("ship",)))


@pytest.mark.parametrize(("n", "offset"), [(90, 1), (91, 0)])
def test_a_model_of_as_many_classes_as_coco_has_ids_has_its_names_by_index(n, offset):
    names = names_of(Labels(offset=offset), (), n)
    assert names is not None and len(names.names) == n
    assert names.names[1 - offset] == "person" and names.names[90 - offset] == "toothbrush"


def test_the_names_of_cocos_80_follow_the_cards_offset():
    names = names_of(Labels(map="coco80", offset=-1), (), 81)
    assert names is not None and names.names[:3] == ("", "person", "bicycle")


@pytest.mark.parametrize("labels", [Labels(names=("cat", "dog")), Labels(map="coco80")])
def test_a_card_that_names_another_number_of_classes_than_there_are_is_refused(labels):
    with pytest.raises(
        ModelError, match=r"the outputs tell 90 classes apart, but the card's labels\.\w+ names"
    ):
        names_of(labels, (), 90)


def test_a_list_that_only_its_length_speaks_for_must_match_most_of_the_categories():
    names = names_of(Labels(), (), 20)
    assert names is not None and names.guessed
    of_its_own = {k: f"part {chr(97 + k)}" for k in range(19)} | {19: "bottle"}
    assert match_classes(Labels(), names, of_its_own, n_classes=20).facts.matched_by == "id"
    assert match_classes(Labels(), names, COCO, n_classes=20).facts.n_matched == 20


def test_a_name_is_sought_as_it_is_written_first():
    ids = match_classes(
        Labels(), known("sofa", "CAR"), {1: "couch", 2: "sofa", 3: "car", 4: "CAR"}
    ).labels.ids
    assert ids == (2, 4)


def test_what_can_be_several_categories_or_classes_is_refused():
    with pytest.raises(
        ModelError, match=r"the model's class 'car' can be several categories, 'Car' \(1\), 'CAR'"
    ):
        match_classes(Labels(), known("car"), {1: "Car", 2: "CAR"})
    with pytest.raises(
        ModelError, match=r"classes 0 \('tv'\) and 1 \('television'\) can both be the category 'TV'"
    ):
        match_classes(Labels(), known("tv", "television"), {1: "TV"})


def test_a_group_that_is_called_like_a_class_and_has_no_annotations_is_not_meant():
    categories = {0: "person", 1: "car", 2: "person"}
    assert match_classes(Labels(), known("person", "car"), categories, annotated={1, 2}).labels.ids == (2, 1)


def test_a_card_may_make_several_classes_one_category():
    labels = Labels(map={"truck": "vehicle", "Bus": "vehicle"})
    assert match_classes(labels, known("bus", "truck", "cat"), {4: "vehicle"}).labels.ids == (4, 4, LEFT_OUT)
    with pytest.raises(ModelError, match=r"labels\.map speaks of lorry, which is no class of the model"):
        match_classes(Labels(map={"lorry": "vehicle"}), known("bus"), {4: "vehicle"})


def test_ids_of_a_card_that_the_names_contradict_are_refused():
    with pytest.raises(ModelError, match=r"class 'cat' is category 1 \(dog\), but the data set's 'cat' is 2"):
        match_classes(Labels(ids=(1, 2)), known("cat", "dog"), {1: "dog", 2: "cat"}, n_classes=2)
    with pytest.raises(ModelError, match=r"3 classes apart, but the card's labels\.ids gives 2 ids"):
        match_classes(Labels(ids=(1, 2)), None, {1: "dog", 2: "cat"}, n_classes=3)


def test_names_that_are_numbers_name_nothing_unless_both_sides_have_the_same():
    digits = known("0", "1", "2")
    assert match_classes(Labels(), digits, {1: "0", 2: "1", 3: "2"}).labels.ids == (1, 2, 3)
    by_id = match_classes(Labels(), digits, {0: "cat", 1: "dog", 2: "cow"}, n_classes=3).facts
    assert (by_id.matched_by, by_id.unknown_ids) == ("id", ())
    with pytest.raises(ModelError, match="category 0 is called '1', and its others are numbers, too"):
        match_classes(Labels(), digits, {0: "1", 1: "2", 2: "3"}, n_classes=3)


def test_classes_by_id_are_averaged_over_the_categories_that_they_can_be():
    matching = match_classes(Labels(offset=1), None, {1: "cat", 2: "dog", 5: "cow"}, n_classes=3)
    assert matching.categories == (1, 2)
    assert matching.facts.unknown_to_model == ("cow",) and matching.facts.unknown_ids == (3,)


def test_the_only_class_of_a_model_is_the_only_category():
    alone = match_classes(Labels(), None, {0: "group", 3: "cat"}, n_classes=1, annotated={3})
    assert (alone.labels.ids, alone.categories) == ((3,), (3,))
    chosen = match_classes(Labels(), None, COCO, Choice(("dog",)), n_classes=1)
    assert chosen.labels.ids == (18,) and chosen.facts.n_categories == 1
    open_which = match_classes(Labels(), None, COCO, n_classes=1)
    assert open_which.labels.ids is None and open_which.facts.n_matched == 0


def test_chosen_categories_stand_with_commas_between_which_a_name_can_have_too():
    categories = {1: "cat", 2: "dog", 3: "cow, horned"}
    names = known(*categories.values())
    assert match_classes(Labels(), names, categories, Choice(("cat, Dog",))).categories == (1, 2)
    assert match_classes(Labels(), names, categories, Choice(("cow, horned", "cat,"))).categories == (1, 3)
