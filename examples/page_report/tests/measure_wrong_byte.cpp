// SPDX-License-Identifier: MIT

// In place of measure.cpp: a store whose codec flips a byte of every page that begins with 'F' as it decodes it, which no
// checksum over streams can see.

#include "measure.hpp"
#include "measure_store.hpp"

namespace page_report {
namespace {

class flipping_codec {
    using codec_type = pagefold::chain<pagefold::lz4>;

public:
    [[nodiscard]] std::size_t scratch_size(std::size_t n) const noexcept { return codec_type{}.scratch_size(n); }
    [[nodiscard]] pagefold::status prepare(pagefold::byte_span scratch) const noexcept {
        return codec_type{}.prepare(scratch);
    }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return codec_type{}.bound(n); }
    [[nodiscard]] pagefold::result<std::size_t> compress(pagefold::byte_view in, pagefold::byte_span out,
                                                         pagefold::byte_span scratch) const noexcept {
        return codec_type{}.compress(in, out, scratch);
    }
    [[nodiscard]] pagefold::status decompress(pagefold::byte_view in, pagefold::byte_span out,
                                              pagefold::byte_span scratch) const noexcept {
        const pagefold::status answer = codec_type{}.decompress(in, out, scratch);
        if (answer == pagefold::status::ok && out[0] == std::byte{'F'}) {
            out[out.size() - 1] ^= std::byte{1};
        }
        return answer;
    }
};

} // namespace

std::string codec_names() { return "lz4"; }

void check_codec(const std::string&) {}

measurement measure(const page_set& pages, const arguments& given, progress& shown) {
    return measure_store(pages, given, flipping_codec{}, shown);
}

} // namespace page_report
