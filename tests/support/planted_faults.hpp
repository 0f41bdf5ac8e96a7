// SPDX-License-Identifier: MIT
#pragma once

#include "support/oracle_page.hpp"

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>

namespace pagefold::testing {

enum class planted_fault {
    none,
    older_version,   ///< a get brings what was put before the last put
    other_page,      ///< a get brings the next page's content
    torn_page,       ///< a get brings a page with one wrong word
    dropped,         ///< a put of a persistent page is answered ok, and the page gone
    briefly_absent,  ///< a put that replaces a page erases it first
    stored_refused,  ///< a put is answered limit, and the page stored
    kept_on_refusal, ///< a put is answered limit, and the old page still there
    erase_ignored,   ///< an erase is answered ok, and the page still there
    erase_invented,  ///< an erase of nothing is answered ok
    take_keeps,      ///< a take leaves the page
    lasting_pool,    ///< gets of an invalid pool find nothing, puts into it are ok
    early_end,       ///< an operation on a live pool is invalid
    corrupt_answer,  ///< a get says corrupt
};

/// A store that now and then does what it must not.
template <class Store, planted_fault Fault>
class planted : public Store {
    using fault = planted_fault;

public:
    using Store::Store;

    status put(const page_key& key, byte_view page) noexcept {
        if constexpr (Fault == fault::older_version) {
            const std::lock_guard guard{mutex_};
            history& h = histories_[{key.pool, key.object, key.index}];
            h.before = h.last;
            std::memcpy(h.last.data(), page.data(), page.size());
            ++h.count;
        }
        if constexpr (Fault == fault::briefly_absent) {
            if (strikes()) {
                static_cast<void>(Store::erase(key));
                std::this_thread::sleep_for(std::chrono::microseconds{300});
            }
        }
        if constexpr (Fault == fault::kept_on_refusal) {
            if (strikes()) {
                return status::limit;
            }
        }
        status s = Store::put(key, page);
        if (s == status::ok && Fault == fault::dropped && strikes()) {
            static_cast<void>(Store::erase(key));
        }
        if (s == status::ok && Fault == fault::stored_refused && strikes()) {
            s = status::limit;
        }
        if (s == status::invalid && Fault == fault::lasting_pool && strikes()) {
            s = status::ok;
        }
        return s;
    }
    status get(const page_key& key, byte_span out) noexcept {
        if constexpr (Fault == fault::older_version) {
            if (strikes()) {
                const std::lock_guard guard{mutex_};
                const history& h = histories_[{key.pool, key.object, key.index}];
                if (h.count > 1) {
                    std::memcpy(out.data(), h.before.data(), out.size());
                    return status::ok;
                }
            }
        }
        page_key which = key;
        which.index += Fault == fault::other_page && strikes() ? 1 : 0;
        const status s = Store::get(which, out);
        if (s == status::ok && Fault == fault::torn_page && strikes()) {
            out.data()[out.size() - 1] ^= std::byte{1};
        }
        if (s == status::ok && Fault == fault::early_end && strikes()) {
            return status::invalid;
        }
        if (s == status::ok && Fault == fault::corrupt_answer && strikes()) {
            return status::corrupt;
        }
        return s;
    }
    status take(const page_key& key, byte_span out) noexcept {
        return Fault == fault::take_keeps && strikes() ? Store::get(key, out) : Store::take(key, out);
    }
    status erase(const page_key& key) noexcept {
        if (Fault == fault::erase_ignored && strikes()) {
            oracle_page page;
            return Store::get(key, page);
        }
        const status s = Store::erase(key);
        return s == status::not_found && Fault == fault::erase_invented && strikes() ? status::ok : s;
    }

private:
    struct history {
        oracle_page before, last;
        unsigned count = 0;
    };

    /// Once in some hundred times.
    bool strikes() noexcept { return times_.fetch_add(1, std::memory_order_relaxed) % 151 == 150; }

    std::atomic<std::uint64_t> times_{0};
    std::mutex mutex_;
    std::map<std::tuple<pool_id, std::uint64_t, std::uint64_t>, history> histories_;
};

} // namespace pagefold::testing
