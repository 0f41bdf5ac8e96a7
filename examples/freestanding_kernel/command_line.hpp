// SPDX-License-Identifier: MIT
#pragma once

namespace kernel {

/// A fault to plant, each of which must end the machine with a failure.
enum class plant {
    none,
    stream,    ///< a byte of a stream in the store's memory, of an anonymous page
    page,      ///< a byte of a page in memory
    assertion, ///< a frame released that nobody acquired
    wild,      ///< an access beside the region
    unknown,
};

/// none for an empty line; anything but one `plant=NAME` is unknown.
[[nodiscard]] plant parse_command_line(const char* line) noexcept;

} // namespace kernel
