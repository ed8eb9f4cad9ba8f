"""Each check of representative data speaks where it must, with the numbers, and is silent where it must be."""

import shutil

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from harness.cards import InputSpec
from harness.errors import DatasetError
from harness.quantization import lint
from harness.quantization.findings import refuse_errors
from harness.quantization.representative import find_representative

SPEC = InputSpec(width=96, height=96, mean=(127.5,) * 3, std=(127.5,) * 3)


def findings(source, evaluation=None, spec=SPEC, integer_input=False):
    files = sorted(evaluation.iterdir()) if evaluation else ()
    return lint.lint(lint.material(find_representative(source), spec, integer_input, files))


def named(found, name):
    return next((finding for finding in found if finding.name == name), None)


def array(folder, change=lambda pixels: pixels, name="samples.npy"):
    """Write the images of a folder as prepared inputs of 96 × 96 in −1…1, changed by `change`."""
    images = [Image.open(file).convert("RGB").resize((96, 96)) for file in sorted(folder.iterdir())]
    values = np.stack([np.asarray(image, np.float32) for image in images]) / 127.5 - 1
    path = folder.with_name(name)
    np.save(path, change(values).astype(np.float32))
    return path


def test_sound_images_give_no_findings(photos):
    assert findings(photos(), photos(20, "evaluation", seed=1)) == []


def test_sound_arrays_give_no_findings(photos):
    assert findings(array(photos()), photos(20, "evaluation", seed=1)) == []


def test_the_bundled_training_images_give_no_findings(training_images, repository, shapes):
    evaluation = repository / "models" / "shapes" / "dataset" / "images"
    assert findings(training_images, evaluation, shapes.card.input) == []


def test_real_photographs_have_only_their_small_number_against_them(real_photographs):
    found = findings(
        real_photographs, spec=InputSpec(width=300, height=300, mean=(127.5,) * 3, std=(127.5,) * 3)
    )
    assert [finding.name for finding in found] == ["too-few"]


def test_one_image_repeated_is_an_error_that_names_next_iter(photos):
    folder = photos(1)
    for index in range(1, 120):
        shutil.copy(folder / "000.jpg", folder / f"{index:03}.jpg")
    found = named(findings(folder), "repeated-image")
    assert found.severity == "error"
    assert "120 images are only 1 different" in found.message
    assert "next(iter(" in found.remedy


def test_one_sample_repeated_in_an_array_is_an_error(photos):
    path = array(photos(3), lambda values: values[:1].repeat(120, axis=0))
    assert named(findings(path), "repeated-image").severity == "error"


def test_two_copies_among_many_images_are_a_warning(photos):
    folder = photos()
    shutil.copy(folder / "000.jpg", folder / "copy.jpg")
    found = named(findings(folder), "repeated-image")
    assert (found.severity, "105 images are only 104" in found.message) == ("warning", True)


def test_brighter_reencoded_and_resized_copies_are_near_duplicates(photos):
    folder = photos(60)
    for file in sorted(folder.iterdir()):
        image = ImageEnhance.Brightness(Image.open(file)).enhance(1.1).resize((200, 150))
        image.save(folder / f"copy-{file.name}", quality=60)
    found = named(findings(folder), "near-duplicates")
    assert (found.severity, "60 of 120" in found.message) == ("warning", True)
    assert named(findings(folder), "repeated-image") is None


@pytest.mark.parametrize(("n", "severity"), [(9, "error"), (10, "warning"), (99, "warning")])
def test_few_images_are_told_with_their_number(photos, n, severity):
    found = named(findings(photos(n)), "too-few")
    assert (found.severity, found.message.startswith(f"{n} different")) == (severity, True)


def test_a_hundred_images_are_enough(photos):
    assert named(findings(photos(100)), "too-few") is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda values: (values + 1) * 127.5, "0…255"),
        (lambda values: (values + 1) / 2, "0…1"),
    ],
)
def test_arrays_in_another_range_than_the_models_are_an_error(photos, change, says):
    found = named(findings(array(photos(), change)), "wrong-range")
    assert found.severity == "error"
    assert says in found.message
    assert "the model takes -1 to 1" in found.message


