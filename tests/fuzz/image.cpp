// SPDX-License-Identifier: MIT
//
// Images of any bytes, into a store with clones: nothing is asserted, nothing outside a buffer is touched, whatever they are.
// What came into the store can be read, or is corrupt, and all of it goes again.
//
// Input: a byte of flags (1: passes over damage, 2: verifies, 4: the image gets the checks that its bytes should have, 8: it is read
// a byte at a time), then the image.

#include "fuzz/support/require.hpp" // first

#include "fuzz/support/heap_source.hpp"

#include <support/image_streams.hpp>

#include <pagefold/compress/page_delta.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using namespace pagefold;
struct config : default_config {
    using delta_type = page_delta;
};
using store_type = page_store<config>;

/// Reads some pages of the pool, whatever they are.
void read(store_type& store, pool_id pool) {
    pool_cursor cursor{pool};
    walked_page few[16];
    std::vector<std::byte> page(4096);
    const result<std::size_t> count = store.walk(cursor, few, 16);
    PAGEFOLD_FUZZ_REQUIRE(static_cast<bool>(count));
    for (std::size_t i = 0; i < *count; ++i) {
        const status s = store.peek({pool, few[i].object, few[i].index}, page);
        PAGEFOLD_FUZZ_REQUIRE(s == status::ok || s == status::corrupt);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const unsigned flags = data[0];
    const auto* const from = reinterpret_cast<const std::byte*>(data);
    std::vector<std::byte> image(from + 1, from + size);
    fuzz::heap_source source{4096};
    {
        store_type store{source, {.limit_bytes = 1u << 20, .seed = 1}};
        if ((flags & 4) != 0) {
            if (image.size() >= image_format::header_bytes) { // one for this store
                image_header header;
                header.id = 5;
                header.codec = store.stream_format();
                header.delta = store.delta_format();
                header.page_size = 4096;
                header.most_payload = 8000;
                image_format::store_header(image.data(), header);
            }
            testing::seal_again(image);
        }
        testing::image_bytes bytes{image, (flags & 8) != 0 ? std::size_t{1} : ~std::size_t{0}};
        std::vector<std::byte> buffer(16384);
        std::vector<std::uint32_t> marks(8);
        pool_id ids[4]{};
        restored_pools pools{store, ids, 4};
        image_reader reader{store,
                            bytes,
                            pools,
                            buffer,
                            {.on_damage = (flags & 1) != 0 ? image_damage::skip : image_damage::stop,
                             .verifies = (flags & 2) != 0,
                             .marks = marks.data(),
                             .mark_words = marks.size()}};
        const status s = reader.run();
        PAGEFOLD_FUZZ_REQUIRE(s == status::ok || s == status::corrupt || s == status::invalid ||
                              s == status::too_short || s == status::limit);
        for (const pool_id pool : ids) {
            if (pool != pool_id{}) {
                read(store, pool);
            }
        }
        PAGEFOLD_FUZZ_REQUIRE(store.check());
        pools.drop_all();
        PAGEFOLD_FUZZ_REQUIRE(store.stats().stored_pages == 0);
    }
    return 0;
}
