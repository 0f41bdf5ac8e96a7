// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/result.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/image_format.hpp>
#include <pagefold/store/pool.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Makes a pool for each of an image: of the same kind, a child of the same parent, and sealed where it was. Its options else are those
/// of a new pool, or what `options` says. For one thread.
template <class Store>
class restored_pools {
public:
    /// `ids`: room for `count` pools, which must outlive it; of a restore that goes on, what the one before left there, else
    /// pool_id{}. An image with more is `limit`.
    restored_pools(Store& store, pool_id* ids, std::uint32_t count, const pool_options& options = {}) noexcept
        : store_{store}, ids_{ids}, options_{options}, count_{count} {}

    /// invalid: its parent is in another image.
    result<pool_id> open(const image_pool_info& info) noexcept {
        if (info.number >= count_) {
            return status::limit;
        }
        if (ids_[info.number] != pool_id{}) {
            return status::corrupt; // twice
        }
        pool_options options = options_;
        options.kind = info.kind;
        if (info.parent != image_pool_info::no_parent) {
            options.parent = find(info.parent);
            if (options.parent == pool_id{}) {
                return status::invalid;
            }
        }
        const result<pool_id> made = store_.create_pool(options);
        if (made) {
            ids_[info.number] = *made;
        }
        return made;
    }
    [[nodiscard]] pool_id find(std::uint32_t number) const noexcept {
        return number < count_ ? ids_[number] : pool_id{};
    }
    status close(const image_pool_info& info) noexcept {
        if constexpr (requires { store_.seal(pool_id{}); }) {
            return info.is_sealed ? store_.seal(find(info.number)) : status::ok;
        } else {
            static_cast<void>(info);
            return status::ok;
        }
    }
    /// Destroys all of them, children first: for who doesn't want the good part of an image that is not whole. One that can't be
    /// now, as it has another child or this call interrupts another, stays in `ids`.
    void drop_all() noexcept {
        for (std::uint32_t i = count_; i-- > 0;) {
            if (ids_[i] != pool_id{} && store_.destroy_pool(ids_[i]) != status::busy) {
                ids_[i] = pool_id{};
            }
        }
    }

private:
    Store& store_;
    pool_id* ids_;
    pool_options options_;
    std::uint32_t count_;
};

} // namespace pagefold
