// SPDX-License-Identifier: MIT
//
// Pages in and out of a store over an mmap_source, by two threads. Ends with 0 where every page came back.

#include <pagefold/pagefold.hpp>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t page_bytes = 4096;
constexpr unsigned pages = 1500;
using store_type = pagefold::page_store<pagefold::default_config>;

void make_page(std::vector<std::byte>& page, unsigned i) {
    for (std::size_t at = 0; at < page_bytes; ++at) {
        page[at] = std::byte((at >> i % 7) * i >> 3 & 0xff);
    }
}

bool work(store_type& store, pagefold::pool_id pool, std::uint64_t object) {
    std::vector<std::byte> page(page_bytes), back(page_bytes);
    const auto key = [&](unsigned i) { return pagefold::page_key{pool, object, i}; };
    for (unsigned i = 0; i < pages; ++i) {
        make_page(page, i);
        if (store.put(key(i), page) != pagefold::status::ok) {
            return false;
        }
    }
    for (unsigned i = 0; i < pages; ++i) {
        make_page(page, i);
        if (store.get(key(i), back) != pagefold::status::ok || std::memcmp(page.data(), back.data(), page_bytes) != 0) {
            return false;
        }
        if (i % 2 == 0 && store.erase(key(i)) != pagefold::status::ok) {
            return false;
        }
    }
    return true;
}

} // namespace

int main() {
    pagefold::mmap_source<> source;
    bool is_right = source.capacity_bytes() != 0;
    {
        store_type store{source};
        const auto pool = store.create_pool({});
        if (!pool) {
            std::printf("no pool: %s\n", pagefold::to_string(pool.error()));
            return 2;
        }
        bool is_other_right = true;
        std::thread other;
        try {
            other = std::thread([&] { is_other_right = work(store, *pool, 2); });
        } catch (const std::system_error& why) {
            std::printf("no thread: %s\n", why.what());
            return 2;
        }
        is_right = work(store, *pool, 1) && is_right;
        other.join();
        is_right = is_right && is_other_right && store.check() && source.check();
        source.trim();
    }
    const pagefold::result<void*> large = source.acquire(3000, pagefold::any_node);
    if (large) {
        source.release(*large, 3000);
    }
    source.trim();
    is_right = is_right && source.check() && source.acquired_bytes() == 0;
    std::printf("%s, of %zu MiB\n", is_right ? "every page came back" : "SOMETHING IS WRONG",
                source.capacity_bytes() >> 20);
    return is_right ? 0 : 1;
}
