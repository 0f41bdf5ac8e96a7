// SPDX-License-Identifier: MIT

// What a host does at its begin and its end so that the guests' pages are there after a restart.

#include "host.hpp"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <string>

namespace vm_pager {

/// False where a signal came that ends it.
bool host::restore(int signals) {
    const clock::time_point start = clock::now();
    std::optional<saved_guests> all = restore_guests(store_, given_.restore, [&] {
        pollfd wanted{signals, POLLIN, 0};
        return poll(&wanted, 1, 0) <= 0 || !hear_signal(signals);
    });
    if (!all) {
        return false;
    }
    take_base(all->base);
    saved_.assign(std::make_move_iterator(all->guests.begin()), std::make_move_iterator(all->guests.end()));
    std::printf(
        "restored: guests=%zu pages=%" PRIu64 " bytes=%" PRIu64 " store=%" PRIu64 " ms=%lld\n", saved_.size(),
        all->pages, all->bytes, store_.stats().total_bytes,
        static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - start).count()));
    return true;
}
/// The guests go on as what they began as, and others begin as the same.
void host::take_base(const saved_base& base) {
    const char* const what = base.is == saved_base::kind::pool       ? "a template"
                             : base.is == saved_base::kind::snapshot ? "a snapshot"
                                                                     : "nothing";
    const bool has_snapshot = !given_.snapshot.empty(), has_template = !given_.template_file.empty();
    if (has_snapshot != (base.is == saved_base::kind::snapshot) ||
        (has_template && base.is != saved_base::kind::pool)) {
        throw failure(given_.restore + ": its guests began as " + what + ", and as nothing else can others begin here");
    }
    if (has_snapshot && (base_->bytes() != base.bytes || base_->identity() != base.identity)) {
        throw failure(given_.snapshot + ": not the snapshot that the guests in " + given_.restore +
                      " began as, or it was written since");
    }
    if (base.is == saved_base::kind::pool) {
        base_ = std::make_unique<template_memory>(store_, base.pool, base.bytes);
    }
}
/// Throws refusal where the guest is one of those that were saved, and yet can't go on.
saved_guest* host::find_saved(const guest_memory& memory) {
    guest_identity who;
    if (saved_.empty() || !memory.has_file() || !memory.identify(who)) {
        return nullptr;
    }
    const auto found =
        std::find_if(saved_.begin(), saved_.end(), [&](const saved_guest& s) { return s.identity.is_same_file(who); });
    if (found == saved_.end()) {
        return nullptr;
    }
    if (found->identity.regions != who.regions) {
        throw refusal("its regions are not those that it had when it was saved");
    }
    spend_image();
    return &*found;
}
/// From here on the file is older than a guest is.
void host::spend_image() {
    if (has_spent_image_) {
        return;
    }
    const std::string spent = given_.restore + ".used";
    if (::rename(given_.restore.c_str(), spent.c_str()) != 0 && errno != ENOENT) {
        throw refusal(given_.restore + " can't be renamed, and might be restored again: " + std::strerror(errno));
    }
    has_spent_image_ = true;
    std::printf("%s is %s now: it must not be restored again\n", given_.restore.c_str(), spent.c_str());
}
/// Writes what is in the store. The guests that it is for wait from then on, and are not here any more. False where it was not
/// written, and all is as before.
bool host::save() {
    const clock::time_point start = clock::now();
    std::vector<guest_ref> ones;
    saved_guests all;
    try {
        for (const auto& [number, g] : guests_) {
            g->look_around();
            if (g->memory().can_evict() && g->is_alive()) {
                all.guests.push_back(g->save());
                ones.push_back(g);
            }
        }
        if (base_ != nullptr) {
            const bool is_pool = base_->parent() != pagefold::pool_id{};
            all.base = {is_pool ? saved_base::kind::pool : saved_base::kind::snapshot, base_->bytes(),
                        base_->identity(), base_->parent()};
        }
        if (!has_spent_image_) { // nobody has had the time to come back
            all.guests.insert(all.guests.end(), saved_.begin(), saved_.end());
        }
        save_guests(store_, given_.save, all);
    } catch (const std::exception& why) {
        std::printf("NOT SAVED: %s; the guests' pages are brought back\n", why.what());
        return false;
    }
    for (const guest_ref& g : ones) {
        g->let_wait();
        std::printf("guest %u waits: resident=%zu stored=%zu\n", g->number(), g->resident() * page_bytes,
                    g->stored() * page_bytes);
        bid_farewell(*g);
        guests_.erase(g->number());
    }
    if (!has_spent_image_ && !saved_.empty()) {
        std::printf("none of %zu guests has come back: they are saved once more\n", saved_.size());
        saved_.clear();
    }
    std::printf(
        "saved: guests=%zu pages=%" PRIu64 " bytes=%" PRIu64 " ms=%lld\n", all.guests.size(), all.pages, all.bytes,
        static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - start).count()));
    return true;
}
/// What was restored for guests that did not come back. False where there is any.
bool host::drop_unclaimed() {
    for (const saved_guest& s : saved_) {
        const pagefold::pool_stats in_store = store_.statistics_of(s.pool).value_or(pagefold::pool_stats{});
        std::printf("a guest of %.1f MiB did not come back: its %" PRIu64 " pages are dropped\n",
                    static_cast<double>(s.identity.pages() * page_bytes) / 1048576.0, in_store.stored_pages);
        static_cast<void>(store_.destroy_pool(s.pool));
    }
    const bool had_none = saved_.empty();
    saved_.clear();
    return had_none;
}

} // namespace vm_pager
