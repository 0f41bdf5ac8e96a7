// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/basic_store.hpp>

// How a store packs and reads pages of clones; what they are is in clone.hpp.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::read_base(const typename scratch_type::lease& lease, pool_id parent,
                                             const page_key& key, byte_span out, base_page& base) noexcept {
    if constexpr (!has_clones) {
        return status::not_found;
    } else {
        located_key k = hasher_.locate({parent, key.object, key.index});
        const scratch_of_clones room{lease.extra()};
        partition_type* partition = nullptr;
        typename partition_type::fetched found;
        found.is_use = false;
        route_tries tries{route_of(k.pool)};
        status s;
        do {
            const homes at = find_homes(k);
            partition = &partitions_[at.before];
            s = partition->fetch(k, out, room.stream(), false, found);
            if (s == status::not_found && at.before != at.now) {
                partition = &partitions_[at.now];
                s = partition->fetch(k, out, room.stream(), false, found);
            }
        } while (tries.has_next(s == has_moved));
        if (s != status::ok) {
            return s;
        }
        const bool is_good = !found.e.has_base() && partition_state<Config>::is_good(found.e, found.stream, k.sum_seed);
        s = is_good ? codec_.unpack(found.stream, out, lease.scratch(), context_of(k)) : status::corrupt;
        if (s != status::ok) {
            partition->note_corruption();
            return s;
        }
        base = {k.sum_seed, found.e.sum(), found.e.is_inline() ? min_stream_size : found.e.size()};
        return s;
    }
}

template <store_config Config, partition_policy Place>
bool basic_store<Config, Place>::pack_clone(const typename scratch_type::lease& lease, const located_key& k,
                                            pool_id parent, const page_facts& facts, packed_page& packed) noexcept {
    if constexpr (!has_clones) {
        return false;
    } else {
        const scratch_of_clones room{lease.extra()};
        const byte_view page = room.page();
        if (equal_bytes(page.data(), page.data() + min_stream_size, page_size - min_stream_size)) {
            return false; // same-filled
        }
        base_page base;
        if (read_base(lease, parent, k.key, room.base(), base) != status::ok) {
            return false;
        }
        if (equal_bytes(room.base().data(), page.data(), page_size)) {
            if (!codec_.admits(page_size, min_stream_size, facts)) {
                return false;
            }
            store_native(room.stream().data(), std::uint64_t{base.size});
            packed = {room.stream().first(min_stream_size), base.reference_check(k.sum_seed), page_form::reference};
            return true;
        }
        if (!delta_.is_near(room.pair())) {
            return false;
        }
        const result<std::size_t> size = delta_.compress(room.pair(), room.stream(), room.delta());
        if (!size || *size > most_packed_ || !codec_.admits(page_size, *size, facts)) {
            return false;
        }
        const byte_view stream = room.stream().first(*size);
        packed = {stream, checksum(stream, base.bind(k.sum_seed)), page_form::delta};
        return true;
    }
}

template <store_config Config, partition_policy Place>
PAGEFOLD_NOINLINE status basic_store<Config, Place>::read_clone(
    const typename scratch_type::lease& lease, partition_type& partition, const located_key& k, byte_span out,
    bool removing, const typename partition_type::fetched& found) noexcept {
    if constexpr (!has_clones) {
        return status::corrupt;
    } else {
        const scratch_of_clones room{lease.extra()};
        const bool is_delta = found.e.is_delta();
        base_page base;
        status s = read_base(lease, found.parent, k.key, is_delta ? room.base() : out, base);
        if (s == status::busy) {
            return s;
        }
        if (s == status::invalid) {
            // The parent is gone, as children are that are gone; it outlives them.
            return is_valid(k.key) ? status::corrupt : status::invalid;
        }
        if (s == status::ok) {
            const std::uint64_t check =
                is_delta ? checksum(found.stream, base.bind(k.sum_seed)) : base.reference_check(k.sum_seed);
            s = found.e.matches(check) ? status::ok : status::corrupt;
        }
        if (s == status::ok && is_delta) {
            s = delta_.decompress(found.stream, room.pair(), room.delta());
            copy_bytes(out.data(), room.page().data(), page_size);
        }
        if (s != status::ok) {
            partition.note_corruption();
            return status::corrupt;
        }
        return removing ? partition.take_same(k, found.e) : status::ok;
    }
}

} // namespace pagefold
