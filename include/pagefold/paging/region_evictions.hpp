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
        const pages_freed done = evict_some(excess < batch() ? batch() : excess);
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
    for (std::size_t first = 0; first < count;) {
        std::size_t run = 1;
        while (first + run < count && victims[first + run] == victims[first] + run) {
            ++run;
        }
        const pages_done done = told(backend_.take_out(victims[first], run), run);
        for (std::size_t i = 0; i < done.done; ++i) {
            note_taken(victims[first + i]);
        }
        if (done.done < run) {
            set_.insert(victims[first + done.done], true); // pinned
        }
        first += done.done < run ? done.done + 1 : run;
    }
    return {most_looks - steps, is_over};
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
            if (is_there && count != 0 && page != run[0] + count) {
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
    bool is_put[max_run] = {};
    for (std::size_t i = 0; i < count; ++i) {
        goes[i] = find_copy(run[i], is_put[i]) == status::ok;
    }
    std::size_t freed = 0;
    for (std::size_t i = 0; i < count;) {
        std::size_t end = i;
        while (end < count && goes[end]) {
            ++end;
        }
        if (end != i) {
            const std::size_t done = told(backend_.drop(run[i], end - i), end - i).done;
            for (const std::size_t gone = i + done; i < gone; ++i, ++freed) {
                note_gone(run[i], is_put[i]);
            }
        }
        if (i < count && (i < end || !goes[i])) {
            stays(run[i]);
            ++i;
        }
    }
    return freed;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
status region_pager<Store, Backend, Policy>::settle_page(slot_id page) noexcept {
    bool is_put = false;
    status s = find_copy(page, is_put);
    if (s == status::ok) {
        const pages_done done = told(backend_.drop(page, 1), 1);
        if (done.done == 1) {
            note_gone(page, is_put);
            return status::ok;
        }
        s = done.why;
    }
    put_back(page);
    return s;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
status region_pager<Store, Backend, Policy>::find_copy(slot_id page, bool& is_put) noexcept {
    const bool is_good = states_.has(page, page_states::good);
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
            ++stats_.zero_pages;
        }
        return s;
    }
    const status s = put(page, bytes.value(), !is_base);
    is_put = s == status::ok;
    return is_base ? status::ok : s;
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
void region_pager<Store, Backend, Policy>::note_gone(slot_id page, bool was_put) noexcept {
    const bool has_entry = states_.has(page, page_states::has_entry);
    leave_memory(page);
    set_place(page, has_entry ? page_states::stored : page_states::absent);
    states_.set(page, page_states::good, false);
    states_.set(page, page_states::barred, false);
    states_.set(page, page_states::ahead, false);
    states_.set_stamp(page, evictions_);
    evictions_ = evictions_ + 1 == 0 ? 1 : evictions_ + 1;
    ++stats_.evicted_pages;
    stats_.clean_pages += was_put ? 0u : 1u;
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
