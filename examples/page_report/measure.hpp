// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"
#include "measurement.hpp"
#include "page_set.hpp"
#include "progress.hpp"

#include <string>

namespace page_report {

/// The values of --codec that this program was built with, for the help.
[[nodiscard]] std::string codec_names();

/// Throws `failure` for a codec that is not among them.
void check_codec(const std::string& name);

/// Puts all pages into a store and takes them back. Throws `failure` for a limit that leaves no room for a page.
[[nodiscard]] measurement measure(const page_set& pages, const arguments& given, progress& shown);

} // namespace page_report
