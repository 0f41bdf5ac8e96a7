# SPDX-License-Identifier: MIT
#
#   awk -v root=include -v top=pagefold/pagefold.hpp -f cmake/single_header.awk >pagefold.hpp
#
# One header of many: each of ours stands where it is included first. What is included under a condition comes before the
# header that does so, as the condition may be false there and true where it is needed again: our headers guard what they
# hold themselves. The adapters to foreign codecs do not; they stay inside the conditions of pagefold.hpp.

# The header of ours that a line includes; empty if it includes none.
function ours(line) {
    if (line !~ /^[ \t]*#[ \t]*include[ \t]*<pagefold\//) {
        return ""
    }
    sub(/^[^<]*</, "", line)
    sub(/>.*$/, "", line)
    return line
}

function is_adapter(name) { return name ~ /compress\/(lz4|lzo|zstd)\.hpp$/ }

# awk's variables are global but for parameters, so the locals of these stand among them.
function print_header(name,    lines, count) {
    if (name in seen) {
        return
    }
    seen[name] = 1
    count = read_lines(name, lines)
    print_conditional(lines, count)
    print_body(lines, count)
}

# The headers that are included under a condition, and what adapters include.
function print_conditional(lines, count,    i, depth, included, inner, inner_count, j) {
    depth = 0
    for (i = 1; i <= count; ++i) {
        depth += (lines[i] ~ /^[ \t]*#[ \t]*if/) - (lines[i] ~ /^[ \t]*#[ \t]*endif/)
        included = ours(lines[i])
        if (is_adapter(included)) {
            inner_count = read_lines(included, inner)
            for (j = 1; j <= inner_count; ++j) {
                if (ours(inner[j]) != "") {
                    print_header(ours(inner[j]))
                }
            }
        } else if (included != "" && depth > 0) {
            print_header(included)
        }
    }
}

function print_body(lines, count,    i, included, inner, inner_count) {
    for (i = 1; i <= count; ++i) {
        included = ours(lines[i])
        if (is_adapter(included)) {
            inner_count = read_lines(included, inner)
            print_body(inner, inner_count)
        } else if (included != "") {
            print_header(included)
        } else if (lines[i] !~ /^#pragma once|^\/\/ SPDX-License-Identifier/) {
            print lines[i]
        }
    }
}

function read_lines(name, lines,    line, count, status) {
    delete lines
    count = 0
    while ((status = (getline line < (root "/" name))) > 0) {
        lines[++count] = line
    }
    close(root "/" name)
    if (status < 0) {
        print "no such header: " root "/" name > "/dev/stderr"
        exit 1
    }
    return count
}

BEGIN {
    print "// SPDX-License-" "Identifier: MIT" # in two pieces, or it would be taken for this file's
    print "//"
    print "// Made of " top " and what it includes; the licence's text is in the library's file LICENSE."
    print "#pragma once"
    print_header(top)
}
