// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/concept.hpp>
#include <pagefold/compress/concept.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/page_context.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/status.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Whose page it is that is put, and what is known of its key.
struct page_facts {
    page_context page{};
    std::uint64_t key_hash = 0;
    key_past past = key_past::untold;
    std::uint8_t admission = 0; ///< the pool's admission policy, by its number
};

/// A page that lies somewhere: how codec_stage is handed one.
class copied_page {
public:
    constexpr explicit copied_page(byte_view bytes) noexcept : bytes_{bytes} {}
    [[nodiscard]] constexpr std::size_t size() const noexcept { return bytes_.size(); }
    [[nodiscard]] constexpr byte_view bytes() const noexcept { return bytes_; }
    [[nodiscard]] bool write_to(byte_span copy) const noexcept {
        copy_bytes(copy.data(), bytes_.data(), bytes_.size());
        return true;
    }

private:
    byte_view bytes_;
};

/// A page that its owner writes: `Write` takes a byte_span of so many bytes, and says whether it filled it.
template <class Write>
class written_page {
public:
    constexpr written_page(std::size_t size, Write& write) noexcept : size_{size}, write_{write} {}
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool write_to(byte_span copy) const noexcept { return write_(copy); }

private:
    std::size_t size_;
    Write& write_;
};

/// One that is kept whatever an admission policy would say, which isn't asked.
template <class Page>
class promised_page : public Page {
public:
    constexpr explicit promised_page(const Page& page) noexcept : Page{page} {}
    static constexpr bool is_promised = true;
};
template <class Page>
inline constexpr bool is_promised = requires {
    requires Page::is_promised;
};

/// What happens to a page before and after the lock: between the page and the stream that is kept of it. Safe from many
/// threads.
///
/// The page is copied first, and everything works on the copy: a guest that is not stopped may write to the page
/// meanwhile, and a compressor that looks at a byte twice would make a stream of no content that the page ever had, or one
/// that its checksum doesn't fit. In a profile the copy has 7.5% of the samples where LZ4 has 50%: it is
/// the copy that waits for a cold page, and the compressor finds it warm.
///
/// `TakesValues`: what is put may be shorter than a page, and `out` as long as it was. A value of no more than min_stream_size
/// bytes is its own stream, filled up with zeros. A length that the compressor doesn't take is kept raw, and no failure.
template <compressor Compressor, admission_policy Admission, bool TakesValues = false>
class codec_stage {
public:
    codec_stage(const Compressor& compressor, const Admission& admission) noexcept
        : compressor_{compressor}, admission_{admission} {}

    [[nodiscard]] const Compressor& compressor() const noexcept { return compressor_; }
    /// Codecs and admission policies that a pool can choose among.
    [[nodiscard]] static constexpr unsigned codec_count() noexcept {
        if constexpr (pool_compressor<Compressor>) {
            return Compressor::codec_count;
        } else {
            return 1;
        }
    }
    [[nodiscard]] static constexpr unsigned admission_count() noexcept {
        if constexpr (choosing_admission<Admission>) {
            return Admission::choice_count;
        } else {
            return 1;
        }
    }
    /// How long a ghost the admission policy wants; 0: none.
    [[nodiscard]] unsigned ghost_percent() const noexcept {
        if constexpr (remembering_admission<Admission>) {
            return admission_.ghost_percent();
        } else {
            return 0;
        }
    }

