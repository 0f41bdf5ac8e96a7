// SPDX-License-Identifier: MIT
//
// What a kernel or a hypervisor does with pagefold, in small: a store over a static range of memory, with a codec of its
// own. freestanding_main answers 0, or the line of the first thing that went wrong.

#include <pagefold/freestanding.hpp>

namespace {

using namespace pagefold;

/// Keeps a page up to its last byte that is not zero. A byte more keeps its streams apart from those of same_filled.
struct without_zero_tail {
    [[nodiscard]] std::size_t scratch_size(std::size_t) const noexcept { return 0; }
    [[nodiscard]] status prepare(byte_span) const noexcept { return status::ok; }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return n; }

    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span) const noexcept {
        std::size_t size = in.size();
        while (size > min_stream_size + 1 && in[size - 1] == std::byte{0}) {
            --size;
        }
        if (size == in.size()) {
            return status::incompressible;
        }
        copy_bytes(out.data(), in.data(), size);
        return size;
    }

    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span) const noexcept {
        if (in.size() > out.size()) {
            return status::corrupt;
        }
        copy_bytes(out.data(), in.data(), in.size());
        fill_bytes(out.data() + in.size(), 0, out.size() - in.size());
        return status::ok;
    }
};

struct config : default_config {
    using compressor_type = chain<without_zero_tail>;
};

/// The codec and the policies that the default leaves out.
struct other_config : config {
    using compressor_type = chain<without_zero_tail, lz_block>;
    template <class Source, std::size_t PageSize>
    using allocator_type = guarded<counted<wiped<zs<Source, PageSize>>>>;
    using eviction_type = lru;
    using admission_type = ratio;
};

struct xv_config : config {
    template <class Source, std::size_t PageSize>
    using allocator_type = xv<Source, PageSize>;
};
struct tlsf_config : config {
    template <class Source, std::size_t PageSize>
    using allocator_type = tlsf<Source, PageSize>;
};

constexpr std::size_t page_size = config::page_size;
constexpr std::uint64_t pages = 192;
alignas(page_size) constinit std::byte memory[4 << 20]{};
constinit std::byte page[page_size]{};
constinit std::byte out[page_size]{};

// Every fourth page cannot be compressed, every fourth is same-filled.
byte_view content(std::uint64_t number) noexcept {
    const std::size_t filled = number % 4 == 0 ? page_size : number % 4 == 1 ? 0 : 64 + number * 7 % 2048;
    for (std::size_t i = 0; i < page_size; ++i) {
        page[i] = static_cast<std::byte>(i < filled ? (number * 31 + i * (i + number)) % 255 + 1 : 0);
    }
    return {page, page_size};
}

bool reads_back(status answer, std::uint64_t number) noexcept {
    return answer == status::ok && equal_bytes(content(number).data(), out, page_size);
}

#define PAGEFOLD_REQUIRE(...)                                                                                          \
    if (!(__VA_ARGS__)) {                                                                                              \
        return __LINE__;                                                                                               \
    }

/// The page codec on every path that this build has code for and this machine can run.
int round_trips() noexcept {
    alignas(scratch_alignment) static constinit std::byte scratch[sizeof(page_coding::workspace)]{};
    static constinit std::byte stream[page_size + 2 * page_size]{};
    const page_path_set available = available_page_paths();
    for (unsigned number = 0; number != page_paths; ++number) {
        const auto path = static_cast<page_path>(number);
        if (!available.contains(path)) {
            continue;
        }
        const auto codec = page_codec::with_path(path);
        for (std::uint64_t i = 1; i != 16; ++i) {
            const byte_view in = content(i);
            const result<std::size_t> size = codec.compress(in, {stream, sizeof stream}, {scratch, sizeof scratch});
            if (i % 4 != 0) { // the others are noise
                PAGEFOLD_REQUIRE(size);
                const byte_view kept{stream, *size};
                PAGEFOLD_REQUIRE(reads_back(codec.decompress(kept, {out, page_size}, {scratch, sizeof scratch}), i));
                const status cut = codec.decompress(kept.subview(1), {out, page_size}, {scratch, sizeof scratch});
                PAGEFOLD_REQUIRE(cut == status::corrupt);
            }
        }
    }
    PAGEFOLD_REQUIRE(available.contains(page_codec{}.path()));
    return 0;
}

