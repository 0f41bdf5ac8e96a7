// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/paging/region_pager.hpp>

// How pages leave a region_pager: victims are taken out, a run in a call, and wait in the queue; the oldest of those
// are put, found to be zeros, or known to have a good copy, and are dropped. What can't go returns, or stays in
// transit.

namespace pagefold::inline PAGEFOLD_ABI {

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
void region_pager<Store, Backend, Policy>::make_room(std::size_t pages) noexcept {
    for (unsigned tries = 0; tries < evictions_a_fault && is_over(pages); ++tries) {
        const std::size_t excess = in_memory() - (pages < options_.limit ? options_.limit - pages : 0);
        // Who found the store full last asks with one page, and doesn't take out many and put them back for each fault.
        const pages_freed done = evict_some(is_store_full_ ? 1 : excess < batch() ? batch() : excess);
        if (done.freed == 0 && !done.goes_on) {
            return;
        }
    }
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
bool region_pager<Store, Backend, Policy>::is_over(std::size_t more) const noexcept {
    return in_memory() != 0 && (more > options_.limit || in_memory() > options_.limit - more);
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
std::size_t region_pager<Store, Backend, Policy>::batch() const noexcept {
    const std::size_t part = options_.limit / 16 < 1 ? 1 : options_.limit / 16;
    return part < options_.batch ? part : options_.batch;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
bool region_pager<Store, Backend, Policy>::has_room_in_queue() noexcept {
    while (queue_.length() != 0 && !is_front_in_transit()) {
        queue_.pop();
    }
    return room_in_queue() != 0;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
bool region_pager<Store, Backend, Policy>::is_front_in_transit() const noexcept {
    return states_.at(queue_.front()) == page_states::in_transit &&
           states_.stamp(queue_.front()) == queue_.front_number();
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
pages_freed region_pager<Store, Backend, Policy>::evict_some(std::size_t wanted) noexcept {
    if constexpr (timed_backend<Backend>) {
        const std::uint64_t start = backend_.now();
        const pages_freed done = evict_batch(wanted);
        stats_.evict_time += backend_.now() - start;
        return done;
    } else {
        return evict_batch(wanted);
    }
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
pages_freed region_pager<Store, Backend, Policy>::evict_batch(std::size_t wanted) noexcept {
    if (pages_ == 0 || wanted == 0) {
        return {};
    }
    wanted = wanted < max_batch ? wanted : max_batch;
    is_store_full_ = false;
    copy_looks_ = 2 * most_looks;
    const std::size_t target = options_.queue + wanted;
    search found;
    for (unsigned i = 0; i < 2 && in_transit_ < target && !found.is_over; ++i) { // twice what leaves: the queue grows
        const std::size_t looks = found.looks;
        found = take_victims(target - in_transit_ < wanted ? target - in_transit_ : wanted);
        found.looks += looks;
    }
    pages_freed done;
    done.freed = settle(wanted);
    if (done.freed == 0 && found.looks == 0) { // what is in transit can go nowhere
        found = take_victims(wanted);
        done.freed = settle(wanted);
    }
    vain_looks_ = done.freed != 0 ? 0 : vain_looks_ + found.looks;
    // Two rounds clear every mark that a page was used, and meet it again.
    done.goes_on =
        done.freed != 0 || (!found.is_over && !is_store_full_ && vain_looks_ <= 2 * set_.size() + most_looks);
    if (!done.goes_on) {
        vain_looks_ = 0;
    }
    return done;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
auto region_pager<Store, Backend, Policy>::take_victims(std::size_t most) noexcept -> search {
    most = !has_room_in_queue() ? 0 : most < max_batch ? most : max_batch;
    most = most < room_in_queue() ? most : room_in_queue();
    slot_id victims[max_batch];
    std::size_t count = 0, steps = most_looks;
    bool is_over = most == 0;
    while (count < most && steps != 0) {
        const slot_id page =
            set_.evict([this](slot_id p) noexcept { return !states_.has(p, page_states::barred); }, steps);
        if (page == no_slot) {
            is_over = count == 0 && steps != 0;
            break;
        }
        if (was_used(page)) {
            set_.insert(page, false);
            continue;
        }
        std::size_t at = count++;
        for (; at != 0 && victims[at - 1] > page; --at) {
            victims[at] = victims[at - 1];
        }
        victims[at] = page;
    }
    if constexpr (scattered_backend<Backend>) {
        if (count != 0) {
            backend_.foresee(victims, count);
        }
    }
    for (std::size_t first = 0; first < count;) {
        const std::size_t run = run_of(victims + first, count - first);
        pages_done done;
        if constexpr (scattered_backend<Backend>) {
            done = told(backend_.take_out_pages(victims + first, run), run);
        } else {
            done = told(backend_.take_out(victims[first], run), run);
        }
        for (std::size_t i = 0; i < done.done; ++i) {
            note_taken(victims[first + i]);
        }
        if (done.done < run) {
            stats_.pinned_pages += done.why == status::no_memory ? 0u : 1u;
            set_.insert(victims[first + done.done], true);
        }
        first += done.done < run ? done.done + 1 : run;
    }
    return {most_looks - steps, is_over};
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
std::size_t region_pager<Store, Backend, Policy>::run_of(const slot_id* pages, std::size_t count) const noexcept {
    std::size_t run = 1;
    for (; run < count; ++run) {
        bool goes_on = pages[run] == pages[run - 1] + 1;
        if (scattered_backend<Backend> && !goes_on && stats_.lost_pages == 0) {
            const slot_id next = set_.next(pages[run - 1]); // in a round: no_slot, or one before, is none in between
            goes_on = next == no_slot || next < pages[run - 1] || next > pages[run];
        }
        if (!goes_on) {
            break;
        }
    }
    return run;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
bool region_pager<Store, Backend, Policy>::was_used(slot_id page) noexcept {
    if constexpr (accessed_backend<Backend>) {
        const bool was = backend_.was_accessed(page);
        if (states_.has(page, page_states::ahead)) {
            states_.set(page, page_states::ahead, false);
            if (was) {
                ahead_.used(1);
            } else {
                ahead_.wasted(1);
            }
        }
        return was;
    } else {
        return false;
    }
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
std::size_t region_pager<Store, Backend, Policy>::settle(std::size_t most) noexcept {
    std::size_t freed = 0;
    for (std::size_t left = queue_.length() < 2 * max_batch ? queue_.length() : 2 * max_batch;
         left != 0 && freed < most;) {
        slot_id run[max_run];
        std::size_t count = 0;
        while (left != 0 && count < max_run && count < most - freed) {
            const slot_id page = queue_.front();
            const bool is_there = is_front_in_transit();
            if (!scattered_backend<Backend> && is_there && count != 0 && page != run[0] + count) {
                break;
            }
            queue_.pop();
            --left;
            if (is_there) {
                run[count++] = page;
            }
        }
        freed += settle_run(run, count);
    }
    return freed;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
std::size_t region_pager<Store, Backend, Policy>::settle_run(const slot_id* run, std::size_t count) noexcept {
    bool goes[max_run] = {};
    leaving how[max_run] = {};
    for (std::size_t i = 0; i < count; ++i) {
        goes[i] = find_copy(run[i], how[i]) == status::ok;
    }
    std::size_t freed = 0;
    for (std::size_t i = 0; i < count;) {
        std::size_t end = i;
        while (end < count && goes[end]) {
            ++end;
        }
        if (end != i) {
            std::size_t done = 0;
            if constexpr (scattered_backend<Backend>) {
                done = told(backend_.drop_pages(run + i, end - i), end - i).done;
            } else {
                done = told(backend_.drop(run[i], end - i), end - i).done;
            }
            for (const std::size_t gone = i + done; i < gone; ++i, ++freed) {
                note_gone(run[i], how[i]);
            }
        }
        if (i < count && (i < end || !goes[i])) {
            stats_.pinned_pages += i < end ? 1u : 0u;
            stays(run[i]);
            ++i;
        }
    }
    return freed;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
status region_pager<Store, Backend, Policy>::settle_page(slot_id page) noexcept {
    leaving how = leaving::clean;
    status s = find_copy(page, how);
    if (s == status::ok) {
        const pages_done done = told(backend_.drop(page, 1), 1);
        if (done.done == 1) {
            note_gone(page, how);
            return status::ok;
        }
        s = done.why;
    }
    put_back(page);
    return s;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
status region_pager<Store, Backend, Policy>::find_copy(slot_id page, leaving& how) noexcept {
    bool is_good = states_.has(page, page_states::good);
    if constexpr (unsure_backend<Backend>) {
        if (const byte_span room = is_good ? backend_.compare_room() : byte_span{}; !room.empty()) {
            const result<byte_view> bytes = backend_.read(page);
            if (!bytes || bytes.value().size() != page_size) {
                return told(bytes ? status::busy : bytes.error());
            }
            is_good = is_copy(page, bytes.value(), room);
            states_.set(page, page_states::good, is_good);
        }
    }
    const bool is_base = is_good && !states_.has(page, page_states::has_entry) && is_from_base(page);
    if (is_good && !(is_base && options_.stores_base)) {
        return status::ok;
    }
    if (options_.may_vanish && !is_good) {
        states_.set(page, page_states::barred, true); // the pool may lose it, and the base has an older one
        return status::unavailable;
    }
    const result<byte_view> bytes = backend_.read(page);
    if (!bytes || bytes.value().size() != page_size) {
        const status why = bytes ? status::busy : bytes.error();
        return is_good ? status::ok : told(why);
    }
    if (!is_good && is_zeros(bytes.value())) {
        const status s = erase_entry(page);
        if (s == status::ok) {
            states_.set(page, page_states::zero_base, true);
            states_.set(page, page_states::good, true);
            how = leaving::zeros;
        }
        return s;
    }
    if (is_store_full_ && !states_.has(page, page_states::has_entry)) { // it has just refused another
        stats_.refused_pages += is_base ? 0u : 1u;
        return is_base ? status::ok : status::limit;
    }
    const status s = put(page, bytes.value(), !is_base);
    how = s == status::ok ? leaving::put : how;
    return is_base ? status::ok : s;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
bool region_pager<Store, Backend, Policy>::is_copy(slot_id page, byte_view bytes, byte_span room) noexcept {
    if (states_.has(page, page_states::has_entry)) {
        return store_.get(key(page), room) == status::ok && equal_bytes(bytes.data(), room.data(), page_size);
    }
    if constexpr (based_backend<Backend>) {
        if (is_from_base(page)) {
            return told(backend_.fill(page, room)) == status::ok && equal_bytes(bytes.data(), room.data(), page_size);
        }
    }
    return is_zeros(bytes);
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
status region_pager<Store, Backend, Policy>::put(slot_id page, byte_view bytes, bool must) noexcept {
    for (unsigned tries = 1;; ++tries) {
        const status s = store_.put(key(page), bytes);
        if (s == status::ok) {
            set_entry(page, true);
            states_.set(page, page_states::good, true);
            states_.set(page, page_states::barred, false);
            return s;
        }
        static_cast<void>(erase_entry(page)); // the store has done so itself, if it keeps its word
        if (!must) {
            return s;
        }
        const bool is_barred = s == status::incompressible && backend_.tells_writes();
        states_.set(page, page_states::barred, is_barred);
        stats_.barred_pages += is_barred ? 1u : 0u;
        const bool is_full = s == status::limit || s == status::no_memory;
        if (!is_full || tries == tries_a_put || drop_some_copies(copies_a_refusal) == 0) {
            const bool has_copies = tries != tries_a_put && copy_looks_ == 0 && entries_ != stored_; // perhaps
            is_store_full_ = is_store_full_ || (is_full && !has_copies);
            ++stats_.refused_pages;
            return s;
        }
    }
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
void region_pager<Store, Backend, Policy>::note_gone(slot_id page, leaving how) noexcept {
    const bool has_entry = states_.has(page, page_states::has_entry);
    leave_memory(page);
    set_place(page, has_entry ? page_states::stored : page_states::absent);
    states_.set(page, page_states::good, false);
    states_.set(page, page_states::barred, false);
    states_.set(page, page_states::ahead, false);
    states_.set_stamp(page, evictions_);
    evictions_ = evictions_ + 1 == 0 ? 1 : evictions_ + 1;
    ++stats_.evicted_pages;
    stats_.clean_pages += how == leaving::put ? 0u : 1u;
    stats_.zero_pages += how == leaving::zeros ? 1u : 0u;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
void region_pager<Store, Backend, Policy>::stays(slot_id page) noexcept {
    if (!put_back(page)) {
        states_.set_stamp(page, queue_.push(page)); // it has just left a place
    }
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
bool region_pager<Store, Backend, Policy>::put_back(slot_id page) noexcept {
    const bool is_watched = states_.has(page, page_states::good) || states_.has(page, page_states::barred);
    if (told(backend_.put_back(page, is_watched ? page_access::read : page_access::write)) != status::ok) {
        return false;
    }
    leave_memory(page);
    become_resident(page, true);
    return true;
}

} // namespace pagefold
