#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs top in a terminal of this script's: it shows the demo, sorts by what is asked, follows a change of size, and leaves the
terminal as it was, after q and after a signal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time


class Screen:
    def __init__(self, program, *arguments, lines=30, columns=110):
        self.seen = b""
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.execv(program, [program, *arguments])
        self.resize(lines, columns)

    def resize(self, lines, columns):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def wait_for(self, pattern, seconds=20):
        """Until what came since the last match matches."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen, re.S)):
            if time.monotonic() > end:
                sys.exit(f"nothing matches {pattern!r} behind {self.seen[-600:]!r}")
            if not self.read(0.2):
                sys.exit(f"it ended before {pattern!r}: {self.seen[-600:]!r}")
        self.seen = self.seen[found.end():]
        return found

    def read(self, seconds):
        if not select.select([self.terminal], [], [], seconds)[0]:
            return True
        try:
            got = os.read(self.terminal, 65536)
        except OSError:
            got = b""
        self.seen += got
        return got != b""

    def type(self, keys):
        os.write(self.terminal, keys)

    def flags(self):
        return termios.tcgetattr(self.terminal)[3]

    def end(self):
        end = time.monotonic() + 20
        while time.monotonic() < end and self.read(0.2):
            pass
        status = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        os.close(self.terminal)
        return status


def check(what, is_true):
    if not is_true:
        sys.exit(what)


def main(program):
    raw = termios.ICANON | termios.ECHO
    screen = Screen(program, "--demo", "--interval", "200")
    screen.wait_for(rb"\x1b\[\?1049h")
    check("it echoes", screen.flags() & raw == 0)
    screen.wait_for(rb"\*MEMORY.*web.*NODE")
    screen.type(b">")
    screen.wait_for(rb"\*PAGES")
    screen.type(b"\x1b[D\x1b[D")  # one read: the first arrow counts
    screen.wait_for(rb"\*MEMORY")
    screen.type(b"<")
    screen.wait_for(rb"\*TENANT.*attic.*build.*mail.*web")
    screen.type(b"i")
    screen.wait_for(rb"\*TENANT.*web.*mail.*build.*attic")
    screen.resize(4, 20)
    frame = screen.wait_for(rb"\x1b\[H(store demo[^\x1b]*)\x1b\[K\r+\n([^\x1b]*)\x1b\[K\r+\n([^\x1b]*)\x1b\[K\r+\n([^\x1b]*)"
                            rb"\x1b\[K\x1b\[J")
    check(f"lines of another width: {frame.groups()}", all(len(line) <= 20 for line in frame.groups()))
    screen.type(b"q")
    screen.wait_for(rb"\x1b\[\?25h\x1b\[\?1049l")
    check("the terminal is not as it was", screen.flags() & raw == raw)
    check("status after q", screen.end() == 0)

    screen = Screen(program, "--demo", "--interval", "100000")
    screen.wait_for(rb"store demo")
    os.kill(screen.child, signal.SIGTERM)
    screen.wait_for(rb"\x1b\[\?25h\x1b\[\?1049l")
    check("the terminal is not as it was after a signal", screen.flags() & raw == raw)
    check("status after a signal", screen.end() == 0)

    # A file that nobody publishes to: it says so, and waits.
    screen = Screen(program, "/nowhere/at/all", "--interval", "100")
    screen.wait_for(rb"No such file")
    screen.type(b"q")
    check("status where there was nothing", screen.end() == 0)
    print("it behaves in a terminal")


main(sys.argv[1])
