"""Whether a sentence praises a film: an LSTM over its words, which begins with random vectors.

    python examples/reviews.py FOLDER           # the folder of mr.pos and mr.neg, a sentence a line: Pang and Lee 2005
    python examples/reviews.py FOLDER --quick

Without a folder it takes the reviews of IMDB, which are downloaded once.
"""

import sys
import time
from pathlib import Path

import numpy as np

from jaxseq.datasets import imdb
from jaxseq.layers import LSTM, Bidirectional, Dense, Dropout, Embedding, SpatialDropout1D
from jaxseq.models import Sequential
from jaxseq.preprocessing.sequence import pad_sequences
from jaxseq.preprocessing.text import Tokenizer

QUICK = "--quick" in sys.argv
FOLDERS = [each for each in sys.argv[1:] if not each.startswith("--")]
WORDS, EPOCHS = 20_000, 1 if QUICK else 3


def sentences(folder):
    """((x, y), (x_test, y_test)): a tenth, drawn with a fixed seed, is for the test."""
    praise, blame = ((folder / name).read_text(encoding="latin-1").strip().split("\n") for name in ("mr.pos", "mr.neg"))
    texts, y = np.array(praise + blame), np.repeat([1, 0], [len(praise), len(blame)])
    order = np.random.default_rng(0).permutation(len(y))
    test, train = np.split(order, [len(y) // 10])
    tokenizer = Tokenizer(num_words=WORDS, filters="")
    tokenizer.fit_on_texts(texts[train])
    return [(tokenizer.texts_to_sequences(texts[part]), y[part]) for part in (train, test)]


(x, y), (x_test, y_test) = sentences(Path(FOLDERS[0])) if FOLDERS else imdb.load_data(num_words=WORDS)
length = 50 if FOLDERS else 200
x, x_test = (pad_sequences(part, maxlen=length) for part in (x, x_test))

model = Sequential([
    Embedding(WORDS, 128, input_length=length, mask_zero=True),
    SpatialDropout1D(0.5),
    Bidirectional(LSTM(64)),
    Dropout(0.5),
    Dense(1, activation="sigmoid"),
], seed=0)
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])

began = time.perf_counter()
model.fit(x, y, batch_size=64, epochs=EPOCHS)
seconds = time.perf_counter() - began
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test accuracy {accuracy:.4f} of {len(y_test)}, loss {loss:.4f}, after {EPOCHS} epochs in {seconds:.1f} s")
