// SPDX-License-Identifier: MIT
#pragma once

#include "measurement.hpp"
#include "page_set.hpp"
#include "progress.hpp"

namespace page_report {

/// The same pages through a zram device with lz4. An interrupt ends the program, after the device is removed.
[[nodiscard]] peer_measurement measure_zram(const page_set& pages, unsigned threads, progress& shown);

} // namespace page_report
