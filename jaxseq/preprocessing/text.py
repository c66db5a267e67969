"""Text: `from jaxseq.preprocessing.text import Tokenizer`."""

from jaxseq.api.preprocessing.tokenizer import Tokenizer as Tokenizer, tokenizer_from_json as tokenizer_from_json
from jaxseq.api.preprocessing.words import (
    hashing_trick as hashing_trick,
    one_hot as one_hot,
    text_to_word_sequence as text_to_word_sequence,
)
