#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks the library on purpose, a little at a time, and says what no test noticed.

    tests/mutation/run.py LIST...                       all mutants of the lists
    tests/mutation/run.py --sample 6 --seed 3 LIST...   a handful, drawn at random (what CI does)
    tests/mutation/run.py --check-list LIST...          whether the lists are right, without a compiler: in a second
    tests/mutation/run.py --generate FILE...            propose mutants for headers, in the format of a list
    tests/mutation/run.py --self-test                   of this script

A mutant is one change to one header. It is applied to a copy of include/. Then the tests that include the header are built
and run, one source file after the other, those that mirror the header first, until one of them fails: most mutants
cost one compilation. A mutant is

    killed              where a test fails, crashes, runs into the time limit, or a static assertion fails;
    survived            where all tests pass. Write a test, or mark the mutant `equivalent`;
    an error of the list where its old text doesn't stand in the file exactly once, or it doesn't compile.

The tests are those of tests/unit/FOLDER, where FOLDER is the header's, of tests/concepts, conformance and model, as far as
they include the header; --tests REGEX chooses others. Each is first seen to pass on the tree as it is.

The exit status is 0 where no less than --at-least percent (95) were killed and the list has no errors, 1 otherwise.

A list reads

    # A comment: lines between mutants that begin so, and empty ones, are skipped.
    name: a put forgets what others reserved
    file: store/partition.hpp
    <<<<
            source_.hold_back(held_back_from(pool_ids::slot(key.pool)));
    ====
    >>>>

with the old text above ==== and the new one below, whole lines, to the blank. `equivalent: REASON` among the head lines
keeps a mutant in the list that no test can notice: it is not built, and doesn't count.

--check-list sees each mutant's old text stand in its header exactly once, its new text make a difference, and no two of the
lists share a name or a change. So whoever changes a line that a mutant is about hears of it at once.

--generate writes such a list to the standard output: relations turned, 1 added or left out, conditions negated, statements
removed, && and || swapped, constants changed. --sample draws from it, and --verify drops what doesn't compile. Read what it
writes, give good names, and mark the equivalent ones.

Needs python3 and a compiler (CXX, else g++), and doctest. Builds in build/mutation (--build), which may be removed at any time.
"""

import argparse
import concurrent.futures
import hashlib
import os
import pathlib
import queue
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
from mutants import ListError, Mutant, propose, read_list

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
HEADERS = pathlib.Path("include/pagefold")  # below a root
FLAGS = ["-std=c++20", "-O0", "-w", "-DPAGEFOLD_ASSERT_LEVEL=3"]
LIBRARIES = ["-pthread", "-llz4", "-lzstd"]
# What a test source may include that no mutant touches.
PRECOMPILED = """#include <doctest/doctest.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>
"""
MEMORY_LIMIT = 4 << 30  # bytes that a test may take: a mutant may want more and more
LEAST_TIME_LIMIT = 10  # seconds


# --- Building and running ------------------------------------------------------------------------------------------------


def run(command, limit, **options):
    """Exit status and output; the status is None where the time limit struck. Ends whatever the command started."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                               start_new_session=True, **options)
    try:
        output, _ = process.communicate(timeout=limit)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return None, output


def limit_memory():
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def is_static_assertion(output):
    """Whether static assertions are all that the compiler has against a source."""
    errors = [line for line in output.splitlines() if re.search(r"\berror: ", line)]
    return bool(errors) and all(re.search(r"static.assert", line) for line in errors)


