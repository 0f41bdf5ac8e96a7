#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# Writes the seeds of the target lz_block: what each is, its name says. The first byte is even for a stream and odd for a
# page, the next two are a size.

import pathlib
import struct

folder = pathlib.Path(__file__).parent / "lz_block"


def sequences(*parts):
    """A stream of (literals, offset, match length); the last part is literals alone."""

    def more(length):
        return b"\xff" * (length // 255) + bytes([length % 255])

    out = b""
    for literals, offset, length in parts[:-1]:
        out += bytes([min(len(literals), 15) << 4 | min(length - 4, 15)])
        out += more(len(literals) - 15) if len(literals) >= 15 else b""
        out += literals + struct.pack("<H", offset)
        out += more(length - 19) if length >= 19 else b""
    last = parts[-1]
    return out + bytes([min(len(last), 15) << 4]) + (more(len(last) - 15) if len(last) >= 15 else b"") + last


def seed(name, kind, size, data):
    (folder / name).write_bytes(bytes([kind]) + struct.pack("<H", size) + data)


text = b"the pages of memory are folded away, and the memory of pages is folded back again. "
noise = bytes((i * i * 2654435761 >> 13) & 255 for i in range(1, 400))

folder.mkdir(exist_ok=True)
seed("stream_literals", 0, 5, sequences(b"hello"))
seed("stream_run", 0, 4096, sequences((b"A", 1, 4090), b"AAAAA"))
for offset in (2, 3, 5, 7, 8, 9, 15, 16, 31):
    seed(f"stream_offset_{offset}", 0, 300 + 64, sequences((noise[:40], offset, 284), noise[:40]))
seed("stream_short_matches", 0, 0, sequences(*[(noise[i : i + 3], 3, 4 + i) for i in range(15)], noise[:7]))
seed("stream_long_literals", 0, 0, sequences((noise[:300], 290, 20), noise[:60]))
seed("stream_ends_in_match", 0, 0, sequences((noise[:64], 10, 40), b""))
seed("stream_offset_0", 0, 0, sequences((noise[:64], 0, 18), noise[:100]))
seed("stream_before_the_page", 0, 0, sequences((noise[:30], 31, 20), noise[:100]))
seed("stream_cut_short", 0, 364, sequences((noise[:40], 9, 284), noise[:40])[:-20])
seed("page_text", 1, 4000, text * 12)
seed("page_noise", 1, 9000, noise)
seed("page_pointers", 1, 5000, b"".join(struct.pack("<Q", 0x7F3A5C000000 + i * i % 97 * 16) for i in range(200)))
seed("page_sparse", 1, 22000, b"".join(struct.pack("<Q", i if i % 9 == 0 else 0) for i in range(300)))
seed("page_of_one_piece_and_more", 1, 21846, text)
