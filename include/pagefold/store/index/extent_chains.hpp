// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/slot_pool.hpp>
#include <pagefold/store/index/extent.hpp>
#include <pagefold/store/index/linear_buckets.hpp>
#include <pagefold/store/located_key.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// The hash chains of an index. The first extent of an object, its primary, is hashed under (pool, object), the others under
/// (pool, object, number). A look-up touches a bucket and the extents of its chain, less than two in the mean.
///
/// A link that is damaged, or leads to no extent, makes all chains anew from the extents: a walk over all of them, once for
/// each damage. An extent in a chain that is not whole is counted: it may be the one that is looked for. Not thread-safe.
template <class Source>
class extent_chains {
public:
    static constexpr std::uint32_t none = extent::none;

    extent_chains(extent_pool<Source>& extents, const key_hasher& hasher, Source& source, node_id node) noexcept
        : extents_{extents}, hasher_{hasher}, buckets_{source, node} {}

    /// Has a first bucket made, without which nothing can be inserted. Fails with what the source answered.
    status prepare() noexcept { return buckets_.count() == 0 ? buckets_.add() : status::ok; }

    // Finding.

    [[nodiscard]] std::uint32_t find_primary(std::uint32_t pool, std::uint64_t object,
                                             std::uint64_t hash) const noexcept {
        return buckets_.count() == 0 ? none : find_in_chain(hash, [&](const extent& x) noexcept {
            return x.object == object && x.pool() == pool && x.is_primary();
        });
    }
    [[nodiscard]] std::uint32_t find(std::uint32_t pool, std::uint64_t object, std::uint64_t number,
                                     std::uint64_t object_hash, std::uint64_t extent_hash) const noexcept {
        if (buckets_.count() == 0) {
            return none;
        }
        const std::uint64_t identity = extent::identity(pool, number);
        const std::uint32_t id = find_in_chain(extent_hash, [&](const extent& x) noexcept {
            return x.object == object && x.has_identity(identity) && !x.is_primary();
        });
        if (id != none) {
            return id;
        }
        const std::uint32_t first = find_primary(pool, object, object_hash);
        if (first == none || extents_[first].has_identity(identity)) {
            return first;
        }
        damage_ += extents_[first].is_whole() ? 0u : 1u; // it may have been the one, under another number
        return none;
    }
    // For who only asks for cache lines, and looks again when they are there: nothing is changed, counted or mended, whatever is
    // met.

