// SPDX-License-Identifier: MIT
#pragma once

// Needs libzstd (BSD 3-Clause), 1.4.0 or later.
//
// libzstd is used without its allocator: both contexts of a scratch and both tables of a dictionary are placed into
// memory of the host by the ZSTD_initStatic functions, whose contexts answer an error where others would allocate. These
// functions, the estimates of their sizes and the format without magic number are in the section of zstd.h that promises
// no stable interface, though shared libraries export them: compile against the header of the library that you link.
//
// A stream is one zstd frame without magic number, content size, checksum and dictionary id: 5 bytes beside the packed
// data. The page's length is known to whoever keeps the stream, and so is its check.
//
// Scratch: a head, the context of decompress, and the rest for that of compress. zstd derives its tables from level and
// page size at every call, so prepare, which is not told the page size, notes for which one the memory suffices.

#include <pagefold/compress/concept.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/checksum.hpp>
#include <pagefold/core/stream_format.hpp>

#ifndef ZSTD_STATIC_LINKING_ONLY
#define ZSTD_STATIC_LINKING_ONLY
#endif
#include <zstd.h>

#include <cstddef>
#include <cstdint>
#include <new>

namespace pagefold::inline PAGEFOLD_ABI {

namespace detail {

inline constexpr int zstd_min_level = -5;
inline constexpr int zstd_max_level = 19;
inline constexpr std::size_t zstd_max_page = std::size_t{1} << 17; // beyond it zstd cuts the page into blocks

constexpr bool is_zstd_level(int level) noexcept { return level >= zstd_min_level && level <= zstd_max_level; }

} // namespace detail

/// A dictionary for `zstd`, digested once for one level, to be shared by any number of codecs and threads.
///
/// Bytes that pages have in common (a product of `zstd --train`, or just a typical page) make small pages compress
/// better; decompression needs the same bytes again. The object keeps pointers into the dictionary's bytes and into the
/// memory it was given: both must outlive it and stay where they are. Not safe to load while it is in use.
class zstd_dictionary {
public:
    /// Bytes of memory that `load` needs for a dictionary of `dictionary_size` bytes and pages of `page_size`; 0 if the
    /// level is not between −5 and 19.
    [[nodiscard]] static std::size_t memory_size(std::size_t dictionary_size, int level,
                                                 std::size_t page_size) noexcept {
        return detail::is_zstd_level(level) ? sizes_for(dictionary_size, level, page_size).total() : 0;
    }

    /// Digests `dictionary`. `invalid`: it is empty or malformed, the level is not between −5 and 19, or `memory` is
    /// not aligned to scratch_alignment or below memory_size. Cost: as compressing that many bytes.
    [[nodiscard]] status load(byte_view dictionary, int level, std::size_t page_size, byte_span memory) noexcept {
        *this = {};
        if (dictionary.empty() || !detail::is_zstd_level(level) ||
            reinterpret_cast<std::uintptr_t>(memory.data()) % scratch_alignment != 0) {
            return status::invalid;
        }
        const sizes need = sizes_for(dictionary.size(), level, page_size);
        if (memory.size() < need.total()) {
            return status::invalid;
        }
        // libzstd leaves fields of a placed table as they were found.
        fill_bytes(memory.data(), 0, need.total());
        parameters_ = parameters_for(dictionary.size(), level, page_size);
        size_ = dictionary.size();
        print_ = checksum(dictionary, stream_formats::zstd);
        compressing_ = ZSTD_initStaticCDict(memory.data(), need.compressing, dictionary.data(), dictionary.size(),
                                            ZSTD_dlm_byRef, ZSTD_dct_auto, parameters_);
        decompressing_ = ZSTD_initStaticDDict(memory.data() + need.compressing, need.decompressing, dictionary.data(),
                                              dictionary.size(), ZSTD_dlm_byRef, ZSTD_dct_auto);
        level_ = level;
        if (!is_loaded()) {
            *this = {};
            return status::invalid;
        }
        return status::ok;
    }

    [[nodiscard]] bool is_loaded() const noexcept { return compressing_ != nullptr && decompressing_ != nullptr; }
    /// The level it was loaded for.
    [[nodiscard]] int level() const noexcept { return level_; }

private:
    friend class zstd;

    struct sizes {
        std::size_t compressing;
        std::size_t decompressing;
        [[nodiscard]] std::size_t total() const noexcept { return compressing + decompressing; }
    };

