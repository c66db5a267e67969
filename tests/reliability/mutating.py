"""Changes at random: of bytes, which know nothing of what they are, and of JSON."""

import json

NUMBERS = (0, 1, -1, 2, 63, 255, 2**15, 2**31 - 1, 2**31, -2**31, 2**32, 2**53, 2**63 - 1, 2**63, 10**30, 0.0, -0.0, 0.5,
           1e-300, 1e308)
OTHERS = (None, True, False, "", "x", "relu", "Dense", "float32", "../x", "\x1b[2J", "\ud800", "x" * 300, [], {}, [[]], [None],
          [1, 2])
OBJECTS = ({"class_name": "Dense", "config": {}}, {"class_name": "function", "config": "relu"}, {"class_name": [], "config": 1},
           {"module": "keras.layers", "class_name": "LSTM", "config": {"units": 2}, "registered_name": None})


# ---- changes that know nothing


def blindly(draw, content):
    """The bytes with one to four changes."""
    content = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        draw.choice(BLIND)(draw, content)
    return bytes(content)


def _place(draw, content):
    """A place, more often at the beginning, where formats say what they are."""
    return draw.randrange(min(len(content), draw.choice((64, 512, 4096, 2**30)))) if content else 0


def _flip(draw, content):
    if content:
        content[_place(draw, content)] ^= 1 << draw.randrange(8)


def _byte(draw, content):
    if content:
        content[_place(draw, content)] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))


def _number(draw, content):
    size, place = draw.choice((2, 4, 8)), _place(draw, content)
    value = draw.choice((0, 1, 2**15, 2**31, 2**63, 2**64 - 1, draw.getrandbits(64), len(content))) % 2**(8 * size)
    content[place:place + size] = value.to_bytes(size, draw.choice(("little", "big")))


def _zeros(draw, content):
    place, size = _place(draw, content), draw.randrange(1, 64)
    content[place:place + size] = bytes(len(content[place:place + size]))


def _cut(draw, content):
    del content[draw.randrange(len(content) + 1):]


def _remove(draw, content):
    place = _place(draw, content)
    del content[place:place + draw.randrange(1, 256)]


def _repeat(draw, content):
    place = _place(draw, content)
    content[place:place] = content[place:place + draw.randrange(1, 256)] * draw.choice((1, 2, 9))


def _insert(draw, content):
    place = _place(draw, content)
    content[place:place] = draw.randbytes(draw.randrange(1, 16))


def _splice(draw, content):
    """A piece of the file in another place of it."""
    begin, place, size = draw.randrange(len(content) + 1), _place(draw, content), draw.randrange(1, 512)
    content[place:place + size] = content[begin:begin + size]


BLIND = _flip, _flip, _byte, _number, _number, _zeros, _cut, _remove, _repeat, _insert, _splice


# ---- changes of JSON


def other_json(draw, data):
    """JSON with one to three places of it changed."""
    data = json.loads(json.dumps(data))
    for _ in range(draw.choice((1, 1, 2, 3))):
        found = [*_places(data)]
        if found:
            holder, key = draw.choice(found)
            _change(draw, holder, key, found)
    return data


def _places(data):
    """Every (container, key) in JSON."""
    for key in range(len(data)) if isinstance(data, list) else list(data) if isinstance(data, dict) else ():
        yield data, key
        yield from _places(data[key])


def _change(draw, holder, key, found):
    what = draw.randrange(9)
    if what == 0:
        del holder[key]
    elif what == 1 and isinstance(holder, dict):
        holder[draw.choice((f"{key}x", key[:-1], "class_name", "config", "units", "name"))] = holder.pop(key)
    elif what == 2 and isinstance(holder, list):
        holder[key:key] = [holder[key]] * draw.choice((1, 2, 40))
    elif what == 3:
        other, place = draw.choice(found)
        if (place in other) if isinstance(other, dict) else place < len(other):
            holder[key] = json.loads(json.dumps(other[place]))
    elif what == 4 and type(holder[key]) in (int, float):
        holder[key] = draw.choice((-holder[key], holder[key] * 10**6, holder[key] + 0.5, [holder[key]], str(holder[key])))
    else:
        holder[key] = draw.choice((draw.choice(NUMBERS), draw.choice(OTHERS), json.loads(json.dumps(draw.choice(OBJECTS)))))


def as_text(draw, data):
    """JSON as bytes, now and then with what no JSON has."""
    text = json.dumps(data)
    if draw.randrange(8) == 0 and ":" in text:
        place = draw.choice([place for place, letter in enumerate(text) if letter == ":"])
        text = text[:place + 1] + draw.choice(("NaN", "1e999", "-", "'x'", "[" * 70, '{"a":1,"a":2}', "9" * 5000)) + "," + text[
            place + 1:]
    return text.encode()