    /// Asks for the extent that a look-up meets first. Inlined, as slot_pool::prefetch.
    PAGEFOLD_ALWAYS_INLINE void prefetch_first(std::uint64_t extent_hash) const noexcept {
        if (const std::uint32_t link = first_link(extent_hash); link != 0) {
            extents_.prefetch(chain_link::id(link));
        }
    }
    /// The extent, where it is what a look-up meets first. If not, asks for what comes behind that, and none.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint32_t guess_first(std::uint32_t pool, std::uint64_t object,
                                                                   std::uint64_t number,
                                                                   std::uint64_t extent_hash) const noexcept {
        const std::uint32_t link = first_link(extent_hash);
        const extent* const x = link != 0 ? extents_.find(chain_link::id(link)) : nullptr;
        if (x == nullptr) {
            return none;
        }
        if (x->object == object && x->has_identity(extent::identity(pool, number))) {
            return chain_link::id(link);
        }
        if (x->hash_next != 0) {
            extents_.prefetch(chain_link::id(x->hash_next));
        }
        return none;
    }
    /// Where a look-up comes to, mostly. none says nothing.
    [[nodiscard]] std::uint32_t guess(std::uint32_t pool, std::uint64_t object, std::uint64_t number,
                                      std::uint64_t object_hash, std::uint64_t extent_hash) const noexcept {
        const std::uint64_t identity = extent::identity(pool, number);
        const std::uint64_t hashes[] = {extent_hash, object_hash};
        for (const std::uint64_t hash : hashes) {
            std::uint32_t link = first_link(hash);
            for (unsigned left = guesses; link != 0 && left != 0; --left) {
                const extent* const x = extents_.find(chain_link::id(link));
                if (x == nullptr) {
                    break;
                }
                if (x->object == object && x->has_identity(identity)) {
                    return chain_link::id(link);
                }
                link = x->hash_next;
            }
        }
        return none;
    }

    /// What points to the extent in its chain, or null where it is damaged beyond mending.
    [[nodiscard]] std::uint32_t* find_link(std::uint32_t id) noexcept {
        if (std::uint32_t* const link = walk_to(id); link != nullptr) [[likely]] {
            return link;
        }
        mend();
        return walk_to(id);
    }

    // Changing. An extent's identity, and whether it is a primary, stay the same while it is in its chain.

    void insert(std::uint32_t id) const noexcept {
        std::uint32_t& head = buckets_[buckets_.of(hash_of(extents_[id]))];
        extents_[id].hash_next = head;
        head = chain_link::to(id);
    }
    void remove(std::uint32_t id) noexcept {
        if (std::uint32_t* const link = find_link(id); link != nullptr) {
            *link = extents_[id].hash_next;
        }
    }
    /// One bucket more when there are more extents than buckets. A refusal of the source only makes chains longer.
    void grow() noexcept {
        if (extents_.size() <= buckets_.count() || buckets_.add() != status::ok || buckets_.count() == 1) {
            return;
        }
        const std::uint32_t added = buckets_.count() - 1;
        std::uint32_t* link = &buckets_[buckets_.split_from()];
        for (std::uint32_t left = longest_chain() * 2; *link != 0; --left) {
            const std::uint32_t one = *link;
            extent* const x = extents_.find(chain_link::id(one));
            if (x == nullptr || left == 0 || !chain_link::is_whole(one)) [[unlikely]] {
                mend();
                return;
            }
            damage_ += x->is_whole() ? 0u : 1u; // it may go where nobody who looks for its pages comes by
            if (buckets_.of(hash_of(*x)) == added) {
                *link = x->hash_next;
                x->hash_next = buckets_[added];
                buckets_[added] = one;
            } else {
                link = &x->hash_next;
            }
        }
    }
    /// Takes away up to `most` buckets beyond one for each extent; true when there are none left.
    bool shrink(unsigned most) noexcept {
        for (unsigned i = 0; i < most; ++i) {
            if (buckets_.count() <= extents_.size() || !remove_bucket()) {
                return true;
            }
        }
        return false;
    }
    /// After an extent went: up to two buckets go where a quarter of them is too many.
    void follow_down() noexcept {
        for (unsigned i = 0; i < 2 && extents_.size() < buckets_.count() - buckets_.count() / 4; ++i) {
            static_cast<void>(remove_bucket());
        }
    }
    /// Gives back every page above the last bucket.
    void trim() noexcept { buckets_.trim(); }

    [[nodiscard]] std::size_t bytes() const noexcept { return buckets_.bytes(); }
    /// How often something was found that contradicts itself.
    [[nodiscard]] std::uint64_t damage() const noexcept { return damage_; }
    /// Walks all chains; false where one is not right.
    [[nodiscard]] bool check() const noexcept {
        std::uint32_t chained = 0;
        for (std::uint32_t b = 0; b < buckets_.count(); ++b) {
            for (std::uint32_t link = buckets_[b]; link != 0; link = extents_[chain_link::id(link)].hash_next) {
                const std::uint32_t id = chain_link::id(link);
                if (!chain_link::is_whole(link) || !extents_.contains(id) || buckets_.of(hash_of(extents_[id])) != b ||
                    ++chained > extents_.size()) {
                    return false;
                }
            }
        }
        return chained == extents_.size() && damage_ == 0;
    }