    static ZSTD_compressionParameters parameters_for(std::size_t dictionary_size, int level,
                                                     std::size_t page_size) noexcept {
        return ZSTD_getCParams(level, page_size, dictionary_size);
    }

    static sizes sizes_for(std::size_t dictionary_size, int level, std::size_t page_size) noexcept {
        const ZSTD_compressionParameters parameters = parameters_for(dictionary_size, level, page_size);
        return {
            round_up(ZSTD_estimateCDictSize_advanced(dictionary_size, parameters, ZSTD_dlm_byRef), scratch_alignment),
            round_up(ZSTD_estimateDDictSize(dictionary_size, ZSTD_dlm_byRef), scratch_alignment)};
    }

    const ZSTD_CDict* compressing_ = nullptr;
    const ZSTD_DDict* decompressing_ = nullptr;
    ZSTD_compressionParameters parameters_{};
    std::size_t size_ = 0;
    std::uint64_t print_ = 0; // of the bytes, for stream_format
    int level_ = 0;
};

/// Zstandard (Yann Collet; RFC 8878) through the libzstd of the host, at levels −5 (fastest) to 19 (densest).
///
/// Page sizes: up to 128 KiB. Scratch: a few hundred KiB, more with the level and the page; it keeps both contexts of
/// zstd, so it must be prepared, and stay where it is, for this very codec's settings. A level out of range, or a
/// dictionary that is not loaded, makes every call answer `invalid`.
class zstd {
public:
    constexpr explicit zstd(int level = 3) noexcept : level_{level} {}
    /// At the dictionary's level. The dictionary must outlive the codec and every scratch prepared by it.
    constexpr explicit zstd(const zstd_dictionary& dictionary) noexcept
        : level_{dictionary.level_}, dictionary_{&dictionary} {}

    /// Of its streams, and the dictionary that they are read with (stream_format.hpp).
    [[nodiscard]] constexpr std::uint64_t stream_format() const noexcept {
        return dictionary_ == nullptr ? stream_formats::zstd : mix(stream_formats::zstd, dictionary_->print_);
    }
    /// Grows with `n`. 0 if the settings are not valid.
    [[nodiscard]] std::size_t scratch_size(std::size_t n) const noexcept {
        if (!is_valid()) {
            return 0;
        }
        std::size_t most = 0;
        for (std::size_t page = min_page; page == min_page || (page < 2 * n && page <= detail::zstd_max_page);
             page *= 2) {
            const std::size_t size = compressing_size(page);
            most = size > most ? size : most;
        }
        return compressing_offset() + most;
    }

    [[nodiscard]] status prepare(byte_span scratch) const noexcept {
        std::size_t page = detail::zstd_max_page;
        while (page >= min_page && scratch_size(page) > scratch.size()) {
            page /= 2;
        }
        if (!is_valid() || page < min_page) {
            return status::invalid;
        }
        const std::size_t offset = compressing_offset();
        ZSTD_DCtx* const decompressing = ZSTD_initStaticDCtx(scratch.data() + sizeof(head), offset - sizeof(head));
        ZSTD_CCtx* const compressing = ZSTD_initStaticCCtx(scratch.data() + offset, scratch.size() - offset);
        if (decompressing == nullptr || compressing == nullptr || !set_up(*compressing) || !set_up(*decompressing)) {
            return status::invalid;
        }
        ::new (scratch.data()) head{compressing, decompressing, page, scratch.size()};
        return status::ok;
    }

    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return ZSTD_COMPRESSBOUND(n); }

    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const head* const contexts = prepared(scratch);
        if (contexts == nullptr || in.empty() || in.size() > contexts->max_page || out.size() < bound(in.size())) {
            return status::invalid;
        }
        const std::size_t length = ZSTD_compress2(contexts->compressing, out.data(), out.size(), in.data(), in.size());
        if (ZSTD_isError(length)) {
            return status::invalid; // the room suffices: this libzstd needs more memory than compressing_size tells
        }
        if (length < min_stream_size || length >= in.size()) {
            return status::incompressible;
        }
        return length;
    }

    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const head* const contexts = prepared(scratch);
        if (contexts == nullptr || out.empty()) {
            return status::invalid;
        }
        if (in.size() < min_stream_size || in.size() >= out.size() || !is_one_frame(in)) {
            return status::corrupt;
        }
        const std::size_t length =
            ZSTD_decompressDCtx(contexts->decompressing, out.data(), out.size(), in.data(), in.size());
        return length == out.size() ? status::ok : status::corrupt;
    }

