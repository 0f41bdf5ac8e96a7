// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/store/image.hpp>
#include <pagefold/store/image_reader.hpp>
#include <pagefold/store/image_writer.hpp>
#include <pagefold/store/restored_pools.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace pagefold::testing {

/// Keeps an image's bytes. Refuses once what would take it beyond `room`, having taken a part of it, as a full disk does.
class kept_image {
public:
    status write(byte_view from) noexcept {
        if (refuses && bytes.size() + from.size() > room) {
            refuses = false;
            const std::size_t part = room > bytes.size() ? room - bytes.size() : 0;
            bytes.insert(bytes.end(), from.data(), from.data() + part);
            return answer;
        }
        bytes.insert(bytes.end(), from.data(), from.data() + from.size());
        return status::ok;
    }
    void refuse_beyond(std::size_t size, status with = status::unavailable) {
        refuses = true;
        room = size;
        answer = with;
    }

    std::vector<std::byte> bytes;

private:
    std::size_t room = 0;
    status answer = status::unavailable;
    bool refuses = false;
};

/// Hands an image's bytes out, at most `most` at a time.
class image_bytes {
public:
    explicit image_bytes(const std::vector<std::byte>& bytes, std::size_t most = ~std::size_t{0}) noexcept
        : bytes_{&bytes}, most_{most} {}
    result<std::size_t> read(byte_span to) noexcept {
        if (refusals != 0) {
            --refusals;
            return status::busy;
        }
        const std::size_t left = bytes_->size() - at, size = to.size() < most_ ? to.size() : most_;
        const std::size_t count = size < left ? size : left;
        copy_bytes(to.data(), byte_view{bytes_->data() + at, count});
        at += count;
        return count;
    }

    std::size_t at = 0;
    unsigned refusals = 0; ///< that come next

private:
    const std::vector<std::byte>* bytes_;
    std::size_t most_;
};

/// Saves pools, at once.
template <class Store>
[[nodiscard]] std::vector<std::byte> image_of(Store& store, const std::vector<image_pool>& pools,
                                              const image_options& options = {}, std::size_t buffer_bytes = 0) {
    kept_image sink;
    std::vector<std::byte> buffer(buffer_bytes != 0 ? buffer_bytes : good_image_buffer(Store::page_size));
    image_writer writer{store, sink, buffer, pools.data(), static_cast<std::uint32_t>(pools.size()), options};
    return writer.run() == status::ok ? std::move(sink.bytes) : std::vector<std::byte>{};
}

/// A restore of an image into new pools.
template <class Store>
struct restore {
    restore(Store& into, const std::vector<std::byte>& image, const image_reading& how = {},
            std::size_t most = ~std::size_t{0})
        : source{image, most}, buffer(2 * good_image_buffer(Store::page_size)),
          ids(8), pools{into, ids.data(), static_cast<std::uint32_t>(ids.size())}, reader{into, source, pools, buffer,
                                                                                          how} {}

    image_bytes source;
    std::vector<std::byte> buffer;
    std::vector<pool_id> ids;
    restored_pools<Store> pools;
    image_reader<Store, image_bytes, restored_pools<Store>> reader;
};

/// Gives an image that was changed the checks that its bytes should have, as far as its frames can be followed: what comes
/// through is for those who don't believe it.
inline void seal_again(std::vector<std::byte>& image) {
    using namespace image_format;
    if (image.size() < header_bytes) {
        return;
    }
    std::byte* const bytes = image.data();
    little_endian::store(bytes + 56, checksum({bytes, header_bytes - 8}, header_seed));
    const auto id = little_endian::load<std::uint64_t>(bytes + 16);
    std::uint64_t sequence = 0;
    for (std::size_t at = header_bytes; image.size() - at >= head_bytes;) {
        const std::size_t payload = little_endian::load<std::uint32_t>(bytes + at + 16);
        little_endian::store(bytes + at + 8, sequence);
        if (payload > image.size() - at - head_bytes) {
            return;
        }
        little_endian::store(bytes + at + 24,
                             checksum({bytes + at + head_bytes, payload}, seed_of(id, sequence, payload_seed)));
        little_endian::store(bytes + at + 32, checksum({bytes + at, head_bytes - 8}, seed_of(id, sequence, head_seed)));
        at += head_bytes + payload;
        ++sequence;
    }
}

} // namespace pagefold::testing
