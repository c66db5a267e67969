"""ImageDataGenerator and its iterators: against the installed Keras where nothing is drawn, and draws as they are declared."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from keras.src.legacy.preprocessing import image as theirs
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from jaxseq import Sequential, layers as L
from jaxseq.preprocessing import image
from jaxseq.preprocessing.image import ImageDataGenerator, img_to_array, load_img
from jaxseq.utils import Sequence

pytestmark = pytest.mark.usefixtures("quickly_compiled")

STANDARD = [{"rescale": 1 / 255}, {"samplewise_center": True}, {"samplewise_std_normalization": True},
            {"featurewise_center": True, "rescale": 0.1}, {"featurewise_std_normalization": True}, {"zca_whitening": True},
            {"zca_whitening": True, "zca_epsilon": 1e-3, "samplewise_center": True},
            {"preprocessing_function": lambda x: x / 2 + 1, "rescale": 3.0, "featurewise_std_normalization": True}]


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")         # Keras warns of every setting that brings another with it
        yield


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("words", STANDARD, ids=range(len(STANDARD)))
def test_what_is_found_and_standardized_is_keras(words, data_format, images):
    x = np.moveaxis(images, -1, 1) if data_format == "channels_first" else images
    ours, twin = (module.ImageDataGenerator(**words, data_format=data_format) for module in (image, theirs))
    ours.fit(x)
    twin.fit(x)
    for found in "mean", "std":
        mine, wanted = getattr(ours, found), getattr(twin, found)
        assert (mine is None) == (wanted is None)
        if mine is not None:
            assert_allclose(mine, wanted, rtol=1e-4)
    got, wanted = ours.standardize(x[3]), twin.standardize(x[3].copy())
    assert_allclose(got, wanted, rtol=2e-3, atol=2e-3 * np.abs(wanted).max())
    many = ours.standardize(x)
    assert_allclose(many[3], got, rtol=1e-4, atol=1e-4 * np.abs(got).max())


def test_whitened_images_are_white(images):
    generator = ImageDataGenerator(zca_whitening=True)
    small = images[:, ::4, ::4]
    generator.fit(small)
    flat = np.float64(generator.standardize(small).reshape(12, -1))
    values = np.linalg.eigvalsh(np.cov(flat.T, bias=True))
    assert_allclose(values[values > 0.5], 1, rtol=1e-2)


def test_standardizing_leaves_the_data_alone(images):
    before = images.copy()
    generator = ImageDataGenerator(rescale=0.5, featurewise_center=True)
    generator.fit(images)
    generator.standardize(images)
    assert_array_equal(images, before)


def test_a_preprocessing_function_may_give_another_dtype(images):
    words = {"preprocessing_function": lambda image: np.clip(image, 0, 255).astype("uint8"), "rescale": 1 / 255}
    got = ImageDataGenerator(**words).flow(images, shuffle=False)[0]
    assert got.dtype == np.float32
    assert_allclose(got, np.floor(images) / 255, rtol=1e-6)
    assert ImageDataGenerator(preprocessing_function=np.float64).standardize(images).dtype == np.float32


def test_whole_numbers_stay_what_they_are_without_scaling(images):
    whole = images.astype("uint8")
    generator = ImageDataGenerator(dtype="uint8", horizontal_flip=True, channel_shift_range=50)
    batch = generator.flow(whole, batch_size=12, seed=0)[0]
    assert batch.dtype == np.uint8 and batch.min() >= whole.min() and batch.max() <= whole.max()
    assert_array_equal(ImageDataGenerator(dtype=np.uint8).flow(whole, shuffle=False, batch_size=12)[0], whole)


@pytest.mark.parametrize("told", [
    {"theta": 25, "tx": 2, "ty": -1, "shear": 10, "zx": 0.8, "zy": 1.2}, {"flip_horizontal": True}, {"flip_vertical": True},
    {"channel_shift_intensity": 20.0}, {"brightness": 0.6}, {"theta": 5, "flip_horizontal": True, "brightness": 1.3}, {},
], ids=str)
def test_a_change_with_given_numbers_is_keras(told, images):
    generator, twin = ImageDataGenerator(fill_mode="reflect"), theirs.ImageDataGenerator(fill_mode="reflect")
    transposed = {"flip_horizontal": told.get("flip_vertical", False), "flip_vertical": told.get("flip_horizontal", False)}
    wanted = twin.apply_transform(images[0].swapaxes(0, 1), told | transposed).swapaxes(0, 1)    # its rows are our columns
    assert_allclose(generator.apply_transform(images[0], told), wanted, atol=1.0 if "brightness" in told else 1e-2)
    first = ImageDataGenerator(fill_mode="reflect", data_format="channels_first")
    moved = first.apply_transform(np.moveaxis(images[0], -1, 0), told)
    assert_allclose(np.moveaxis(moved, 0, -1), generator.apply_transform(images[0], told), atol=1e-2)


# ---- draws


def drawn(count=2000, **words):
    generator = ImageDataGenerator(**words)
    return pd.DataFrame([generator.get_random_transform((20, 10, 3), seed=seed) for seed in range(count)])


def test_numbers_are_drawn_as_declared():
    draws = drawn(rotation_range=30, width_shift_range=0.2, height_shift_range=0.1, brightness_range=(0.5, 1.5), shear_range=10,
                  zoom_range=(0.7, 1.1), channel_shift_range=40, horizontal_flip=True, vertical_flip=True)
    for column, low, high in (("theta", -30, 30), ("ty", -2, 2), ("tx", -2, 2), ("brightness", 0.5, 1.5), ("shear", -10, 10),
                              ("zx", 0.7, 1.1), ("zy", 0.7, 1.1), ("channel_shift_intensity", -40, 40)):
        assert stats.kstest(draws[column], "uniform", (low, high - low)).pvalue > 1e-3, column
    for column in "flip_horizontal", "flip_vertical":
        assert abs(draws[column].mean() - 0.5) < 0.05
    assert draws.astype(float).corr().abs().where(~np.eye(10, dtype=bool), 0).to_numpy().max() < 0.1


@pytest.mark.parametrize(("given", "values"), [(3, [-2, -1, 0, 1, 2]), ([1, 4], [-4, -1, 1, 4]), ([0.1, 0.3], [-6, -2, 2, 6]),
                                               (np.int64(2), [-1, 0, 1]), (1, [0]), (0, [0])], ids=str)
def test_shifts_of_whole_pixels_and_of_lists(given, values):
    assert_allclose(sorted(set(drawn(300, height_shift_range=given)["tx"].round(6))), values)


def test_a_float_of_one_and_more_is_pixels():
    assert stats.kstest(drawn(width_shift_range=3.0)["ty"], "uniform", (-3, 6)).pvalue > 1e-3


def test_one_setting_changes_no_other_draws():
    one, both = drawn(20, rotation_range=30), drawn(20, rotation_range=30, zoom_range=0.5, horizontal_flip=True)
    assert_array_equal(one["theta"], both["theta"])


def test_nothing_is_drawn_where_nothing_is_asked(images):
    assert_array_equal(ImageDataGenerator().random_transform(images[0]), images[0])


# ---- flow


def changing(**words):
    return ImageDataGenerator(rotation_range=40, zoom_range=0.2, horizontal_flip=True, **words)


def test_rows_stay_together_and_each_comes_once(images):
    y = np.arange(12)
    flow = ImageDataGenerator(rescale=0.5).flow(images, y, batch_size=5, sample_weight=y / 10, seed=1)
    assert isinstance(flow, Sequence) and len(flow) == 3
    batches = [flow[number] for number in range(3)]
    assert [len(batch[0]) for batch in batches] == [5, 5, 2]
    order = np.concatenate([batch[1] for batch in batches])
    assert sorted(order) == list(range(12)) and list(order) != list(range(12))
    for x, rows, weight in batches:
        assert_allclose(x, images[rows] / 2, rtol=1e-6)
        assert_array_equal(weight, rows / 10)
    still = ImageDataGenerator().flow(images, y, shuffle=False, batch_size=12)
    assert_array_equal(still[0][1], y)
    assert_array_equal(ImageDataGenerator().flow(images, shuffle=False)[0], images)


def test_next_is_a_method_as_in_keras_2(images):
    flow, same = (ImageDataGenerator().flow(images, batch_size=5, seed=1) for _ in range(2))
    for _ in range(4):
        assert_array_equal(flow.next(), next(same))


def test_batches_follow_from_seed_pass_and_index_alone(images):
    one, other = (changing().flow(images, batch_size=5, seed=3) for _ in range(2))
    backwards = [one[number] for number in (2, 1, 0)][::-1]
    for number, batch in enumerate(backwards):
        assert_array_equal(batch, other[number])
        assert_array_equal(batch, next(one))
    assert one.pass_number == 1
    assert (next(one) != backwards[0]).any()            # another pass, another order and other changes
    other.on_epoch_end()
    one.reset()
    assert_array_equal(next(one), other[0])
    assert (changing().flow(images, batch_size=5, seed=4)[0] != backwards[0]).any()


def test_an_image_is_changed_by_its_own_draws(images):
    same = np.repeat(images[:1], 12, 0)
    batch = changing().flow(same, batch_size=12, seed=0)[0]
    assert len(np.unique(batch, axis=0)) == 12


def model():
    made = Sequential([L.Flatten(input_shape=(8, 8, 3)), L.Dense(2)], seed=1)
    made.compile("sgd", "mse")
    return made


@pytest.mark.parametrize("workers", [1, 4])
def test_fit_gives_the_same_bits_with_any_number_of_threads_and_taken_up_again(images, workers):
    y = np.random.default_rng(2).normal(size=(12, 2)).astype("float32")
    flow = lambda **reading: changing(rescale=1 / 255).flow(images, y, batch_size=5, seed=7, **reading)
    whole = model()
    whole.fit(flow(), epochs=4, verbose=0)
    again = model()
    again.fit(flow(workers=workers), epochs=2, verbose=0)
    again.fit(flow(workers=workers), epochs=4, initial_epoch=2, verbose=0)      # a new iterator, as after a crash
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        assert_array_equal(one, other)
    assert whole.predict(flow()).shape == (12, 2)


def test_subsets(images):
    y = np.arange(12) % 2
    generator = ImageDataGenerator(validation_split=0.25)
    held, rest = (generator.flow(images, y, shuffle=False, subset=each)[0] for each in ("validation", "training"))
    twin = theirs.ImageDataGenerator(validation_split=0.25)
    for subset, (x, labels) in (("validation", held), ("training", rest)):
        wanted = twin.flow(images, y, shuffle=False, subset=subset)[0]
        assert_allclose(x, wanted[0])
        assert_array_equal(labels, wanted[1])
    generator.flow(images, np.arange(12), subset="training", ignore_class_split=True)


def test_fit_on_changed_images(images):
    generator = changing(featurewise_center=True)
    generator.fit(images, augment=True, rounds=3, seed=1)
    mean = generator.mean
    generator.fit(images, augment=True, rounds=3, seed=1)
    assert_array_equal(generator.mean, mean)
    generator.fit(images, augment=True, rounds=3, seed=2)
    assert (generator.mean != mean).any()
    assert_allclose(mean, images.mean((0, 1, 2)).reshape(1, 1, 3), rtol=0.1)


def test_images_are_written(images, tmp_path):
    flow = ImageDataGenerator().flow(images, batch_size=5, seed=1, save_to_dir=tmp_path, save_prefix="it")
    next(flow)
    assert len(list(tmp_path.glob("it_*_0.png"))) == 5


# ---- folders and frames


@pytest.mark.parametrize("class_mode", ["categorical", "sparse", "binary", "input", None])
def test_a_folder_is_read_as_keras_reads_it(class_mode, folder):
    words = {"target_size": (6, 5), "class_mode": class_mode, "shuffle": False, "batch_size": 5}
    ours = ImageDataGenerator(rescale=0.5).flow_from_directory(folder, **words)
    twin = theirs.ImageDataGenerator(rescale=0.5).flow_from_directory(folder, **words)
    for word in "filenames", "filepaths", "class_indices", "num_classes", "samples", "image_shape":
        assert getattr(ours, word) == getattr(twin, word), word
    assert_array_equal(ours.classes, twin.classes)
    for number in range(len(twin)):
        got, wanted = ours[number], twin[number]
        for one, other in zip(got if class_mode else [got], wanted if class_mode else [wanted], strict=True):
            assert_allclose(one, other, rtol=1e-6)


def test_a_subset_of_a_folder_is_that_of_keras(folder):
    for subset in "training", "validation":
        flows = [module.ImageDataGenerator(validation_split=0.4).flow_from_directory(folder, (4, 4), subset=subset)
                 for module in (image, theirs)]
        assert flows[0].filenames == flows[1].filenames
        assert_array_equal(flows[0].classes, flows[1].classes)


def test_colors_layout_and_classes(folder, capsys):
    first = ImageDataGenerator(data_format="channels_first")
    flow = first.flow_from_directory(folder, 4, "grayscale", ["dogs", "cats"], seed=0)
    assert flow.class_indices == {"dogs": 0, "cats": 1} and flow[0][0].shape == (8, 1, 4, 4)
    assert capsys.readouterr().out == "Found 8 images belonging to 2 classes.\n"


def test_a_folder_trains(folder):
    made = Sequential([L.Rescaling(1 / 255), L.Flatten(), L.Dense(2, activation="softmax")], seed=1)
    made.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    flow = changing().flow_from_directory(folder, (8, 8), batch_size=3, seed=0)
    assert "accuracy" in made.fit(flow, epochs=2, verbose=0).history


def test_a_frame_is_read_as_keras_reads_it(folder):
    frame = pd.DataFrame({"filename": ["cats/b.png", "dogs/1.png", "cats/c.bmp", "dogs/2.png"], "class": ["c", "d", "c", "e"],
                          "number": [0.1, 0.2, 0.3, 0.4], "weight": [1.0, 2.0, 3.0, 4.0]})
    for words in ({}, {"class_mode": "sparse", "classes": ["d", "c"]}, {"class_mode": "raw", "y_col": "number"},
                  {"class_mode": "input", "weight_col": "weight"}, {"class_mode": "categorical", "subset": "training"}):
        flows = [module.ImageDataGenerator(validation_split=0.25).flow_from_dataframe(
            frame, str(folder), target_size=(4, 4), shuffle=False, **words) for module in (image, theirs)]
        assert flows[0].filenames == flows[1].filenames
        for one, other in zip(flows[0][0], flows[1][0], strict=True):
            assert_allclose(one, other, rtol=1e-6)
    x = ImageDataGenerator().flow_from_dataframe(frame, folder, class_mode=None, target_size=(4, 4), shuffle=False)[0]
    assert_array_equal(x[1], img_to_array(load_img(folder / "dogs/1.png", target_size=(4, 4))))


@pytest.mark.parametrize("values", [[7, 3, 7, 3], np.array([7, 3, 7, 3], "uint8"), [2.5, 1.5, 2.5, 1.5],
                                    [True, False, True, False], pd.Categorical(["y", "x", "y", "x"])], ids=lambda values: type(
                                        values[0]).__name__)
@pytest.mark.parametrize("class_mode", ["binary", "sparse", "categorical"])
def test_classes_that_are_no_strings_are_numbered_in_their_order(values, class_mode, folder):
    names = ["cats/b.png", "dogs/1.png", "cats/c.bmp", "dogs/2.png"]
    words = {"directory": folder, "shuffle": False, "target_size": (4, 4), "class_mode": class_mode}
    flows = [ImageDataGenerator().flow_from_dataframe(pd.DataFrame({"filename": names, "class": each}), **words)
             for each in (values, list("baba"))]
    first, second = list(values)[:2]
    assert flows[0].class_indices == {second: 0, first: 1}
    assert_array_equal(flows[0][0][1], flows[1][0][1])
    one = ImageDataGenerator().flow_from_dataframe(pd.DataFrame({"filename": names, "class": values}), folder, classes=[second])
    assert one.filenames == names[1::2] and one.num_classes == 1


# ---- errors


def framed(folder, values, **words):
    names = ["cats/b.png", "dogs/1.png"]
    return ImageDataGenerator().flow_from_dataframe(pd.DataFrame({"filename": names, "class": values}), folder, **words)


def test_a_broken_file_is_named_with_its_batch(folder):
    (folder / "cats/a.jpg").write_text("no image")
    flow = ImageDataGenerator().flow_from_directory(folder, (4, 4))
    with pytest.raises(OSError, match=r"a\.jpg: no image that can be read"):
        next(flow)


def empty(folder):
    (folder / "birds").mkdir()
    return folder


X = np.ones((4, 3, 3, 1))


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda f: ImageDataGenerator(zoom_range="a"), ValueError, "zoom_range='a': write two numbers, (low, high)."),
    (lambda f: ImageDataGenerator(brightness_range=0.5), ValueError, "brightness_range=0.5: write two numbers, (low, high)."),
    (lambda f: ImageDataGenerator(width_shift_range=None), ValueError, "width_shift_range=None: write a number, or a list of "
     "numbers."),
    (lambda f: ImageDataGenerator(validation_split=1.0), ValueError, "ImageDataGenerator(validation_split=1.0): write a share "
     "from 0 up to, and without, 1."),
    (lambda f: ImageDataGenerator(rotation_range="a"), ValueError, "ImageDataGenerator(rotation_range='a'): write a finite "
     "number."),
    (lambda f: ImageDataGenerator(rotation=3), TypeError, "ImageDataGenerator takes no argument 'rotation'. Did you mean "
     "'rotation_range'?"),
    (lambda f: ImageDataGenerator(data_format="last"), ValueError, "data_format='last': write one of 'channels_last', "
     "'channels_first'."),
    (lambda f: ImageDataGenerator(featurewise_center=True).standardize(X), ValueError, "The mean of the data is not known yet: "
     "call fit(x) with the training images first."),
    (lambda f: ImageDataGenerator().flow(X[..., 0]), ValueError, "Images are (rows, height, width, channels), got (4, 3, 3). "
     "Pass x[..., None]."),
    (lambda f: ImageDataGenerator().flow([X[0], X[1], X[2, :2]]), ValueError, "x[2] is (2, 3, 1), and x[0] is (3, 3, 1): the "
     "images of a batch have one size. Resize them, or keep them in a folder and use flow_from_directory(target_size=...)."),
    (lambda f: ImageDataGenerator().flow(X, [1, 2]), ValueError, "y has 2 rows, and x has 4."),
    (lambda f: ImageDataGenerator().flow(X, sample_weight=[1, 2, 3, 4]), ValueError, "sample_weight needs y."),
    (lambda f: ImageDataGenerator().flow(X, subset="training"), ValueError, "subset='training' needs "
     "ImageDataGenerator(validation_split=...)."),
    (lambda f: ImageDataGenerator(validation_split=0.5).flow(X, subset="test"), ValueError, "subset='test': write 'training', "
     "'validation' or None."),
    (lambda f: ImageDataGenerator(validation_split=0.5).flow(X, [0, 0, 1, 1], subset="training"), ValueError, "The classes of "
     "training and validation are not the same: the first part of the rows is for validation. Shuffle the rows, or write "
     "ignore_class_split=True."),
    (lambda f: ImageDataGenerator(validation_split=0.1).flow(X, subset="validation"), ValueError, "No image is left for "
     "subset='validation' of validation_split=0.1."),
    (lambda f: ImageDataGenerator().flow(X, batch_size=0), ValueError, "batch_size=0: write a whole number of at least 1."),
    (lambda f: ImageDataGenerator().flow(X)[1], IndexError, "Batch 1 of 1: they are counted from 0."),
    (lambda f: ImageDataGenerator().flow(X, save_to_dir="/nowhere"), FileNotFoundError, "save_to_dir='/nowhere': no such "
     "folder."),
    (lambda f: ImageDataGenerator().flow_from_directory("/nowhere"), FileNotFoundError, "/nowhere: no such folder."),
    (lambda f: ImageDataGenerator().flow_from_directory(f / "dogs" / "more"), ValueError, "{f}/dogs/more has no folders in it: "
     "there must be one for each class. For files without classes write labels=None, or class_mode=None and classes=['.']."),
    (lambda f: ImageDataGenerator().flow_from_directory(empty(f)), ValueError, "The folder 'birds' of {f} has no file that "
     "counts (of .png, .jpg, .jpeg, .bmp, .ppm, .tif, .tiff). Remove it, or name the classes that count."),
    (lambda f: ImageDataGenerator().flow_from_directory(f, classes=["cat"]), ValueError, "{f} has no folder 'cat'. Did you "
     "mean 'cats'?"),
    (lambda f: ImageDataGenerator().flow_from_directory(f, classes=["cats"], class_mode="binary"), ValueError, "class_mode="
     "'binary' needs two classes, and there are 1: cats. Write class_mode='categorical' or 'sparse'."),
    (lambda f: ImageDataGenerator().flow_from_directory(f, target_size=(0, 3)), ValueError, "target_size=0: write a whole "
     "number of at least 1."),
    (lambda f: ImageDataGenerator().flow_from_directory(f, class_mode="classes"), ValueError, "class_mode='classes': write "
     "one of 'categorical', 'binary', 'sparse', 'input', None."),
    (lambda f: ImageDataGenerator().flow_from_dataframe(pd.DataFrame({"file": ["a"]})), ValueError, "The data frame has no "
     "column 'filename'. Did you mean 'file'?"),
    (lambda f: ImageDataGenerator().flow_from_dataframe(pd.DataFrame({"filename": ["a.png"], "class": ["b"]}), f),
     FileNotFoundError, "1 of 1 images are not there, the first of them ['a.png']. Write directory=, or remove the rows."),
    (lambda f: ImageDataGenerator(zoom_range=1.0), ValueError, "zoom_range=1.0 zooms by 0: write a number from 0 up to, and "
     "without, 1, or two above 0, such as (0.5, 1.5)."),
    (lambda f: ImageDataGenerator(zoom_range=(-0.5, 1)), ValueError, "zoom_range=(-0.5, 1) zooms by -0.5: write a number from "
     "0 up to, and without, 1, or two above 0, such as (0.5, 1.5)."),
    (lambda f: ImageDataGenerator(brightness_range=(-0.5, 1)), ValueError, "brightness_range=(-0.5, 1): write factors of at "
     "least 0, such as (0.5, 1.5)."),
    *((lambda f, each=each: ImageDataGenerator(rescale=each), ValueError, f"rescale={each!r}: write a finite number other than "
       "0, such as 1 / 255, or None.") for each in (0, float("nan"), "1/255", True)),
    (lambda f: ImageDataGenerator(preprocessing_function=1 / 255), TypeError, f"preprocessing_function={1 / 255}: write a "
     "function of one image, such as lambda image: image / 127.5 - 1."),
    *((lambda f, each=each: ImageDataGenerator(interpolation_order=each), ValueError, f"interpolation_order={each!r}: write a "
       "whole number from 0 to 5.") for each in (6, -1, 1.0, True)),
    *((lambda f, each=each: ImageDataGenerator(dtype=each), ValueError, f"dtype={each!r}: write the name of a dtype of "
       "numbers, such as 'float32' or 'uint8'.") for each in ("float31", "str", "bool", 32)),
    (lambda f: ImageDataGenerator(dtype="uint8", rescale=1 / 255), ValueError, "dtype='uint8' with rescale: whole numbers "
     "cannot hold what comes out. Write dtype='float32'."),
    (lambda f: ImageDataGenerator(dtype="int32", samplewise_center=True, zca_whitening=True), ValueError, "dtype='int32' with "
     "samplewise_center, zca_whitening: whole numbers cannot hold what comes out. Write dtype='float32'."),
    (lambda f: framed(f, [1, 1], class_mode="binary"), ValueError, "class_mode='binary' needs two classes, and there are 1: 1. "
     "Write class_mode='categorical' or 'sparse'."),
    (lambda f: framed(f, ["a", ["a", "b"]]), ValueError, "The column 'class' has several classes in a row, the first of them "
     "[['a', 'b']]. Write a column of 0 and 1 for each class, class_mode='raw', and y_col=[...], the names of these columns."),
    *((lambda f, lost=lost: framed(f, ["a", lost], classes=["a"]), ValueError, "The column 'class' has no class in 1 of 2 "
       "rows, the first of them row [1]. Write dataframe.dropna(subset=['class']) in the place of dataframe.")
      for lost in (None, float("nan"), pd.NA)),
    (lambda f: framed(f, ["a", 1]), ValueError, "The column 'class' has classes of int and str, which have no order. Write "
     "classes=[...], or dataframe.astype({'class': str}) in the place of dataframe."),
    (lambda f: framed(f, [1, 2], classes=["1", "2"]), ValueError, "classes=['1', '2']: the column 'class' has none of them, "
     "but 1, 2."),
    (lambda f: framed(f, [1, 2], y_col=["class"]), ValueError, "y_col=['class'] with class_mode='categorical': write one "
     "column, such as y_col='class', or class_mode='raw' for the numbers of several."),
], ids=range(54))
def test_errors_say_what_to_write(make, error, message, folder):
    with pytest.raises(error, match=f"^{re.escape(message.replace('{f}', str(folder)))}$"):
        make(folder)