private:
    struct alignas(scratch_alignment) head {
        ZSTD_CCtx* compressing;
        ZSTD_DCtx* decompressing;
        std::size_t max_page;
        std::size_t scratch_size;
    };
    static constexpr std::size_t min_page = std::size_t{1} << 9;

    [[nodiscard]] bool is_valid() const noexcept {
        return detail::is_zstd_level(level_) && (dictionary_ == nullptr || dictionary_->is_loaded());
    }

    static std::size_t compressing_offset() noexcept {
        return sizeof(head) + round_up(ZSTD_estimateDCtxSize(), scratch_alignment);
    }

    [[nodiscard]] std::size_t compressing_size(std::size_t page) const noexcept {
        const std::size_t plain = ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams(level_, page, 0));
        if (dictionary_ == nullptr) {
            return plain;
        }
        // With a dictionary zstd takes its parameters, and shrinks them for small pages or not; but the window is that
        // of the page and the dictionary together, and a table of the high levels grows with it.
        ZSTD_compressionParameters parameters = dictionary_->parameters_;
        const auto both_log = bit_length(page + dictionary_->size_ - 1);
        parameters.windowLog = parameters.windowLog > both_log ? parameters.windowLog : both_log;
        const std::size_t widened = ZSTD_estimateCCtxSize_usingCParams(parameters);
        return plain > widened ? plain : widened;
    }

    [[nodiscard]] bool set_up(ZSTD_CCtx& context) const noexcept {
        const auto set = [&](ZSTD_cParameter parameter, int value) {
            return !ZSTD_isError(ZSTD_CCtx_setParameter(&context, parameter, value));
        };
        return set(ZSTD_c_compressionLevel, level_) && set(ZSTD_c_format, ZSTD_f_zstd1_magicless) &&
               set(ZSTD_c_contentSizeFlag, 0) && set(ZSTD_c_checksumFlag, 0) && set(ZSTD_c_dictIDFlag, 0) &&
               (dictionary_ == nullptr || !ZSTD_isError(ZSTD_CCtx_refCDict(&context, dictionary_->compressing_)));
    }

    [[nodiscard]] bool set_up(ZSTD_DCtx& context) const noexcept {
        return !ZSTD_isError(ZSTD_DCtx_setParameter(&context, ZSTD_d_format, ZSTD_f_zstd1_magicless)) &&
               (dictionary_ == nullptr || !ZSTD_isError(ZSTD_DCtx_refDDict(&context, dictionary_->decompressing_)));
    }

    /// Whether `in` is a frame with the header that compress writes, and ends where the frame does. libzstd would go on to
    /// a next frame; version 1.5.4, looking for it, reads past the end if fewer than four bytes are left.
    static bool is_one_frame(byte_view in) noexcept {
        constexpr std::size_t header_size = 2; // no flags; the size of the window
        constexpr std::size_t block_header_size = 3;
        constexpr std::uint32_t repeated_byte = 1; // the type of block that holds one byte
        const auto byte_at = [&](std::size_t at) { return std::to_integer<std::uint32_t>(in.data()[at]); };
        if (byte_at(0) != 0) {
            return false;
        }
        std::size_t at = header_size;
        while (in.size() - at >= block_header_size) {
            const std::uint32_t header = byte_at(at) | byte_at(at + 1) << 8 | byte_at(at + 2) << 16;
            const bool is_last = (header & 1) != 0;
            const std::size_t content = (header >> 1 & 3) == repeated_byte ? 1 : header >> 3;
            at += block_header_size;
            if (content > in.size() - at) {
                return false;
            }
            at += content;
            if (is_last) {
                return at == in.size();
            }
        }
        return false;
    }

    /// What prepare left in the scratch; null if that was not possible or the scratch is smaller than it was.
    [[nodiscard]] const head* prepared(byte_span scratch) const noexcept {
        if (!is_valid() || scratch.size() < sizeof(head)) {
            return nullptr;
        }
        const auto* const found = std::launder(static_cast<const head*>(static_cast<const void*>(scratch.data())));
        return found->max_page != 0 && found->scratch_size <= scratch.size() ? found : nullptr;
    }

    int level_;
    const zstd_dictionary* dictionary_ = nullptr;
};

} // namespace pagefold
