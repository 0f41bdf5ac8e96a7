// SPDX-License-Identifier: MIT
#include "zram_peer.hpp"

#include "drive.hpp"
#include "interrupt.hpp"

#include "support/zram_device.hpp"

#include <string>

namespace page_report {
namespace {

void run(pagefold::support::zram_device& device, const page_set& pages, unsigned threads, progress& shown,
         peer_measurement& made) {
    page_driver driver{pages, threads, shown};
    const auto block = [&](std::uint32_t source, std::uint64_t index) {
        return pages.sources()[source].first + static_cast<std::size_t>(index);
    };
    driver.put_all(
        "writing to zram",
        [&](std::uint32_t source, std::uint64_t index, const std::byte* page) {
            return device.write(block(source, index), page);
        },
        [] { return 0; });
    driver.get_all("reading from zram", [&](std::uint32_t source, std::uint64_t index, std::byte* to) {
        return device.read(block(source, index), to);
    });

    const pagefold::support::zram_mm_stat stat = device.statistics();
    made.row.pages = made.row.pages_there = pages.size();
    made.row.data_bytes = stat.orig_data_size;
    made.row.compressed_bytes = stat.compr_data_size;
    made.row.total_bytes = stat.mem_used_total;
    made.row.same_filled = stat.same_pages;
    made.row.incompressible = stat.huge_pages;
    driver.summarize(0, pages.size(), made.row);
    if (driver.count(page_fate::refused, 0, pages.size()) + driver.count(page_fate::missing, 0, pages.size()) > 0) {
        made.left_out = "a write or read of /dev/" + device.name() + " failed";
    }
    if (const std::string wrong = driver.first_with(page_fate::wrong); !wrong.empty()) {
        made.fault = "zram: " + wrong + " came back with other bytes than were written";
    }
}

} // namespace

peer_measurement measure_zram(const page_set& pages, unsigned threads, progress& shown) {
    peer_measurement made;
    made.row.name = "zram lz4";
    const delayed_interrupt until_removed;
    pagefold::support::zram_device device = pagefold::support::zram_device::create(pages.size());
    if (!device) {
        made.left_out = device.error();
        return made;
    }
    run(device, pages, threads, shown, made);
    if (!device.remove()) {
        made.left_out = device.error();
    }
    return made;
}

} // namespace page_report
