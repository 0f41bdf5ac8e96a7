// SPDX-License-Identifier: MIT
#pragma once

#include "support/rng.hpp"

#include <pagefold/core/bytes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

namespace pagefold::testing {

/// How a stream was spoiled. A stream that a decoder reads from its end (or its start) has its lengths there: hence the
/// kinds that strike an edge.
enum class mutation : unsigned {
    bytes,     ///< a few bytes anywhere
    bits,      ///< a few bits anywhere
    edge,      ///< a few bytes or bits close to one end
    shorter,   ///< cut at either end
    longer,    ///< bytes added at either end
    moved,     ///< a range copied over another
    spliced,   ///< the front of this stream, the end of another
    same_byte, ///< a range set to one value
};
inline constexpr unsigned mutations = 8;

/// Spoils `stream`, most of the time in one way, sometimes in several. `other` is a second stream to splice with. The
/// result may be the same bytes, or empty.
class mutator {
public:
    explicit mutator(std::uint64_t seed) noexcept : random_{seed} {}

    void operator()(std::vector<std::byte>& stream, byte_view other) {
        do {
            apply(static_cast<mutation>(random_.below(mutations)), stream, other);
        } while (random_.one_in(4));
    }

    /// Bytes that no encoder wrote: of any length up to `most`, uniform, or few values, or with long runs.
    void make_up(std::vector<std::byte>& stream, std::size_t most) {
        stream.resize(random_.below(most + 1));
        const std::uint64_t kind = random_.below(3);
        std::byte last{};
        for (std::byte& one : stream) {
            if (kind != 2 || random_.one_in(20)) {
                last = static_cast<std::byte>(kind == 1 ? 1u << random_.below(9) : random_());
            }
            one = last;
        }
        // The last byte often holds flags: rarely more than a few of them mean anything.
        if (!stream.empty() && random_.one_in(2)) {
            stream.back() &= std::byte{7};
        }
    }

    [[nodiscard]] rng& random() noexcept { return random_; }

private:
    void apply(mutation kind, std::vector<std::byte>& stream, byte_view other) {
        const std::size_t size = stream.size();
        if (size == 0) {
            return;
        }
        switch (kind) {
        case mutation::bytes: strike(stream.data(), size, false); break;
        case mutation::bits: strike(stream.data(), size, true); break;
        case mutation::edge: {
            const std::size_t width = std::min(size, std::size_t{1} << random_.below(9));
            strike(stream.data() + (random_.one_in(3) ? 0 : size - width), width, random_.one_in(2));
            break;
        }
        case mutation::shorter: {
            const auto cut = static_cast<std::ptrdiff_t>(cut_length(size));
            if (random_.one_in(2)) {
                stream.erase(stream.begin(), stream.begin() + cut);
            } else {
                stream.erase(stream.end() - cut, stream.end());
            }
            break;
        }
        case mutation::longer: {
            std::vector<std::byte> more(cut_length(300));
            for (std::byte& one : more) {
                one = static_cast<std::byte>(random_());
            }
            stream.insert(random_.one_in(2) ? stream.begin() : stream.end(), more.begin(), more.end());
            break;
        }
        case mutation::moved: {
            const std::size_t length = cut_length(size);
            std::memmove(stream.data() + random_.below(size - length + 1),
                         stream.data() + random_.below(size - length + 1), length);
            break;
        }
        case mutation::spliced: {
            const std::size_t kept = random_.below(size + 1);
            const std::size_t taken = random_.below(other.size() + 1);
            stream.resize(kept);
            stream.insert(stream.end(), other.data() + other.size() - taken, other.data() + other.size());
            break;
        }
        case mutation::same_byte: {
            const std::size_t length = cut_length(size);
            std::memset(stream.data() + random_.below(size - length + 1), random_.one_in(2) ? 0 : 0xff, length);
            break;
        }
        }
    }

    void strike(std::byte* bytes, std::size_t size, bool single_bits) {
        for (std::uint64_t i = 1 + random_.below(4); i > 0; --i) {
            std::byte& one = bytes[random_.below(size)];
            one =
                single_bits ? one ^ static_cast<std::byte>(1u << random_.below(8)) : static_cast<std::byte>(random_());
        }
    }

    /// 1 to `size`, mostly small.
    std::size_t cut_length(std::size_t size) {
        return 1 + random_.below(std::min(size, std::size_t{1} << random_.below(13)));
    }

    rng random_;
};

} // namespace pagefold::testing
