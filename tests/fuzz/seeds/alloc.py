#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the seeds of the target `alloc` into the folder alloc/ beside this file.

Each is a small life of an allocator, in the operations of fuzz/support/allocator_driver.hpp: a byte that picks the allocator
(they take turns; 255 would run it on all, which is slow to mutate), a byte whose lowest bit picks the size of the source's
pages, and the operations.
"""
import pathlib
import random

MOST, TINY, SMALL, HALF = 0, 1, 2, 3  # the kinds of size; from 4 on any
ALL = 0xFFFF


def word(value):
    return [value & 0xFF, value >> 8]


def size(kind, part=0):
    return word(kind << 13 | part)


def allocate(kind, part=0):
    return [0] + size(kind, part)


def allocate_row(kind, part, count):
    return [29] + size(kind, part) + [count]


def free(which):
    return [9] + word(which)


def free_row(first, count, step):
    return [15] + word(first) + [count, step - 1]


def write(which, count):
    return [16] + word(which) + word(count)


def plan(budget):
    return [19] + word(budget)


def relocate(first):
    return [20] + word(first)


COMPACT, FINISH, BAD_SIZES, CHECK = [21], [22], [26], [28]


def limit(spare):
    return [23, spare]


NO_LIMIT = [23, 255]


def refuse(nth):
    return [25, nth]


def use_wrong(which, shift=0):
    return [27] + word(which) + [shift]


def mixed(seed, operations):
    random.seed(seed)
    return [random.randrange(256) for _ in range(operations * 3)]


many = [op for part in range(0, 0x2000, 0x155) for op in allocate_row(4 + part % 4, part, 12)]
SEEDS = {
    "sizes": BAD_SIZES
    + [op for part in range(0, 40, 3) for op in allocate(MOST, part)]
    + [op for part in range(0, 64, 5) for op in allocate(TINY, part) + allocate(HALF, part)]
    + CHECK,
    "fill_and_drain": many + CHECK + free_row(0, 255, 1) + CHECK + many + free_row(7, 255, 3),
    "half_freed": many + free_row(0, 120, 2) + COMPACT + CHECK + many + free_row(3, 200, 5) + COMPACT,
    "plan_left_and_taken_up": many
    + free_row(0, 110, 2)
    + plan(500)
    + relocate(0)
    + allocate_row(5, 900, 20)
    + plan(ALL)
    + free_row(1, 30, 3)
    + relocate(40)
    + relocate(90)
    + FINISH
    + CHECK
    + plan(0)
    + relocate(0),
    "refused": [op for nth in range(1, 7) for op in refuse(nth) + allocate_row(4, nth * 1000, 9) + allocate(MOST)] + CHECK,
    "at_the_limit": many
    + limit(0)
    + many
    + free_row(0, 60, 3)
    + allocate_row(TINY, 5, 40)
    + allocate(MOST)
    + plan(ALL)
    + many
    + relocate(0)
    + limit(3)
    + allocate_row(MOST, 0, 8)
    + FINISH
    + NO_LIMIT
    + allocate_row(SMALL, 99, 30),
    "whole_units": allocate_row(MOST, 0, 40) + free_row(0, 20, 2) + COMPACT + allocate_row(MOST, 39, 20) + CHECK,
    "tiny": [op for part in range(0, 0x2000, 0x500) for op in allocate_row(TINY, part, 60)] + free_row(0, 200, 3) + COMPACT,
    "rewritten": many + [op for i in range(40) for op in write(i * 3, i * 977 % 65536) + [17] + word(i * 3)],
    "wrong_handles": many
    + allocate_row(MOST, 0, 3)
    + free_row(0, 50, 2)
    + [op for i in range(20) for op in use_wrong(i * 3) + use_wrong(0xC000 + i * 37, i)]
    + COMPACT
    + [op for i in range(20) for op in use_wrong(i)]
    + [op for bit in range(64) for op in use_wrong(0x8000 + bit * 5, bit)]
    + CHECK,
    "mixed_1": mixed(1, 150),
    "mixed_2": many + mixed(2, 200),
}

folder = pathlib.Path(__file__).with_suffix("")
folder.mkdir(exist_ok=True)
for number, (name, operations) in enumerate(SEEDS.items()):
    (folder / name).write_bytes(bytes([number, number // 2 % 2] + operations))
