// SPDX-License-Identifier: MIT
#pragma once

// The contract of a compressor (the table in compress/concept.hpp) as a function that says which of its clauses a codec
// breaks: empty for a good one. That makes the suite testable itself, by codecs that break one clause each.
//
// Buffers come in two kinds. First with a margin of known bytes on both sides, so that a stray write is seen and a stray
// read gives another result when the margin changes. Then, for a codec that kept inside, flush between two pages without
// access, which catches reads of any kind, in libraries that no sanitizer instruments too.

#include <pagefold/compress/concept.hpp>

#include <support/rng.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <utility>
#include <vector>

namespace pagefold::testing {

enum class compressor_clause {
    prepare_accepts,         ///< prepare takes a scratch of scratch_size(n)
    checks_scratch,          ///< a smaller one is `invalid`
    checks_bound,            ///< so is an `out` below the bound
    compress_status,         ///< compress answers a length, or incompressible
    stream_length,           ///< from min_stream_size to below the page's size
    deterministic,           ///< the same page gives the same stream, whatever the scratch was used for before
    round_trip,              ///< decompress gives the page back
    refuses_wrong_size,      ///< a stream that tells sizes apart is not `ok` for a page of another size
    damaged_status,          ///< damaged bytes are `ok` or `corrupt`
    fills_out,               ///< `ok` says that all of `out` was written
    input_untouched,         ///< neither writes to its `in`
    compress_stays_inside,   ///< writes nothing outside `out`, reads nothing outside `in`
    decompress_stays_inside, ///< the same
    pair_is_two_calls,       ///< of a pair_decompressor: both answers and both pages are those of two calls
    concurrent,              ///< calls from many threads, each with a scratch of its own, agree with those of one
};

[[nodiscard]] inline const char* to_string(compressor_clause clause) noexcept {
    switch (clause) {
    case compressor_clause::prepare_accepts: return "prepare_accepts";
    case compressor_clause::checks_scratch: return "checks_scratch";
    case compressor_clause::checks_bound: return "checks_bound";
    case compressor_clause::compress_status: return "compress_status";
    case compressor_clause::stream_length: return "stream_length";
    case compressor_clause::deterministic: return "deterministic";
    case compressor_clause::round_trip: return "round_trip";
    case compressor_clause::refuses_wrong_size: return "refuses_wrong_size";
    case compressor_clause::damaged_status: return "damaged_status";
    case compressor_clause::fills_out: return "fills_out";
    case compressor_clause::input_untouched: return "input_untouched";
    case compressor_clause::compress_stays_inside: return "compress_stays_inside";
    case compressor_clause::decompress_stays_inside: return "decompress_stays_inside";
    case compressor_clause::pair_is_two_calls: return "pair_is_two_calls";
    case compressor_clause::concurrent: return "concurrent";
    }
    return "unknown";
}

using byte_string = std::vector<std::byte>;

/// Whole ranges at a time: what std::equal makes of bytes is slow under sanitizers.
[[nodiscard]] inline bool same(byte_view a, byte_view b) noexcept {
    return a.size() == b.size() && (a.empty() || equal_bytes(a.data(), b.data(), a.size()));
}
[[nodiscard]] inline bool same(const std::optional<byte_string>& a, const std::optional<byte_string>& b) noexcept {
    return a.has_value() == b.has_value() && (!a || same(byte_view{*a}, byte_view{*b}));
}

/// Pages of many kinds, the same for the same size.
[[nodiscard]] inline std::vector<byte_string> sample_pages(std::size_t size) {
    std::vector<byte_string> pages;
    rng random{size};
    const auto add = [&](auto byte_at) {
        byte_string page(size);
        for (std::size_t i = 0; i < size; ++i) {
            page[i] = static_cast<std::byte>(byte_at(i));
        }
        pages.push_back(std::move(page));
    };
    const auto add_words = [&](auto word_at) {
        byte_string page(size);
        for (std::size_t i = 0; i < size; i += sizeof(std::uint64_t)) {
            const std::uint64_t word = word_at(i / sizeof word);
            std::memcpy(page.data() + i, &word, sizeof word);
        }
        pages.push_back(std::move(page));
    };
    add([](std::size_t) { return 0; });
    add([](std::size_t) { return 0xff; });
    add([](std::size_t i) { return "swapfold"[i % 8]; });
    for (const std::size_t odd_one : {std::size_t{0}, std::size_t{7}, std::size_t{8}, size / 2, size - 8, size - 1}) {
        add([=](std::size_t i) { return i == odd_one ? 1 : 0; });
        add([=](std::size_t i) { return i == odd_one ? 'S' : "swapfold"[i % 8]; });
    }
    static constexpr const char* words[] = {"the ",    "page ",  "of ",  "memory ", "is ",
                                            "folded ", "away, ", "and ", "back ",   "again. "};
    std::string text;
    while (text.size() < size) {
        text += words[random.below(std::size(words))];
    }
    add([&](std::size_t i) { return text[i]; });
    add_words([&](std::size_t) { return 0x7f3a'5c00'0000u + 16 * random.below(4096); });          // pointers
    add_words([&](std::size_t i) { return (std::uint64_t{i} << 33) | (random.below(100) + i); }); // integers
    add_words([&](std::size_t) { return random.one_in(6) ? random() : 0; });                      // sparse
    add_words([&](std::size_t i) { return i < size / 32 ? random() : 0; });                       // a quarter noise
    add([](std::size_t i) { return i * i / 251; });
    add_words([&](std::size_t) { return random(); });
    return pages;
}

/// Exactly `size` bytes, aligned as a scratch must be; contents arbitrary but known.
class scratch_memory {
public:
    explicit scratch_memory(std::size_t size) : size_{size}, data_{static_cast<std::byte*>(allocate(size))} {
        std::fill_n(data_.get(), size, std::byte{0});
    }
    [[nodiscard]] byte_span span() const noexcept { return {data_.get(), size_}; }

private:
    static void* allocate(std::size_t size) {
        void* memory = nullptr;
        if (posix_memalign(&memory, scratch_alignment, size) != 0) {
            std::abort();
        }
        return memory;
    }
    struct deleter {
        void operator()(std::byte* p) const noexcept { std::free(p); }
    };
    std::size_t size_;
    std::unique_ptr<std::byte, deleter> data_;
};

/// What a buffer is surrounded by: at most `count` known bytes from `from` on.
class margin {
public:
    static constexpr std::size_t max_size = 257; // odd, so that buffers begin at odd addresses

