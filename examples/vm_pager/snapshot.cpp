// SPDX-License-Identifier: MIT
#include "snapshot.hpp"

#include "message.hpp"

namespace vm_pager {

snapshot::snapshot(store_type& store, const std::string& path) : store_{store}, file_{path} {
    pagefold::pool_options options;
    options.kind = pagefold::pool_kind::ephemeral;
    pool_ = store_.create_pool(options).value_or(pagefold::pool_id{});
}

snapshot::~snapshot() {
    if (pool_ != pagefold::pool_id{}) {
        static_cast<void>(store_.destroy_pool(pool_));
    }
}

std::size_t snapshot::read(std::uint64_t offset, std::byte* to, std::size_t count) noexcept {
    const auto key = [&](std::size_t i) { return pagefold::page_key{pool_, 0, offset / page_bytes + i}; };
    for (std::size_t i = 0; i < count;) {
        std::byte* const here = to + i * page_bytes;
        if (store_.get(key(i), {here, page_bytes}) == pagefold::status::ok) {
            ++i;
            continue;
        }
        // What follows is most often missing as well: one call for all of it.
        const std::size_t got = file_.read(offset + i * page_bytes, here, count - i);
        for (std::size_t j = i; j < i + got; ++j) {
            // A page that the store has no room for is read again another time.
            static_cast<void>(store_.put(key(j), {to + j * page_bytes, page_bytes}) == pagefold::status::ok);
        }
        i += got;
        if (got == 0) {
            return i;
        }
    }
    return count;
}

} // namespace vm_pager