private:
    static constexpr unsigned guesses = 4;             // links of a chain
    static constexpr std::uint32_t least_buckets = 64; // kept, so that a small table doesn't change with every page

    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint32_t first_link(std::uint64_t hash) const noexcept {
        return buckets_.count() != 0 ? buckets_[buckets_.of(hash)] : 0;
    }
    [[nodiscard]] std::uint64_t hash_of(const extent& x) const noexcept {
        return x.is_primary() ? hasher_.object(x.pool(), x.object) : hasher_.extent(x.pool(), x.object, x.number());
    }
    /// More steps than any chain has: with a secret hash they are as long as chance makes them, and longer only where the
    /// source refused buckets.
    [[nodiscard]] std::uint32_t longest_chain() const noexcept { return 64 + 8 * (extents_.size() / buckets_.count()); }

    /// The first extent of a chain for which `is_it(extent)`, or none.
    template <class Predicate>
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint32_t find_in_chain(std::uint64_t hash,
                                                                     Predicate is_it) const noexcept {
        std::uint32_t left = longest_chain();
        for (std::uint32_t link = buckets_[buckets_.of(hash)]; link != 0; --left) {
            const std::uint32_t id = chain_link::id(link);
            const extent* const x = extents_.find(id);
            if (x == nullptr || left == 0 || !chain_link::is_whole(link)) [[unlikely]] {
                return find_after_mending(hash, is_it, left != 0);
            }
            if (is_it(*x)) {
                return id;
            }
            damage_ += x->is_whole() ? 0u : 1u; // it may be what is looked for
            link = x->hash_next;
        }
        return none;
    }
    /// The same in chains that were made anew; none for a chain that is too long, since it would be the same.
    template <class Predicate>
    [[nodiscard]] PAGEFOLD_COLD std::uint32_t find_after_mending(std::uint64_t hash, Predicate is_it,
                                                                 bool helps) const noexcept {
        if (!helps) {
            ++damage_;
            return none;
        }
        mend();
        std::uint32_t left = longest_chain();
        for (std::uint32_t link = buckets_[buckets_.of(hash)]; link != 0 && left != 0; --left) {
            const std::uint32_t id = chain_link::id(link);
            if (is_it(extents_[id])) {
                return id;
            }
            link = extents_[id].hash_next;
        }
        return none;
    }
    [[nodiscard]] std::uint32_t* walk_to(std::uint32_t id) noexcept {
        std::uint32_t* link = &buckets_[buckets_.of(hash_of(extents_[id]))];
        for (std::uint32_t left = longest_chain(); left != 0 && *link != 0; --left) {
            if (*link == chain_link::to(id)) {
                return link;
            }
            extent* const x = extents_.find(chain_link::id(*link));
            if (x == nullptr || !chain_link::is_whole(*link)) {
                break;
            }
            link = &x->hash_next;
        }
        return nullptr;
    }
    /// Makes all chains anew from the extents. Slow, and seldom: something was damaged.
    PAGEFOLD_COLD void mend() const noexcept {
        ++damage_;
        for (std::uint32_t b = 0; b < buckets_.count(); ++b) {
            buckets_[b] = 0;
        }
        for (std::uint32_t id = next_extent(extents_, 0); id != none; id = next_extent(extents_, id + 1)) {
            insert(id);
        }
    }
    /// Joins the last bucket's chain with the one that it was split off from; false where there are too few.
    bool remove_bucket() noexcept {
        if (buckets_.count() <= least_buckets) {
            return false;
        }
        std::uint32_t* link = &buckets_[buckets_.split_from()];
        for (std::uint32_t left = longest_chain() * 2; *link != 0; --left) {
            extent* const x = extents_.find(chain_link::id(*link));
            if (x == nullptr || left == 0 || !chain_link::is_whole(*link)) [[unlikely]] {
                buckets_.remove();
                mend();
                return true;
            }
            link = &x->hash_next;
        }
        *link = buckets_[buckets_.count() - 1];
        buckets_.remove();
        return true;
    }

    extent_pool<Source>& extents_;
    const key_hasher& hasher_;
    linear_buckets<Source> buckets_;
    mutable std::uint64_t damage_ = 0;
};

} // namespace pagefold