class Builder:
    """Builds and runs test sources over any copy of include/."""

    def __init__(self, build, tests):
        self.build = build
        self.compiler = os.environ.get("CXX", "g++")
        self.tests = tests  # a regular expression, or None
        self.lock = threading.Lock()
        self.seconds = {}  # source: how long its tests ran, last
        self.baselines = {}  # source: a future of its time limit
        self.dependencies = {}  # source: the headers that it includes
        self.lzo = "-llzo2" if self.links("-llzo2") else None
        build.mkdir(parents=True, exist_ok=True)
        precompiled = build / "precompiled.hpp"
        precompiled.write_text(PRECOMPILED)
        suffix = ".pch" if "clang" in self.compiler else ".gch"
        self.must([self.compiler, *FLAGS, "-x", "c++-header", str(precompiled), "-o", f"{precompiled}{suffix}"])
        self.with_precompiled = (["-include-pch", f"{precompiled}.pch"] if suffix == ".pch"
                                 else ["-include", str(precompiled)])
        self.main = build / "main.o"
        self.must([self.compiler, *FLAGS, f"-I{ROOT}/include", f"-I{TESTS}", "-c", str(TESTS / "support/main.cpp"), "-o",
                   str(self.main)])

    def links(self, library):
        return subprocess.run([self.compiler, "-x", "c++", "-", library, "-o", os.devnull], input="int main() {}", text=True,
                              capture_output=True, check=False).returncode == 0

    def must(self, command):
        status, output = run(command, 600)
        if status != 0:
            sys.exit(f"{' '.join(command)}\n{output}")

    def headers_of(self, source):
        """The headers below include/pagefold that a source comes to include."""
        if source not in self.dependencies:
            command = [self.compiler, *FLAGS, f"-I{ROOT}/include", f"-I{TESTS}", "-MM", str(TESTS / source)]
            status, output = run(command, 600)
            marker = f"/{HEADERS}/"
            found = {word.split(marker, 1)[1] for word in output.split() if marker in word} if status == 0 else set()
            self.dependencies[source] = found
        return self.dependencies[source]

    def sources_for(self, file):
        """Those that include the header, in the order in which they are likely to notice."""
        chosen = self.tests or rf"^(unit/{re.escape(str(pathlib.PurePath(file).parent))}/|concepts/|conformance/|model/)"
        sources = [str(path.relative_to(TESTS)) for path in sorted(TESTS.rglob("*.cpp"))]
        sources = [one for one in sources if re.search(chosen, one) and file in self.headers_of(one)]
        if self.lzo is None:
            sources = [one for one in sources if not one.endswith("/lzo.cpp")]
        mirror = f"unit/{pathlib.PurePath(file).with_suffix('.cpp')}"
        return sorted(sources, key=lambda one: (one != mirror, not one.startswith("unit/"), len(self.headers_of(one))))

    def compile_and_run(self, source, root, name, limit):
        """None where the source's tests pass over root/include, else how they don't. Raises ListError where it doesn't compile."""
        program = self.build / name
        command = [self.compiler, *FLAGS, *self.with_precompiled, f"-I{root}/include", f"-I{TESTS}", str(TESTS / source),
                   str(self.main), "-o", str(program), *LIBRARIES]
        if self.lzo is not None:
            command += ["-DPAGEFOLD_TEST_LZO=1", self.lzo]
        status, output = run(command, 900)
        if status != 0:
            if is_static_assertion(output):
                return f"a static assertion in {source}"
            first = next((line for line in output.splitlines() if "error" in line), output[-300:])
            raise ListError(f"does not compile with {source}: {first}")
        started = time.monotonic()
        status, output = run([str(program), "--abort-after=1"], limit, preexec_fn=limit_memory)
        self.seconds[source] = time.monotonic() - started
        program.unlink()
        if status == 0:
            return None
        return f"{'the time limit' if status is None else 'a crash' if status < 0 else 'a failure'} of {source}"

    def time_limit(self, source):
        """Sees the source's tests pass on the tree as it is, once, and says how long a mutant may take."""
        with self.lock:
            known = self.baselines.get(source)
            future = known or self.baselines.setdefault(source, concurrent.futures.Future())
        if known is None:
            try:
                failed = self.compile_and_run(source, ROOT, f"baseline_{hashlib.md5(source.encode()).hexdigest()}", 600)
                if failed:
                    raise ListError(f"the tree fails without a mutant: {failed}")
                future.set_result(LEAST_TIME_LIMIT + 10 * self.seconds[source])
            except ListError as error:
                future.set_exception(error)
        return future.result()


def judge(mutant, builder, root, number):
    """How the mutant was killed, or None where it survived. Raises ListError."""
    path = root / HEADERS / mutant.file
    if not path.is_file():
        raise ListError(f"no such header: {mutant.file}")
    original = path.read_text()
    path.write_text(mutant.apply(original))
    try:
        sources = builder.sources_for(mutant.file)
        if not sources:
            raise ListError(f"no test includes {mutant.file}")
        for source in sources:
            killed = builder.compile_and_run(source, root, f"mutant_{number}", builder.time_limit(source))
            if killed:
                return killed
        return None
    finally:
        path.write_text(original)


