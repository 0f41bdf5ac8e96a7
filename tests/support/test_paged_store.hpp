// SPDX-License-Identifier: MIT
#pragma once

#include "support/rng.hpp"
#include "support/test_paging_backend.hpp"

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/paging/concept.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace pagefold::testing {

/// A store of one pool and object, numbers below `pages`, which keeps pages as they are; refuses, forgets and spoils as
/// it is told.
class test_paged_store {
public:
    static constexpr std::size_t page_size = test_paging_backend::page_size;
    enum class call { put, get, erase };

    explicit test_paged_store(std::size_t pages, std::size_t most = ~std::size_t{0}, std::uint64_t seed = 7)
        : has_(pages), bytes_(pages * page_size), most_{most}, random_{seed} {}

    std::uint64_t refuses_one_in = 0;       ///< of puts and gets, for the moment; 0: none
    std::uint64_t erase_refuses_one_in = 0; ///< of erases
    status refusal = status::limit;         ///< what refused puts answer
    bool refuses_puts = false;
    std::function<void(call, std::uint64_t)> on_call{};
    void set_most(std::size_t most) { most_ = most; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool has(std::uint64_t page) const { return has_[page] != nothing; }
    /// From here on it is corrupt, until it is put or erased.
    void spoil(std::uint64_t page) { has_[page] = has_[page] == nothing ? nothing : spoiled; }
    /// As an ephemeral pool does.
    void drop(std::uint64_t page) { forget(page); }
    [[nodiscard]] std::uint64_t puts() const { return puts_; }
    [[nodiscard]] std::uint64_t gets() const { return gets_; }

    status put(const page_key& key, byte_view page) noexcept {
        note(call::put, key.index);
        ++puts_;
        const bool is_full = has_[key.index] == nothing && size_ >= most_;
        if (refuses_puts || is_full || hits(refuses_one_in)) {
            forget(key.index);
            return refusal;
        }
        size_ += has_[key.index] == nothing ? 1u : 0u;
        has_[key.index] = whole;
        copy_bytes(bytes_.data() + key.index * page_size, page.data(), page_size);
        return status::ok;
    }
    status get(const page_key& key, byte_span out) noexcept {
        note(call::get, key.index);
        ++gets_;
        if (hits(refuses_one_in)) {
            return status::unavailable;
        }
        if (has_[key.index] != whole) {
            return has_[key.index] == spoiled ? status::corrupt : status::not_found;
        }
        copy_bytes(out.data(), bytes_.data() + key.index * page_size, page_size);
        return status::ok;
    }
    status erase(const page_key& key) noexcept {
        note(call::erase, key.index);
        if (hits(erase_refuses_one_in)) {
            return status::busy;
        }
        const bool had = has_[key.index] != nothing;
        forget(key.index);
        return had ? status::ok : status::not_found;
    }

private:
    enum kind : std::uint8_t { nothing, whole, spoiled };

    [[nodiscard]] bool hits(std::uint64_t one_in) noexcept { return one_in != 0 && random_.one_in(one_in); }
    void note(call which, std::uint64_t page) noexcept {
        if (on_call) {
            on_call(which, page);
        }
    }
    void forget(std::uint64_t page) noexcept {
        size_ -= has_[page] == nothing ? 0u : 1u;
        has_[page] = nothing;
    }

    std::vector<kind> has_;
    std::vector<std::byte> bytes_;
    std::size_t size_ = 0;
    std::size_t most_;
    rng random_;
    std::uint64_t puts_ = 0, gets_ = 0;
};
static_assert(paged_store<test_paged_store>);

} // namespace pagefold::testing