    /// The stream to keep of a page, in `buffer` or, where it is kept raw, in `copy`. `incompressible`: the admission
    /// policy refuses. Where the compressor fails, `has_failed` is set, and its page goes on as one that does not shrink.
    ///
    /// Without `may_shrink` no codec is asked. `most`: a stream longer than so many bytes takes a whole page all the same, and is
    /// kept raw, to need no decoding.
    result<byte_view> pack(byte_view page, byte_span copy, byte_span buffer, byte_span scratch, std::size_t most,
                           const page_facts& facts, bool& has_failed, bool may_shrink = true) noexcept {
        return pack_page(copied_page{page}, copy, buffer, scratch, most, facts, has_failed, may_shrink);
    }
    /// The same of a page that its owner writes to `copy`, which is asked for only where no policy refuses it before:
    /// page.size() bytes by page.write_to(), which says whether it could. `invalid` if not. `was_let_pass`: the policy was asked.
    template <class Page>
    result<byte_view> pack_page(const Page& page, byte_span copy, byte_span buffer, byte_span scratch, std::size_t most,
                                const page_facts& facts, bool& has_failed, bool may_shrink,
                                bool was_let_pass = false) noexcept {
        has_failed = false;
        if (!is_promised<Page> && !was_let_pass && !lets_pass(page.size(), facts)) {
            return status::incompressible;
        }
        const byte_span own = copy.first(page.size());
        if (!page.write_to(own)) {
            return status::invalid;
        }
        const byte_view raw = own;
        if constexpr (TakesValues) {
            if (raw.size() <= min_stream_size) {
                return pack_small(raw, buffer, facts, !is_promised<Page>);
            }
        }
        byte_view stream = raw;
        const result<std::size_t> packed =
            may_shrink ? compress(raw, buffer, scratch, facts.page) : result<std::size_t>{status::incompressible};
        if (packed && *packed < raw.size()) {
            stream = buffer.first(*packed);
        } else if (!packed && is_failure(packed.error(), raw.size() < copy.size())) {
            has_failed = true;
        }
        if constexpr (!is_promised<Page>) {
            switch (admission_.admit(query_of(facts, raw.size(), stream.size()))) {
            case admission::raw: stream = raw; break;
            case admission::reject: return status::incompressible;
            case admission::packed:
            default: break;
            }
        }
        return stream.size() > most ? raw : stream;
    }
    /// Whether the admission policy wants to see a page of so many bytes at all. Where it doesn't, pack says why.
    [[nodiscard]] bool lets_pass(std::size_t page, const page_facts& facts) noexcept {
        if constexpr (screening_policy<Admission>) {
            return admission_.screen(query_of(facts, page, page));
        } else {
            static_cast<void>(page);
            static_cast<void>(facts);
            return true;
        }
    }
    /// Whether it takes one that it let pass as a stream of `size` bytes that pack hasn't made.
    [[nodiscard]] bool admits(std::size_t page, std::size_t size, const page_facts& facts) noexcept {
        return admission_.admit(query_of(facts, page, size)) == admission::packed;
    }
    /// `corrupt` where the stream is none of this page size.
    status unpack(byte_view stream, byte_span out, byte_span scratch, const page_context& page = {}) const noexcept {
        if constexpr (TakesValues) {
            if (out.size() <= min_stream_size) {
                copy_bytes(out.data(), stream.first(out.size()));
                return stream.size() == min_stream_size ? status::ok : status::corrupt;
            }
        }
        if (stream.size() == out.size()) {
            if (stream.data() != out.data()) {
                copy_bytes(out.data(), stream.data(), out.size());
            }
            return status::ok;
        }
        return decompress(stream, out, scratch, page) == status::ok ? status::ok : status::corrupt;
    }
    /// unpack, of two: in one call where the codec has one, for streams that it made.
    status_pair unpack_pair(const page_to_read& first, const page_to_read& second, byte_span scratch,
                            const page_context& page_of_first = {},
                            const page_context& page_of_second = {}) const noexcept {
        if constexpr (pair_decompressor<Compressor> && !pool_compressor<Compressor>) {
            if (is_packed(first) && is_packed(second)) {
                const status_pair answers = compressor_.decompress_pair(first, second, scratch);
                return {answers.first == status::ok ? status::ok : status::corrupt,
                        answers.second == status::ok ? status::ok : status::corrupt};
            }
        }
        const status answer = unpack(first.in, first.out, scratch, page_of_first);
        return {answer, unpack(second.in, second.out, scratch, page_of_second)};
    }

private:
    /// Whether unpack would ask the codec.
    [[nodiscard]] static constexpr bool is_packed(const page_to_read& page) noexcept {
        return page.in.size() != page.out.size() && !(TakesValues && page.out.size() <= min_stream_size);
    }
    [[nodiscard]] static constexpr bool is_failure(status s, bool is_short) noexcept {
        return s != status::incompressible && !(TakesValues && is_short && s == status::invalid);
    }
    result<byte_view> pack_small(byte_view value, byte_span buffer, const page_facts& facts, bool asks) noexcept {
        if (asks && admission_.admit(query_of(facts, value.size(), value.size())) == admission::reject) {
            return status::incompressible;
        }
        store_native(buffer.data(), std::uint64_t{0});
        copy_bytes(buffer.data(), value);
        return byte_view{buffer.data(), min_stream_size};
    }
    [[nodiscard]] static admission_query query_of(const page_facts& facts, std::size_t page_bytes,
                                                  std::size_t packed_bytes) noexcept {
        return {page_bytes,      packed_bytes, facts.page.kind, facts.key_hash,
                facts.page.pool, facts.past,   facts.admission};
    }
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch,
                                               const page_context& page) const noexcept {
        if constexpr (pool_compressor<Compressor>) {
            return compressor_.compress(in, out, scratch, page);
        } else {
            static_cast<void>(page);
            return compressor_.compress(in, out, scratch);
        }
    }
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch,
                                    const page_context& page) const noexcept {
        if constexpr (pool_compressor<Compressor>) {
            return compressor_.decompress(in, out, scratch, page);
        } else {
            static_cast<void>(page);
            return compressor_.decompress(in, out, scratch);
        }
    }

    Compressor compressor_;
    Admission admission_;
};

} // namespace pagefold