    void fill(std::byte* from, std::size_t count, unsigned noise) noexcept {
        from_ = from;
        count_ = count < max_size ? count : max_size;
        pattern_ = noise == 0 ? 0x6b : 0x94;
        fill_bytes(from_, pattern_, count_);
    }
    [[nodiscard]] bool is_intact() const noexcept {
        std::byte expected[max_size];
        fill_bytes(expected, pattern_, count_);
        return same({from_, count_}, {expected, count_});
    }

private:
    std::byte* from_ = nullptr;
    std::size_t count_ = 0;
    unsigned char pattern_ = 0;
};

/// A buffer whose surroundings are watched. `place(n, noise)` gives n bytes of it; the noise chooses the bytes around.
class margin_buffer {
public:
    static constexpr bool shows_stray_reads = true;

    explicit margin_buffer(std::size_t capacity) : memory_(capacity + 2 * margin::max_size) {}

    [[nodiscard]] byte_span place(std::size_t size, unsigned noise) {
        std::byte* const begin = memory_.data() + margin::max_size;
        before_.fill(memory_.data(), margin::max_size, noise);
        behind_.fill(begin + size, margin::max_size, noise);
        return {begin, size};
    }
    [[nodiscard]] bool is_intact() const { return before_.is_intact() && behind_.is_intact(); }

private:
    byte_string memory_;
    margin before_;
    margin behind_;
};

/// The same interface over memory that ends where access ends; where the size is whole pages, it also begins there.
class fenced_buffer {
public:
    static constexpr bool shows_stray_reads = false; // it makes them fatal instead

