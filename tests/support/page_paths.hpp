// SPDX-License-Identifier: MIT
#pragma once

// The page codec on every path that this machine has, side by side: the scalar one is the truth, and each other must give
// the same stream for every page and the same answer for every stream. Shared by the fuzz targets and the stress test.
//
// Streams and pages lie in blocks of the heap of exactly their size, so that a sanitizer sees any access outside.

#include <pagefold/compress/page.hpp>

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace pagefold::testing {

/// Bytes on the heap, no more than asked for.
class exact_block {
public:
    explicit exact_block(byte_view from) : exact_block(from.size()) {
        if (!from.empty()) {
            std::memcpy(bytes_.get(), from.data(), size_);
        }
    }
    exact_block(std::size_t size, unsigned char fill) : exact_block(size) { std::memset(bytes_.get(), fill, size_); }

    [[nodiscard]] byte_view view() const noexcept { return {bytes_.get(), size_}; }
    [[nodiscard]] byte_span span() noexcept { return {bytes_.get(), size_}; }

private:
    explicit exact_block(std::size_t size) : size_{size}, bytes_{new std::byte[size]} {}

    std::size_t size_;
    std::unique_ptr<std::byte[]> bytes_;
};

/// The paths that can run here, scalar first.
[[nodiscard]] inline std::vector<page_path> paths_here() {
    std::vector<page_path> paths;
    for (unsigned i = 0; i < page_paths; ++i) {
        if (available_page_paths().contains(static_cast<page_path>(i))) {
            paths.push_back(static_cast<page_path>(i));
        }
    }
    return paths;
}

/// "sse42, avx2": what a test of this machine leaves out.
[[nodiscard]] inline std::string paths_missing() {
    std::string names;
    for (unsigned i = 0; i < page_paths; ++i) {
        const auto path = static_cast<page_path>(i);
        if (!available_page_paths().contains(path)) {
            names += (names.empty() ? "" : ", ") + std::string(to_string(path));
        }
    }
    return names;
}

/// Scratch for the page codec, full of what an earlier use might have left there.
class dirty_scratch {
public:
    explicit dirty_scratch(unsigned char fill)
        : size_{page_codec{}.scratch_size(page_coding::max_page_size)},
          bytes_{static_cast<std::byte*>(::operator new (size_, std::align_val_t{scratch_alignment}))} {
        std::memset(bytes_.get(), fill, size_);
    }
    [[nodiscard]] byte_span span() const noexcept { return {bytes_.get(), size_}; }

private:
    struct deleter {
        void operator()(std::byte* p) const noexcept { ::operator delete (p, std::align_val_t{scratch_alignment}); }
    };
    std::size_t size_;
    std::unique_ptr<std::byte, deleter> bytes_;
};

/// Asks every path, and says what differs; empty when nothing does.
class path_comparison {
public:
    path_comparison() {
        for (const page_path path : paths_here()) {
            lanes_.push_back({path, dirty_scratch{static_cast<unsigned char>(0x5a + lanes_.size())}});
        }
        // Packed literals, lags, masks: numbers in words, and a text whose letters lie scattered.
        for (std::size_t i = 0; i != known_.size(); ++i) {
            const std::size_t drawn = i * i / 7 % 23;
            known_[i] = static_cast<std::byte>(i < 2048 ? (i % 8 == 0 ? drawn : i % 8 == 1 ? i / 64 : 0) : 'a' + drawn);
        }
        known_stream_.resize(page_codec{}.bound(known_.size()));
        known_stream_.resize(page_codec::with_path(page_path::scalar)
                                 .compress(known_, known_stream_, lanes_.front().scratch.span())
                                 .value_or(0));
    }

    /// Compresses `page` on every path at this level, reads the stream back on every path. `stream` is what came out,
    /// empty for an incompressible page.
    template <page_level Level>
    [[nodiscard]] std::string round_trip(byte_view page, std::vector<std::byte>& stream) {
        using codec = basic_page_codec<Level>;
        const exact_block in{page};
        for (lane& one : lanes_) {
            exact_block room{codec{}.bound(page.size()), fill_of(one)};
            const result<std::size_t> size =
                codec::with_path(one.path).compress(in.view(), room.span(), one.scratch.span());
            if (!size && size.error() != status::incompressible) {
                return name(one) + ": compress answers " + to_string(size.error());
            }
            if (size && (*size < min_stream_size || *size >= page.size())) {
                return name(one) + ": a stream of " + std::to_string(*size) + " bytes";
            }
            const byte_view made = room.view().first(size.value_or(0));
            if (&one == &lanes_.front()) {
                stream.assign(made.data(), made.data() + made.size());
            } else if (!is_same(made, stream)) {
                return name(one) + ": another stream than " + name(lanes_.front()) + "'s";
            }
        }
        if (stream.empty()) {
            return {};
        }
        bool is_accepted = false;
        std::string complaint = decode(stream, page.size(), is_accepted);
        if (complaint.empty() && (!is_accepted || !equal_bytes(page_.data(), page.data(), page.size()))) {
            complaint = "the page is not read back";
        }
        return complaint;
    }

    /// Hands `stream` to every path's decoder: all have to accept it with the same page, or none.
    [[nodiscard]] std::string decode(byte_view stream, std::size_t page_size, bool& is_accepted) {
        const exact_block in{stream};
        for (lane& one : lanes_) {
            // Bytes that a decoder leaves as they were differ from path to path.
            exact_block out{page_size, fill_of(one)};
            const status answer = page_codec::with_path(one.path).decompress(in.view(), out.span(), one.scratch.span());
            if (answer != status::ok && answer != status::corrupt) {
                return name(one) + ": decompress answers " + to_string(answer);
            }
            if (&one == &lanes_.front()) {
                is_accepted = answer == status::ok;
                page_.assign(out.view().data(), out.view().data() + page_size);
            } else if ((answer == status::ok) != is_accepted) {
                return name(one) + (is_accepted ? " refuses" : " accepts") + " what " + name(lanes_.front()) +
                       " does not";
            } else if (is_accepted && !equal_bytes(out.view().data(), page_.data(), page_size)) {
                return name(one) + ": another page than " + name(lanes_.front()) + "'s";
            }
            const std::string complaint = decode_pairs(one, in.view(), out.view(), answer);
            if (!complaint.empty()) {
                return complaint;
            }
        }
        return {};
    }

    /// What the last accepted stream was decoded to.
    [[nodiscard]] const std::vector<std::byte>& page() const noexcept { return page_; }

private:
    struct lane {
        page_path path;
        dirty_scratch scratch;
    };

    /// The stream in pairs: with itself, and before and behind that of a page which is known.
    std::string decode_pairs(lane& one, byte_view stream, byte_view page, status answer) {
        const page_codec codec = page_codec::with_path(one.path);
        const exact_block known_in{known_stream_};
        const auto differs = [&](byte_view first, byte_view second, status_pair wanted) {
            exact_block out{page.size(), fill_of(one)};
            exact_block other{page.size(), fill_of(one)};
            const auto wanted_page = [&](byte_view in) {
                return in.data() == stream.data() ? page : byte_view{known_};
            };
            const auto is_wrong = [&](const exact_block& got, byte_view in, status said) {
                return said == status::ok && !is_same(got.view(), wanted_page(in));
            };
            return codec.decompress_pair({first, out.span()}, {second, other.span()}, one.scratch.span()) != wanted ||
                   is_wrong(out, first, wanted.first) || is_wrong(other, second, wanted.second);
        };
        if (differs(stream, stream, {answer, answer})) {
            return name(one) + ": another answer of a pair, both this stream";
        }
        if (page.size() == known_.size() && differs(stream, known_in.view(), {answer, status::ok})) {
            return name(one) + ": another answer in front of a good stream";
        }
        if (page.size() == known_.size() && differs(known_in.view(), stream, {status::ok, answer})) {
            return name(one) + ": another answer behind a good stream";
        }
        return {};
    }

    static bool is_same(byte_view a, byte_view b) noexcept {
        return a.size() == b.size() && (a.empty() || equal_bytes(a.data(), b.data(), a.size()));
    }
    static std::string name(const lane& one) { return to_string(one.path); }
    static unsigned char fill_of(const lane& one) {
        return static_cast<unsigned char>(0x11 + 0x33 * static_cast<unsigned>(one.path));
    }

    std::vector<lane> lanes_;
    std::vector<std::byte> page_; ///< what the first path read
    std::vector<std::byte> known_ = std::vector<std::byte>(page_coding::unit_size);
    std::vector<std::byte> known_stream_;
};

} // namespace pagefold::testing
