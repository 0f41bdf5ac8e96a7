// SPDX-License-Identifier: MIT
#include "message.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>

namespace vm_pager {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(std::size_t index, const std::string& why) {
    throw refusal("region " + std::to_string(index) + ": " + why);
}

std::uint64_t number_in(const json& region, const char* name, std::size_t index) {
    const auto found = region.find(name);
    if (found == region.end()) {
        refuse(index, std::string(name) + " is missing");
    }
    if (!found->is_number_unsigned()) { // a float, a negative number, or one of more than 64 bits
        refuse(index, std::string(name) + " is not a whole number below 2^64");
    }
    return found->get<std::uint64_t>();
}

void check_page_size(const json& region, std::size_t index) {
    for (const char* const name : {"page_size", "page_size_kib"}) {
        if (region.contains(name)) {
            if (const std::uint64_t size = number_in(region, name, index); size != page_bytes) {
                refuse(index, "pages of " + std::to_string(size) + " bytes; only 4096 are served");
            }
            return;
        }
    }
}

guest_region region_of(const json& region, std::size_t index) {
    constexpr std::uint64_t end_of_addresses = std::uint64_t{1} << 56;
    if (!region.is_object()) {
        refuse(index, "not an object");
    }
    const guest_region out{number_in(region, "base_host_virt_addr", index), number_in(region, "size", index),
                           number_in(region, "offset", index)};
    check_page_size(region, index);
    if ((out.address | out.bytes | out.offset) % page_bytes != 0) {
        refuse(index, "address, size and offset are not all multiples of 4096");
    }
    if (out.bytes == 0 || out.bytes > most_guest_bytes) {
        refuse(index, "a size of " + std::to_string(out.bytes) + " bytes");
    }
    if (out.address == 0 || out.address >= end_of_addresses || out.offset >= end_of_addresses) {
        refuse(index, "no such address or offset");
    }
    return out;
}

/// In the order of `start`, each must end before the next begins.
void check_apart(std::vector<guest_region>& regions, std::uint64_t guest_region::*start, const char* what) {
    std::sort(regions.begin(), regions.end(),
              [start](const guest_region& a, const guest_region& b) { return a.*start < b.*start; });
    for (std::size_t i = 1; i < regions.size(); ++i) {
        if (regions[i].*start < regions[i - 1].*start + regions[i - 1].bytes) {
            throw refusal(std::string("two regions overlap in ") + what);
        }
    }
}

} // namespace

std::optional<std::vector<guest_region>> parse_message(std::string_view text) {
    json message;
    try {
        message = json::parse(text);
    } catch (const json::parse_error& error) {
        if (error.byte > text.size() && text.size() < most_message_bytes) {
            return std::nullopt;
        }
        throw refusal("the message is no JSON: wrong at byte " + std::to_string(error.byte));
    } catch (const json::exception&) { // a number that no double can hold
        throw refusal("the message is no JSON: a number is out of range");
    }
    if (!message.is_array() || message.empty() || message.size() > most_regions) {
        throw refusal("the message is not an array of 1 to " + std::to_string(most_regions) + " regions");
    }
    std::vector<guest_region> regions;
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < message.size(); ++i) {
        regions.push_back(region_of(message[i], i));
        bytes += regions.back().bytes;
    }
    if (bytes > most_guest_bytes) {
        throw refusal("the regions are too large: " + std::to_string(bytes) + " bytes");
    }
    check_apart(regions, &guest_region::offset, "their offsets");
    check_apart(regions, &guest_region::address, "their addresses");
    return regions;
}

} // namespace vm_pager