    explicit fenced_buffer(std::size_t capacity) : capacity_{(capacity + fence - 1) / fence * fence} {
        void* const memory = mmap(nullptr, capacity_ + 2 * fence, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED ||
            mprotect(static_cast<std::byte*>(memory) + fence, capacity_, PROT_READ | PROT_WRITE) != 0) {
            std::abort();
        }
        memory_ = static_cast<std::byte*>(memory);
    }
    ~fenced_buffer() { munmap(memory_, capacity_ + 2 * fence); }
    fenced_buffer(const fenced_buffer&) = delete;
    fenced_buffer& operator=(const fenced_buffer&) = delete;

    [[nodiscard]] byte_span place(std::size_t size, unsigned noise) {
        std::byte* const begin = memory_ + fence + capacity_ - size;
        const std::size_t room = capacity_ - size < margin::max_size ? capacity_ - size : margin::max_size;
        before_.fill(begin - room, room, noise);
        return {begin, size};
    }
    [[nodiscard]] bool is_intact() const { return before_.is_intact(); }

private:
    static constexpr std::size_t fence = 65536; // any page size that a machine may have
    std::size_t capacity_;
    std::byte* memory_ = nullptr;
    margin before_;
};

namespace detail {

template <compressor Codec, class Buffer>
class compressor_checks {
    using clause = compressor_clause;

public:
    compressor_checks(const Codec& codec, std::size_t page_size, std::set<compressor_clause>& broken)
        : codec_{codec}, page_size_{page_size}, broken_{broken}, scratch_{codec.scratch_size(page_size)},
          in_{capacity()}, out_{capacity()}, second_in_{capacity()}, second_out_{capacity()} {}

    /// In stages, each resting on those before: after the first that finds something, more would only be consequences.
    void run() {
        expect(codec_.prepare(scratch_.span()) == status::ok, clause::prepare_accepts);
        if (!broken_.empty()) {
            return;
        }
        const std::vector<byte_string> pages = sample_pages(page_size_);
        std::vector<std::optional<byte_string>> streams;
        for (const byte_string& page : pages) {
            streams.push_back(check_page(page));
        }
        for (std::size_t i = 0; i < pages.size() && broken_.empty(); ++i) {
            check_again(pages[i], streams[i]);
        }
        for (std::size_t i = 0; i < pages.size() && broken_.empty(); ++i) {
            check_small_out(pages[i]);
        }
        if (broken_.empty()) {
            check_small_scratch(pages, streams);
        }
        for (std::size_t i = 0; i < pages.size() && broken_.empty(); ++i) {
            if (streams[i]) {
                check_wrong_sizes(*streams[i]);
            }
        }
        for (std::size_t i = 0; i < pages.size() && broken_.empty(); ++i) {
            if (streams[i]) {
                check_damage(pages[i], *streams[i]);
            }
        }
        if (broken_.empty()) {
            check_noise();
        }
        if constexpr (pair_decompressor<Codec>) {
            if (broken_.empty()) {
                check_pairs(streams);
            }
        }
        if (broken_.empty()) {
            check_threads(pages, streams);
        }
    }

private:
    struct decompressed {
        status outcome;
        byte_string page; // empty after a failure

        [[nodiscard]] bool is(const byte_string& wanted) const noexcept {
            return outcome == status::ok && same(byte_view{page}, byte_view{wanted});
        }
    };

    [[nodiscard]] std::size_t capacity() const {
        return std::max({codec_.bound(page_size_), 2 * page_size_, page_size_ + 8});
    }

    void expect(bool holds, clause which) {
        if (!holds) {
            broken_.insert(which);
        }
    }

    /// The stream, nothing where there is none; all that a single call can break is checked.
    std::optional<byte_string> compress(const byte_string& page, byte_span scratch, unsigned noise) {
        const byte_span in = in_.place(page.size(), noise);
        copy_bytes(in.data(), page.data(), page.size());
        const byte_span out = out_.place(codec_.bound(page.size()), noise);
        fill_bytes(out.data(), static_cast<unsigned char>(noise), out.size());
        const result<std::size_t> length = codec_.compress(in, out, scratch);
        expect(in_.is_intact() && out_.is_intact(), clause::compress_stays_inside);
        expect(same(byte_view{page}, in), clause::input_untouched);
        if (!length) {
            expect(length.error() == status::incompressible, clause::compress_status);
            return std::nullopt;
        }
        if (*length < min_stream_size || *length >= page.size() || *length > out.size()) {
            broken_.insert(clause::stream_length);
            return std::nullopt;
        }
        return byte_string(out.data(), out.data() + *length);
    }

