// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>

bool codec_keeps(pagefold::byte_view page);
bool allocator_keeps(pagefold::byte_view page);
bool store_keeps(pagefold::byte_view page);
