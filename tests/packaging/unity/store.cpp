// SPDX-License-Identifier: MIT
//
// Everything.
#include "units.hpp"

#include <pagefold/pagefold.hpp>

#include <array>

bool store_keeps(pagefold::byte_view page) {
    pagefold::mmap_source<> memory;
    pagefold::page_store<pagefold::default_config> store{memory};
    std::array<std::byte, 4096> back;
    const auto pool = store.create_pool();
    return pool && store.put({*pool, 1, 1}, page) == pagefold::status::ok &&
           store.get({*pool, 1, 1}, back) == pagefold::status::ok &&
           pagefold::equal_bytes(back.data(), page.data(), back.size());
}

int main() {
    std::array<std::byte, 4096> page{};
    for (std::size_t i = 0; i < page.size(); i += 5) {
        page[i] = static_cast<std::byte>(i >> 4);
    }
    return codec_keeps(page) && allocator_keeps(page) && store_keeps(page) ? 0 : 1;
}
