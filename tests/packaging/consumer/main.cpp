// SPDX-License-Identifier: MIT
#include <pagefold/pagefold.hpp>

#include <cstring>

int main() {
    pagefold::mmap_source<> source;
    pagefold::page_store<pagefold::default_config> store{source};
    const auto pool = store.create_pool();
    if (!pool) {
        return 1;
    }
    std::byte page[4096]{};
    std::byte out[4096]{};
    std::memcpy(page, "a page", 6);
    const pagefold::page_key key{*pool, 1, 0};
    if (store.put(key, {page, sizeof page}) != pagefold::status::ok) {
        return 2;
    }
    return store.get(key, {out, sizeof out}) == pagefold::status::ok && std::memcmp(page, out, sizeof page) == 0 ? 0
                                                                                                                 : 3;
}
