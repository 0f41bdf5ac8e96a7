// SPDX-License-Identifier: MIT
#include <pagefold/store/image_format.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace unit_store_image_format {

using namespace pagefold;
using namespace pagefold::image_format;

TEST_CASE("image_format: a header comes back, and each bit of it counts") {
    std::byte bytes[header_bytes];
    const image_header was{1, 2, 3, 4096, 5, true};
    store_header(bytes, was);
    image_header is;
    REQUIRE(load_header(bytes, is) == status::ok);
    CHECK((is.id == 1 && is.codec == 2 && is.delta == 3 && is.page_size == 4096 && is.most_payload == 5 &&
           is.has_values));
    for (std::size_t bit = 0; bit < header_bytes * 8; ++bit) {
        bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
        CHECK(load_header(bytes, is) == status::corrupt);
        bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    }
    for (const std::size_t at : {std::size_t{8}, std::size_t{41}, std::size_t{50}}) { // of another version
        bytes[at] ^= std::byte{4};
        little_endian::store(bytes + 56, checksum({bytes, header_bytes - 8}, header_seed));
        CHECK(load_header(bytes, is) == status::invalid);
        bytes[at] ^= std::byte{4};
    }
}

TEST_CASE("image_format: a frame is that of its image and its number, and each bit of it counts") {
    std::byte bytes[head_bytes + 16]{};
    store_head(bytes, {image_frame::pages, 16, 7, 3, 2}, 99);
    image_frame_head h;
    REQUIRE(load_head(bytes, 99, 7, h) == status::ok);
    CHECK((h.kind == image_frame::pages && h.payload == 16 && h.pool == 3 && h.count == 2));
    CHECK(is_payload_good(bytes, h, 99));
    CHECK(load_head(bytes, 98, 7, h) == status::corrupt);
    CHECK(load_head(bytes, 99, 8, h) == status::corrupt);
    for (std::size_t bit = 0; bit < sizeof bytes * 8; ++bit) {
        bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
        const bool is_head = bit / 8 < head_bytes;
        CHECK((load_head(bytes, 99, 7, h) == status::ok) != is_head);
        CHECK((is_head || !is_payload_good(bytes, h, 99)));
        bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    }
}

TEST_CASE("image_format: pages of each form come back, and short ones don't") {
    for (const page_content content :
         {page_content::own, page_content::in_entry, page_content::raw, page_content::reference, page_content::delta}) {
        for (const bool is_next : {false, true}) {
            for (const bool is_other : {false, true}) {
                kept_page before, was;
                before.object = was.object = ~std::uint64_t{0};
                before.index = 41;
                was.index = 42;
                was.content = content;
                was.length = 4096;
                was.stream = content == page_content::reference ? 0 : content == page_content::raw ? 4096 : 65536;
                if (was.has_base()) {
                    was.base_print = 0x1234;
                    was.base_object = is_other ? 5 : was.object;
                    was.base_index = is_other ? 6 : was.index;
                }
                std::vector<std::byte> bytes(most_record_bytes + was.stream);
                const std::size_t head = store_page(bytes.data(), was, is_next ? &before : nullptr);
                CHECK(head <= most_record_bytes);
                CHECK(head >= (is_next ? 8u : 24u));
                kept_page is = before;
                REQUIRE(load_page({bytes.data(), head + was.stream}, is, true).value() == head);
                CHECK((is.object == was.object && is.index == was.index && is.content == content));
                CHECK((is.length == was.length && is.stream == was.stream && is.base_print == was.base_print));
                CHECK((is.base_object == was.base_object && is.base_index == was.base_index));
                for (std::size_t size = 0; size < head + was.stream; size += size < head ? 1 : 1000) {
                    is = before;
                    CHECK(load_page({bytes.data(), size}, is, true).error() == status::corrupt);
                }
                is = before;
                CHECK(load_page({bytes.data(), head + was.stream}, is, false).error() ==
                      (is_next ? status::corrupt : status::ok));
            }
        }
    }
}

TEST_CASE("image_format: pools and cursors") {
    std::byte bytes[pool_bytes];
    image_pool_info was{3, 11, 22, 1, pool_kind::ephemeral, false}, is;
    store_pool(bytes, was);
    REQUIRE(load_pool({bytes, pool_bytes}, 3, is) == status::ok);
    CHECK((is.tag == 11 && is.parent_tag == 22 && is.parent == 1 && is.kind == pool_kind::ephemeral && !is.is_sealed));
    CHECK(load_pool({bytes, pool_bytes}, 1, is) == status::corrupt); // its own parent
    CHECK(load_pool({bytes, pool_bytes - 1}, 3, is) == status::corrupt);
    was.is_sealed = true; // no pool is a parent and a clone
    store_pool(bytes, was);
    CHECK(load_pool({bytes, pool_bytes}, 3, is) == status::corrupt);
    pool_cursor at{pool_id{}, 1, 2, 3, 4, 5, 6}, back;
    store_cursor(bytes, at);
    load_cursor(bytes, back);
    CHECK((back.route == 1 && back.partition == 2 && back.below == 3 && back.page == 4 && back.passes == 5 &&
           back.passes_left == 6));
}

} // namespace unit_store_image_format