    decompressed decompress(byte_view stream, std::size_t size, byte_span scratch, unsigned noise) {
        const byte_span in = in_.place(stream.size(), noise);
        std::copy_n(stream.data(), stream.size(), in.data());
        const byte_span out = out_.place(size, noise);
        fill_bytes(out.data(), noise == 0 ? 0xa5 : 0x5a, out.size());
        const status outcome = codec_.decompress(in, out, scratch);
        expect(in_.is_intact() && out_.is_intact(), clause::decompress_stays_inside);
        expect(same(stream, in), clause::input_untouched);
        return {outcome, outcome == status::ok ? byte_string(out.data(), out.data() + size) : byte_string{}};
    }

    std::optional<byte_string> check_page(const byte_string& page) {
        const std::optional<byte_string> stream = compress(page, scratch_.span(), 0);
        if constexpr (Buffer::shows_stray_reads) {
            expect(same(compress(page, scratch_.span(), 0), stream), clause::deterministic);
            // Only what lies around the page is another now.
            expect(!broken_.empty() || same(compress(page, scratch_.span(), 1), stream), clause::compress_stays_inside);
        }
        if (stream) {
            const decompressed back = decompress(*stream, page.size(), scratch_.span(), 0);
            const decompressed again = decompress(*stream, page.size(), scratch_.span(), 1);
            if (back.outcome == status::ok && again.outcome == status::ok && !back.is(again.page)) {
                broken_.insert(clause::fills_out);
            } else {
                expect(back.is(page), clause::round_trip);
                expect(again.outcome == back.outcome, clause::decompress_stays_inside);
            }
        }
        return stream;
    }

    /// After other pages, and in a scratch that has seen none.
    void check_again(const byte_string& page, const std::optional<byte_string>& stream) {
        expect(same(compress(page, scratch_.span(), 0), stream), clause::deterministic);
        const scratch_memory fresh{scratch_.span().size()};
        expect(codec_.prepare(fresh.span()) == status::ok, clause::prepare_accepts);
        if (stream) {
            const decompressed back = decompress(*stream, page.size(), fresh.span(), 0);
            expect(back.is(page), clause::round_trip);
        }
        expect(same(compress(page, fresh.span(), 0), stream), clause::deterministic);
    }

    void check_small_out(const byte_string& page) {
        const std::size_t bound = codec_.bound(page.size());
        if (bound == 0) {
            return;
        }
        const byte_span in = in_.place(page.size(), 0);
        copy_bytes(in.data(), page.data(), page.size());
        const byte_span out = out_.place(bound - 1, 0);
        expect(codec_.compress(in, out, scratch_.span()).error() == status::invalid, clause::checks_bound);
        expect(out_.is_intact(), clause::compress_stays_inside);
    }

    void check_small_scratch(const std::vector<byte_string>& pages,
                             const std::vector<std::optional<byte_string>>& streams) {
        const std::size_t size = scratch_.span().size();
        if (size == 0) {
            return;
        }
        const scratch_memory small{size - 1};
        std::vector<byte_span> too_small = {scratch_.span().first(size - 1)};
        if (codec_.prepare(small.span()) == status::ok) { // refused at once, or else by compress
            too_small.push_back(small.span());
        }
        for (const byte_span scratch : too_small) {
            for (std::size_t i = 0; i < pages.size(); ++i) {
                const byte_span in = in_.place(page_size_, 0);
                copy_bytes(in.data(), pages[i].data(), page_size_);
                const byte_span out = out_.place(codec_.bound(page_size_), 0);
                const result<std::size_t> length = codec_.compress(in, out, scratch);
                // One word may be stored without a look at the scratch.
                const bool is_one_word = streams[i] && streams[i]->size() == min_stream_size;
                expect(length.error() == status::invalid || (is_one_word && length.value_or(0) == min_stream_size),
                       clause::checks_scratch);
                if (streams[i]) { // which may need less scratch, or none
                    const decompressed back = decompress(*streams[i], page_size_, scratch, 0);
                    expect(back.outcome == status::invalid || back.is(pages[i]), clause::checks_scratch);
                }
            }
        }
    }

