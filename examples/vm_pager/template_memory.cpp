// SPDX-License-Identifier: MIT
#include "template_memory.hpp"

#include "failure.hpp"
#include "message.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vm_pager {

using pagefold::status;

template_memory::template_memory(store_type& store, const std::string& path)
    : store_{store}, path_{path}, file_{path}, piece_{new std::byte[most_piece * page_bytes]}, bytes_{file_->bytes()} {
    pagefold::pool_options options;
    options.admission = keeps_all;
    const pagefold::result<pagefold::pool_id> pool = store_.create_pool(options);
    if (!pool) {
        throw failure(path_ + ": the store has no room for a template: " + to_string(pool.error()));
    }
    pool_ = pool.value();
}

template_memory::~template_memory() { static_cast<void>(store_.destroy_pool(pool_)); }

bool template_memory::read_piece() {
    const std::uint64_t all = bytes_ / page_bytes;
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(all - pages_, most_piece));
    const std::size_t got = file_->read(pages_ * page_bytes, piece_.get(), count);
    const std::string of_all = " of " + std::to_string(all);
    if (got != count) {
        const std::string place = path_ + ": page " + std::to_string(pages_ + got) + of_all;
        throw failure(place + (errno != 0 ? std::string(" can't be read: ") + std::strerror(errno)
                                          : std::string(" is not there any more: the file has become shorter")));
    }
    for (std::size_t i = 0; i < count; ++i, ++pages_) {
        const status s = store_.put({pool_, 0, pages_}, {piece_.get() + i * page_bytes, page_bytes});
        if (s != status::ok) {
            throw failure(path_ + ": only " + std::to_string(pages_) + of_all +
                          " pages fit into the store: " + to_string(s) + " (--store and --memory bound it)");
        }
    }
    if (pages_ != all) {
        return false;
    }
    if (const status s = store_.seal(pool_); s != status::ok) {
        throw failure(path_ + ": it can't be sealed: " + to_string(s));
    }
    file_.reset();
    piece_.reset();
    return true;
}

std::size_t template_memory::read(std::uint64_t offset, std::byte* to, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        if (store_.get({pool_, 0, offset / page_bytes + i}, {to + i * page_bytes, page_bytes}) != status::ok) {
            return i;
        }
    }
    return count;
}

} // namespace vm_pager
