// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/tier/concept.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a partition answers of a page that is in the tier; never to a store's user.
inline constexpr status is_in_tier = static_cast<status>(0xfe);

/// A copy in the tier.
struct tier_copy {
    page_key key{};
    tier_place place{};
};

/// Copies that no page leads to any more, for the tier to forget once the lock is gone. A hold leaves few.
struct leaving_copies {
    /// A hold erases 8 pages of a range, moves 4 or settles a batch of 8 at most.
    static constexpr std::size_t most = 16;

    std::size_t count = 0;
    tier_copy of[most];
};

/// Pages that are offered to a tier together: copies of their streams, and what became of each.
template <class Entry>
struct demotion_batch {
    static constexpr unsigned most = 8;

    struct victim {
        page_key key{};
        Entry e{};            ///< as it was when the stream was copied
        byte_view stream{};   ///< the copy
        tier_place place{};   ///< where the tier has it,
        bool is_kept = false; ///< if it has
    };

    unsigned count = 0;
    unsigned refused = 0; ///< that the tier was offered, and did not take
    victim of[most];
};

/// One that looks for a page in the tier, outside the lock, and is told whether the page was that one all the while. It
/// stands on the stack of who looks.
class copy_watch {
public:
    copy_watch() noexcept = default;
    copy_watch(const copy_watch&) = delete;
    copy_watch& operator=(const copy_watch&) = delete;

    /// Whether the copy that was looked for is not the page's any more.
    [[nodiscard]] bool has_left() const noexcept { return has_left_; }

private:
    friend class tier_copies;
    copy_watch* next_ = nullptr;
    copy_watch** link_ = nullptr; // null: nobody tells it
    tier_copy copy_{};
    bool has_left_ = false;
};

/// What a partition knows of its pages' copies in the tier, besides their entries: which are to be forgotten, and who is
/// reading which. The partition's lock is held around every call.
class tier_copies {
public:
    /// The page of this copy is erased, replaced or brought back. Cost: a look at each reader.
    void leave(const tier_copy& copy) noexcept {
        for (copy_watch* w = watches_; w != nullptr; w = w->next_) {
            w->has_left_ = w->has_left_ || (w->copy_.place == copy.place && w->copy_.key == copy.key);
        }
        forget(copy);
    }
    /// A copy that no page had.
    void forget(const tier_copy& copy) noexcept {
        if (leaving_.count < leaving_copies::most) {
            leaving_.of[leaving_.count++] = copy;
        } else {
            ++lost_; // a hold that left more than any does: the tier keeps it
        }
    }
    /// The last that left goes on as the copy of a page elsewhere.
    void keep_last() noexcept { leaving_.count -= leaving_.count != 0 ? 1u : 0u; }
    /// What has left since the last time.
    [[nodiscard]] leaving_copies take_leaving() noexcept {
        leaving_copies taken;
        taken.count = leaving_.count;
        for (std::size_t i = 0; i < leaving_.count; ++i) {
            taken.of[i] = leaving_.of[i];
        }
        leaving_.count = 0;
        return taken;
    }
    [[nodiscard]] bool has_leaving() const noexcept { return leaving_.count != 0; }

    void begin(copy_watch& watch, const tier_copy& copy) noexcept {
        watch.copy_ = copy;
        watch.has_left_ = false;
        watch.next_ = watches_;
        watch.link_ = &watches_;
        if (watches_ != nullptr) {
            watches_->link_ = &watch.next_;
        }
        watches_ = &watch;
    }
    void end(copy_watch& watch) noexcept {
        if (watch.link_ != nullptr) {
            *watch.link_ = watch.next_;
            if (watch.next_ != nullptr) {
                watch.next_->link_ = watch.link_;
            }
            watch.link_ = nullptr;
        }
    }

    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }
    /// Whether nobody reads and nothing waits to be forgotten, as it must be at rest.
    [[nodiscard]] bool is_at_rest() const noexcept { return watches_ == nullptr && leaving_.count == 0; }

private:
    copy_watch* watches_ = nullptr;
    leaving_copies leaving_{};
    std::uint64_t lost_ = 0;
};

} // namespace pagefold