template <class Store>
int use(Store& store) noexcept {
    const result<pool_id> persistent = store.create_pool();
    const result<pool_id> ephemeral = store.create_pool({.kind = pool_kind::ephemeral});
    PAGEFOLD_REQUIRE(persistent && ephemeral);
    for (std::uint64_t i = 0; i < pages; ++i) {
        PAGEFOLD_REQUIRE(store.put({*persistent, 1, i * 3}, content(i)) == status::ok);
        PAGEFOLD_REQUIRE(store.put({*ephemeral, 1, i}, content(i + 1)) == status::ok);
    }
    for (std::uint64_t i = 0; i < pages; ++i) {
        PAGEFOLD_REQUIRE(reads_back(store.get({*persistent, 1, i * 3}, {out, page_size}), i));
    }
    PAGEFOLD_REQUIRE(reads_back(store.take({*persistent, 1, 0}, {out, page_size}), 0));
    PAGEFOLD_REQUIRE(store.get({*persistent, 1, 0}, {out, page_size}) == status::not_found);
    PAGEFOLD_REQUIRE(store.erase({*persistent, 1, 3}) == status::ok);
    PAGEFOLD_REQUIRE(store.erase_range(*persistent, 1, 6, 6).value_or(0) == 2);
    PAGEFOLD_REQUIRE(store.erase_object(*persistent, 1).value_or(0) == pages - 4);
    PAGEFOLD_REQUIRE(store.check());
    static_cast<void>(store.compact(1 << 20));
    static_cast<void>(store.shrink(1 << 20));
    PAGEFOLD_REQUIRE(store.resize(2 << 20) == status::ok);
    PAGEFOLD_REQUIRE(store.stats().total_bytes <= 2 << 20);
    PAGEFOLD_REQUIRE(store.destroy_pool(*persistent) == status::ok && store.destroy_pool(*ephemeral) == status::ok);
    return 0;
}

struct ticks {
    std::uint64_t count = 0;
    [[nodiscard]] std::uint64_t now() noexcept { return count += 1'000; }
};

/// A budget that ages steer: of 64 pages half are used in every minute.
int steer() noexcept {
    static constinit std::uint8_t bytes[64]{};
    page_ages ages{bytes, sizeof bytes};
    promotion_rate rate{{.start_us = 0}};
    ticks clock;
    budget_options options;
    options.least_bytes = 0;
    options.most_bytes = 64 * page_size;
    options.time.ticks_a_second = 1'000;
    budget<ticks> steered{options, clock};
    for (int minute = 0; minute < 60; ++minute) {
        while (ages.scan(10, [](std::size_t i) noexcept { return i < 32 ? page_sight::accessed : page_sight::idle; }) !=
                   0 &&
               ages.sweeps() == static_cast<std::uint64_t>(minute)) {
        }
        rate.end_period(ages.accesses(), ages.working_set(), 60 * parts_per_million);
        ages.forget_accesses();
        budget_sample sample;
        sample.used_bytes = steered.bytes();
        const std::uint64_t cold = difference_or_zero(steered.bytes() / page_size, 32);
        sample.cold_bytes = rate.threshold() != no_age ? cold * page_size : 0;
        sample.stalled_us = 0;
        static_cast<void>(steered.step(sample));
    }
    PAGEFOLD_REQUIRE(ages.check());
    PAGEFOLD_REQUIRE(steered.bytes() == 32 * page_size);
    return 0;
}

} // namespace

extern "C" int freestanding_main() {
    static_source<spin_lock> source{{memory, sizeof memory}};
    int answer = 0;
    {
        page_store<config> store{source};
        answer = use(store);
    }
    if (answer == 0) {
        partitioned_store<other_config> store{source, {.limit_bytes = 3 << 20, .partitions = 2}, {}, ratio{}};
        answer = use(store);
    }
    if (answer == 0) {
        page_store<xv_config> store{source};
        answer = use(store);
    }
    if (answer == 0) {
        page_store<default_config> store{source};
        answer = use(store);
    }
    if (answer == 0) {
        page_store<tlsf_config> store{source};
        answer = use(store);
    }
    PAGEFOLD_REQUIRE(host_locality::current() == any_node);
    const std::uint64_t seed = host_seed();
    PAGEFOLD_REQUIRE(seed != 0 && host_seed() != seed);
    PAGEFOLD_REQUIRE(answer != 0 || source.acquired_bytes() == 0);
    answer = answer != 0 ? answer : steer();
    return answer != 0 ? answer : round_trips();
}
