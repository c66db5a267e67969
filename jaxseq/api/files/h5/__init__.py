"""HDF5, read without libhdf5: groups, arrays of numbers and texts, as far as weights need them.

The library of HDF5 loops or crashes over some files that are made for it, opens other files and loads programs where a file
says so, and nothing that is done to it from outside prevents all of that. Here a file is bytes at addresses: every address and
size is compared with the file before anything is read there, everything that could go round in a circle is counted, and what
weights have no use for is refused by name.

    pieces.py      bytes at addresses, within bounds         links.py    what is in a group
    headers.py     what an object says of itself             arrays.py   numbers: where they lie, how they are packed
    heaps.py       names, texts, links in heaps              reader.py   a file as groups and arrays
    indexes.py     B-trees

Source: HDF5 File Format Specification 3.0, whose words stand in the code.
"""