def for_each(mutants, builder, jobs, what):
    """Yields (mutant, result or ListError), as they come, of what(mutant, builder, root of a copy, number)."""
    roots = queue.SimpleQueue()
    for job in range(jobs):
        root = builder.build / f"copy_{job}"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(ROOT / "include", root / "include")
        roots.put(root)

    def one(number, mutant):
        root = roots.get()
        try:
            return mutant, what(mutant, builder, root, number)
        except ListError as error:
            return mutant, error
        finally:
            roots.put(root)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(one, n, m) for n, m in enumerate(mutants)]):
            yield done.result()


# --- Proposing mutants ---------------------------------------------------------------------------------------------------


def compiles(mutant, builder, root, number):
    """Whether the first test that includes the header compiles with the mutant."""
    path = root / HEADERS / mutant.file
    original = path.read_text()
    path.write_text(mutant.apply(original))
    try:
        source = builder.sources_for(mutant.file)[0]
        command = [builder.compiler, *FLAGS, *builder.with_precompiled, f"-I{root}/include", f"-I{TESTS}", "-fsyntax-only",
                   str(TESTS / source)]
        status, output = run(command, 600)
        return status == 0 or is_static_assertion(output)
    finally:
        path.write_text(original)


def header_name(argument):
    """store/pool.hpp, of that or of any path to it."""
    text = pathlib.PurePath(argument).as_posix()
    name = text.split(f"{HEADERS}/", 1)[-1]
    if not (ROOT / HEADERS / name).is_file():
        sys.exit(f"no such header: {argument}")
    return name


def generate(arguments, make_builder):
    mutants = [mutant for file in arguments.lists for mutant in propose(ROOT / HEADERS, header_name(file))]
    mutants = draw(mutants, arguments)
    if arguments.verify:
        good = {m for m, result in for_each(mutants, make_builder(), arguments.jobs, compiles) if result is True}
        mutants = [m for m in mutants if m in good]
    for mutant in mutants:
        print(mutant)
    print(f"{len(mutants)} mutants proposed", file=sys.stderr)
    return 0


# --- The command ---------------------------------------------------------------------------------------------------------


def draw(mutants, arguments):
    if arguments.sample is None or arguments.sample >= len(mutants):
        return mutants
    drawn = random.Random(arguments.seed).sample(range(len(mutants)), arguments.sample)
    return [mutants[i] for i in sorted(drawn)]


def errors_of(mutants):
    """What is wrong with the lists that can be told without a compiler."""
    errors, names, changes = [], set(), {}
    for mutant in mutants:
        def wrong(what, mutant=mutant):
            errors.append(f"{mutant.origin}: {mutant.name}: {what}")

        if mutant.name in names:
            wrong("another has this name")
        names.add(mutant.name)
        path = ROOT / HEADERS / mutant.file
        if not path.is_file():
            wrong(f"no such header: {mutant.file}")
            continue
        original = path.read_text()
        try:
            changed = mutant.apply(original)
        except ListError as error:
            wrong(error)
            continue
        if changed == original:
            wrong("the new text is the old one")
        elif (first := changes.setdefault((mutant.file, changed), mutant.name)) != mutant.name:
            wrong(f"the same change as '{first}'")
    return errors


def check_lists(arguments):
    mutants = [mutant for path in arguments.lists for mutant in read_list(pathlib.Path(path))]
    errors = errors_of(mutants)
    print("\n".join([*errors, f"{len(mutants)} mutants of {len({m.file for m in mutants})} headers, {len(errors)} errors"]))
    return 0 if mutants and not errors else 1


