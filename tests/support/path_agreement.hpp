// SPDX-License-Identifier: MIT
#pragma once

#include <support/codec_paths.hpp>

#include <doctest/doctest.h>

#include <string>

namespace pagefold::testing {

/// A path of the page codec gives the streams and the answers of the scalar one. Where it can't run the test says so, and
/// counts as skipped.
inline void check_agreement(page_path path) {
    if (!available_page_paths().contains(path)) {
        MESSAGE("skipped: this machine does not run the path ", std::string{to_string(path)});
        return;
    }
    CHECK(first_disagreement<page_level::balanced>(path, 4096, 0, 360, 6) == -1);
    CHECK(first_disagreement<page_level::fast>(path, 4096, 10000, 120, 3) == -1);
    CHECK(first_disagreement<page_level::high>(path, 4096, 20000, 120, 3) == -1);
    CHECK(first_disagreement<page_level::balanced>(path, 16384, 30000, 36, 6) == -1);
    CHECK(first_disagreement<page_level::high>(path, 65536, 40000, 12, 6) == -1);
    CHECK(first_disagreement_on_flips(path, 4096, 50000, 30) == -1);
    CHECK(first_disagreement_on_noise(path, 0, 2000) == -1);
}

} // namespace pagefold::testing
