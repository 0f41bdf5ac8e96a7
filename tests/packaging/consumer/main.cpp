// SPDX-License-Identifier: MIT
//
// What every way to get pagefold must be good for: a page through the default store, and through one of each codec that
// the build links.
#include <pagefold/pagefold.hpp>

#include <array>
#include <cstddef>
#include <cstdio>

namespace {

template <class Codec>
struct with : pagefold::default_config {
    using compressor_type = pagefold::chain<pagefold::same_filled, Codec>;
};

template <class Config>
bool keeps_a_page(const char* name) {
    pagefold::mmap_source<> source;
    pagefold::page_store<Config> store{source};
    const auto pool = store.create_pool();
    if (!pool) {
        return false;
    }
    std::array<std::byte, 4096> page{};
    std::array<std::byte, 4096> back{};
    for (std::size_t i = 0; i < page.size(); i += 3) {
        page[i] = static_cast<std::byte>(i / 64);
    }
    const pagefold::page_key key{*pool, 1, 0};
    const bool kept =
        store.put(key, page) == pagefold::status::ok && store.get(key, back) == pagefold::status::ok && back == page;
    std::printf("%s: %s\n", name, kept ? "ok" : "WRONG");
    return kept;
}

} // namespace

int main() {
    bool ok = keeps_a_page<pagefold::default_config>("default");
#if defined(PAGEFOLD_WITH_LZ4)
    ok = keeps_a_page<with<pagefold::lz4>>("lz4") && ok;
#endif
#if defined(PAGEFOLD_WITH_LZO)
    ok = keeps_a_page<with<pagefold::lzo>>("lzo") && ok;
#endif
#if defined(PAGEFOLD_WITH_ZSTD)
    ok = keeps_a_page<with<pagefold::zstd>>("zstd") && ok;
#endif
    return ok ? 0 : 1;
}
