// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/compress/concept.hpp>
#include <pagefold/core/status.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pagefold::testing {

/// Which calls of compress fail. Lives outside the compressor, which a store copies.
struct compress_faults {
    std::atomic<std::uint64_t> calls{0};
    std::atomic<std::uint64_t> failures{0};
    std::uint64_t every = 0;                ///< every so many calls one fails; 0 none
    std::uint64_t at = 0;                   ///< the call of this number fails, counted from 1; 0 none
    status answer = status::incompressible; ///< what it answers then; any other is an error

    bool next_fails() noexcept {
        const std::uint64_t call = ++calls;
        const bool fails = (every != 0 && call % every == 0) || call == at;
        failures += fails ? 1 : 0;
        return fails;
    }
};

/// A compressor that now and then says `incompressible` to a page that its codec would have packed, or errs.
template <compressor Codec>
class failing_compressor {
public:
    failing_compressor() noexcept = default;
    explicit failing_compressor(compress_faults& faults) noexcept : faults_{&faults} {}

    [[nodiscard]] std::size_t scratch_size(std::size_t n) const noexcept { return codec_.scratch_size(n); }
    [[nodiscard]] status prepare(byte_span scratch) const noexcept { return codec_.prepare(scratch); }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return codec_.bound(n); }
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        if (faults_ != nullptr && faults_->next_fails()) {
            return faults_->answer;
        }
        return codec_.compress(in, out, scratch);
    }
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        return codec_.decompress(in, out, scratch);
    }

private:
    Codec codec_{};
    compress_faults* faults_ = nullptr;
};

} // namespace pagefold::testing