def test_arrays_of_minus_one_to_one_are_wrong_for_a_model_of_0_to_255(photos):
    spec = InputSpec(width=96, height=96, mean=(0.0,) * 3, std=(1.0,) * 3)
    assert "−1…1" in named(findings(array(photos()), spec=spec), "wrong-range").message


def test_values_that_are_not_finite_are_an_error(photos):
    def spoil(values):
        values[3, 4, 5, 0] = np.nan
        return values

    assert "1 of " in named(findings(array(photos(), spoil)), "wrong-range").message


def test_a_float_input_of_unknown_range_is_told_and_an_integer_one_is_not(photos):
    folder, spec = photos(), InputSpec(width=96, height=96)
    assert named(findings(folder, spec=spec), "range-unknown").severity == "warning"
    assert named(findings(folder, spec=spec, integer_input=True), "range-unknown") is None
    assert named(findings(folder), "range-unknown") is None


def test_red_and_blue_exchanged_is_a_hint_against_the_evaluation_images(photos):
    folder, evaluation = photos(), photos(30, "evaluation", seed=1)
    path = array(folder, lambda values: values[..., ::-1])
    assert named(findings(path, evaluation), "channel-order").severity == "hint"
    for file in folder.iterdir():
        Image.fromarray(np.asarray(Image.open(file))[..., ::-1]).save(file)
    assert "BGR" in named(findings(folder, evaluation), "channel-order").message


def test_channels_in_the_right_order_or_without_a_cast_give_no_hint(photos):
    evaluation = photos(30, "evaluation", seed=1)
    assert named(findings(photos(), evaluation), "channel-order") is None
    assert named(findings(photos(name="grey", grey=True), evaluation), "channel-order") is None


def test_arrays_of_the_wrong_size_are_an_error(photos):
    path = array(photos(), lambda values: values[:, ::2])
    found = named(findings(path), "wrong-size")
    assert (found.severity, "48×96×3" in found.message) == ("error", True)


def test_thumbnails_smaller_than_the_input_are_a_warning(photos):
    found = named(findings(photos(size=(60, 45))), "wrong-size")
    assert (found.severity, "60×45" in found.message) == ("warning", True)


def test_images_of_another_aspect_than_the_evaluation_images_are_a_hint(photos):
    found = findings(photos(size=(160, 160)), photos(30, "evaluation", seed=1, size=(240, 120)))
    assert "1.00, that of the evaluation images 2.00" in named(found, "wrong-aspect").message


def test_grey_images_are_told_unless_the_evaluation_images_are_grey_too(photos):
    folder = photos(grey=True)
    assert "104 of 104 images are grey" in named(findings(folder), "grey").message
    assert named(findings(folder, photos(30, "evaluation", seed=1, grey=True)), "grey") is None


def test_evenly_coloured_images_are_an_error(photos):
    assert named(findings(photos(noise=False)), "blank").severity == "error"


NOISE = {
    "uniform, as the model's input": (
        lambda r, shape: r.uniform(-1, 1, shape),
        "uniform random numbers from -1 to",
    ),
    "uniform, 0…1": (lambda r, shape: r.random(shape), "uniform random numbers from 2."),
    "uniform, any range": (
        lambda r, shape: r.uniform(400, 401, shape),
        "uniform random numbers from 400 to 401",
    ),
    "pixels": (lambda r, shape: r.integers(0, 256, shape), "uniform random numbers from 0 to 255"),
    "Gaussian": (lambda r, shape: r.standard_normal(shape), "Gaussian random numbers of mean"),
    "Gaussian, any range": (
        lambda r, shape: r.normal(9000, 3, shape),
        "Gaussian random numbers of mean 9e+03",
    ),
}


@pytest.mark.parametrize("kind", NOISE)
def test_random_numbers_are_an_error_that_says_which_and_what_they_cost(tmp_path, kind):
    make, says = NOISE[kind]
    np.save(tmp_path / "noise.npy", make(np.random.default_rng(0), (20, 96, 96, 3)).astype(np.float32))
    found = named(findings(tmp_path / "noise.npy"), "noise")
    assert found.severity == "error" and says in found.message
    assert "0.162 where pictures give 0.192" in found.message
    assert named(findings(tmp_path / "noise.npy"), "blank") is None


