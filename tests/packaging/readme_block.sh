# SPDX-License-Identifier: MIT
#
#   . readme_block.sh; readme_block README LANGUAGE WORD
#
# Prints the block of the README's section on package managers that is in LANGUAGE and has WORD in it, so that a test runs
# what the README says. Without such a block the test fails.
readme_block() {
  awk -v language="$2" -v word="$3" '
    /^## / { inside_section = $0 == "## With a package manager" }
    inside_section && $0 == "```" language { inside = 1; text = ""; next }
    /^```/ && inside { inside = 0; if (index(text, word)) { printf "%s", text; ++found } next }
    inside { text = text $0 "\n" }
    END { if (found != 1) { print "blocks with " word ": " found + 0 >"/dev/stderr"; exit 1 } }' "$1"
}
