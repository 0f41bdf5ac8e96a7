// SPDX-License-Identifier: MIT
//
// Built for a machine of another kind and run by an emulator: its vector path against the scalar one. Says on which page
// they differ; the status is the number of the check that failed.

#include "support/codec_paths.hpp"
#include "support/delta_pages.hpp"

#include <cstdio>

int main() {
    using namespace pagefold;
    using namespace pagefold::testing;
    const page_path path = default_page_path();
    std::printf("path %s\n", to_string(path));
    if (path == page_path::scalar) {
        std::puts("the machine has no vector path");
        return 1;
    }
    const std::int64_t differs[] = {
        first_disagreement<page_level::balanced>(path, 4096, 0, 240, 6),
        first_disagreement<page_level::fast>(path, 4096, 1000, 48, 2),
        first_disagreement<page_level::high>(path, 4096, 2000, 48, 2),
        first_disagreement<page_level::balanced>(path, 65536, 3000, 12, 4),
        first_disagreement_on_noise(path, 0, 1000),
        first_delta_disagreement(path, 0, 240),
    };
    int check = 2;
    for (const std::int64_t page : differs) {
        if (page >= 0) {
            std::printf("check %d: they differ on %lld\n", check, static_cast<long long>(page));
            return check;
        }
        ++check;
    }
    return 0;
}
