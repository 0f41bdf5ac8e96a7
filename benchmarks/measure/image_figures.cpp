// SPDX-License-Identifier: MIT
#include "image_figures.hpp"

#include "interruption.hpp"

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/platform/static_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/image_reader.hpp>
#include <pagefold/store/image_writer.hpp>
#include <pagefold/store/partitioned_store.hpp>
#include <pagefold/store/restored_pools.hpp>

#include <time.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace pagefold::measure {
namespace of_images { // sources are compiled together
namespace {

constexpr std::size_t bytes_a_page = support::corpus::page_bytes;
using store_type = partitioned_store<default_config>;

/// Memory that an image is written to, and read from.
class tape {
public:
    explicit tape(std::size_t bytes) : bytes_(bytes) {}
    status write(byte_view from) noexcept {
        if (from.size() > bytes_.size() - size_) {
            return status::limit;
        }
        std::memcpy(bytes_.data() + size_, from.data(), from.size());
        size_ += from.size();
        return status::ok;
    }
    result<std::size_t> read(byte_span to) noexcept {
        const std::size_t left = size_ - at_, count = to.size() < left ? to.size() : left;
        std::memcpy(to.data(), bytes_.data() + at_, count);
        at_ += count;
        return count;
    }
    void clear() noexcept { size_ = at_ = 0; }
    void rewind() noexcept { at_ = 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    std::vector<std::byte> bytes_;
    std::size_t size_ = 0, at_ = 0;
};

/// Of this thread, by the clock and by what it worked: on a busy machine they differ.
struct duration {
    double passed = 0, worked = 0;
};
[[nodiscard]] double now(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}
template <class Work>
[[nodiscard]] duration time_of(Work work) {
    const double passed = now(CLOCK_MONOTONIC), worked = now(CLOCK_THREAD_CPUTIME_ID);
    work();
    return {now(CLOCK_MONOTONIC) - passed, now(CLOCK_THREAD_CPUTIME_ID) - worked};
}
void require(bool holds, const char* what) {
    if (!holds) {
        throw std::runtime_error(what);
    }
}

} // namespace
} // namespace of_images

void measure_image(const support::corpus& pages, unsigned rounds, std::size_t stored_pages, figures& out) {
    using namespace of_images;
    mmap_source source;
    store_type store{source, {}};
    const pool_id pool = store.create_pool().value();
    std::uint64_t stored = 0;
    for (std::size_t i = 0; i < stored_pages; ++i) {
        stored += store.put({pool, i / 65536, i % 65536}, {pages.page(i % pages.size()), bytes_a_page}) == status::ok
                      ? 1u
                      : 0u;
    }
    const double raw = static_cast<double>(stored) * bytes_a_page;
    tape image{stored_pages * (bytes_a_page + 64) + 65536};
    std::vector<std::byte> buffer(good_image_buffer(bytes_a_page)), room(good_image_buffer(bytes_a_page));
    const image_pool pools[]{{pool, 1}};
    // Memory that was touched before: what is measured is the restore, and not the kernel's clearing of pages. With fresh memory as
    // well, for comparison.
    std::vector<std::byte> warm(store.stats().total_bytes * 5 / 4 + (std::size_t{16} << 20), std::byte{1});
    const auto restore = [&](page_source_ref memory) {
        store_type other{memory, {}};
        pool_id ids[1]{};
        restored_pools into{other, ids, 1};
        image.rewind();
        image_reader reader{other, image, into, room};
        const duration time = time_of([&] { require(reader.run() == status::ok, "image: not restored"); });
        require(reader.restored_pages() == stored, "image: pages are missing");
        return time;
    };
    for (unsigned round = 0; round < rounds; ++round) {
        end_if_interrupted();
        image.clear();
        image_writer writer{store, image, buffer, pools, 1, {.id = round + 1}};
        const duration save = time_of([&] { require(writer.run() == status::ok, "image: not saved"); });
        const auto add = [&](const std::string& what, const duration& time) {
            out.add("image." + what + "_gb_per_s", raw / time.passed / 1e9);
            out.add_context("image." + what + "_gb_per_s_of_processor", raw / time.worked / 1e9);
        };
        add("save", save);
        static_source touched{{warm.data(), warm.size()}, bytes_a_page};
        add("restore", restore(touched));
        out.add_context("image.restore_to_fresh_memory_gb_per_s", raw / restore(source).passed / 1e9);
        out.add("image.bytes_over_streams",
                static_cast<double>(image.size()) / static_cast<double>(store.stats().compr_data_size));
    }
}

} // namespace pagefold::measure
