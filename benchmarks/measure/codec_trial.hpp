// SPDX-License-Identifier: MIT
#pragma once

#include "../support/scratch_memory.hpp"

#include <pagefold/compress/concept.hpp>

#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// One codec at one setting on batches of pages, as a store would use it: a page that does not shrink is copied in and out
// as it is.

namespace pagefold::measure {

/// Pages that lie next to each other in a class. Streams and what is decompressed from them go into memory that all
/// trials share, so that none finds it colder than another.
struct page_batch {
    std::vector<const std::byte*> pages;
    std::size_t page_size = 0;
};

/// Room for the streams of a batch and for the pages that come back.
class workbench {
public:
    workbench(std::size_t pages, std::size_t page_size, std::size_t largest_stream)
        : stride_{round_up(largest_stream, 64) + 64}, page_size_{page_size}, streams_(pages * stride_),
          sizes_(pages), back_{pages * page_size} {}

    [[nodiscard]] byte_span room(std::size_t i) noexcept { return {streams_.data() + i * stride_, stride_}; }
    [[nodiscard]] std::size_t& size(std::size_t i) noexcept { return sizes_[i]; }
    [[nodiscard]] byte_view stream(std::size_t i) const noexcept { return {streams_.data() + i * stride_, sizes_[i]}; }
    [[nodiscard]] byte_span page(std::size_t i) noexcept { return back_.span().subview(i * page_size_, page_size_); }

private:
    std::size_t stride_;
    std::size_t page_size_;
    std::vector<std::byte> streams_;
    std::vector<std::size_t> sizes_;
    support::scratch_memory back_;
};

/// How the figures of a trial are named and shown.
struct trial_names {
    std::string name;      ///< for errors and for absolute values: "page.fast"
    std::string prefix;    ///< of its keys: "compress.page.", "peer.zstd_1_"
    std::string suffix;    ///< of its keys: "_avx2"
    std::string family;    ///< in the plot: points of one are joined
    std::string label;     ///< in the plot
    bool counts = true;    ///< among the figures; else context
    bool has_ratio = true; ///< else it has the streams of another trial
    bool by_class = false; ///< its figures are given for each class as well
};

class codec_trial {
public:
    explicit codec_trial(trial_names names) : names_{std::move(names)} {}
    virtual ~codec_trial() = default;
    codec_trial(const codec_trial&) = delete;
    codec_trial& operator=(const codec_trial&) = delete;

    [[nodiscard]] const trial_names& names() const noexcept { return names_; }
    [[nodiscard]] virtual std::size_t bound(std::size_t page_size) const = 0;
    virtual void compress(const page_batch& batch, workbench& bench) = 0;
    /// Throws when a stream is not read back.
    virtual void decompress(const page_batch& batch, workbench& bench) = 0;

private:
    trial_names names_;
};

template <compressor Codec>
class trial_of final : public codec_trial {
public:
    trial_of(trial_names names, Codec codec, std::size_t largest_page)
        : codec_trial{std::move(names)}, codec_{codec}, scratch_{codec.scratch_size(largest_page)} {
        if (codec_.prepare(scratch_.span()) != status::ok) {
            throw std::runtime_error(this->names().name + ": the scratch cannot be prepared");
        }
    }

    [[nodiscard]] std::size_t bound(std::size_t page_size) const override { return codec_.bound(page_size); }

    void compress(const page_batch& batch, workbench& bench) override {
        for (std::size_t i = 0; i < batch.pages.size(); ++i) {
            const byte_span room = bench.room(i);
            const result<std::size_t> size = codec_.compress({batch.pages[i], batch.page_size}, room, scratch_.span());
            if (!size) {
                std::memcpy(room.data(), batch.pages[i], batch.page_size);
            }
            bench.size(i) = size.value_or(batch.page_size);
        }
    }

    void decompress(const page_batch& batch, workbench& bench) override {
        bool is_well = true;
        for (std::size_t i = 0; i < batch.pages.size(); ++i) {
            const byte_view stream = bench.stream(i);
            const byte_span page = bench.page(i);
            if (stream.size() == page.size()) {
                std::memcpy(page.data(), stream.data(), page.size());
            } else {
                is_well &= codec_.decompress(stream, page, scratch_.span()) == status::ok;
            }
        }
        if (!is_well) {
            throw std::runtime_error(names().name + ": a stream is not read back");
        }
    }

private:
    Codec codec_;
    support::scratch_memory scratch_;
};

} // namespace pagefold::measure