    void check_wrong_sizes(const byte_string& stream) {
        if (stream.size() == min_stream_size) {
            return; // one word may stand for pages of any size
        }
        for (const std::size_t size : {page_size_ / 2, page_size_ - 8, page_size_ + 8, 2 * page_size_}) {
            const status outcome = decompress(stream, size, scratch_.span(), 0).outcome;
            expect(outcome == status::corrupt || outcome == status::invalid, clause::refuses_wrong_size);
        }
    }

    void check_damaged(byte_view stream) {
        const decompressed first = decompress(stream, page_size_, scratch_.span(), 0);
        expect(first.outcome == status::ok || first.outcome == status::corrupt, clause::damaged_status);
        if (first.outcome != status::ok && !Buffer::shows_stray_reads) {
            return;
        }
        // The bytes around the stream, and those that were in `out`, are others now: an answer that rests on the former
        // came from a stray read, a difference in the page is what was not written.
        const decompressed second = decompress(stream, page_size_, scratch_.span(), 1);
        expect(first.outcome == second.outcome, clause::decompress_stays_inside);
        expect(first.outcome != status::ok || second.outcome != status::ok || first.is(second.page), clause::fills_out);
    }

    void check_damage(const byte_string& page, const byte_string& good) {
        // Every truncation of short streams, some of the others.
        const std::size_t step = good.size() <= 1200 ? 1 : good.size() / 60;
        for (std::size_t length = 0; length < good.size(); length += step) {
            check_damaged(byte_view{good}.first(length));
        }
        for (int round = 0; round < rounds(); ++round) {
            byte_string damaged = good;
            for (std::uint64_t flips = 1 + random_.below(3); flips > 0; --flips) {
                damaged[random_.below(damaged.size())] ^= static_cast<std::byte>(1u << random_.below(8));
            }
            check_damaged(damaged);
        }
        const decompressed back = decompress(good, page_size_, scratch_.span(), 0);
        expect(back.is(page), clause::round_trip);
    }

    void check_noise() {
        for (int round = 0; round < 4 * rounds(); ++round) {
            byte_string noise(random_.below(round % 2 == 0 ? 64 : page_size_ + 64));
            std::generate(noise.begin(), noise.end(), [&] { return static_cast<std::byte>(random_()); });
            check_damaged(noise);
        }
    }

    /// What is handed to a pair: bytes, and how long the page is said to be.
    struct to_read {
        byte_string stream;
        std::size_t page_size;
    };

    void check_pair(const to_read& first, const to_read& second, byte_span scratch) {
        const decompressed one = decompress(first.stream, first.page_size, scratch, 1);
        const decompressed other = decompress(second.stream, second.page_size, scratch, 1);
        const auto place = [](Buffer& buffer, byte_view bytes) {
            const byte_span at = buffer.place(bytes.size(), 0);
            std::copy_n(bytes.data(), bytes.size(), at.data());
            return at;
        };
        const byte_span in = place(in_, first.stream);
        const byte_span second_in = place(second_in_, second.stream);
        const byte_span out = place(out_, byte_string(first.page_size, std::byte{0xa5}));
        const byte_span second_out = place(second_out_, byte_string(second.page_size, std::byte{0xa5}));
        const status_pair answers = codec_.decompress_pair({in, out}, {second_in, second_out}, scratch);
        const bool are_pages_same = (one.outcome != status::ok || same(out, byte_view{one.page})) &&
                                    (other.outcome != status::ok || same(second_out, byte_view{other.page}));
        expect(answers == status_pair{one.outcome, other.outcome} && are_pages_same, clause::pair_is_two_calls);
        expect(in_.is_intact() && out_.is_intact() && second_in_.is_intact() && second_out_.is_intact(),
               clause::decompress_stays_inside);
        expect(same(in, byte_view{first.stream}) && same(second_in, byte_view{second.stream}), clause::input_untouched);
    }