def mutate(arguments, builder):
    mutants = [mutant for path in arguments.lists for mutant in read_list(pathlib.Path(path))]
    equivalent = sum(1 for m in mutants if m.equivalent)
    mutants = draw([m for m in mutants if not m.equivalent], arguments)
    if not mutants:
        sys.exit("no mutants")
    survivors, errors, killed = [], [], 0
    for mutant, result in for_each(mutants, builder, arguments.jobs, judge):
        if isinstance(result, ListError):
            errors.append(f"{mutant.origin}: {mutant.name}: {result}")
            print(f"error     {errors[-1]}", flush=True)
        elif result is None:
            survivors.append(mutant)
            print(f"SURVIVED  {mutant.file}: {mutant.name}", flush=True)
        else:
            killed += 1
            print(f"killed    {mutant.file}: {mutant.name} -- by {result}", flush=True)
    for mutant in survivors:
        print(f"\nsurvived, {mutant.origin}:\n{mutant}", end="")
    judged = killed + len(survivors)
    percent = 100 * killed / judged if judged else 0
    print(f"\n{killed} of {judged} mutants killed: {percent:.1f}%; {equivalent} equivalent ones in the lists; {len(errors)} errors")
    return 0 if not errors and percent >= arguments.at_least else 1


def self_test(arguments, builder):
    """Mutants of which is known what becomes of them; lists that are wrong; proposals that apply and are all different."""
    wrong = []
    mutants = read_list(TESTS / "mutation/self_test.mutants")
    for mutant, result in for_each(mutants, builder, arguments.jobs, judge):
        outcome = f"error: {result}" if isinstance(result, ListError) else "survived" if result is None else f"killed by {result}"
        as_expected = mutant.expect is not None and re.search(mutant.expect, outcome)
        print(f"{'as expected' if as_expected else 'WRONG'}: {mutant.name}: {outcome}", flush=True)
        wrong += [] if as_expected else [mutant.name]
    for text in ("name: a\n<<<<\na\n====\n>>>>\n", "file: a\nname: b\n<<<<\na\n", "nonsense\n", "name: a\nname: b\n"):
        path = builder.build / "wrong.mutants"
        path.write_text(text)
        try:
            read_list(path)
            wrong.append(f"a list that is wrong was read: {text!r}")
        except ListError:
            pass
    one = mutants[0]
    doubtful = [*mutants, Mutant(one.name, one.file, one.old, ""), Mutant("another name", one.file, one.old, one.new),
                Mutant("no change", one.file, one.old, one.old)]
    found = errors_of(doubtful)
    expected = ["stands 0 times", "stands 4 times", "no such header", "another has this name", "the same change as", "is the old one"]
    if len(found) != len(expected) or not all(one in error for one, error in zip(expected, found)):
        wrong.append("of lists that are wrong was said:\n" + "\n".join(found))
    proposed = list(propose(ROOT / HEADERS, "ds/two_level_bitmap.hpp"))
    text = (ROOT / HEADERS / "ds/two_level_bitmap.hpp").read_text()
    changed = {mutant.apply(text) for mutant in proposed}
    if len(changed) != len(proposed) or text in changed or len(proposed) < 40:
        wrong.append("proposals are not all different")
    path = builder.build / "proposed.mutants"
    path.write_text("\n".join(map(str, proposed)))
    if [str(mutant) for mutant in read_list(path)] != [str(mutant) for mutant in proposed]:
        wrong.append("a list reads otherwise than it was written")
    print("\n".join(wrong) or "the self-test passed")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lists", nargs="*", metavar="LIST", help="lists of mutants; headers after --generate")
    parser.add_argument("--sample", type=int, metavar="N", help="draw so many mutants")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the draw")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="mutants at a time")
    parser.add_argument("--at-least", type=float, default=95, metavar="PERCENT", help="to be killed")
    parser.add_argument("--tests", metavar="REGEX", help="which sources below tests/ to build")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/mutation", metavar="FOLDER")
    parser.add_argument("--generate", action="store_true", help="propose mutants for headers")
    parser.add_argument("--verify", action="store_true", help="of proposals: only those that compile")
    parser.add_argument("--check-list", action="store_true", help="only look whether the lists are right")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if not arguments.self_test and not arguments.lists:
        parser.error("no lists")

    def make_builder():
        return Builder(arguments.build.resolve(), "^unit/(ds|platform)/" if arguments.self_test else arguments.tests)

    try:
        if arguments.check_list:
            return check_lists(arguments)
        if arguments.generate:
            return generate(arguments, make_builder)
        return (self_test if arguments.self_test else mutate)(arguments, make_builder())
    except ListError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
