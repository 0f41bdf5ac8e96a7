# SPDX-License-Identifier: MIT
"""Mutants: lists of them read and written, and proposals for a header. See run.py."""

import re


class ListError(Exception):
    """The list of mutants is wrong."""


# --- Lists ---------------------------------------------------------------------------------------------------------------


class Mutant:
    def __init__(self, name, file, old, new, equivalent=None, expect=None, origin=""):
        self.name, self.file, self.old, self.new = name, file, old, new
        self.equivalent, self.expect, self.origin = equivalent, expect, origin

    def apply(self, text):
        count = text.count(self.old) if self.old else 0
        if count != 1:
            raise ListError(f"old text stands {count} times in {self.file}")
        return text.replace(self.old, self.new)

    def __str__(self):
        head = [f"name: {self.name}", f"file: {self.file}"]
        if self.equivalent:
            head.append(f"equivalent: {self.equivalent}")
        return "\n".join(head) + f"\n<<<<\n{self.old}====\n{self.new}>>>>\n"


def read_list(path):
    mutants, head, old, new = [], {}, [], []
    state = "head"
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{path.name}:{number}"
        if state == "head":
            if line == "<<<<":
                state = "old"
            elif line.strip() and not line.startswith("#"):
                key, colon, value = line.partition(":")
                if not colon or key not in ("name", "file", "equivalent", "expect") or key in head:
                    raise ListError(f"{where}: not a head line: {line}")
                head[key] = value.strip()
        elif state == "old":
            if line == "====":
                state = "new"
            else:
                old.append(line)
        elif line == ">>>>":
            if not head.get("name") or not head.get("file"):
                raise ListError(f"{where}: a mutant needs a name and a file")
            text = ["".join(one + "\n" for one in lines) for lines in (old, new)]
            mutants.append(Mutant(head["name"], head["file"], *text, head.get("equivalent"), head.get("expect"), where))
            state, head, old, new = "head", {}, [], []
        else:
            new.append(line)
    if state != "head" or head:
        raise ListError(f"{path.name}: the last mutant doesn't end")
    return mutants


# --- Proposing mutants ---------------------------------------------------------------------------------------------------

SWAPS = [
    ("<", "<=", "a bound moved"), ("<=", "<", "a bound moved"), (">", ">=", "a bound moved"), (">=", ">", "a bound moved"),
    ("==", "!=", "a comparison turned"), ("!=", "==", "a comparison turned"), ("&&", "||", "and for or"),
    ("||", "&&", "or for and"), ("+", "-", "plus for minus"), ("-", "+", "minus for plus"), ("+=", "-=", "plus for minus"),
    ("-=", "+=", "minus for plus"), ("|=", "=", "bits overwritten"), ("&", "|", "bits joined"), ("%", "/", "a quotient for a rest"),
]


def code_of(line):
    """The line without its comment and with literals blanked out; columns stay."""
    line = re.sub(r'"(\\.|[^"\\])*"', lambda m: "_" * len(m.group()), line)
    line = re.sub(r"'(\\.|[^'\\])'", lambda m: "_" * len(m.group()), line)
    return line.split("//", 1)[0]


def proposals_for_line(line):
    """(what, new line) for each small change."""
    code = code_of(line)
    stripped = code.strip()
    if not stripped or re.match(r"(#|static_assert|using |template|requires|concept|namespace|friend|class |struct |PAGEFOLD_|\[\[nodiscard\]\] .*\{$)",
                                stripped):
        return
    for old, new, what in SWAPS:
        for match in re.finditer(rf"(?<= ){re.escape(old)}(?= )", code):
            yield what, line[: match.start()] + new + line[match.end():]
    for match in re.finditer(r" [+-] 1\b(?![.'\d])", code):
        yield "off by one", line[: match.start()] + line[match.end():]
    for match in re.finditer(r"(?<![\w.'])(\d+)(?=[uUlL]*\b)(?!['.\w])", code):
        value = int(match.group())
        yield f"{value + 1} for {value}", f"{line[:match.start()]}{value + 1}{line[match.end():]}"
    for match in re.finditer(r"\b(true|false)\b", code):
        other = "false" if match.group() == "true" else "true"
        yield f"{other} for {match.group()}", line[: match.start()] + other + line[match.end():]
    condition = re.search(r"\b(if|while) \((.*)\) \{$", code.rstrip())
    if condition and not re.match(r"\s*constexpr", condition.group(2)):
        start = condition.start(2) + condition.group(2).rfind("; ") + (2 if "; " in condition.group(2) else 1)
        yield "a condition negated", f"{line[:start]}!({line[start:condition.end(2)]}){line[condition.end(2):]}"
    ternary = re.search(r" \? (.+?) : (.+?)(?=[;,)]|$)", code)
    if ternary:
        yield "a choice turned", (line[: ternary.start(1)] + line[ternary.start(2): ternary.end(2)] + " : "
                                  + line[ternary.start(1): ternary.end(1)] + line[ternary.end(2):])
    # A call or an assignment that stands alone; not a declaration, whose name somebody will want.
    if re.fullmatch(r"(static_cast<void>\(.*|(\+\+|--)[\w.\[\]>-]+|[\w.:\[\]()>-]+(\(.*\)| [-+|&^<>]*= .*));", stripped) and \
            not re.match(r"(return|break|continue|goto|default|case)\b", stripped):
        yield "a statement removed", re.match(r"\s*", line).group() + ";"


def propose(headers, file):
    """Mutants of a header, each with as many lines of context as make its old text unique."""
    text = (headers / file).read_text()
    lines = text.splitlines()
    for number, line in enumerate(lines):
        seen = set()
        for what, changed in proposals_for_line(line):
            if changed in seen or changed == line:
                continue
            seen.add(changed)
            first = number
            while text.count("\n".join(lines[first: number + 1]) + "\n") != 1 and first > 0:
                first -= 1
            context = "".join(one + "\n" for one in lines[first:number])
            yield Mutant(f"{what}: {line.strip()[:80]}", file, f"{context}{line}\n", f"{context}{changed}\n")