def test_random_images_are_found_whatever_their_size_and_coding(tmp_path):
    random = np.random.default_rng(0)
    for side, ending in ((96, "png"), (700, "png"), (320, "jpg")):
        folder = tmp_path / f"{side}{ending}"
        folder.mkdir()
        for index in range(3):
            pixels = random.integers(0, 256, (side, side, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{index}.{ending}")
        found = findings(folder)
        assert "random numbers" in named(found, "noise").message and named(found, "blank") is None


def test_pictures_with_their_pixels_shuffled_are_no_pictures(photos):
    random = np.random.default_rng(0)

    def shuffled(values):
        flat = values.reshape(len(values), -1, 3)
        return random.permuted(flat, axis=1).reshape(values.shape)

    found = named(findings(array(photos(n=20), shuffled)), "noise")
    assert found.severity == "error" and "nothing to do with each other" in found.message


def test_constant_arrays_are_one_even_colour_and_no_noise(photos):
    found = findings(array(photos(n=20), lambda values: np.full_like(values, 0.3)))
    assert named(found, "blank").severity == "error" and named(found, "noise") is None


def test_dark_pictures_with_a_trace_of_grain_are_blank_and_no_noise(tmp_path):
    random = np.random.default_rng(0)
    for index in range(12):
        Image.fromarray(random.integers(4, 8, (96, 96, 3), np.uint8)).save(tmp_path / f"{index}.png")
    found = findings(tmp_path)
    assert named(found, "blank") is not None and named(found, "noise") is None


def test_a_damaged_image_is_named_and_left_out(photos):
    folder = photos()
    (folder / "000.jpg").write_bytes((folder / "000.jpg").read_bytes()[:400])
    (folder / "001.png").write_bytes(b"not an image")
    found = named(findings(folder), "unreadable")
    assert (found.severity, "2 of 105" in found.message, "000.jpg" in found.message) == (
        "warning",
        True,
        True,
    )


def test_nothing_but_damaged_images_is_an_error(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no")
    assert named(findings(tmp_path), "unreadable").severity == "error"


@pytest.mark.parametrize(("settings", "what"), [({"shift": -70}, "brightness"), ({"gain": 0.2}, "contrast")])
def test_darker_or_flatter_images_than_the_evaluation_images_are_a_hint(photos, settings, what):
    found = findings(photos(**settings), photos(30, "evaluation", seed=1))
    assert named(found, f"unlike-evaluation-{what}").severity == "hint"


def test_images_that_are_also_evaluated_on_are_a_hint(photos):
    folder = photos()
    assert "104 of 104" in named(findings(folder, folder), "evaluation-images").message


def test_findings_come_with_errors_first_and_errors_stop_quantizing(photos):
    found = findings(photos(9, grey=True), photos(30, "evaluation", seed=1))
    assert found[0].severity == "error"
    with pytest.raises(DatasetError, match=r"9 different images.*--force"):
        refuse_errors(found, "photos")
    refuse_errors([finding for finding in found if finding.severity != "error"], "photos")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("absent", None, "no such folder or file"),
        ("notes.txt", b"text", "a .txt file"),
        ("empty.npy", b"", "not a readable NumPy file"),
        ("damaged.npz", b"PK\x03\x04 and no more", "not a readable NumPy file"),
    ],
)
def test_what_is_no_representative_data_is_refused_with_the_reason(tmp_path, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=says):
        find_representative(path)


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="no images in it"):
        find_representative(tmp_path)


def test_arrays_are_read_from_npz_and_never_unpickled(tmp_path):
    np.savez(tmp_path / "two.npz", a=np.zeros((2, 4, 4, 3)), b=np.zeros((1, 4, 4, 3)))
    assert len(find_representative(tmp_path / "two.npz")) == 3
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DatasetError, match="not a readable NumPy file"):
        find_representative(tmp_path / "objects.npy")
    np.save(tmp_path / "flat.npy", np.zeros((4, 4)))
    with pytest.raises(DatasetError, match=r"found an array \[4, 4\]"):
        find_representative(tmp_path / "flat.npy")
