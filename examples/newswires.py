"""The subject of a newswire, by its words alone: Reuters R8, eight subjects, as counts weighed by how rare a word is.

    python examples/newswires.py FOLDER         # the folder of r8-train.txt and r8-test.txt: a subject, a tab, the text
    python examples/newswires.py FOLDER --quick

Without a folder it takes Keras's own Reuters set of 46 subjects, which is downloaded once.
"""

import sys
import time
from pathlib import Path

from jaxseq.datasets import reuters
from jaxseq.layers import Dense, Dropout
from jaxseq.models import Sequential
from jaxseq.preprocessing.text import Tokenizer

QUICK = "--quick" in sys.argv
FOLDERS = [each for each in sys.argv[1:] if not each.startswith("--")]
WORDS, EPOCHS = (2_000, 2) if QUICK else (10_000, 8)

tokenizer = Tokenizer(num_words=WORDS)
if FOLDERS:
    lines = [(Path(FOLDERS[0]) / f"r8-{part}.txt").read_text(encoding="utf-8").splitlines() for part in ("train", "test")]
    (subjects, texts), (test_subjects, test_texts) = (zip(*(line.split("\t") for line in part), strict=True) for part in lines)
    names = sorted(set(subjects))
    y, y_test = ([names.index(each) for each in part] for part in (subjects, test_subjects))
    tokenizer.fit_on_texts(texts)
    x, x_test = (tokenizer.texts_to_matrix(part, mode="tfidf") for part in (texts, test_texts))
else:
    (rows, y), (test_rows, y_test) = reuters.load_data(num_words=WORDS)
    names = reuters.get_label_names()
    tokenizer.fit_on_sequences(rows)
    x, x_test = (tokenizer.sequences_to_matrix(part, mode="tfidf") for part in (rows, test_rows))

model = Sequential([
    Dropout(0.3, input_shape=(WORDS,)),
    Dense(512, activation="relu"),
    Dropout(0.5),
    Dense(len(names), activation="softmax"),
], seed=0)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

began = time.perf_counter()
model.fit(x, y, batch_size=64, epochs=EPOCHS)
seconds = time.perf_counter() - began
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test accuracy {accuracy:.4f} of {len(names)} subjects, loss {loss:.4f}, after {EPOCHS} epochs in {seconds:.1f} s")
