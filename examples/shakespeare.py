"""Letters after letters: an LSTM learns to go on with a text, and then writes by itself.

    python examples/shakespeare.py FILE         # any text of a megabyte, such as Shakespeare's plays
    python examples/shakespeare.py FILE --quick
"""

import sys
import time
from pathlib import Path

import numpy as np

from jaxseq.layers import LSTM, Dense, Embedding
from jaxseq.models import Sequential
from jaxseq.optimizers import Adam
from jaxseq.optimizers.schedules import CosineDecay

QUICK = "--quick" in sys.argv
LENGTH, BATCH, EPOCHS, UNITS = (64, 32, 1, 64) if QUICK else (128, 32, 12, 256)
LETTERS, TEMPERATURE = 3_000, 0.7           # how much is written, and how boldly: at 0 always the likeliest letter

file = next((each for each in sys.argv[1:] if not each.startswith("--")), None)
if file is None:
    sys.exit("Pass a file with a text of a megabyte or so: python examples/shakespeare.py FILE")
text = Path(file).read_text(encoding="utf-8")
text = text[:100_000] if QUICK else text
alphabet = sorted(set(text))
ids = np.searchsorted(alphabet, list(text))
rows = (len(ids) - 1) // LENGTH
x, y = (ids[shift:shift + rows * LENGTH].reshape(rows, LENGTH) for shift in (0, 1))     # each letter's target is the next
if rows < 20:
    sys.exit(f"{file} has {len(text):,} letters, which is too short: pass a text of at least {20 * LENGTH + 1:,}.")
held = rows // 20                                                                       # the last twentieth is held out


def net(**first):
    """The same layers, for windows of the text or, stateful, for one letter after another."""
    stateful = "batch_input_shape" in first
    return Sequential([
        Embedding(len(alphabet), 64, **first),
        LSTM(UNITS, return_sequences=True, stateful=stateful),
        Dense(len(alphabet), activation="softmax"),
    ], seed=0)


model = net(input_length=LENGTH)
steps = EPOCHS * -(-(rows - held) // BATCH)
model.compile(Adam(CosineDecay(4e-3, steps), clipnorm=1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
began = time.perf_counter()
model.fit(x[:-held], y[:-held], batch_size=BATCH, epochs=EPOCHS, validation_data=(x[-held:], y[-held:]))
seconds = time.perf_counter() - began
loss, accuracy = model.evaluate(x[-held:], y[-held:], verbose=0)

writer = net(batch_input_shape=(1, 1))
writer.set_weights(model.get_weights())
draw, letter, written = np.random.default_rng(0), (alphabet.index("\n") if "\n" in alphabet else 0), []
writer.predict(np.array([[letter]]))        # compiles
writer.reset_states()
began = time.perf_counter()
for _ in range(LETTERS):
    odds = writer.predict(np.array([[letter]]))[0, 0].astype(float) ** (1 / TEMPERATURE)
    letter = draw.choice(len(alphabet), p=odds / odds.sum())
    written.append(alphabet[letter])
speed = LETTERS / (time.perf_counter() - began)
print("".join(written[:1_000]))
print(f"held-out loss {loss:.4f} nats a letter, accuracy {accuracy:.4f}, after {EPOCHS} epochs in {seconds:.1f} s; "
      f"{speed:,.0f} letters written a second")