    /// Good streams with good ones, with damaged ones, with noise and with pages of another size, before and behind; a stream
    /// twice; too little scratch.
    void check_pairs(const std::vector<std::optional<byte_string>>& streams) {
        std::vector<to_read> all;
        for (const std::optional<byte_string>& stream : streams) {
            if (!stream) {
                continue;
            }
            all.push_back({*stream, page_size_});
            byte_string damaged = *stream;
            damaged[random_.below(damaged.size())] ^= static_cast<std::byte>(1u << random_.below(8));
            all.push_back({damaged, page_size_});
            damaged.resize(random_.below(damaged.size()));
            all.push_back({std::move(damaged), page_size_});
            all.push_back({*stream, page_size_ / 2});
        }
        for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{60}, page_size_ / 2}) {
            byte_string noise(length);
            std::generate(noise.begin(), noise.end(), [&] { return static_cast<std::byte>(random_()); });
            all.push_back({std::move(noise), page_size_});
        }
        for (std::size_t i = 0; i != all.size() && broken_.empty(); ++i) {
            check_pair(all[i], all[i], scratch_.span());
            for (int round = 0; round != 8; ++round) {
                check_pair(all[i], all[random_.below(all.size())], scratch_.span());
            }
            const std::size_t scratch = scratch_.span().size();
            check_pair(all[i], all[random_.below(all.size())], scratch_.span().first(scratch - (scratch != 0 ? 1 : 0)));
        }
    }

    [[nodiscard]] int rounds() const noexcept { return page_size_ <= 4096 ? 120 : 20; }

    void check_threads(const std::vector<byte_string>& pages, const std::vector<std::optional<byte_string>>& streams) {
        constexpr std::size_t thread_count = 3;
        bool agrees[thread_count] = {};
        std::vector<std::thread> threads;
        for (bool& mine : agrees) {
            threads.emplace_back([&] {
                const scratch_memory scratch{scratch_.span().size()};
                byte_string out(codec_.bound(page_size_));
                byte_string back(page_size_);
                bool good = codec_.prepare(scratch.span()) == status::ok;
                for (std::size_t i = 0; good && i < pages.size(); ++i) {
                    const result<std::size_t> length = codec_.compress(pages[i], out, scratch.span());
                    good = length.has_value() == streams[i].has_value();
                    if (good && length) {
                        good = same(*streams[i], byte_view{out}.first(*length)) &&
                               codec_.decompress(byte_view{out}.first(*length), back, scratch.span()) == status::ok &&
                               same(byte_view{back}, byte_view{pages[i]});
                    }
                }
                mine = good;
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        expect(std::all_of(std::begin(agrees), std::end(agrees), [](bool good) { return good; }), clause::concurrent);
    }

    const Codec& codec_;
    std::size_t page_size_;
    std::set<compressor_clause>& broken_;
    scratch_memory scratch_;
    Buffer in_;
    Buffer out_;
    Buffer second_in_;
    Buffer second_out_;
    rng random_{page_size_};
};

} // namespace detail

/// The clauses that `codec` breaks with pages of `page_size` bytes.
template <compressor Codec>
[[nodiscard]] std::set<compressor_clause> violations(const Codec& codec, std::size_t page_size) {
    std::set<compressor_clause> broken;
    detail::compressor_checks<Codec, margin_buffer>{codec, page_size, broken}.run();
    if (broken.empty()) {
        detail::compressor_checks<Codec, fenced_buffer>{codec, page_size, broken}.run();
    }
    return broken;
}

/// The same as one line, for messages; empty for none.
[[nodiscard]] inline std::string describe(const std::set<compressor_clause>& broken) {
    std::string line;
    for (const compressor_clause clause : broken) {
        line += (line.empty() ? "" : ", ") + std::string{to_string(clause)};
    }
    return line;
}

} // namespace pagefold::testing
