// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/core/types.hpp>

#include <cstddef>

// Which of the eviction policy's candidates goes, where it is not simply the first.
//
// A put needs a place: a victim that occupies one into which the new stream fits makes room by itself, where others would
// have to empty a whole span first. A shrink needs pages: victims that share a sparse span bring its pages back without
// anything being moved. So candidates that don't serve are passed over, but only a few, because the policy has its reasons
// for its order, and because every look costs a cold line; what doesn't fit then, compaction makes fit.
//
// How sparse is sparse enough can't be a constant: after a shrink by half all spans are sparse, in a full store none is.
// The bar is fed back: a search that ends early lowers it, one that runs out of candidates raises it to the sparsest that
// it met.

namespace pagefold::inline PAGEFOLD_ABI {

/// The predicate of one search. `State`: a partition_state. `Candidates`: Config::sparse_candidates.
template <class State, unsigned Candidates>
class victim_search {
public:
    /// `need`: bytes of the object that wants a place, 0 where memory must come back. `bar`: greatest fullness of a span
    /// that counts as sparse; kept from search to search. `passed_over`: candidates that the search passed over so far, where
    /// it goes on after its steps were used up: a policy that finds few candidates in so many steps would be asked for ever.
    victim_search(const State& state, std::size_t need, unsigned& bar, unsigned passed_over = 0) noexcept
        : state_{state}, need_{need}, snug_{need != 0 ? state.allocator.rounded(need) * 9 / 8 : 0}, bar_{bar},
          passed_over_{passed_over} {}

    [[nodiscard]] bool operator()(slot_id slot) noexcept {
        if (!state_.index.contains(slot)) {
            return true; // a policy's link that leads nowhere: it goes, or the walk might never end
        }
        const auto e = state_.index.get(slot);
        const bool is_odd_one = !state_.is_readable(e) || State::is_away(e); // damaged, or in order by damage
        const bool serves = is_odd_one || (need_ != 0 ? makes_place(e) : frees_pages(e));
        passed_over_ += serves ? 0u : 1u;
        return serves;
    }

    /// Whether fewer candidates were passed over than there may be.
    [[nodiscard]] bool found_what_fits() const noexcept { return passed_over_ < unfit_candidates; }
    [[nodiscard]] unsigned passed_over() const noexcept { return passed_over_; }

private:
    static constexpr unsigned unfit_candidates = 16; // passed over for a place that fits
    static constexpr unsigned unsnug_candidates = 8; // of those, for one that fits well

    [[nodiscard]] bool makes_place(const auto& e) const noexcept {
        if (passed_over_ >= unfit_candidates) {
            return true;
        }
        const std::size_t place = State::has_object(e) ? state_.allocator.capacity(e.handle()) : 0;
        return place >= need_ && (place <= snug_ || passed_over_ >= unsnug_candidates);
    }
    [[nodiscard]] bool frees_pages(const auto& e) noexcept {
        if constexpr (Candidates != 0) {
            const unsigned fullness = State::has_object(e) ? state_.allocator.fullness(e.handle()) : max_fullness;
            if (fullness <= bar_) {
                bar_ -= passed_over_ < Candidates / 2 && bar_ != 0 ? 1u : 0u;
                return true;
            }
            sparsest_ = fullness < sparsest_ ? fullness : sparsest_;
            if (passed_over_ < Candidates) {
                return false;
            }
            bar_ = sparsest_;
        }
        return true;
    }

    const State& state_;
    std::size_t need_;
    std::size_t snug_;
    unsigned& bar_;
    unsigned passed_over_;
    unsigned sparsest_ = max_fullness;
};

} // namespace pagefold
