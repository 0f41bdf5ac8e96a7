// SPDX-License-Identifier: MIT
#include "admissions.hpp"

#include "cache.hpp"

#include <pagefold/admit/all_of.hpp>
#include <pagefold/admit/always.hpp>
#include <pagefold/admit/cost_aware.hpp>
#include <pagefold/admit/ratio.hpp>
#include <pagefold/admit/second_touch.hpp>
#include <pagefold/admit/size_aware.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/evict/probation_clock.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <cstdint>
#include <ctime>
#include <stdexcept>
#include <string>
#include <vector>

namespace pagefold::replay {
namespace {

constexpr std::size_t page_bytes = 4096;

/// The first word of a page says how long its stream is; the stream is the beginning of the page.
struct stated_length {
    [[nodiscard]] std::size_t scratch_size(std::size_t) const noexcept { return 0; }
    [[nodiscard]] status prepare(byte_span) const noexcept { return status::ok; }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return n; }
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span) const noexcept {
        const auto length = static_cast<std::size_t>(load_native<std::uint32_t>(in.data()));
        if (length >= in.size()) {
            return status::incompressible;
        }
        copy_bytes(out.data(), in.data(), length);
        return length;
    }
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span) const noexcept {
        copy_bytes(out.data(), in.data(), in.size());
        return status::ok;
    }
};

[[nodiscard]] std::uint32_t stream_bytes(std::uint32_t object) noexcept {
    const std::uint64_t random = mix(object, 11);
    const std::uint64_t kind = random % 10;
    return kind == 0 ? 8 : kind == 1 ? page_bytes : static_cast<std::uint32_t>(300 + (random >> 32) % 3200);
}

template <class Eviction, class Admission>
struct config : default_config {
    using compressor_type = stated_length;
    using eviction_type = Eviction;
    using admission_type = Admission;
    using lock_type = null_lock;
};

template <class Eviction, class Admission>
[[nodiscard]] admission_contender with(const std::string& name, const Admission& admission = Admission{}) {
    admission_contender c;
    c.name = name;
    c.run = [=](const trace& t, std::size_t size, const progress& tell) {
        malloc_source source;
        store_options options;
        options.limit_bytes = std::size_t{512} * 1024 + size * 2048;
        options.seed = 1;
        page_store<config<Eviction, Admission>> store{source, options, stated_length{}, admission};
        const pool_id pool = store.create_pool({.kind = pool_kind::ephemeral}).value();
        std::vector<std::byte> page(page_bytes);
        admission_outcome outcome;
        const std::clock_t began = std::clock();
        for (std::size_t i = 0; i < t.requests.size(); ++i) {
            const std::uint32_t object = t.requests[i];
            const page_key key{pool, 1, object};
            if (store.get(key, page) == status::ok) {
                if (load_native<std::uint32_t>(page.data() + 4) != object) {
                    throw std::logic_error{name + " gave another page"};
                }
            } else {
                ++outcome.misses;
                store_native(page.data(), stream_bytes(object));
                store_native(page.data() + 4, object);
                outcome.stored += store.put(key, page) == status::ok ? 1u : 0u;
            }
            if (i % (std::size_t{1} << 18) == 0) {
                tell(static_cast<unsigned>(i * 1000 / t.requests.size()));
            }
        }
        outcome.seconds = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
        return outcome;
    };
    return c;
}

} // namespace

const std::vector<admission_contender>& admission_contenders() {
    using touch_and_ratio = all_of<second_touch, ratio>;
    using touch_and_size = all_of<second_touch, size_aware>;
    static const std::vector<admission_contender> all{
        with<lru, always>("lru, always"),
        with<lru, second_touch>("lru, second_touch"),
        with<clock, always>("clock, always"),
        with<clock, second_touch>("clock, second_touch"),
        with<probation_clock, always>("probation_clock, always"),
        with<probation_clock, ratio>("probation_clock, ratio 7/8, refusing", ratio{875, admission::reject}),
        with<probation_clock, second_touch>("probation_clock, second_touch"),
        with<probation_clock, second_touch>("probation_clock, second_touch 300%", second_touch{300}),
        with<probation_clock, size_aware>("probation_clock, size_aware 2048", size_aware{2048}),
        with<probation_clock, size_aware>("probation_clock, size_aware 512", size_aware{512}),
        with<probation_clock, cost_aware>("probation_clock, cost_aware", cost_aware{}),
        with<probation_clock, touch_and_ratio>("probation_clock, second_touch and ratio",
                                               touch_and_ratio{second_touch{}, ratio{875, admission::reject}}),
        with<probation_clock, touch_and_size>("probation_clock, second_touch and size_aware",
                                              touch_and_size{second_touch{}, size_aware{2048}}),
    };
    return all;
}

} // namespace pagefold::replay
