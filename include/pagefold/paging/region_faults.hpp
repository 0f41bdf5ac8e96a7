// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/paging/region_pager.hpp>

// How a region_pager serves faults, and brings pages that nobody asked for yet: from the store, from the base, as
// zeros, or back out of transit. Who evicts for them is in region_evictions.hpp.

namespace pagefold::inline PAGEFOLD_ABI {

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
status region_pager<Store, Backend, Policy>::resolve(slot_id page, bool is_write) noexcept {
    status s = status::ok;
    switch (states_.at(page)) {
    case page_states::lost: return tell_lost(page);
    case page_states::in_transit:
        s = return_page(page, is_write);
        stats_.faults += s == status::ok ? 1u : 0u;
        stats_.queue_faults += s == status::ok ? 1u : 0u;
        break;
    case page_states::resident: s = is_write ? allow_writing(page) : duplicate(); break;
    case page_states::absent:
    case page_states::stored:
    default: s = bring(page, is_write); break;
    }
    if (states_.at(page) == page_states::lost) {
        return tell_lost(page);
    }
    return s == status::ok ? told(backend_.wake(page, 1)) : s;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
status region_pager<Store, Backend, Policy>::tell_lost(slot_id page) noexcept {
    status s = told(backend_.set_lost(page, true));
    if (s == status::ok) {
        s = told(backend_.wake(page, 1));
    }
    return s == status::ok || s == status::invalid ? status::corrupt : s; // he who wasn't told waits, and asks again
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
status region_pager<Store, Backend, Policy>::duplicate() noexcept {
    ++stats_.duplicate_faults;
    return status::ok;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
status region_pager<Store, Backend, Policy>::allow_writing(slot_id page) noexcept {
    const bool was_clean = states_.has(page, page_states::good);
    states_.set(page, page_states::good, false);
    if (const status s = told(backend_.let_write(page)); s != status::ok) {
        return s;
    }
    note_written(page);
    ++(was_clean ? stats_.write_faults : stats_.duplicate_faults);
    return status::ok;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
void region_pager<Store, Backend, Policy>::note_written(slot_id page) noexcept {
    states_.set(page, page_states::good, false);
    states_.set(page, page_states::barred, false);
    if (states_.has(page, page_states::ahead)) {
        states_.set(page, page_states::ahead, false);
        ahead_.used(1);
    }
    static_cast<void>(erase_entry(page)); // an older version stays where the store refuses: it is not read
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
status region_pager<Store, Backend, Policy>::return_page(slot_id page, bool is_write) noexcept {
    const bool stays_clean = !is_write && states_.has(page, page_states::good);
    if (const status s = told(backend_.put_back(page, stays_clean ? page_access::read : page_access::write));
        s != status::ok) {
        return s;
    }
    leave_memory(page);
    become_resident(page, true);
    if (!stays_clean) {
        note_written(page);
    }
    return status::ok;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
bool region_pager<Store, Backend, Policy>::is_from_base(slot_id page) const noexcept {
    return based_backend<Backend> && !states_.has(page, page_states::zero_base);
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
std::size_t region_pager<Store, Backend, Policy>::run_from(slot_id page, std::size_t most) const noexcept {
    std::size_t count = 1;
    while (count < most && is_like(static_cast<slot_id>(page + count), page)) {
        ++count;
    }
    return count;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
bool region_pager<Store, Backend, Policy>::is_like(slot_id one, slot_id other) const noexcept {
    return states_.at(one) == states_.at(other) &&
           (states_.at(one) == page_states::stored || is_from_base(one) == is_from_base(other));
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
status region_pager<Store, Backend, Policy>::bring(slot_id page, bool is_write) noexcept {
    const read_ahead_advice advice = ahead_.on_fault(page);
    const std::size_t others = others_to_bring(page, advice);
    make_room(1 + others);
    const bool is_zero = states_.at(page) == page_states::absent && !is_from_base(page);
    const page_access access = is_write ? page_access::write : page_access::read;
    // Who writes to one page of zeros writes to the next ones, too: each would be a fault of its own. Who reads
    // forwards needs one call for all.
    const bool is_one_run = advice.stride == 1 && (!is_write || is_zero);
    const pages_done done = bring_run(page, is_one_run ? 1 + others : 1, access, true);
    if (done.done == 0) {
        ahead_.brought(0);
        return done.why;
    }
    std::size_t more = done.done - 1;
    if (!is_one_run && others != 0) {
        more = bring_others(page, advice.stride, others);
    }
    for (std::size_t i = 1; i <= more; ++i) {
        const auto other = static_cast<slot_id>(page + advice.stride * static_cast<std::int64_t>(i));
        states_.set(other, page_states::ahead, true);
    }
    ahead_.brought(static_cast<unsigned>(more));
    ++stats_.faults;
    stats_.read_ahead_pages += more;
    return status::ok;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
std::size_t region_pager<Store, Backend, Policy>::others_to_bring(slot_id page,
                                                                  const read_ahead_advice& advice) const noexcept {
    const std::size_t most = options_.limit / 8 < advice.count ? options_.limit / 8 : advice.count;
    std::size_t count = 0;
    while (count < most) {
        const std::int64_t other =
            static_cast<std::int64_t>(page) + advice.stride * static_cast<std::int64_t>(count + 1);
        if (other < 0 || static_cast<std::uint64_t>(other) >= pages_ || !is_like(static_cast<slot_id>(other), page)) {
            break;
        }
        ++count;
    }
    return count;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
std::size_t region_pager<Store, Backend, Policy>::bring_others(slot_id page, std::int64_t stride,
                                                               std::size_t count) noexcept {
    if (stride == 1) {
        return bring_run(page + 1, count, page_access::read, false).done;
    }
    for (std::size_t i = 1; i <= count; ++i) { // one by one: the nearest come first
        const auto other = static_cast<slot_id>(page + stride * static_cast<std::int64_t>(i));
        if (bring_run(other, 1, page_access::read, false).done == 0) {
            return i - 1;
        }
    }
    return count;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
pages_done region_pager<Store, Backend, Policy>::bring_run(slot_id first, std::size_t count, page_access access,
                                                           bool may_evict) noexcept {
    std::size_t at = 0;
    for (unsigned tries = may_evict ? evictions_a_fault : 0; at < count;) {
        const pages_done done = bring_part(static_cast<slot_id>(first + at), count - at, access);
        at += done.done;
        if (done.why == status::ok || done.done != 0) {
            continue; // what stopped it tells so again
        }
        const bool is_short = done.why == status::no_memory || done.why == status::limit;
        if (at != 0 || !is_short || tries == 0 || evict_some(options_.batch).freed == 0) {
            return {at, done.why};
        }
        --tries;
    }
    return {at, status::ok};
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
pages_done region_pager<Store, Backend, Policy>::bring_part(slot_id first, std::size_t count,
                                                            page_access access) noexcept {
    if (states_.at(first) == page_states::lost) { // just now, behind pages that could be read
        return {0, status::corrupt};
    }
    const bool is_stored = states_.at(first) == page_states::stored;
    if (!is_stored && !is_from_base(first)) {
        const pages_done done = told(backend_.bring_zeros(first, count, access), count);
        for (std::size_t i = 0; i < done.done; ++i) {
            note_brought(static_cast<slot_id>(first + i), access);
        }
        stats_.zero_faults += done.done;
        return done;
    }
    const result<byte_span> place = backend_.place(first, count);
    if (!place) {
        return {0, told(place.error())};
    }
    std::size_t room = place.value().size() / page_size;
    room = room < count ? room : count;
    if (room == 0) {
        static_cast<void>(backend_.bring(first, 0, access));
        return {0, refused(status::busy)};
    }
    std::size_t read = 0;
    status why = status::ok;
    while (read < room && why == status::ok) {
        why = read_page(static_cast<slot_id>(first + read), place.value().subview(read * page_size, page_size));
        read += why == status::ok ? 1u : 0u;
    }
    const pages_done done = told(backend_.bring(first, read, access), read);
    for (std::size_t i = 0; i < done.done; ++i) {
        const auto page = static_cast<slot_id>(first + i);
        ++(states_.at(page) == page_states::stored ? stats_.store_faults : stats_.base_faults);
        note_brought(page, access);
    }
    return {done.done, done.done < read ? done.why : read < room ? why : status::ok};
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
status region_pager<Store, Backend, Policy>::read_page(slot_id page, byte_span out) noexcept {
    if (states_.at(page) == page_states::lost) { // in the midst of a run, since the run began
        return status::corrupt;
    }
    if (states_.at(page) == page_states::stored) {
        const status s = store_.get(key(page), out);
        if (s != status::corrupt && s != status::not_found && s != status::invalid) {
            return s;
        }
        if (!options_.may_vanish) {
            lose(page);
            return status::corrupt;
        }
        if (const status erased = erase_entry(page); erased != status::ok) {
            return erased;
        }
        ++stats_.vanished_pages;
        set_place(page, page_states::absent);
    }
    if constexpr (based_backend<Backend>) {
        if (is_from_base(page)) {
            return told(backend_.fill(page, out));
        }
    }
    fill_bytes(out.data(), 0, page_size);
    return status::ok;
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
void region_pager<Store, Backend, Policy>::lose(slot_id page) noexcept {
    ++stats_.lost_pages;
    set_place(page, page_states::lost);
    static_cast<void>(erase_entry(page));
}

template <paged_store Store, paging_backend Backend, eviction_policy Policy>
void region_pager<Store, Backend, Policy>::note_brought(slot_id page, page_access access) noexcept {
    const std::uint32_t stamp = states_.stamp(page);
    const bool is_refault = stamp != 0 && evictions_ - stamp <= set_.size();
    stats_.refaults += is_refault ? 1u : 0u;
    const bool was_stored = states_.at(page) == page_states::stored;
    become_resident(page, is_refault);
    states_.set(page, page_states::barred, false);
    states_.set(page, page_states::ahead, false);
    states_.set(page, page_states::good, access == page_access::read);
    if (access == page_access::write) {
        note_written(page);
    } else if (was_stored && !options_.keeps_copies) {
        static_cast<void>(erase_entry(page)); // which says that there is no copy, but
        states_.set(page, page_states::good, states_.has(page, page_states::has_entry) || options_.may_vanish);
    }
}

} // namespace pagefold
